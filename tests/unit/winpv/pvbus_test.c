/* The shipped pvbus.sys in the user-space kernel: start and end, devices, xenstore, events, grants, suspend, unplug. */
#include <string.h>
#include "../check.h"
#include "../test_list.h"
#include "listener.h"
#include "machine.h"

static char said[256];

static const char *node(const char *path)
{
    return store_get(path, said, sizeof(said)) ? said : "(none)";
}

/* --- start and end --- */

static void starts_and_ends(void)
{
    struct machine machine;

    machine_run(&machine, 1, OPTIONS(0));
    CHECK(hv_uses_fifo());
    CHECK(!strcmp(node("control/feature-suspend"), "1"));
    nt_settle();
    CHECK_EQUAL(2, store_watches());
    CHECK(nt_invalidations() > 0);
    CHECK_EQUAL(STATUS_SUCCESS, nt_power(machine.platform, IRP_MN_SET_POWER));
    machine_end(&machine);
    CHECK_EQUAL(0, store_watches());
    CHECK(!strcmp(node("control/feature-suspend"), "(none)"));
}

static void starts_without_fifo(void)
{
    struct machine machine;

    machine_run(&machine, 1, OPTIONS(.two_level = true));
    CHECK(!hv_uses_fifo());
    machine_end(&machine);
}

static void starts_behind_another_interface(void)
{
    struct machine machine;

    machine_run(&machine, 1, OPTIONS(.viridian_first = true));
    machine_end(&machine);
}

static void starts_again_after_stop_and_after_removal(void)
{
    struct machine machine;

    machine_run(&machine, 1, OPTIONS(0));
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(machine.platform, IRP_MN_QUERY_STOP_DEVICE, NULL, NULL));
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(machine.platform, IRP_MN_STOP_DEVICE, NULL, NULL));
    CHECK_EQUAL(STATUS_SUCCESS, nt_start_platform(machine.platform));
    nt_settle();
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(machine.platform, IRP_MN_REMOVE_DEVICE, NULL, NULL));
    machine_start(&machine);
    CHECK_EQUAL(STATUS_SUCCESS, machine.started_as);
    machine_end(&machine);
}

static void refuses_to_start_without_hypervisor(void)
{
    struct machine machine;

    machine_boot(1, OPTIONS(.absent = true));
    machine_load(&machine);
    machine_start(&machine);
    CHECK_EQUAL(STATUS_NOT_SUPPORTED, machine.started_as);
    machine_end(&machine);
}

static void refuses_beside_foreign_drivers(void)
{
    struct machine machine;

    machine_boot(1, OPTIONS(0));
    nt_registry_number(SERVICES "xenbus", "Start", 0);
    machine_load(&machine);
    machine_start(&machine);
    CHECK_EQUAL(STATUS_DEVICE_CONFIGURATION_ERROR, machine.added_as);
    CHECK(nt_said("another vendor's drivers"));
    machine_end(&machine);
}

static void takes_one_device_alone(void)
{
    struct machine machine;
    PDEVICE_OBJECT second;

    machine_run(&machine, 1, OPTIONS(0));
    second = nt_root_device();
    CHECK_EQUAL(STATUS_DEVICE_ALREADY_ATTACHED, nt_add_device(machine.pvbus, second));
    nt_delete_root_device(second);
    machine_end(&machine);
}

static void refuses_a_broken_configuration(void)
{
    struct machine machine;
    IO_STACK_LOCATION none = {0};

    machine_boot(1, OPTIONS(0));
    machine_load(&machine);
    CHECK_EQUAL(STATUS_SUCCESS, nt_add_device(machine.pvbus, machine.platform));
    machine.added = true;
    CHECK_EQUAL(STATUS_DEVICE_CONFIGURATION_ERROR, nt_pnp(machine.platform, IRP_MN_START_DEVICE, &none, NULL));
    machine_end(&machine);
}

/* Every allocation of a start fails once: it starts or does not, and leaves nothing behind either way. */
static void survives_failed_allocations(void)
{
    unsigned number = 0, asked;
    bool started_with_one_less = false;

    do {
        struct machine machine;

        number++;
        machine_boot(1, OPTIONS(0));
        store_set("device/vif/0/backend-id", "0");
        machine_load(&machine);
        nt_fail_allocation(number);
        machine_start(&machine);
        if (machine.added && NT_SUCCESS(machine.started_as)) {
            PDEVICE_OBJECT children[4];

            started_with_one_less = true;
            nt_bus_relations(machine.platform, children, 4);
        }
        asked = nt_allocations();
        nt_fail_allocation(0);
        machine_end(&machine);
    } while (number <= asked);
    CHECK(number > 8, "%u", number);
    CHECK(started_with_one_less);
}

/* --- devices --- */

static void check_id(PDEVICE_OBJECT child, BUS_QUERY_ID_TYPE type, const char *expected)
{
    IO_STACK_LOCATION stack = {.Parameters.QueryId.IdType = type};
    ULONG_PTR information = 0;
    char text[64] = "";

    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(child, IRP_MN_QUERY_ID, &stack, &information));
    for (unsigned i = 0; ((WCHAR *)information)[i]; i++)
        text[i] = (char)((WCHAR *)information)[i];
    CHECK(!strcmp(text, expected), "%s, not %s", text, expected);
    nt_free((void *)information);
}

static void names_its_devices(void)
{
    struct machine machine;
    PDEVICE_OBJECT children[8];
    IO_STACK_LOCATION target = {.Parameters.QueryDeviceRelations.Type = TargetDeviceRelation};
    ULONG_PTR information = 0;

    machine_boot(1, OPTIONS(0));
    store_set("device/vbd/51712/backend-id", "0");
    store_set("device/vbd/51728/backend-id", "0");
    store_set("device/vif/3/backend-id", "0");
    store_set("device/vif/17/backend-id", "0");
    store_set("device/vif/x/backend-id", "0");
    store_set("device/vif/99999999999/backend-id", "0");
    store_set("device/vkbd/0/backend-id", "0");
    store_set("device/unknown/0/backend-id", "0");
    machine_load(&machine);
    machine_start(&machine);
    CHECK_EQUAL(4, nt_bus_relations(machine.platform, children, 8));
    check_id(children[0], BusQueryDeviceID, "PVBUS\\VBD");
    check_id(children[0], BusQueryInstanceID, "0000");
    check_id(children[1], BusQueryHardwareIDs, "PVBUS\\VIF");
    check_id(children[1], BusQueryInstanceID, "0003");
    check_id(children[2], BusQueryInstanceID, "0011");
    check_id(children[3], BusQueryDeviceID, "PVBUS\\VKBD");
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(children[0], IRP_MN_QUERY_DEVICE_RELATIONS, &target, &information));
    CHECK(((DEVICE_RELATIONS *)information)->Objects[0] == children[0]);
    nt_dereference(children[0]);
    nt_free((void *)information);
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(children[1], IRP_MN_START_DEVICE, NULL, NULL));
    machine_end(&machine);
}

static void follows_what_comes_and_goes(void)
{
    struct machine machine;
    PDEVICE_OBJECT first[4], second[4];
    unsigned before;

    machine_run(&machine, 1, OPTIONS(0));
    nt_settle();
    before = nt_invalidations();
    CHECK_EQUAL(0, nt_bus_relations(machine.platform, first, 4));
    store_set("device/vif/0/backend-id", "0");
    store_set("device/vif/1/backend-id", "0");
    nt_settle();
    CHECK(nt_invalidations() > before);
    CHECK_EQUAL(2, nt_bus_relations(machine.platform, first, 4));
    CHECK_EQUAL(2, nt_bus_relations(machine.platform, second, 4));
    CHECK(first[0] == second[0] && first[1] == second[1]);
    store_delete("device/vif/0");
    nt_settle();
    CHECK_EQUAL(1, nt_bus_relations(machine.platform, second, 4));
    CHECK(second[0] == first[1]);
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(first[0], IRP_MN_SURPRISE_REMOVAL, NULL, NULL));
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(first[0], IRP_MN_REMOVE_DEVICE, NULL, NULL));
    CHECK_EQUAL(3, nt_device_objects()); /* the platform's, the bus's and the device that is left */
    machine_end(&machine);
}

static void keeps_a_device_whose_driver_goes(void)
{
    struct machine machine;
    PDEVICE_OBJECT before[1], after[1];

    machine_boot(1, OPTIONS(0));
    store_set("device/vif/0/backend-id", "0");
    machine_load(&machine);
    machine_start(&machine);
    CHECK_EQUAL(1, nt_bus_relations(machine.platform, before, 1));
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(before[0], IRP_MN_REMOVE_DEVICE, NULL, NULL));
    CHECK_EQUAL(1, nt_bus_relations(machine.platform, after, 1));
    CHECK(before[0] == after[0]);
    machine_end(&machine);
}

/* --- what a device's driver gets --- */

static void serves_xenstore(void)
{
    struct machine machine;
    struct seen seen;
    struct pv_watch *watch;
    void *bus;
    char text[16], list[64];

    one_device(&machine, &seen, OPTIONS(0));
    bus = seen.bus.header.Context;
    CHECK(!strcmp(seen.bus.path, "device/vif/0"));
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.store_write(bus, "device/vif/0/state", "4"));
    CHECK(!strcmp(node("device/vif/0/state"), "4"));
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.store_read(bus, "name", text, sizeof(text)));
    CHECK(!strcmp(text, "guest"));
    CHECK_EQUAL(STATUS_BUFFER_OVERFLOW, seen.bus.store_read(bus, "name", text, 5));
    CHECK_EQUAL(STATUS_OBJECT_NAME_NOT_FOUND, seen.bus.store_read(bus, "nothing", text, sizeof(text)));
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.store_list(bus, "control", list, sizeof(list)));
    CHECK(!memcmp(list, "shutdown\0feature-suspend\0", 25));
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.store_remove(bus, "device/vif/0/state"));
    CHECK(!strcmp(node("device/vif/0/state"), "(none)"));
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.watch_add(bus, "data", count_watch, &seen, &watch));
    nt_settle();
    CHECK_EQUAL(1, seen.watches);
    store_set("data/x", "1");
    nt_settle();
    CHECK_EQUAL(2, seen.watches);
    store_set("elsewhere", "1");
    nt_settle();
    CHECK_EQUAL(2, seen.watches);
    seen.bus.watch_remove(bus, watch);
    store_set("data/x", "2");
    nt_settle();
    CHECK_EQUAL(2, seen.watches);
    end(&machine, &seen);
}

/* Longer than the ring is: goes in pieces, and comes back in pieces. */
static void passes_long_values(void)
{
    struct machine machine;
    struct seen seen;
    char value[240], path[40], *list = malloc(5000);
    unsigned names = 0;

    one_device(&machine, &seen, OPTIONS(0));
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = 0;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "data/a-rather-long-name-%03u", i);
        CHECK_EQUAL(STATUS_SUCCESS, seen.bus.store_write(seen.bus.header.Context, path, value));
    }
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.store_list(seen.bus.header.Context, "data", list, 5000));
    for (char *name = list; *name; name += strlen(name) + 1)
        names++;
    CHECK_EQUAL(100, names);
    free(list);
    end(&machine, &seen);
}

static void gives_up_a_silent_xenstore(void)
{
    struct machine machine;
    struct seen seen;
    char text[16];

    one_device(&machine, &seen, OPTIONS(0));
    store_silent(true);
    CHECK_EQUAL(STATUS_IO_TIMEOUT, seen.bus.store_read(seen.bus.header.Context, "name", text, sizeof(text)));
    store_silent(false);
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.store_read(seen.bus.header.Context, "control/shutdown", text, sizeof(text)));
    CHECK(!text[0]); /* and not the answer that came too late */
    end(&machine, &seen);
}

/* More than one run of the DPC takes. */
#define PORTS 200u

static void delivers_events(const struct hv_options *options)
{
    struct machine machine;
    struct seen seen;
    struct pv_event *event[PORTS];
    void *bus;

    one_device(&machine, &seen, options);
    bus = seen.bus.header.Context;
    for (unsigned i = 0; i < PORTS; i++) {
        CHECK_EQUAL(STATUS_SUCCESS, seen.bus.event_alloc(bus, 7, count_event, &seen, &event[i]));
        CHECK(!hv_bind(seen.bus.event_port(bus, event[i]), 8, store_work, NULL));
        CHECK(hv_bind(seen.bus.event_port(bus, event[i]), 7, store_work, NULL));
    }
    hv_notify(seen.bus.event_port(bus, event[0]));
    nt_settle();
    CHECK_EQUAL(1, seen.events);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < PORTS; i++)
            hv_notify(seen.bus.event_port(bus, event[i])); /* the second round adds nothing */
    nt_settle();
    CHECK_EQUAL(1 + PORTS, seen.events);
    for (unsigned i = 0; i < PORTS; i++) {
        ULONG port = seen.bus.event_port(bus, event[i]);

        seen.bus.event_free(bus, event[i]);
        hv_notify(port);
    }
    nt_settle();
    CHECK_EQUAL(1 + PORTS, seen.events);
    end(&machine, &seen);
}

static void delivers_events_of_fifo(void)
{
    delivers_events(OPTIONS(0));
}

static void delivers_events_of_two_levels(void)
{
    delivers_events(OPTIONS(.two_level = true));
}

static void grants_pages(void)
{
    struct machine machine;
    struct seen seen;
    void *page, *bus;
    ULONG reference, *references = malloc(4096 * sizeof(*references));
    ULONGLONG frame;
    unsigned count = 0;

    one_device(&machine, &seen, OPTIONS(.grant_frames = 2));
    bus = seen.bus.header.Context;
    page = nt_allocate(NT_PAGE, 0);
    frame = (ULONGLONG)MmGetPhysicalAddress(page).QuadPart / NT_PAGE;
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.grant(bus, 7, frame, TRUE, &reference));
    CHECK(!hv_map(reference, 8, false));
    CHECK(!hv_map(reference, 7, true));
    CHECK(hv_map(reference, 7, false) == nt_frame(frame));
    CHECK_EQUAL(STATUS_DEVICE_BUSY, seen.bus.grant_end(bus, reference));
    hv_unmap(reference, false);
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.grant_end(bus, reference));
    CHECK(!hv_map(reference, 7, false));
    while (count < 4096 && NT_SUCCESS(seen.bus.grant(bus, 7, frame, FALSE, &references[count])))
        count++;
    CHECK_EQUAL(2 * 512 - GNTTAB_NR_RESERVED_ENTRIES, count);
    CHECK_EQUAL(count, hv_grants());
    while (count--)
        CHECK_EQUAL(STATUS_SUCCESS, seen.bus.grant_end(bus, references[count]));
    nt_free(page);
    free(references);
    end(&machine, &seen);
}

/* --- suspend --- */

static void suspends_and_goes_on(const struct hv_options *options, bool cancelled)
{
    struct machine machine;
    struct seen seen;
    struct pv_watch *watch;
    void *page, *bus;
    ULONG reference;
    char text[16];

    one_device(&machine, &seen, options);
    bus = seen.bus.header.Context;
    page = nt_allocate(NT_PAGE, 0);
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.watch_add(bus, "data", count_watch, &seen, &watch));
    seen.bus.set_resume_handler(bus, count_resume, &seen);
    nt_settle();
    hv_suspend_cancelled = cancelled;
    store_set("control/shutdown", "suspend");
    nt_settle();
    CHECK_EQUAL(1, hv_suspends());
    CHECK(!strcmp(node("control/shutdown"), ""));
    CHECK_EQUAL(cancelled ? 0 : 1, seen.resumes);
    CHECK_EQUAL(cancelled ? 1 : 2, seen.watches);
    CHECK_EQUAL(3, store_watches());
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.store_read(bus, "name", text, sizeof(text)));
    CHECK_EQUAL(STATUS_SUCCESS,
                seen.bus.grant(bus, 7, (ULONGLONG)MmGetPhysicalAddress(page).QuadPart / NT_PAGE, FALSE, &reference));
    CHECK(hv_map(reference, 7, false));
    hv_unmap(reference, false);
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.grant_end(bus, reference));
    store_set("control/shutdown", "suspend");
    nt_settle();
    CHECK_EQUAL(2, hv_suspends());
    seen.bus.set_resume_handler(bus, NULL, NULL);
    seen.bus.watch_remove(bus, watch);
    nt_free(page);
    end(&machine, &seen);
}

static void suspends_with_fifo(void)
{
    suspends_and_goes_on(OPTIONS(0), false);
}

static void suspends_with_two_levels(void)
{
    suspends_and_goes_on(OPTIONS(.two_level = true), false);
}

static void goes_on_after_a_cancelled_suspend(void)
{
    suspends_and_goes_on(OPTIONS(0), true);
}

static void suspends_with_four_processors(void)
{
    struct machine machine;

    for (unsigned round = 0; round < 5; round++) {
        machine_run(&machine, 4, OPTIONS(0));
        nt_settle();
        store_set("control/shutdown", "suspend");
        nt_settle();
        CHECK_EQUAL(1, hv_suspends());
        CHECK_EQUAL(2, store_watches());
        machine_end(&machine);
    }
}

static void leaves_other_requests_alone(void)
{
    struct machine machine;

    machine_run(&machine, 1, OPTIONS(0));
    store_set("control/shutdown", "crash");
    nt_settle();
    CHECK(!strcmp(node("control/shutdown"), "crash"));
    CHECK(nt_said("\"crash\" is not understood"));
    CHECK_EQUAL(0, hv_suspends());
    machine_end(&machine);
}

/* --- unplug --- */

static const struct {
    const char *what;
    unsigned armed, start; /* of disks; pvblk's Start */
    const char *boot, *foreign;
    struct hv_options options;
    unsigned unplugged;
} boots[] = {
    {"nothing armed", 0, 0, NULL, NULL, {.unplug_version = 1}, 0},
    {"armed", 1, 0, NULL, NULL, {.unplug_version = 1}, 1},
    {"armed, a device model of version 0", 1, 0, NULL, NULL, {0}, 1},
    {"armed with another number", 2, 0, NULL, NULL, {.unplug_version = 1}, 0},
    {"armed, but not loaded at boot any more", 1, 3, NULL, NULL, {.unplug_version = 1}, 0},
    {"armed, but disabled", 1, 4, NULL, NULL, {.unplug_version = 1}, 0},
    {"armed, switched off", 1, 0, " NOEXECUTE=OPTIN  PVBUS:NOUNPLUG", NULL, {.unplug_version = 1}, 0},
    {"armed, other options", 1, 0, " NOEXECUTE=OPTIN", NULL, {.unplug_version = 1}, 1},
    {"armed, safe mode", 1, 0, " SAFEBOOT:MINIMAL", NULL, {.unplug_version = 1}, 0},
    {"armed, foreign drivers", 1, 0, NULL, SERVICES "xenvbd", {.unplug_version = 1}, 0},
    {"armed, refused", 1, 0, NULL, NULL, {.unplug_version = 1, .unplug_refuses = true}, 0},
    {"armed, no such ports", 1, 0, NULL, NULL, {.unplug_absent = true}, 0},
    {"armed, no hypervisor", 1, 0, NULL, NULL, {.absent = true}, 0},
};

static void unplugs_what_is_safe(void)
{
    for (unsigned i = 0; i < sizeof(boots) / sizeof(boots[0]); i++) {
        struct machine machine;
        ULONG armed = 0;

        machine_boot(1, &boots[i].options);
        if (boots[i].armed)
            nt_registry_number(PVBUS, "UnplugDisks", boots[i].armed);
        if (boots[i].boot)
            nt_registry_text("\\Registry\\Machine\\System\\CurrentControlSet\\Control", "SystemStartOptions",
                             boots[i].boot);
        if (boots[i].foreign)
            nt_registry_number(boots[i].foreign, "Start", 0);
        nt_registry_number(SERVICES "pvblk", "Start", boots[i].start);
        machine_load(&machine);
        CHECK_EQUAL(boots[i].unplugged, hv_unplugged(), "%s", boots[i].what);
        CHECK(boots[i].options.absent || !nt_registry_get_number(PVBUS, "UnplugDisks", &armed), "%s", boots[i].what);
        machine_end(&machine);
    }
}

static void unplugs_disks_and_networks(void)
{
    struct machine machine;

    machine_boot(1, OPTIONS(0));
    nt_registry_number(PVBUS, "UnplugDisks", 1);
    nt_registry_number(PVBUS, "UnplugNetworks", 1);
    nt_registry_number(SERVICES "pvblk", "Start", 0);
    nt_registry_number(SERVICES "pvnet", "Start", 3);
    machine_load(&machine);
    CHECK_EQUAL(3, hv_unplugged());
    machine_end(&machine);
}

static void arms_for_a_driver_that_boots(void)
{
    struct machine machine;
    struct seen seen;
    ULONG armed = 0;

    one_device(&machine, &seen, OPTIONS(0));
    nt_registry_number(SERVICES "pvblk", "Start", 3);
    CHECK_EQUAL(STATUS_INVALID_DEVICE_STATE, seen.bus.arm_unplug(seen.bus.header.Context, PV_UNPLUG_DISKS));
    CHECK(!nt_registry_get_number(PVBUS, "UnplugDisks", &armed));
    nt_registry_number(SERVICES "pvblk", "Start", 0);
    CHECK_EQUAL(STATUS_SUCCESS, seen.bus.arm_unplug(seen.bus.header.Context, PV_UNPLUG_DISKS));
    CHECK(nt_registry_get_number(PVBUS, "UnplugDisks", &armed) && armed == 1);
    end(&machine, &seen);
}

static const struct unit_test tests[] = {
    {"starts and ends", starts_and_ends},
    {"starts without FIFO", starts_without_fifo},
    {"starts behind another interface", starts_behind_another_interface},
    {"starts again after stop and after removal", starts_again_after_stop_and_after_removal},
    {"refuses to start without hypervisor", refuses_to_start_without_hypervisor},
    {"refuses beside foreign drivers", refuses_beside_foreign_drivers},
    {"takes one device alone", takes_one_device_alone},
    {"refuses a broken configuration", refuses_a_broken_configuration},
    {"survives failed allocations", survives_failed_allocations},
    {"names its devices", names_its_devices},
    {"follows what comes and goes", follows_what_comes_and_goes},
    {"keeps a device whose driver goes", keeps_a_device_whose_driver_goes},
    {"serves xenstore", serves_xenstore},
    {"passes long values", passes_long_values},
    {"gives up a silent xenstore", gives_up_a_silent_xenstore},
    {"delivers events of FIFO", delivers_events_of_fifo},
    {"delivers events of two levels", delivers_events_of_two_levels},
    {"grants pages", grants_pages},
    {"suspends with FIFO", suspends_with_fifo},
    {"suspends with two levels", suspends_with_two_levels},
    {"goes on after a cancelled suspend", goes_on_after_a_cancelled_suspend},
    {"suspends with four processors", suspends_with_four_processors},
    {"leaves other requests alone", leaves_other_requests_alone},
    {"unplugs what is safe", unplugs_what_is_safe},
    {"unplugs disks and networks", unplugs_disks_and_networks},
    {"arms for a driver that boots", arms_for_a_driver_that_boots},
};

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    pvbus_file = arguments[1];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
