/*
 * Software timers on the local APIC timer, per CPU. core/timer.c
 * The function runs in softirq context on the timer's CPU with interrupts on. Locks: internal.
 */
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include <hv/lib.h>

struct cpu;
struct timer {
    struct list link; /* struct cpu.timers */
    ns_t deadline;
    void (*function)(void *data);
    void *data;
    struct cpu *cpu;
    bool active;
};

void timer_init(struct timer *t, void (*function)(void *), void *data, struct cpu *cpu);
/* (Re)arms; a deadline in the past fires at once. */
void timer_set(struct timer *t, ns_t deadline);
/* After return the function is not pending; it may still be running on another CPU. */
void timer_stop(struct timer *t);
/* Stops, waits for a running function, forgets the timer. */
void timer_kill(struct timer *t);
/* Moves an armed timer to another CPU. */
void timer_migrate(struct timer *t, struct cpu *cpu);

/* SOFTIRQ_TIMER */
void timer_softirq(void);
void timer_init_cpu(struct cpu *cpu);

#endif
