/*
 * CPUID as an HVM vcpu sees it: its domain's policy, what depends on the vcpu's state, and the hypervisor's own leaves.
 * Sources: Intel SDM volume 2, AMD APM volume 3 (leaves); xen/arch-x86/cpuid.h.
 *
 * With Microsoft's interface switched on (hv/viridian.h) that one has the leaves at 0x40000000, and ours follow 0x100
 * later.
 */
#include <hv/cpu_policy.h>
#include <hv/hvm.h>
#include <hv/vdev.h>
#include <hv/viridian.h>
#include <hv/xstate.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/cpufeatureset.h>

#define BIT(feature) (1U << (XEN_X86_FEATURE_##feature % 32))

#define APIC_BASE_ENABLE (1UL << 11)

/* ---- What depends on the vcpu ---- */

static bool has_apic(const struct vcpu *v)
{
    return v->hvm->lapic && vlapic_base(v) & APIC_BASE_ENABLE;
}

static void add_identity(const struct vcpu *v, struct xen_cpuid_leaf *l)
{
    l->b = (l->b & 0x00ffffff) | v->id * 2 << 24;
    l->c &= ~BIT(OSXSAVE);
    if (l->c & BIT(XSAVE) && v->hvm->cr4 & X86_CR4_OSXSAVE)
        l->c |= BIT(OSXSAVE);
    if (!has_apic(v))
        l->d &= ~BIT(APIC);
    if (!v->hvm->lapic)
        l->c &= ~(BIT(X2APIC) | BIT(TSC_DEADLINE));
}

static void add_extended(struct vcpu *v, struct xen_cpuid_leaf *l)
{
    if (cpu_features.vendor == VENDOR_AMD) {
        struct xen_cpuid_leaf basic = cpu_policy_lookup(v->domain, 1, 0);
        add_identity(v, &basic);
        l->d = (l->d & ~AMD_REPEATED) | (basic.d & AMD_REPEATED);
    } else if (hvm_code_bytes(v) != 8) {
        l->d &= ~BIT(SYSCALL); /* Intel has it in 64-bit mode only, and says so there only */
    }
}

static void add_dynamic(struct vcpu *v, uint32_t subleaf, struct xen_cpuid_leaf *l)
{
    switch (l->leaf) {
    case 1:
        add_identity(v, l);
        break;
    case 0xb: /* a toolstack that wants levels has put them in; the id is the vcpu's */
        l->c = (l->c & ~0xffU) | (subleaf & 0xff);
        l->d = v->id * 2;
        break;
    case 0xd:
        if (l->subleaf == 0 && l->a)
            l->b = cpu_policy_xstate_bytes(v->domain, xstate_xcr0(v), false);
        if (l->subleaf == 1 && l->a & BIT(XSAVEC))
            l->b = cpu_policy_xstate_bytes(v->domain, xstate_xcr0(v) | v->hvm->xss, true);
        break;
    case 0x80000001:
        add_extended(v, l);
        break;
    }
}

/* ---- The hypervisor's leaves ---- */

/* IOMMU entries for foreign mappings, vcpu id, domain id, and an upcall vector that works with pirqs. */
#define HVM_FEATURES                                                                                                   \
    (XEN_HVM_CPUID_IOMMU_MAPPINGS | XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT |                      \
     XEN_HVM_CPUID_UPCALL_VECTOR)

static struct cpuid xen_leaf(const struct vcpu *v, uint32_t first, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid common;
    if (cpu_policy_hypervisor_leaf(v, first, leaf, subleaf, &common))
        return common;
    switch (leaf - first) {
    case 2:
        return (struct cpuid){1, hypercall_page_msr(v->domain), 0, 0};
    case 4:
        return subleaf ? (struct cpuid){0} : (struct cpuid){HVM_FEATURES, v->id, v->domain->id, 0};
    default:
        return (struct cpuid){0};
    }
}

static struct cpuid hypervisor_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    const uint32_t block = leaf & ~0xffU, second = XEN_CPUID_FIRST_LEAF + 0x100;
    if (!v->domain->hvm->viridian)
        return block == XEN_CPUID_FIRST_LEAF ? xen_leaf(v, block, leaf, subleaf) : (struct cpuid){0};
    if (block == XEN_CPUID_FIRST_LEAF)
        return viridian_cpuid(v, leaf);
    return block == second ? xen_leaf(v, block, leaf, subleaf) : (struct cpuid){0};
}

void hvm_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
    if (leaf >> 16 == XEN_CPUID_FIRST_LEAF >> 16) {
        *out = hypervisor_leaf(v, leaf, subleaf);
        return;
    }
    struct xen_cpuid_leaf l = cpu_policy_lookup(v->domain, leaf, subleaf);
    add_dynamic(v, subleaf, &l);
    *out = (struct cpuid){l.a, l.b, l.c, l.d};
}

/* Both MSRs of a policy are 0: no CPUID faulting; and without its feature bit MSR_ARCH_CAPABILITIES is not there. */
bool hvm_policy_rdmsr(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = 0;
    return msr == MSR_PLATFORM_INFO && cpu_features.vendor == VENDOR_INTEL;
}
