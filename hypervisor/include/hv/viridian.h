/*
 * Microsoft's hypervisor interface for Windows guests ("viridian=1"). hvm/viridian.c, hvm/viridian_call.c
 * Source: Hypervisor Top Level Functional Specification 5.0; which parts a domain has: xen/hvm/params.h, HVMPV_*.
 */
#ifndef HV_VIRIDIAN_H
#define HV_VIRIDIAN_H

#include <hv/hvm.h>

/* MSR by which a guest asks for Xen's hypercall page; Microsoft's own MSRs begin where it usually is. */
static inline uint32_t hypercall_page_msr(const struct domain *d)
{
    return d->hvm->viridian ? 0x40000200U : 0x40000000U;
}

/* HVM_PARAM_VIRIDIAN; before the domain runs first. features: HVMPV_*; 0 changes nothing while it is off. -EINVAL:
 * unknown bits, HVMPV_base_freq missing, or something else than before; -EOPNOTSUPP, with a log line: synthetic
 * interrupt controller or timers; -EBUSY: it has run; -ENOMEM. */
int viridian_enable(struct domain *d, uint64_t features);
/* INIT or reset of v: its assist page is off again. v is current or off every CPU; any domain. */
void viridian_vcpu_reset(struct vcpu *v);
/* Gives back the guest's frames; step of hvm_domain_relinquish, all vcpus stopped for good. */
void viridian_relinquish(struct domain *d);
void viridian_destroy(struct domain *d);
/* The pages that we write to without being asked become dirty. */
void viridian_mark_pages(struct domain *d);

/* All below: of a domain that has it (d->hvm->viridian), v the current vcpu. */

/* Leaves 0x40000000-0x400000ff. */
struct cpuid viridian_cpuid(const struct vcpu *v, uint32_t leaf);
static inline bool is_viridian_msr(uint32_t msr)
{
    return msr >> 9 == 0x40000000U >> 9; /* 0x40000000-0x400001ff */
}
/* False: #GP. */
bool viridian_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool viridian_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

/* The guest's hypercall page sets bit 31 of eax, which no hypercall of Xen's has: asked before those are looked at. Any
 * domain. */
bool viridian_is_hypercall(const struct vcpu *v, const struct cpu_user_regs *regs);
/* Result in the guest's registers; the caller goes on behind the instruction. */
void viridian_hypercall(struct vcpu *v, struct cpu_user_regs *regs);

/* v takes an edge-triggered interrupt and nothing else is in service or requested, so that nobody waits for its EOI:
 * tells the guest that it may leave the EOI out. Any domain; nothing happens without the guest's assist page. */
void viridian_offer_eoi_assist(struct vcpu *v);
/* Before v's APIC is looked at for interrupts, or its EOI is written: takes the offer back. True: the guest has made
 * use of it, and its EOI is to be done now. Any domain. */
bool viridian_take_eoi_assist(struct vcpu *v);
/* Is there an offer? Then v leaves the guest for whatever is requested. Any vcpu, any context. */
bool viridian_eoi_offered(const struct vcpu *v);

#endif
