/*
 * The processor of tests with one thread, who choose what runs on it (chosen_cpu). All weak, and apart from
 * default.c: a test with threads has variables of other kinds by these names.
 */
#include <hv/percpu.h>

#define WEAK __attribute__((weak))

extern struct cpu *fake_cpu;
extern struct vcpu *fake_current[NR_CPUS];
extern struct cpu_user_regs fake_regs;
WEAK struct cpu cpus[NR_CPUS];
WEAK struct cpu *fake_cpu = &cpus[0];
WEAK struct vcpu *fake_current[NR_CPUS];
WEAK struct cpu_user_regs fake_regs;

void fake_swap_gs(void);
WEAK void fake_swap_gs(void)
{
}
