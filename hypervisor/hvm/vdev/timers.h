/*
 * What the time chips share: struct hvm_timers with their lock, alarms and tick sources.
 * hvm_timers.lock: interrupts off; outside the event channel lock and hvm_irqs.lock, inside nothing. It also keeps
 * hvm_irqs.ticks_outstanding. Everything below is called with it held unless it says otherwise.
 */
#ifndef HVM_VDEV_TIMERS_H
#define HVM_VDEV_TIMERS_H

#include <hv/clock_scale.h>
#include <hv/time.h>
#include "lines.h"

struct hvm_timers {
    struct domain *domain;
    struct spinlock lock;
    unsigned frozen; /* pauses of the guest that have not ended */
    struct list alarms, ticks;
};

static inline struct hvm_timers *timers_of(const struct domain *d)
{
    return chip_state(d, CHIP_TIMERS);
}

/* A software timer that stands still while the guest is paused. timers.c */
struct alarm {
    struct list link; /* hvm_timers.alarms; constant after creation */
    struct domain *domain;
    void (*fire)(struct alarm *a);
    bool waiting; /* set while the guest was paused, or before: to be armed when it goes on */
    struct timer timer;
};
void alarm_init(struct alarm *a, struct hvm_timers *t, void (*fire)(struct alarm *));
void alarm_set(struct alarm *a, ns_t deadline);
void alarm_stop(struct alarm *a);

/*
 * A tick source: something that interrupts at every end of a period, and must not lose ticks while its vcpu does not
 * run. Ends of periods are counted from `first` on. The alarm is set to the next one only when the guest has taken the
 * last tick, so a guest cannot make us work faster than it serves its interrupts; while it does not take it, the alarm
 * goes off no more often than TICK_PATIENCE, to find out when that changes. HVM_PARAM_TIMER_MODE says what becomes of
 * ticks that could not be delivered in time: in modes 0 and 1 they are made up for, as far as TICK_BACKLOG; in modes 2
 * and 3 they become one. Guest time is not held back in any mode. tick.c
 */
struct tick {
    struct alarm alarm;
    struct list link;              /* hvm_timers.ticks; constant after creation */
    bool (*raise)(struct tick *t); /* interrupts; false: masked, nobody will take it */
    bool running, outstanding;
    unsigned gsi; /* where it was raised, for vtimers_taken; 0: the chip knows itself when */
    ns_t first, period;
    uint64_t served; /* ends of periods that have been delivered or given up */
};
#define TICK_PATIENCE 1000000ULL
#define TICK_BACKLOG  100U

void tick_init(struct tick *t, struct hvm_timers *timers, bool (*raise)(struct tick *));
/* The first period ends at `first`; period > 0. Ends that have passed already are given up. */
void tick_start(struct tick *t, ns_t first, ns_t period);
void tick_stop(struct tick *t);
void tick_taken(struct tick *t);  /* the guest has taken the last one */
void tick_resume(struct tick *t); /* the guest was paused: what it missed is forgotten */
/* Ends of periods up to now. */
uint64_t tick_count(const struct tick *t, ns_t time);

/* While it is true the PIT and the RTC's periodic interrupt are replaced. hpet.c */
bool vhpet_replaces(const struct domain *d);

#endif
