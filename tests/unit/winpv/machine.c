#include <string.h>
#include "../check.h"
#include "machine.h"

const char *pvbus_file;

void machine_boot(unsigned processors, const struct hv_options *options)
{
    nt_boot(processors);
    hv_boot(options);
    nt_registry_text(PVBUS, "Made", "by the installer");
}

void machine_load(struct machine *machine)
{
    NTSTATUS status;

    memset(machine, 0, sizeof(*machine));
    machine->platform = nt_root_device();
    machine->pvbus = nt_load(pvbus_file, "pvbus", &status);
    CHECK(machine->pvbus, "DriverEntry: %08x", (unsigned)status);
}

void machine_start(struct machine *machine)
{
    machine->added_as = nt_add_device(machine->pvbus, machine->platform);
    machine->added = NT_SUCCESS(machine->added_as);
    if (machine->added)
        machine->started_as = nt_start_platform(machine->platform);
}

void machine_run(struct machine *machine, unsigned processors, const struct hv_options *options)
{
    machine_boot(processors, options);
    machine_load(machine);
    machine_start(machine);
    CHECK_EQUAL(STATUS_SUCCESS, machine->added_as);
    CHECK_EQUAL(STATUS_SUCCESS, machine->started_as);
}

void machine_end(struct machine *machine)
{
    nt_settle();
    if (machine->added)
        CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(machine->platform, IRP_MN_REMOVE_DEVICE, NULL, NULL));
    nt_unload(machine->pvbus);
    nt_delete_root_device(machine->platform);
    nt_settle();
    hv_shutdown();
    nt_shutdown();
}

void system_load(struct system *system, const char *file, const char *service)
{
    NTSTATUS status;

    memset(system, 0, sizeof(*system));
    machine_load(&system->machine);
    machine_start(&system->machine);
    CHECK_EQUAL(1, nt_bus_relations(system->machine.platform, &system->device, 1));
    system->driver = nt_load(file, service, &status);
    CHECK(system->driver, "DriverEntry: %08x", (unsigned)status);
}

void system_start(struct system *system)
{
    system->added_as = nt_add_device(system->driver, system->device);
    system->added = NT_SUCCESS(system->added_as);
    if (system->added)
        system->started_as = nt_pnp(system->device, IRP_MN_START_DEVICE, NULL, NULL);
}

void system_run(struct system *system)
{
    system_start(system);
    CHECK_EQUAL(STATUS_SUCCESS, system->added_as);
    CHECK_EQUAL(STATUS_SUCCESS, system->started_as);
}

void system_end(struct system *system, void (*end_back_ends)(void))
{
    nt_settle();
    if (system->added)
        CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system->device, IRP_MN_REMOVE_DEVICE, NULL, NULL));
    nt_unload(system->driver);
    end_back_ends();
    machine_end(&system->machine);
}

struct pv_bus_interface machine_interface(PDEVICE_OBJECT child)
{
    static const GUID guid = PV_BUS_INTERFACE_GUID;
    struct pv_bus_interface bus;
    IO_STACK_LOCATION stack = {0};

    memset(&bus, 0, sizeof(bus));
    stack.Parameters.QueryInterface.InterfaceType = &guid;
    stack.Parameters.QueryInterface.Size = sizeof(bus);
    stack.Parameters.QueryInterface.Version = PV_BUS_INTERFACE_VERSION;
    stack.Parameters.QueryInterface.Interface = &bus.header;
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(child, IRP_MN_QUERY_INTERFACE, &stack, NULL));
    return bus;
}
