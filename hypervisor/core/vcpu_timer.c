/*
 * The timers that a vcpu has of its own: single-shot, periodic, and the limit of a poll.
 */
#include <hv/event_channel.h>
#include <hv/guest_kind.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <xen/sched.h>

static void singleshot_fired(void *data)
{
    send_guest_vcpu_virq(data, VIRQ_TIMER);
}

/* Ticks missed are not made up for: one event says that time has passed. */
static void periodic_fired(void *data)
{
    struct vcpu *v = data;
    ns_t period = READ_ONCE(v->periodic_period), time = now();
    send_guest_vcpu_virq(v, VIRQ_TIMER);
    if (!period)
        return;
    ns_t next = v->periodic.deadline + period;
    timer_set(&v->periodic, next > time ? next : time + period);
}

static void poll_timed_out(void *data)
{
    struct vcpu *v = data;
    if (test_bit(v->id, &v->domain->polling))
        vcpu_unblock(v);
}

void vcpu_timers_init(struct vcpu *v)
{
    timer_init(&v->singleshot, singleshot_fired, v, v->cpu);
    timer_init(&v->periodic, periodic_fired, v, v->cpu);
    timer_init(&v->poll_timer, poll_timed_out, v, v->cpu);
}

void vcpu_timers_stop(struct vcpu *v)
{
    v->periodic_period = 0;
    timer_stop(&v->singleshot);
    timer_stop(&v->periodic);
    timer_stop(&v->poll_timer);
}

void vcpu_timers_kill(struct vcpu *v)
{
    WRITE_ONCE(v->periodic_period, 0);
    timer_kill(&v->singleshot);
    timer_kill(&v->periodic);
    timer_kill(&v->poll_timer);
}

void vcpu_timers_migrate(struct vcpu *v, struct cpu *cpu)
{
    timer_migrate(&v->singleshot, cpu);
    timer_migrate(&v->periodic, cpu);
    timer_migrate(&v->poll_timer, cpu);
    if (guest_kind(v->domain)->migrate_timers)
        guest_kind(v->domain)->migrate_timers(v, cpu);
}
