/*
 * The way back to a guest: what is due on this CPU first, and then whatever its kind of guest still needs.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/exit.h>
#include <hv/guest_kind.h>
#include <hv/lock_check.h>
#include <hv/protection.h>
#include <hv/sched.h>
#include <hv/timer.h>

static void serve_softirqs(struct cpu *cpu)
{
    if (test_and_clear_bit(SOFTIRQ_TIMER, &cpu->softirq_pending)) {
        irq_enable();
        timer_softirq();
        irq_disable();
    }
    if (test_and_clear_bit(SOFTIRQ_SCHEDULE, &cpu->softirq_pending))
        schedule();
}

/* What takes more than a look is not on the way of a hypercall that leaves nothing to do. */
static __noinline bool serve(void)
{
    struct cpu *cpu = this_cpu();
    if (READ_ONCE(cpu->softirq_pending))
        serve_softirqs(cpu);
    else if (console_ring_grew)
        console_notify();
    return true;
}

static __noinline bool idle(void)
{
    irq_enable_and_halt();
    irq_disable();
    return true;
}

bool exit_work(void)
{
    struct vcpu *v = current;
    lock_check_no_lock();
    protection_check_closed();
    if (READ_ONCE(this_cpu()->softirq_pending) || console_ring_grew)
        return serve();
    if (v->domain->is_idle)
        return idle();
    return guest_kind(v->domain)->resume(v);
}
