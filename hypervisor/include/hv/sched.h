/*
 * The scheduler: which vcpu runs where. core/sched.c
 *
 * One run queue for the machine, ordered by weighted run time; each CPU takes the first vcpu it may run. A vcpu that
 * wakes preempts a CPU whose vcpu is behind it by more than a slice. All state under sched lock (interrupts off).
 */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include <hv/domain.h>

#define SCHED_SLICE (5 * 1000000ULL) /* ns */
#define SCHED_DEFAULT_WEIGHT 256

void sched_init(void);
void sched_init_cpu(struct cpu *cpu);
void sched_add_vcpu(struct vcpu *v);
void sched_remove_vcpu(struct vcpu *v);

/* v may have become runnable: puts it in the queue and finds it a CPU. Any context. */
void vcpu_wake(struct vcpu *v);
/* v must not run now (paused, down): takes it off; _sync waits until its state is in memory. */
void vcpu_sleep(struct vcpu *v);
void vcpu_sleep_sync(struct vcpu *v);
/* The current vcpu waits for an event (SCHEDOP_block): returns at once; takes effect on the way out. */
void vcpu_block(void);
void vcpu_yield(void);
/* An event came for v: ends block and poll. Any context. */
void vcpu_unblock(struct vcpu *v);

bool vcpu_runnable(const struct vcpu *v);
int vcpu_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft);
/* Run-state accounting as the ABI wants it; includes the time in the present state. */
void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
uint64_t domain_cpu_time(struct domain *d);

/* SOFTIRQ_SCHEDULE: may change `current`. Only from the exit path. */
void schedule(void);

/* x86/context.c: puts prev's registers and address space away and installs next's. */
void context_switch(struct vcpu *prev, struct vcpu *next);

#endif
