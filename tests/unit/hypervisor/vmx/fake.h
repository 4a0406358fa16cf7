/*
 * Comes before every file of this test: a VMCS is an array, and the registers that only ring 0 has are variables.
 */
#ifndef FAKE_VMX_H
#define FAKE_VMX_H

#define rdmsr             real_rdmsr
#define wrmsr             real_wrmsr
#define irq_enable        real_irq_enable
#define read_cr0          real_read_cr0
#define read_cr2          real_read_cr2
#define write_cr2         real_write_cr2
#define read_cr4          real_read_cr4
#define write_cr4         real_write_cr4
#define read_dr6          real_read_dr6
#define write_dr6         real_write_dr6
#define read_breakpoints  real_read_breakpoints
#define write_breakpoints real_write_breakpoints
#include <hv/cpu.h>
#undef rdmsr
#undef wrmsr
#undef irq_enable
#undef read_cr0
#undef read_cr2
#undef write_cr2
#undef read_cr4
#undef write_cr4
#undef read_dr6
#undef write_dr6
#undef read_breakpoints
#undef write_breakpoints

#include <hv/percpu.h>
#undef current
#undef guest_regs
#undef cpu_info
#undef this_cpu
#undef smp_processor_id

extern struct vcpu *fake_current;
extern struct cpu_user_regs fake_guest_regs;
#define current      fake_current
#define guest_regs() (&fake_guest_regs)
extern struct cpu_info fake_cpu_info;
extern struct cpu *fake_cpu;
#define cpu_info()         (&fake_cpu_info)
#define this_cpu()         (fake_cpu)
#define smp_processor_id() (fake_cpu->id)

extern uint64_t fake_cr2, fake_dr6, fake_vmcs[0x8000];
extern bool fake_irqs_on;

/* Of the test that needs them. */
#define cpuid(leaf, subleaf) fake_cpuid(leaf, subleaf)
struct cpuid fake_cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t value);
unsigned long read_cr0(void);
unsigned long read_cr4(void);
void write_cr4(unsigned long value);
void read_breakpoints(uint64_t address[4]);
void write_breakpoints(const uint64_t address[4]);

static inline void irq_enable(void)
{
    fake_irqs_on = true;
}
static inline unsigned long read_cr2(void)
{
    return fake_cr2;
}
static inline void write_cr2(unsigned long value)
{
    fake_cr2 = value;
}
static inline unsigned long read_dr6(void)
{
    return fake_dr6;
}
static inline void write_dr6(unsigned long value)
{
    fake_dr6 = value;
}

/* In place of hvm/vmx/instructions.h. */
#define HV_VMX_INSTRUCTIONS_H
void vmcs_access_failed(const char *how, unsigned long field) __noreturn;
static inline uint64_t vmread(unsigned long field)
{
    return fake_vmcs[field];
}
static inline void vmwrite(unsigned long field, uint64_t value)
{
    fake_vmcs[field] = value;
}
extern unsigned fake_nmis, fake_machine_checks;
static inline void host_nmi(void)
{
    fake_nmis++;
}
static inline void host_machine_check(void)
{
    fake_machine_checks++;
}
struct invalidation {
    uint64_t context, address;
};
#define INVALIDATE_ADDRESS 0UL
#define INVALIDATE_ONE     1UL
uint64_t table_base(bool idt);
bool vmxon(paddr_t region);
bool vmptrld(paddr_t vmcs);
bool vmclear(paddr_t vmcs);
bool invept(uint64_t kind, struct invalidation what);
bool invvpid(uint64_t kind, struct invalidation what);

#include "../../../../hypervisor/hvm/vmx/vmcs.h"

#endif
