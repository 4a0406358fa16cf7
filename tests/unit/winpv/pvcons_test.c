/* The shipped pvcons.sys on the shipped pvbus.sys: bytes there and back, what waits, and back ends that lie. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "../check.h"
#include "../random.h"
#include "../test_list.h"
#include "consback.h"
#include "events.h"
#include "machine.h"

static const char *pvcons_file;
/* PVCONS_INTERFACE */
static const GUID class = {0xc0a5e5a2, 0x6d3b, 0x4f6e, {0x9a, 0x1f, 0x2f, 0x0d, 0x6f, 0x0b, 0x7a, 0x44}};

static void boot(unsigned processors)
{
    machine_boot(processors, &(struct hv_options){.unplug_version = 1});
    consback_boot();
}

static struct consback *run(struct system *system, struct consback offers)
{
    struct consback *console = consback_add(offers);

    system_load(system, pvcons_file, "pvcons");
    system_run(system);
    nt_settle();
    return console;
}

static void end(struct system *system)
{
    system_end(system, consback_end);
}

static bool front_state_is(const char *wanted)
{
    char state[8] = "";

    return store_get("device/console/1/state", state, sizeof(state)) && !strcmp(state, wanted);
}

/* --- a program's requests --- */

struct request {
    IRP *irp;
    KEVENT done;
    unsigned char *data;
    unsigned size;
    NTSTATUS returned;
};

static struct request *begin(struct system *system, UCHAR major, const void *data, unsigned size)
{
    struct request *request = nt_allocate(sizeof(*request), 0);
    IO_STACK_LOCATION stack = {.MajorFunction = major};
    DEVICE_OBJECT *top = system->device->AttachedDevice;

    request->size = size;
    request->data = size ? nt_allocate(size, 0) : NULL;
    if (data && size)
        memcpy(request->data, data, size);
    stack.Parameters.Read.Length = size;
    request->irp = nt_new_irp(top, &stack);
    request->irp->AssociatedIrp.SystemBuffer = request->data;
    request->returned = nt_start_irp(top, request->irp, &request->done);
    return request;
}

static bool is_done(const struct request *request)
{
    return request->done.Header.SignalState != 0;
}

/* Waits, and frees it; what was read into `data`, which has room for all. */
static NTSTATUS finish(struct request *request, void *data, unsigned *count)
{
    ULONG_PTR information = 0;
    NTSTATUS status = nt_wait_irp(request->irp, request->returned, &information);

    if (information > request->size)
        nt_bug("more bytes than were asked for");
    if (data && NT_SUCCESS(status))
        memcpy(data, request->data, information);
    if (count)
        *count = (unsigned)information;
    if (request->data)
        nt_free(request->data);
    nt_free(request);
    return status;
}

static NTSTATUS ask(struct system *system, UCHAR major)
{
    return finish(begin(system, major, NULL, 0), NULL, NULL);
}

static void expect_read(struct system *system, const char *text)
{
    unsigned char data[64];
    unsigned count;

    CHECK_EQUAL(STATUS_SUCCESS, finish(begin(system, IRP_MJ_READ, NULL, sizeof(data)), data, &count));
    CHECK(count == strlen(text) && !memcmp(data, text, count), "%.*s", (int)count, data);
}

static void expect_it_works(struct system *system, struct consback *console)
{
    unsigned before = console->got_size;

    CHECK(console->ring && front_state_is("4"));
    CHECK_EQUAL(5, consback_send(console, "hello", 5));
    expect_read(system, "hello");
    CHECK_EQUAL(STATUS_SUCCESS, finish(begin(system, IRP_MJ_WRITE, "answer", 6), NULL, NULL));
    nt_settle();
    CHECK_EQUAL(before + 6, console->got_size);
}

/* --- --- */

static void connects_and_leaves(void)
{
    struct system system;
    struct consback *console;

    boot(1);
    console = run(&system, (struct consback){0});
    CHECK(nt_interface_is_on(&class));
    expect_it_works(&system, console);
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, IRP_MN_STOP_DEVICE, NULL, NULL));
    CHECK(!console->ring && front_state_is("6") && !nt_interface_is_on(&class));
    CHECK_EQUAL(0, hv_grants());
    CHECK_EQUAL(STATUS_DEVICE_NOT_CONNECTED, finish(begin(&system, IRP_MJ_READ, NULL, 1), NULL, NULL));
    CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, IRP_MN_START_DEVICE, NULL, NULL));
    nt_settle();
    expect_it_works(&system, console);
    end(&system);
}

static void reads_wait_for_bytes_in_order(void)
{
    struct system system;
    struct consback *console;
    struct request *reads[3];
    unsigned char data[8];
    unsigned count;

    boot(1);
    console = run(&system, (struct consback){0});
    for (unsigned i = 0; i < 3; i++)
        reads[i] = begin(&system, IRP_MJ_READ, NULL, 2);
    nt_settle();
    CHECK(!is_done(reads[0]));
    CHECK_EQUAL(5, consback_send(console, "abcde", 5));
    nt_settle();
    for (unsigned i = 0; i < 3; i++) {
        CHECK(is_done(reads[i]));
        CHECK_EQUAL(STATUS_SUCCESS, finish(reads[i], data, &count));
        CHECK_EQUAL(i < 2 ? 2 : 1, count);
        CHECK_EQUAL('a' + 2 * i, data[0]);
    }
    CHECK_EQUAL(STATUS_SUCCESS, finish(begin(&system, IRP_MJ_READ, NULL, 0), NULL, &count));
    CHECK_EQUAL(0, count);
    end(&system);
}

static void writes_wait_for_room(void)
{
    struct system system;
    struct consback *console;
    struct request *first, *second;
    unsigned char data[10000];
    unsigned count;

    boot(1);
    console = run(&system, (struct consback){.deaf = true});
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    first = begin(&system, IRP_MJ_WRITE, data, 9000);
    second = begin(&system, IRP_MJ_WRITE, data + 9000, 1000);
    nt_settle();
    CHECK(!is_done(first) && !is_done(second));
    consback_hear(console);
    CHECK_EQUAL(STATUS_SUCCESS, finish(first, NULL, &count));
    CHECK_EQUAL(9000, count);
    CHECK_EQUAL(STATUS_SUCCESS, finish(second, NULL, &count));
    CHECK_EQUAL(1000, count);
    nt_settle();
    CHECK_EQUAL(sizeof(data), console->got_size);
    CHECK(!memcmp(data, console->got, sizeof(data)));
    end(&system);
}

static void is_for_one_program(void)
{
    struct system system;
    struct request *read;

    boot(1);
    run(&system, (struct consback){0});
    CHECK_EQUAL(STATUS_SUCCESS, ask(&system, IRP_MJ_CREATE));
    CHECK_EQUAL(STATUS_SHARING_VIOLATION, ask(&system, IRP_MJ_CREATE));
    read = begin(&system, IRP_MJ_READ, NULL, 10);
    CHECK_EQUAL(STATUS_SUCCESS, ask(&system, IRP_MJ_CLEANUP)); /* and nobody waits any more */
    CHECK_EQUAL(STATUS_CANCELLED, finish(read, NULL, NULL));
    CHECK_EQUAL(STATUS_SHARING_VIOLATION, ask(&system, IRP_MJ_CREATE));
    CHECK_EQUAL(STATUS_SUCCESS, ask(&system, IRP_MJ_CLOSE));
    CHECK_EQUAL(STATUS_SUCCESS, ask(&system, IRP_MJ_CREATE));
    end(&system);
}

static void lets_requests_be_cancelled(void)
{
    struct system system;
    struct consback *console;
    struct request *read, *write;
    char data[5000] = "";

    boot(1);
    console = run(&system, (struct consback){.deaf = true});
    read = begin(&system, IRP_MJ_READ, NULL, 10);
    write = begin(&system, IRP_MJ_WRITE, data, sizeof(data));
    nt_cancel_irp(read->irp);
    nt_cancel_irp(write->irp);
    CHECK_EQUAL(STATUS_CANCELLED, finish(read, NULL, NULL));
    CHECK_EQUAL(STATUS_CANCELLED, finish(write, NULL, NULL));
    consback_hear(console);
    nt_settle();
    expect_it_works(&system, console);
    end(&system);
}

static void fails_what_waits_when_it_goes(void)
{
    static const UCHAR ways[] = {IRP_MN_STOP_DEVICE, IRP_MN_SURPRISE_REMOVAL};

    for (unsigned i = 0; i < sizeof(ways); i++) {
        struct system system;
        struct consback *console;
        struct request *read, *write;
        char data[5000] = "";

        boot(1);
        console = run(&system, (struct consback){.deaf = true});
        read = begin(&system, IRP_MJ_READ, NULL, 10);
        write = begin(&system, IRP_MJ_WRITE, data, sizeof(data));
        CHECK_EQUAL(STATUS_SUCCESS, nt_pnp(system.device, ways[i], NULL, NULL));
        CHECK_EQUAL(STATUS_DEVICE_NOT_CONNECTED, finish(read, NULL, NULL));
        CHECK_EQUAL(STATUS_DEVICE_NOT_CONNECTED, finish(write, NULL, NULL));
        consback_forget(console); /* of a device that was pulled out it hears nothing */
        end(&system);
    }
}

/* --- the back end's life --- */

static void goes_on_after_a_resume(void)
{
    struct system system;
    struct consback *console;
    struct request *read;

    boot(1);
    console = run(&system, (struct consback){0});
    read = begin(&system, IRP_MJ_READ, NULL, 10);
    store_set("control/shutdown", "suspend");
    nt_settle();
    CHECK_EQUAL(1, hv_suspends());
    CHECK(!is_done(read) && console->ring);
    CHECK_EQUAL(1, consback_send(console, "x", 1));
    CHECK_EQUAL(STATUS_SUCCESS, finish(read, NULL, NULL));
    expect_it_works(&system, console);
    end(&system);
}

static void goes_on_with_another_back_end(void)
{
    struct system system;
    struct consback *console;
    struct request *read;

    boot(1);
    console = run(&system, (struct consback){0});
    read = begin(&system, IRP_MJ_READ, NULL, 10);
    consback_set_state(console, XenbusStateClosing);
    nt_settle();
    CHECK(console->ring && !is_done(read)); /* it came back at once */
    CHECK_EQUAL(1, consback_send(console, "x", 1));
    CHECK_EQUAL(STATUS_SUCCESS, finish(read, NULL, NULL));
    expect_it_works(&system, console);
    end(&system);
}

static void is_away_while_it_is_powered_down(void)
{
    IO_STACK_LOCATION stack = {.MajorFunction = IRP_MJ_POWER, .MinorFunction = IRP_MN_SET_POWER};
    struct system system;
    struct consback *console;
    DEVICE_OBJECT *top;

    boot(1);
    console = run(&system, (struct consback){0});
    top = system.device->AttachedDevice;
    CHECK(top->Flags & DO_POWER_PAGABLE);
    stack.Parameters.Power.Type = DevicePowerState;
    stack.Parameters.Power.State.DeviceState = PowerDeviceD3;
    CHECK_EQUAL(STATUS_SUCCESS, nt_send_irp(top, nt_new_irp(top, &stack), NULL));
    nt_settle();
    CHECK(!console->ring && front_state_is("6"));
    stack.Parameters.Power.State.DeviceState = PowerDeviceD0;
    CHECK_EQUAL(STATUS_SUCCESS, nt_send_irp(top, nt_new_irp(top, &stack), NULL));
    nt_settle();
    expect_it_works(&system, console);
    end(&system);
}

static void closes_on_an_index_that_ran_away(void)
{
    for (unsigned in = 0; in < 2; in++) {
        struct system system;
        struct consback *console;
        struct request *read, *write;

        boot(1);
        console = run(&system, (struct consback){.careless = true});
        read = begin(&system, IRP_MJ_READ, NULL, 10);
        consback_run_away(console, in);
        nt_settle();
        write = begin(&system, IRP_MJ_WRITE, "abc", 3);
        nt_settle();
        CHECK(nt_said("has an index of the ring that cannot be"));
        CHECK(!console->ring && front_state_is("6"));
        CHECK(!is_done(read) && !is_done(write));
        store_set("control/shutdown", "suspend"); /* not before that */
        nt_settle();
        CHECK_EQUAL(STATUS_SUCCESS, finish(write, NULL, NULL));
        CHECK_EQUAL(1, consback_send(console, "x", 1));
        CHECK_EQUAL(STATUS_SUCCESS, finish(read, NULL, NULL));
        expect_it_works(&system, console);
        end(&system);
    }
}

struct scribbler {
    struct consback *console;
    unsigned seed;
    bool wild; /* the indices may be anything */
    volatile bool stops;
};

static void *scribble(void *context)
{
    struct scribbler *scribbler = context;

    random_seed(scribbler->seed);
    while (!scribbler->stops) {
        struct xencons_interface *ring;

        hv_lock(); /* so that the ring is there; the processors look at it without */
        ring = scribbler->console->ring;
        if (ring) {
            ring->in[random_below(sizeof(ring->in))] = (char)random64();
            ring->in_prod = ring->in_cons + random_below(sizeof(ring->in) + 1);
            ring->out_cons = ring->out_prod - random_below(sizeof(ring->out) + 1);
            if (scribbler->wild && !random_below(30))
                *(random_below(2) ? &ring->in_prod : &ring->out_cons) = (uint32_t)random_value();
        }
        hv_unlock();
        hv_notify(scribbler->console->port);
        usleep(300); /* the kernel here waits for DPCs until there are none at all */
    }
    return NULL;
}

static void survives_noise_in_its_ring(void)
{
    for (unsigned round = 0; round < 8; round++) {
        struct scribbler scribbler = {.seed = round + 1, .wild = round & 1};
        struct request *requests[6];
        struct system system;
        char data[3000] = "";
        pthread_t thread;

        boot(1 + 3 * (round & 2) / 2);
        scribbler.console = run(&system, (struct consback){.careless = true, .deaf = true});
        if (pthread_create(&thread, NULL, scribble, &scribbler))
            nt_bug("no thread");
        for (unsigned turn = 0; turn < 20; turn++) {
            for (unsigned i = 0; i < 6; i++)
                requests[i] = begin(&system, i & 1 ? IRP_MJ_READ : IRP_MJ_WRITE, i & 1 ? NULL : data, 500 * i + 1);
            usleep(random_below(800));
            for (unsigned i = 0; i < 6; i++) {
                nt_cancel_irp(requests[i]->irp);
                finish(requests[i], NULL, NULL);
            }
        }
        scribbler.stops = true;
        pthread_join(thread, NULL);
        end(&system);
    }
}

/* --- memory, races --- */

static void survives_failed_allocations(void)
{
    unsigned number = 0, asked;

    do {
        struct system system;
        struct consback *console;

        number++;
        boot(1);
        console = consback_add((struct consback){0});
        system_load(&system, pvcons_file, "pvcons");
        nt_fail_allocation(number);
        system_start(&system);
        nt_settle();
        asked = nt_allocations();
        nt_fail_allocation(0);
        if (console->ring)
            expect_it_works(&system, console);
        end(&system);
    } while (number <= asked);
    CHECK(number > 5, "%u", number);
}

/* All that is written comes back, in order, on four processors, while reads are cancelled. */
static void races(void)
{
    struct system system;
    struct request *read = NULL, *write = NULL;
    unsigned char data[700];
    unsigned sent = 0, came = 0, count, idle = 0;

    boot(4);
    run(&system, (struct consback){.echoes = true});
    while (came < 60000) {
        unsigned before = came;

        if (!write && sent < 60000) {
            unsigned size = 60000 - sent < 700 ? 60000 - sent : 1 + sent % 700;

            for (unsigned i = 0; i < size; i++)
                data[i] = (unsigned char)((sent + i) * 13 + (sent + i) / 256);
            write = begin(&system, IRP_MJ_WRITE, data, size);
            sent += size;
        }
        if (!read)
            read = begin(&system, IRP_MJ_READ, NULL, 1 + came % 500);
        if (!(sent % 5))
            nt_cancel_irp(read->irp);
        if (write && is_done(write)) {
            CHECK_EQUAL(STATUS_SUCCESS, finish(write, NULL, NULL));
            write = NULL;
        }
        nt_settle();
        if (is_done(read)) {
            if (NT_SUCCESS(finish(read, data, &count)))
                for (unsigned i = 0; i < count; i++, came++)
                    CHECK_EQUAL((unsigned char)(came * 13 + came / 256), data[i], "%u", came);
            read = NULL;
        }
        idle = came == before ? idle + 1 : 0;
        CHECK(idle < 1000, "%u of %u", came, sent);
    }
    if (read) {
        nt_cancel_irp(read->irp);
        finish(read, NULL, NULL);
    }
    if (write)
        finish(write, NULL, NULL);
    end(&system);
}

static const struct unit_test tests[] = {
    {"connects and leaves", connects_and_leaves},
    {"reads wait for bytes, in order", reads_wait_for_bytes_in_order},
    {"writes wait for room", writes_wait_for_room},
    {"is for one program", is_for_one_program},
    {"lets requests be cancelled", lets_requests_be_cancelled},
    {"fails what waits when it goes", fails_what_waits_when_it_goes},
    {"goes on after a resume", goes_on_after_a_resume},
    {"goes on with another back end", goes_on_with_another_back_end},
    {"is away while it is powered down", is_away_while_it_is_powered_down},
    {"closes on an index that ran away", closes_on_an_index_that_ran_away},
    {"survives noise in its ring", survives_noise_in_its_ring},
    {"survives failed allocations", survives_failed_allocations},
    {"races", races},
};

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    pvbus_file = arguments[1];
    pvcons_file = arguments[2];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
