/* hv/percpu.h for the host: `current` and this_cpu() are what the test says, not what the stack says. */
#ifndef FAKE_PERCPU_H
#define FAKE_PERCPU_H
#include_next <hv/percpu.h>
#undef this_cpu
#undef current
extern struct cpu *fake_cpu;
extern struct vcpu *fake_current[NR_CPUS];
#define this_cpu() (fake_cpu)
#define current    (fake_current[fake_cpu->id])
#endif
