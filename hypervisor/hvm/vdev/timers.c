/*
 * The time chips of an HVM guest together: their alarms, their life, and the guest's pauses.
 */
#include "timers.h"

/* ---- alarms ---- */

static void timer_fires(void *data)
{
    struct alarm *a = data;
    struct hvm_timers *t = timers_of(a->domain);
    unsigned long flags = spin_lock_irqsave(&t->lock);

    /* Between the deadline and this lock the alarm may have been set anew, or the guest paused. */
    if (t->frozen)
        a->waiting = true;
    else if (!a->timer.active)
        a->fire(a);
    spin_unlock_irqrestore(&t->lock, flags);
}

void alarm_init(struct alarm *a, struct hvm_timers *t, void (*fire)(struct alarm *))
{
    a->domain = t->domain;
    a->fire = fire;
    timer_init(&a->timer, timer_fires, a, this_cpu());
    list_add_tail(&t->alarms, &a->link);
}

void alarm_set(struct alarm *a, ns_t deadline)
{
    if (timers_of(a->domain)->frozen) {
        a->timer.deadline = deadline;
        a->waiting = true;
    } else {
        timer_set(&a->timer, deadline);
    }
}

void alarm_stop(struct alarm *a)
{
    a->waiting = false;
    timer_stop(&a->timer);
}

/* ---- the guest's pauses ---- */

static void freeze(struct hvm_timers *t)
{
    struct alarm *a;

    list_for_each(a, &t->alarms, link) {
        a->waiting |= a->timer.active;
        timer_stop(&a->timer);
    }
}

static void thaw(struct hvm_timers *t)
{
    struct alarm *a;
    struct tick *tick;

    list_for_each(a, &t->alarms, link) {
        if (a->waiting)
            timer_set(&a->timer, a->timer.deadline);
        a->waiting = false;
    }
    list_for_each(tick, &t->ticks, link)
        tick_resume(tick);
}

void vtimers_freeze(struct domain *d, bool frozen)
{
    struct hvm_timers *t = timers_of(d);
    unsigned long flags;

    if (!t)
        return;
    flags = spin_lock_irqsave(&t->lock);
    if (frozen && t->frozen++ == 0)
        freeze(t);
    else if (!frozen && t->frozen && --t->frozen == 0)
        thaw(t);
    spin_unlock_irqrestore(&t->lock, flags);
}

void vtimers_taken(struct domain *d, uint8_t vector, bool from_pic)
{
    struct hvm_timers *t = timers_of(d);
    unsigned long flags;
    struct tick *tick;

    if (!t)
        return;
    flags = spin_lock_irqsave(&t->lock);
    list_for_each(tick, &t->ticks, link) {
        if (tick->outstanding && tick->gsi && hvm_chip_vector(d, tick->gsi, vector, from_pic))
            tick_taken(tick);
    }
    spin_unlock_irqrestore(&t->lock, flags);
}

/* No lock of ours: the list is constant, and the scheduler may hold its own. */
void vtimers_migrate(struct domain *d, struct cpu *cpu)
{
    struct hvm_timers *t = timers_of(d);
    struct alarm *a;

    if (!t)
        return;
    list_for_each(a, &t->alarms, link)
        timer_migrate(&a->timer, cpu);
}

/* ---- life ---- */

static int init(struct domain *d)
{
    struct hvm_timers *t = timers_of(d);

    spin_lock_init(&t->lock, LOCK_HVM_TIMERS);
    t->domain = d;
    t->frozen = (unsigned)d->pause_count;
    list_init(&t->alarms);
    list_init(&t->ticks);
    return 0;
}

/* Of all time chips, whose states are still there: afterwards no alarm of theirs runs. */
static void destroy(struct domain *d)
{
    struct alarm *a;

    list_for_each(a, &timers_of(d)->alarms, link)
        timer_kill(&a->timer);
}

const struct chip chip_timers = {
    .bytes = sizeof(struct hvm_timers),
    .init = init,
    .destroy = destroy,
};
