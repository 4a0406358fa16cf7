/*
 * System time, singleshot and periodic timers, sched_op block and poll.
 */
#include "guest.h"

const char test_title[] = "timers, block, poll";

#define MS 1000000UL
static unsigned timer_port;

static long sched(unsigned command, void *argument)
{
    return HYPERCALL(sched_op, command, argument);
}

static void bind_timer(void)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER, .vcpu = 0};
    CHECK_IS(0, HYPERCALL(event_channel_op, EVTCHNOP_bind_virq, &bind));
    timer_port = bind.port;
    shared->evtchn_mask[timer_port / 64] &= ~(1UL << timer_port % 64);
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0));
    event_take(timer_port);
    vcpu0()->evtchn_upcall_pending = 0;
    vcpu0()->evtchn_pending_sel = 0;
}

static long singleshot(uint64_t when, unsigned flags)
{
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = when, .flags = flags};
    return HYPERCALL(vcpu_op, VCPUOP_set_singleshot_timer, 0, &timer);
}

static bool took(void)
{
    vcpu0()->evtchn_upcall_pending = 0;
    vcpu0()->evtchn_pending_sel = 0;
    return event_take(timer_port);
}

static bool took_within(uint64_t milliseconds)
{
    for (uint64_t end = system_time() + milliseconds * MS; system_time() < end;)
        if (took())
            return true;
    return false;
}

static void time_goes_on(void)
{
    uint64_t last = system_time();
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t now = system_time();
        if (now < last)
            failure("system time went back by %lu ns", last - now);
        last = now;
    }
    CHECK(shared->wc_sec > 1000000000);
    CHECK_IS(0, shared->wc_version & 1);
}

static void blocked(void)
{
    uint64_t start = system_time();
    CHECK_IS(0, singleshot(start + 20 * MS, 0));
    CHECK_IS(0, sched(SCHEDOP_block, NULL));
    uint64_t slept = system_time() - start;
    CHECK_IS(1, upcalls);
    CHECK(took());
    if (slept < 20 * MS || slept > 20000 * MS)
        failure("blocked for %lu us instead of 20000", slept / 1000);
    CHECK_IS(0, vcpu0()->evtchn_upcall_mask); /* block opened it, and the upcall's iret gave that back */
    vcpu0()->evtchn_upcall_mask = 1;
    /* Pending already: no wait. */
    CHECK_IS(0, singleshot(system_time() - 1, 0));
    start = system_time();
    CHECK_IS(0, sched(SCHEDOP_block, NULL));
    CHECK(system_time() - start < 20000 * MS);
    CHECK(took());
    vcpu0()->evtchn_upcall_mask = 1;
}

static void past_and_stopped(void)
{
    CHECK_IS(0, singleshot(0, 0));
    CHECK(took_within(20000));
    CHECK_IS(0, singleshot(system_time() + 10 * MS, 0));
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0));
    for (uint64_t end = system_time() + 30 * MS; system_time() < end;)
        ;
    CHECK(!took());
    CHECK_IS(-EFAULT, HYPERCALL(vcpu_op, VCPUOP_set_singleshot_timer, 0, UNMAPPED));
    /* The ends of time. */
    CHECK_IS(0, singleshot(~0UL, 0));
    CHECK_IS(0, singleshot(1UL << 63, 0));
    CHECK_IS(0, singleshot((1UL << 63) - 1, 0));
    took();
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0));
}

static void periodic(void)
{
    struct vcpu_set_periodic_timer timer = {.period_ns = 5 * MS};
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_set_periodic_timer, 0, &timer));
    /* The emulated machine may stand still at any moment, so ticks may be late or lost, but never early. */
    unsigned count = 0;
    uint64_t start = system_time();
    while (count < 10 && system_time() - start < 20000 * MS)
        count += took();
    uint64_t passed = system_time() - start;
    CHECK_IS(0, HYPERCALL(vcpu_op, VCPUOP_stop_periodic_timer, 0, 0));
    CHECK_IS(10, count);
    if (passed < 9 * 5 * MS)
        failure("10 ticks of a 5 ms timer in %lu us", passed / 1000);
    took();
    for (uint64_t end = system_time() + 30 * MS; system_time() < end;)
        ;
    CHECK(!took());
    timer.period_ns = 1000;
    CHECK_IS(-EINVAL, HYPERCALL(vcpu_op, VCPUOP_set_periodic_timer, 0, &timer));
    timer.period_ns = ~0UL;
    CHECK_REFUSED(HYPERCALL(vcpu_op, VCPUOP_set_periodic_timer, 0, &timer));
    CHECK_IS(-EFAULT, HYPERCALL(vcpu_op, VCPUOP_set_periodic_timer, 0, IN_HYPERVISOR));
    /* The old way to set the timer. */
    CHECK_IS(0, HYPERCALL(set_timer_op, system_time() + 10 * MS));
    CHECK(took_within(20000));
}

static void polling(void)
{
    evtchn_port_t ports[3] = {timer_port, 0, 0};
    struct sched_poll poll = {.nr_ports = 1};
    set_xen_guest_handle(poll.ports, ports);
    took();
    uint64_t start = system_time();
    poll.timeout = start + 20 * MS;
    CHECK_IS(0, sched(SCHEDOP_poll, &poll));
    uint64_t slept = system_time() - start;
    if (slept < 20 * MS || slept > 20000 * MS)
        failure("polled for %lu us instead of 20000", slept / 1000);
    CHECK(!took());
    /* A port that becomes pending ends it, though events are masked. */
    start = system_time();
    CHECK_IS(0, singleshot(start + 10 * MS, 0));
    poll.timeout = start + 50000 * MS;
    CHECK_IS(0, sched(SCHEDOP_poll, &poll));
    CHECK(system_time() - start < 40000 * MS);
    CHECK_IS(0, sched(SCHEDOP_poll, &poll));
    CHECK(took());
    /* Nothing to wait for. */
    poll.timeout = 1;
    CHECK_IS(0, sched(SCHEDOP_poll, &poll));
    ports[0] = 5000;
    CHECK_IS(-EINVAL, sched(SCHEDOP_poll, &poll));
    poll.nr_ports = 129;
    CHECK_IS(-EINVAL, sched(SCHEDOP_poll, &poll));
    poll.nr_ports = 0x80000001;
    CHECK_IS(-EINVAL, sched(SCHEDOP_poll, &poll));
    poll.nr_ports = 1;
    set_xen_guest_handle(poll.ports, (evtchn_port_t *)UNMAPPED);
    CHECK_IS(-EFAULT, sched(SCHEDOP_poll, &poll));
    CHECK_IS(-EFAULT, sched(SCHEDOP_poll, (void *)UNMAPPED));
    CHECK_IS(0, sched(SCHEDOP_yield, NULL));
    CHECK_IS(-ENOSYS, sched(99, NULL));
    CHECK_IS(-EFAULT, sched(SCHEDOP_shutdown, (void *)UNMAPPED));
}

void test_main(void)
{
    bind_timer();
    time_goes_on();
    blocked();
    past_and_stopped();
    periodic();
    polling();
}
