/* hv/percpu.h for the host: each thread is the CPU it says it is, not the one whose stack it has. */
#ifndef FAKE_PERCPU_H
#define FAKE_PERCPU_H
#define raise_softirq raise_softirq_by_stack
#include_next <hv/percpu.h>
#undef raise_softirq
#undef this_cpu
extern _Thread_local struct cpu *fake_cpu;
#define this_cpu()       (fake_cpu)
#define raise_softirq(n) set_bit((n), &fake_cpu->softirq_pending)
#endif
