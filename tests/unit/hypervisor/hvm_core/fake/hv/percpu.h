/* hv/percpu.h for the host: the running vcpu and its registers are variables, not found from the stack. */
#ifndef FAKE_PERCPU_H
#define FAKE_PERCPU_H
#define raise_softirq raise_softirq_by_stack
#include_next <hv/percpu.h>
#undef raise_softirq
#undef current
#undef guest_regs
#undef this_cpu
#undef smp_processor_id
#undef cpu_info
extern struct vcpu *fake_current;
extern struct cpu_user_regs fake_regs;
void fake_raise_softirq(enum softirq n);
extern struct cpu_info fake_cpu_info;
#define cpu_info()         (&fake_cpu_info)
#define current            fake_current
#define guest_regs()       (&fake_regs)
#define this_cpu()         (&cpus[0])
#define smp_processor_id() 0U
#define raise_softirq(n)   fake_raise_softirq(n)
#endif
