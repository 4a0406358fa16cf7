/* A driver of one network device, which counts what it is told. */
#ifndef WINPV_LISTENER_H
#define WINPV_LISTENER_H

#include <string.h>
#include "../check.h"
#include "machine.h"

#define OPTIONS(...) (&(struct hv_options){.unplug_version = 1, __VA_ARGS__})

struct seen {
    struct pv_bus_interface bus;
    unsigned events, watches, resumes;
};

static inline NT_ABI void count_event(void *context)
{
    ((struct seen *)context)->events++;
}

static inline NT_ABI void count_watch(void *context)
{
    ((struct seen *)context)->watches++;
}

static inline NT_ABI void count_resume(void *context)
{
    ((struct seen *)context)->resumes++;
}

static inline void one_device(struct machine *machine, struct seen *seen, const struct hv_options *options)
{
    PDEVICE_OBJECT child[1];

    memset(seen, 0, sizeof(*seen));
    machine_boot(1, options);
    store_set("device/vif/0/backend-id", "0");
    machine_load(machine);
    machine_start(machine);
    CHECK_EQUAL(1, nt_bus_relations(machine->platform, child, 1));
    seen->bus = machine_interface(child[0]);
}

static inline void end(struct machine *machine, struct seen *seen)
{
    seen->bus.header.InterfaceDereference(seen->bus.header.Context);
    machine_end(machine);
}

#endif
