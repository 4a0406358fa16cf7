/* hv/percpu.h for the host: `current`, this_cpu() and the registers of the guest are what the test says, not what the
 * stack says. */
#ifndef FAKE_PERCPU_H
#define FAKE_PERCPU_H
#include_next <hv/percpu.h>
#undef this_cpu
#undef current
#undef guest_regs
extern struct cpu *fake_cpu;
extern struct vcpu *fake_current[NR_CPUS];
extern struct cpu_user_regs fake_regs;
#define this_cpu()   (fake_cpu)
#define current      (fake_current[fake_cpu->id])
#define guest_regs() (&fake_regs)
#endif
