/* A machine with the shipped pvbus in it, for the tests of this folder. */
#ifndef WINPV_MACHINE_H
#define WINPV_MACHINE_H

#include "hypervisor.h"
#include "nt.h"
#include "pv/bus_interface.h"

#define SERVICES "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\"
#define PVBUS    SERVICES "pvbus\\Parameters"

extern const char *pvbus_file;

struct machine {
    struct nt_driver *pvbus;
    PDEVICE_OBJECT platform; /* the physical device object that pvbus stands on */
    bool added;
    NTSTATUS added_as, started_as;
};

/* Boots the kernel and the hypervisor; nothing is loaded yet, so that the registry and xenstore can be filled. */
void machine_boot(unsigned processors, const struct hv_options *options);
/* Loads pvbus, adds and starts its device. What failed is in the machine's status members. */
void machine_load(struct machine *machine);
void machine_start(struct machine *machine);
/* Removes what is there, unloads, and looks for what was left behind. */
void machine_end(struct machine *machine);
/* All in one for tests that begin with a bus that runs. */
void machine_run(struct machine *machine, unsigned processors, const struct hv_options *options);
/* And a driver for its one device. */
struct system {
    struct machine machine;
    struct nt_driver *driver;
    PDEVICE_OBJECT device; /* the physical device object */
    bool added;
    NTSTATUS added_as, started_as;
};
void system_load(struct system *system, const char *file, const char *service); /* after machine_boot; the bus runs */
void system_start(struct system *system); /* the device; what failed is in the status members */
void system_run(struct system *system);   /* and it must not have failed */
void system_end(struct system *system, void (*end_back_ends)(void));

/* The bus's interface for a child; to be dereferenced. */
struct pv_bus_interface machine_interface(PDEVICE_OBJECT child);

#endif
