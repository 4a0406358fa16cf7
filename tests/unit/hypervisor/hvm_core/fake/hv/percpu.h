/* hv/percpu.h for the host, beside fake/chosen_cpu: the block at the end of the stack is a variable, and softirqs are
 * counted. */
#ifndef FAKE_HVM_PERCPU_H
#define FAKE_HVM_PERCPU_H
#define raise_softirq raise_softirq_by_stack
#include_next <hv/percpu.h>
#undef raise_softirq
#undef cpu_info
void fake_raise_softirq(enum softirq n);
extern struct cpu_info fake_cpu_info;
#define cpu_info()       (&fake_cpu_info)
#define raise_softirq(n) fake_raise_softirq(n)
#endif
