/*
 * The scheduler: which vcpu runs where. core/sched.c
 *
 * One run queue for the machine, ordered by weighted run time; each CPU takes the first vcpu it may run and keeps it
 * for a slice. A vcpu that wakes is put at most SCHED_WAKE_BONUS before the others, and takes the CPU of a running one
 * that is behind it by more than SCHED_WAKE_MARGIN. The vcpus of Domain-0 and of the foreground domain go first: they
 * are treated as if they had run SCHED_PRECEDENCE less than they have, and their time counts a quarter. So they run at
 * once when they wake, and yet nobody waits for ever: whoever runs moves back in the queue. All state under the
 * scheduler's lock (interrupts off).
 */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include <hv/domain.h>

#define SCHED_SLICE            (5 * 1000000ULL) /* ns */
#define SCHED_WAKE_BONUS       (5 * 1000000ULL)
#define SCHED_WAKE_MARGIN      (1 * 1000000ULL)
#define SCHED_PRECEDENCE       (10 * 1000000ULL)
#define SCHED_PRECEDENCE_SHARE 4
#define SCHED_DEFAULT_WEIGHT   256

void sched_init(void);
/* Makes cpu's idle vcpu and, on cpu itself, makes it the current one. After timer_init_cpu; needs the heap. */
void sched_init_cpu(struct cpu *cpu);
/* A new vcpu, down and with its timers stopped; it may run anywhere. Initialises its scheduling fields and timers. */
void sched_add_vcpu(struct vcpu *v);
/* v is off every CPU for good (vcpu_sleep_sync) and its domain goes: kills its timers. */
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
/* A device model has to answer first (hvm_io.h). */
bool vcpu_waits_for_io(const struct vcpu *v);
/* NULL: leave as it is. -EINVAL if no online CPU is in the mask. */
int vcpu_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft);
/* Run-state accounting as the ABI wants it; includes the time in the present state. */
void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
uint64_t domain_cpu_time(struct domain *d);

/* The domain on screen; NULL none. The caller keeps it alive, or calls with NULL before it goes. */
void sched_set_foreground(struct domain *d);
/* weight: share relative to others (1..65535, default 256). cap: most CPU time the domain may use, in percent of one
 * CPU; 0 = no limit. -EINVAL for values out of range, -ENOSPC when too many domains have a cap. */
int sched_get_params(struct domain *d, uint32_t *weight, uint32_t *cap);
int sched_set_params(struct domain *d, uint32_t weight, uint32_t cap);
/* The last reference to the domain is gone: forgets cap and foreground, stops its watchdogs. */
void sched_remove_domain(struct domain *d);

/* Single-shot, periodic and poll timer of a vcpu. core/vcpu_timer.c; called by the scheduler. */
void vcpu_timers_init(struct vcpu *v);
void vcpu_timers_kill(struct vcpu *v);
/* None is due any more; for a vcpu that is off every CPU. */
void vcpu_timers_stop(struct vcpu *v);
void vcpu_timers_migrate(struct vcpu *v, struct cpu *cpu);
/* SCHEDOP_watchdog: starts one (id 0), feeds it, or stops it (seconds 0). Its id for a new one, 0, -errno.
 * core/watchdog.c */
long domain_watchdog_set(struct domain *d, uint32_t id, uint32_t seconds);
void domain_watchdogs_kill(struct domain *d);
/* Writes v's run state to where it registered it, if anywhere. v is current. core/runstate.c */
void runstate_update_guest(struct vcpu *v);
/* That is at `to` from now on, 0: nowhere. */
void runstate_register(struct vcpu *v, unsigned long to);

/* SOFTIRQ_SCHEDULE: may change `current`. Only from the exit path. */
void schedule(void);

/* core/context.c: puts prev's registers and address space away and installs next's. */
void context_switch(struct vcpu *prev, struct vcpu *next);

#endif
