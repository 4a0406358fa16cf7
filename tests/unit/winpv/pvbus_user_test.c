/* The shipped pvbus.sys and the program that serves what a driver cannot: its requests, its clock, its comings and
 * goings. */
#include <string.h>
#include "../check.h"
#include "../test_list.h"
#include "listener.h"
#include "machine.h"
#include "pv/user_interface.h"

static const GUID class = PV_USER_INTERFACE;
static char said[64];

static const char *node(const char *path)
{
    return store_get(path, said, sizeof(said)) ? said : "(none)";
}

static void boot(struct machine *machine)
{
    machine_run(machine, 1, OPTIONS(0));
    nt_settle();
    CHECK(nt_interface_is_on(&class));
}

static void end_machine(struct machine *machine)
{
    machine_end(machine);
    CHECK(!nt_interface_is_on(&class));
}

/* --- a program's requests --- */

struct call {
    IRP *irp;
    KEVENT done;
    unsigned char data[64];
    NTSTATUS returned;
};

static void begin(struct machine *machine, struct call *call, UCHAR major, const void *data, unsigned size)
{
    IO_STACK_LOCATION stack = {.MajorFunction = major};
    DEVICE_OBJECT *top = machine->platform->AttachedDevice;

    memset(call->data, 0xee, sizeof(call->data));
    if (data)
        memcpy(call->data, data, size);
    stack.Parameters.Read.Length = size;
    call->irp = nt_new_irp(top, &stack);
    call->irp->AssociatedIrp.SystemBuffer = call->data;
    call->returned = nt_start_irp(top, call->irp, &call->done);
}

static void begin_read(struct machine *machine, struct call *call)
{
    begin(machine, call, IRP_MJ_READ, NULL, sizeof(struct pv_user_request));
}

static NTSTATUS finish(struct call *call, ULONG_PTR *size)
{
    return nt_wait_irp(call->irp, call->returned, size);
}

static NTSTATUS ask(struct machine *machine, UCHAR major)
{
    struct call call;

    begin(machine, &call, major, NULL, 0);
    return finish(&call, NULL);
}

static bool waits(const struct call *call)
{
    return !call->done.Header.SignalState;
}

static struct pv_user_request answer_of(struct call *call)
{
    struct pv_user_request request;
    ULONG_PTR size;

    CHECK(!waits(call));
    CHECK_EQUAL(STATUS_SUCCESS, finish(call, &size));
    CHECK_EQUAL(sizeof(request), size);
    memcpy(&request, call->data, sizeof(request));
    return request;
}

static NTSTATUS accept(struct machine *machine, ULONG kind)
{
    struct call call;

    begin(machine, &call, IRP_MJ_WRITE, &kind, sizeof(kind));
    return finish(&call, NULL);
}

static void open_and_close(struct machine *machine, bool closes)
{
    if (!closes) {
        CHECK_EQUAL(STATUS_SUCCESS, ask(machine, IRP_MJ_CREATE));
        return;
    }
    CHECK_EQUAL(STATUS_SUCCESS, ask(machine, IRP_MJ_CLEANUP));
    CHECK_EQUAL(STATUS_SUCCESS, ask(machine, IRP_MJ_CLOSE));
}

/* --- --- */

static const struct {
    const char *text;
    ULONG kind;
} kinds[] = {{"poweroff", PV_USER_POWEROFF}, {"halt", PV_USER_POWEROFF}, {"reboot", PV_USER_REBOOT}};

static void passes_on_what_is_asked(void)
{
    struct machine machine;
    struct call call;

    boot(&machine);
    open_and_close(&machine, false);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        begin_read(&machine, &call);
        nt_settle();
        CHECK(waits(&call));
        store_set("control/shutdown", kinds[i].text);
        nt_settle();
        CHECK_EQUAL(kinds[i].kind, answer_of(&call).kind, "%s", kinds[i].text);
        CHECK(!strcmp(node("control/shutdown"), kinds[i].text)); /* nobody has begun with it */
        CHECK_EQUAL(STATUS_INVALID_PARAMETER, accept(&machine, 3 - kinds[i].kind));
        CHECK(!strcmp(node("control/shutdown"), kinds[i].text));
        CHECK_EQUAL(STATUS_SUCCESS, accept(&machine, kinds[i].kind));
        CHECK(!strcmp(node("control/shutdown"), ""));
        CHECK_EQUAL(STATUS_INVALID_PARAMETER, accept(&machine, kinds[i].kind));
    }
    CHECK_EQUAL(0, hv_suspends());
    open_and_close(&machine, true);
    end_machine(&machine);
}

static void keeps_a_request_for_the_next_program(void)
{
    struct machine machine;
    struct call call;

    boot(&machine);
    store_set("control/shutdown", "reboot");
    nt_settle();
    CHECK(nt_said("\"reboot\" waits for a program"));
    for (unsigned round = 0; round < 2; round++) {
        open_and_close(&machine, false);
        begin_read(&machine, &call);
        CHECK_EQUAL(PV_USER_REBOOT, answer_of(&call).kind);
        begin_read(&machine, &call); /* it is told once */
        nt_settle();
        CHECK(waits(&call));
        CHECK_EQUAL(STATUS_SUCCESS, ask(&machine, IRP_MJ_CLEANUP));
        CHECK_EQUAL(STATUS_CANCELLED, finish(&call, NULL));
        CHECK_EQUAL(STATUS_SUCCESS, ask(&machine, IRP_MJ_CLOSE));
    }
    CHECK(!strcmp(node("control/shutdown"), "reboot"));
    end_machine(&machine);
}

static void tells_the_toolstack_that_there_is_one(void)
{
    static const char *const features[] = {"control/feature-poweroff", "control/feature-reboot"};
    struct machine machine;

    boot(&machine);
    for (unsigned i = 0; i < 2; i++)
        CHECK(!strcmp(node(features[i]), "(none)"));
    open_and_close(&machine, false);
    for (unsigned i = 0; i < 2; i++)
        CHECK(!strcmp(node(features[i]), "1"));
    for (unsigned i = 0; i < 2; i++)
        store_delete(features[i]);
    store_set("control/shutdown", "suspend"); /* the other host's xenstore has them not */
    nt_settle();
    for (unsigned i = 0; i < 2; i++)
        CHECK(!strcmp(node(features[i]), "1"));
    open_and_close(&machine, true);
    for (unsigned i = 0; i < 2; i++)
        CHECK(!strcmp(node(features[i]), "(none)"));
    end_machine(&machine);
}

static void serves_one_program_at_a_time(void)
{
    struct machine machine;
    struct call call;

    boot(&machine);
    open_and_close(&machine, false);
    CHECK_EQUAL(STATUS_SHARING_VIOLATION, ask(&machine, IRP_MJ_CREATE));
    begin(&machine, &call, IRP_MJ_READ, NULL, sizeof(struct pv_user_request) - 1);
    CHECK_EQUAL(STATUS_INVALID_PARAMETER, finish(&call, NULL));
    begin(&machine, &call, IRP_MJ_WRITE, "12345", 5);
    CHECK_EQUAL(STATUS_INVALID_PARAMETER, finish(&call, NULL));
    CHECK_EQUAL(STATUS_INVALID_PARAMETER, accept(&machine, 0));
    begin_read(&machine, &call);
    nt_cancel_irp(call.irp);
    CHECK_EQUAL(STATUS_CANCELLED, finish(&call, NULL));
    open_and_close(&machine, true);
    open_and_close(&machine, false);
    open_and_close(&machine, true);
    end_machine(&machine);
}

/* One tick is half a nanosecond by 2^-8, or 1/8 of one: an hour ago by either. */
static const struct hv_clock clocks[] = {
    {.start = 1800000000, .system_time = 5000000000, .ticks = 512 * 3600000000000, .scale = 0x80000000, .shift = -8},
    {.start = 0x180000000, .system_time = 5000000000, .ticks = 8 * 3600000000000, .scale = 0x10000000, .shift = 1},
};

static void tells_the_time_after_a_resume(void)
{
    for (unsigned i = 0; i < 2; i++) {
        const ULONGLONG expected = (11644473600 + clocks[i].start + 5 + 3600) * 10000000;
        struct pv_user_request request;
        struct machine machine;
        struct call call;

        boot(&machine);
        open_and_close(&machine, false);
        begin_read(&machine, &call);
        hv_set_clock(&clocks[i]);
        store_set("control/shutdown", "suspend");
        nt_settle();
        request = answer_of(&call);
        CHECK_EQUAL(PV_USER_CLOCK, request.kind);
        CHECK(request.clock >= expected && request.clock < expected + 600000000, "%llu, not %llu",
              (unsigned long long)request.clock, (unsigned long long)expected);
        open_and_close(&machine, true);
        end_machine(&machine);
    }
}

static void tells_no_time_that_it_has_not(void)
{
    struct machine machine;
    struct call call;

    boot(&machine);
    open_and_close(&machine, false);
    store_set("control/shutdown", "suspend");
    nt_settle();
    begin_read(&machine, &call);
    CHECK_EQUAL(0, answer_of(&call).clock);
    open_and_close(&machine, true);
    end_machine(&machine);
}

static void lets_go_when_the_bus_stops(void)
{
    struct machine machine;
    struct call call;

    boot(&machine);
    open_and_close(&machine, false);
    begin_read(&machine, &call);
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(machine.platform, IRP_MN_STOP_DEVICE, NULL, NULL));
    CHECK(!nt_interface_is_on(&class));
    CHECK_EQUAL(STATUS_DEVICE_NOT_CONNECTED, finish(&call, NULL));
    begin_read(&machine, &call);
    CHECK_EQUAL(STATUS_DEVICE_NOT_CONNECTED, finish(&call, NULL));
    CHECK_EQUAL(STATUS_DEVICE_NOT_CONNECTED, accept(&machine, PV_USER_REBOOT));
    open_and_close(&machine, true);
    CHECK_EQUAL(STATUS_DEVICE_NOT_CONNECTED, ask(&machine, IRP_MJ_CREATE));
    CHECK_EQUAL(STATUS_SUCCESS, nt_start_platform(machine.platform));
    open_and_close(&machine, false);
    open_and_close(&machine, true);
    end_machine(&machine);
}

static void keeps_programs_off_its_devices(void)
{
    IO_STACK_LOCATION stack = {.MajorFunction = IRP_MJ_CREATE};
    struct machine machine;
    PDEVICE_OBJECT child;

    machine_boot(1, OPTIONS(0));
    store_set("device/vif/0/backend-id", "0");
    machine_load(&machine);
    machine_start(&machine);
    CHECK_EQUAL(1, nt_bus_relations(machine.platform, &child, 1));
    CHECK_EQUAL(STATUS_INVALID_DEVICE_REQUEST, nt_send_irp(child, nt_new_irp(child, &stack), NULL));
    end_machine(&machine);
}

static const struct unit_test tests[] = {
    {"passes on what is asked", passes_on_what_is_asked},
    {"keeps a request for the next program", keeps_a_request_for_the_next_program},
    {"tells the toolstack that there is one", tells_the_toolstack_that_there_is_one},
    {"serves one program at a time", serves_one_program_at_a_time},
    {"tells the time after a resume", tells_the_time_after_a_resume},
    {"tells no time that it has not", tells_no_time_that_it_has_not},
    {"lets go when the bus stops", lets_go_when_the_bus_stops},
    {"keeps programs off its devices", keeps_programs_off_its_devices},
};

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    pvbus_file = arguments[1];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
