/*
 * Tick sources: periodic interrupts paced by the guest that takes them. timers.h says how.
 */
#include "timers.h"

uint64_t tick_count(const struct tick *t, ns_t time)
{
    return t->running && time >= t->first ? (time - t->first) / t->period + 1 : 0;
}

static void set_outstanding(struct tick *t, bool outstanding)
{
    struct hvm_irqs *irqs = irqs_of(t->alarm.domain);

    if (t->outstanding == outstanding)
        return;
    t->outstanding = outstanding;
    irqs->ticks_outstanding += outstanding ? 1U : -1U;
}

/* patiently: nobody takes it at the moment. */
static void arm(struct tick *t, ns_t time, bool patiently)
{
    ns_t next = t->first + tick_count(t, time) * t->period;

    alarm_set(&t->alarm, patiently ? max(next, time + TICK_PATIENCE) : next);
}

/* At least one period has ended that was not served. */
static void serve(struct tick *t, ns_t time)
{
    uint64_t ended = tick_count(t, time);
    bool keep = t->alarm.domain->hvm->param[HVM_PARAM_TIMER_MODE] <= HVMPTM_no_delay_for_missed_ticks;

    if (!t->raise(t)) {
        t->served = ended;
        set_outstanding(t, false);
    } else if (!t->outstanding) {
        t->served = keep ? max(t->served + 1, ended > TICK_BACKLOG ? ended - TICK_BACKLOG : 0) : ended;
        set_outstanding(t, true);
    }
    arm(t, time, true);
}

static void fire(struct alarm *a)
{
    struct tick *t = container_of(a, struct tick, alarm);
    ns_t time = now();

    if (!t->running)
        return;
    if (t->outstanding || tick_count(t, time) > t->served)
        serve(t, time);
    else
        arm(t, time, false);
}

void tick_taken(struct tick *t)
{
    ns_t time = now();

    if (!t->outstanding)
        return;
    set_outstanding(t, false);
    if (!t->running)
        return;
    if (tick_count(t, time) > t->served)
        serve(t, time);
    else
        arm(t, time, false);
}

void tick_start(struct tick *t, ns_t first, ns_t period)
{
    set_outstanding(t, false);
    t->running = true;
    t->first = first;
    t->period = period;
    t->served = tick_count(t, now());
    arm(t, now(), false);
}

void tick_stop(struct tick *t)
{
    set_outstanding(t, false);
    t->running = false;
    alarm_stop(&t->alarm);
}

void tick_resume(struct tick *t)
{
    ns_t time = now();

    if (!t->running)
        return;
    t->served = tick_count(t, time);
    arm(t, time, t->outstanding);
}

void tick_init(struct tick *t, struct hvm_timers *timers, bool (*raise)(struct tick *))
{
    alarm_init(&t->alarm, timers, fire);
    t->raise = raise;
    list_add_tail(&timers->ticks, &t->link);
}
