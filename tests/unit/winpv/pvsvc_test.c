/*
 * The rules of the service: pv-drivers/pvsvc/requests.c. The interface is a pair of sockets, at whose other end this
 * test is the driver: it has a state as pvbus has, one request in "xenstore", that stays until it is written back.
 * Time does not pass: each wait is counted, and the test says what has changed by then.
 */
#include <string.h>
#include <sys/socket.h>
#include "../check.h"
#include "../test_list.h"
#include "service.h"

#define WAITS 4 /* after so many the service is told to stop */

static struct world {
    int device[2];      /* the service's end, the driver's */
    bool present, busy; /* what opening finds */
    uint32_t asked;     /* in xenstore, told of at each opening */
    unsigned refusals;  /* times that Windows will not go down yet */
    bool clock_refused, write_fails, stop_at_read;
    bool gone_after;                /* the interface goes once its requests are read */
    unsigned opened, closed, waits; /* counts */
    unsigned downs, restarts, accepted, warned, told;
    uint64_t clock;
    unsigned accepted_after; /* what had been begun when it was written back */
    void (*at_wait)(void);
} world;

static void queue(const void *data, size_t size)
{
    CHECK_EQUAL(size, send(world.device[1], data, size, 0));
}

static void queue_request(uint32_t kind, uint64_t clock)
{
    struct pv_user_request request = {.kind = kind, .clock = clock};

    queue(&request, sizeof(request));
}

static enum pvsvc_end open_device(void *context)
{
    CHECK(context == &world);
    CHECK_EQUAL(world.closed, world.opened, "opened twice");
    if (!world.present)
        return PVSVC_ABSENT;
    if (world.busy)
        return PVSVC_FAILED;
    world.opened++;
    if (world.asked)
        queue_request(world.asked, 0);
    return PVSVC_DONE;
}

static void close_device(void *context)
{
    CHECK(context == &world);
    world.closed++;
    CHECK_EQUAL(world.opened, world.closed);
}

/* When nothing waits: the end that the test has chosen. */
static enum pvsvc_end read_device(void *context, void *buffer, size_t size, size_t *got)
{
    ssize_t length = recv(world.device[0], buffer, size, MSG_DONTWAIT);

    CHECK(context == &world && world.opened == world.closed + 1);
    if (length < 0) {
        if (world.gone_after)
            world.present = false;
        return world.gone_after ? PVSVC_ABSENT : PVSVC_STOP;
    }
    *got = (size_t)length;
    return world.stop_at_read ? PVSVC_STOP : PVSVC_DONE;
}

static enum pvsvc_end write_device(void *context, const void *buffer, size_t size)
{
    uint32_t kind;

    CHECK(context == &world && world.opened == world.closed + 1);
    CHECK_EQUAL(sizeof(kind), size);
    memcpy(&kind, buffer, sizeof(kind));
    if (world.write_fails || kind != world.asked)
        return PVSVC_FAILED;
    world.asked = 0;
    world.accepted++;
    world.accepted_after = world.downs + world.restarts;
    return PVSVC_DONE;
}

static enum pvsvc_end wait_for_device(void *context, uint32_t milliseconds)
{
    CHECK(context == &world && world.opened == world.closed, "it waits with the interface open");
    CHECK_EQUAL(PVSVC_AGAIN, milliseconds);
    if (++world.waits > WAITS)
        return PVSVC_STOP;
    if (world.at_wait)
        world.at_wait();
    return PVSVC_DONE;
}

static enum pvsvc_end go_down(void *context, bool restart)
{
    CHECK(context == &world);
    if (world.refusals) {
        world.refusals--;
        return PVSVC_FAILED;
    }
    *(restart ? &world.restarts : &world.downs) += 1;
    return PVSVC_DONE;
}

static enum pvsvc_end set_clock(void *context, uint64_t now)
{
    CHECK(context == &world);
    if (world.clock_refused)
        return PVSVC_FAILED;
    world.clock = now;
    return PVSVC_DONE;
}

static void log_line(void *context, enum pvsvc_importance importance, const char *line)
{
    CHECK(context == &world && line && strlen(line) < 128);
    *(importance == PVSVC_WARN ? &world.warned : &world.told) += 1;
}

static const struct pvsvc_windows windows = {open_device,     close_device, read_device, write_device,
                                             wait_for_device, go_down,      set_clock,   log_line};

static void run(void)
{
    pvsvc_run(&windows, &world);
    CHECK_EQUAL(world.opened, world.closed);
}

static void around(void (*test)(void))
{
    world = (struct world){.present = true};
    CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, world.device));
    test();
    close(world.device[0]);
    close(world.device[1]);
}

/* --- tests --- */

static void shuts_down_and_says_so_after(void)
{
    world.asked = PV_USER_POWEROFF;
    run();
    CHECK_EQUAL(1, world.downs);
    CHECK_EQUAL(0, world.restarts);
    CHECK_EQUAL(1, world.accepted);
    CHECK_EQUAL(1, world.accepted_after);
    CHECK_EQUAL(0, world.warned);
    CHECK_EQUAL(2, world.told);
}

static void restarts(void)
{
    world.asked = PV_USER_REBOOT;
    run();
    CHECK_EQUAL(0, world.downs);
    CHECK_EQUAL(1, world.restarts);
    CHECK_EQUAL(1, world.accepted);
}

static void tries_again_what_windows_refused(void)
{
    world.asked = PV_USER_POWEROFF;
    world.refusals = 2;
    run();
    CHECK_EQUAL(2, world.waits);
    CHECK_EQUAL(3, world.opened);
    CHECK_EQUAL(1, world.downs);
    CHECK_EQUAL(1, world.accepted);
    CHECK_EQUAL(2, world.warned);
}

static void write_works(void)
{
    world.write_fails = false;
}

static void tells_again_what_was_not_accepted(void)
{
    world.asked = PV_USER_REBOOT;
    world.write_fails = true;
    world.at_wait = write_works;
    run();
    CHECK_EQUAL(1, world.waits);
    CHECK_EQUAL(0, world.asked);
    CHECK_EQUAL(1, world.accepted);
    CHECK_EQUAL(1, world.warned);
}

static void sets_the_clock(void)
{
    queue_request(PV_USER_CLOCK, 132539328000000001);
    run();
    CHECK(world.clock == 132539328000000001);
    CHECK_EQUAL(0, world.accepted + world.waits + world.warned);
}

static void leaves_the_clock_without_a_time(void)
{
    world.clock = 7;
    queue_request(PV_USER_CLOCK, 0);
    world.clock_refused = false;
    run();
    CHECK_EQUAL(7, world.clock);
    CHECK_EQUAL(1, world.warned);
}

/* The request after it is served all the same. */
static void goes_on_after_a_refused_clock(void)
{
    world.clock_refused = true;
    queue_request(PV_USER_CLOCK, 5);
    world.asked = PV_USER_POWEROFF;
    run();
    CHECK_EQUAL(0, world.clock);
    CHECK_EQUAL(1, world.warned);
    CHECK_EQUAL(1, world.downs);
    CHECK_EQUAL(0, world.waits);
}

static void leaves_unknown_requests_alone(void)
{
    queue_request(0, 1);
    queue_request(PV_USER_CLOCK + 1, 1);
    queue_request(0xffffffff, 1);
    run();
    CHECK_EQUAL(0, world.downs + world.restarts + world.accepted + world.clock + world.waits);
    CHECK_EQUAL(3, world.warned);
}

static void serves_no_request_of_another_size(void)
{
    static const struct pv_user_request request = {.kind = PV_USER_POWEROFF};

    queue(&request, 4);
    queue(&request, sizeof(request) - 1);
    run();
    CHECK_EQUAL(0, world.downs);
    CHECK_EQUAL(2, world.warned);
    CHECK_EQUAL(2, world.waits);
}

static void comes(void)
{
    world.present = world.waits == 3;
    world.gone_after = false;
    world.asked = PV_USER_REBOOT;
}

/* It tells once that the driver is away, and once that it is there. */
static void waits_for_a_driver_that_comes_back(void)
{
    world.gone_after = true;
    world.at_wait = comes;
    run();
    CHECK_EQUAL(3, world.waits);
    CHECK_EQUAL(2, world.opened);
    CHECK_EQUAL(1, world.restarts);
    CHECK_EQUAL(1, world.warned);
    CHECK_EQUAL(3, world.told);
}

static void waits_while_another_has_it(void)
{
    world.busy = true;
    run();
    CHECK_EQUAL(WAITS + 1, world.waits);
    CHECK_EQUAL(0, world.opened);
    CHECK_EQUAL(1, world.warned);
}

/* What was read as the stop came is left: it is in xenstore. */
static void stops_before_it_begins_anything(void)
{
    world.asked = PV_USER_POWEROFF;
    world.stop_at_read = true;
    run();
    CHECK_EQUAL(0, world.downs + world.accepted + world.waits);
    CHECK_EQUAL(PV_USER_POWEROFF, world.asked);
}

static const struct unit_test tests[] = {
    {"shuts down, and says so after", shuts_down_and_says_so_after},
    {"restarts", restarts},
    {"tries again what Windows refused", tries_again_what_windows_refused},
    {"tells again what was not accepted", tells_again_what_was_not_accepted},
    {"sets the clock", sets_the_clock},
    {"leaves the clock without a time", leaves_the_clock_without_a_time},
    {"goes on after a refused clock", goes_on_after_a_refused_clock},
    {"leaves unknown requests alone", leaves_unknown_requests_alone},
    {"serves no request of another size", serves_no_request_of_another_size},
    {"waits for a driver that comes back", waits_for_a_driver_that_comes_back},
    {"waits while another has it", waits_while_another_has_it},
    {"stops before it begins anything", stops_before_it_begins_anything},
};

int main(void)
{
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), around);
}
