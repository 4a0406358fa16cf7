/*
 * Comes before every file of this test: a VMCS is an array, and the registers that only ring 0 has are variables.
 */
#ifndef FAKE_VMX_H
#define FAKE_VMX_H

#define irq_enable real_irq_enable
#define read_cr2   real_read_cr2
#define write_cr2  real_write_cr2
#define read_dr6   real_read_dr6
#define write_dr6  real_write_dr6
#include <hv/cpu.h>
#undef irq_enable
#undef read_cr2
#undef write_cr2
#undef read_dr6
#undef write_dr6

#include <hv/percpu.h>
#undef current
#undef guest_regs

extern struct vcpu *fake_current;
extern struct cpu_user_regs fake_guest_regs;
#define current      fake_current
#define guest_regs() (&fake_guest_regs)

extern uint64_t fake_cr2, fake_dr6, fake_vmcs[0x8000];
extern bool fake_irqs_on;

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
struct invalidation {
    uint64_t context, address;
};
#define INVALIDATE_ADDRESS 0UL
#define INVALIDATE_ONE     1UL
bool vmxon(paddr_t region);
bool vmptrld(paddr_t vmcs);
bool vmclear(paddr_t vmcs);
bool invept(uint64_t kind, struct invalidation what);
bool invvpid(uint64_t kind, struct invalidation what);

#include "../../../../hypervisor/hvm/vmx/vmcs.h"

#endif
