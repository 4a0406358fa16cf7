/*
 * Microsoft's hypervisor interface for Windows guests ("viridian=1"). hvm/viridian.c
 * Source: Hypervisor Top Level Functional Specification 5.0b; which parts a domain has: xen/hvm/params.h, HVMPV_*.
 *
 * A domain has it once HVM_PARAM_VIRIDIAN is set, which is before its first vcpu runs and cannot be undone.
 */
#ifndef HV_VIRIDIAN_H
#define HV_VIRIDIAN_H

#include <hv/hvm.h>

/* MSR by which a guest asks for Xen's hypercall page; Microsoft's own MSRs begin where it usually is. */
static inline uint32_t hypercall_page_msr(const struct domain *d)
{
    return d->hvm->viridian ? 0x40000200U : 0x40000000U;
}

/* HVM_PARAM_VIRIDIAN. features: HVMPV_*; 0 is accepted and changes nothing while it is off. -EINVAL: unknown bits,
 * HVMPV_base_freq missing, or a change of what is set already; -ENOMEM. */
int viridian_enable(struct domain *d, uint64_t features);
/* A vcpu made after viridian_enable, which gives them to those that exist. -ENOMEM */
int viridian_vcpu_init(struct vcpu *v);
void viridian_vcpu_destroy(struct vcpu *v);
void viridian_domain_destroy(struct domain *d);
/* Gives back the guest's frames that are held; step of hvm_domain_relinquish, all vcpus stopped. */
void viridian_relinquish(struct domain *d);
/* INIT or reset of v: its assist page is off again. */
void viridian_vcpu_reset(struct vcpu *v);

/* Leaves 0x40000000-0x400000ff of a domain that has it. */
struct cpuid viridian_cpuid(const struct vcpu *v, uint32_t leaf);

/* 0x40000000-0x400001ff. False: #GP. */
bool viridian_is_msr(const struct vcpu *v, uint32_t msr);
bool viridian_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool viridian_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

/* vmcall/vmmcall is Microsoft's while the guest has set up its hypercall page, unless bit 31 of eax says that it is one
 * of ours, called by the page below: asked by hvm_hypercall first. */
bool viridian_is_hypercall(const struct vcpu *v, const struct cpu_user_regs *regs);
void viridian_hypercall(struct vcpu *v, struct cpu_user_regs *regs);

/* vlapic: v takes an interrupt and nothing of lower priority is in service, so that no EOI needs to be told to anybody:
 * lets the guest leave the EOI out. True: it may, until viridian_eoi_done says whether it did. */
bool viridian_offer_eoi_assist(struct vcpu *v);
/* Before v's APIC is looked at again: takes the offer back. True: the guest has used it, its EOI is to be done now. */
bool viridian_take_eoi_assist(struct vcpu *v);

#endif
