/*
 * CPUID as a PV vcpu sees it: its domain's policy, what depends on the vcpu, and the hypervisor's own leaves.
 * Sources: Intel SDM volume 2, AMD APM volume 3 (leaves); xen/arch-x86/cpuid.h.
 */
#include <hv/cpu_policy.h>
#include <hv/page.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/cpufeatureset.h>

#define BIT(feature) (1U << (XEN_X86_FEATURE_##feature % 32))

#define HYPERCALL_PAGE_MSR 0x40000000U

static unsigned machine_address_bits(void)
{
    return max_mfn > 1 ? 64 - (unsigned)__builtin_clzll((max_mfn << PAGE_SHIFT) - 1) : 32;
}

static struct cpuid hypervisor_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid common;
    if (cpu_policy_hypervisor_leaf(v, XEN_CPUID_FIRST_LEAF, leaf, subleaf, &common))
        return common;
    switch (leaf - XEN_CPUID_FIRST_LEAF) {
    case 2:
        return (struct cpuid){1, HYPERCALL_PAGE_MSR, XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD, 0};
    case 5:
        return (struct cpuid){0, subleaf == 0 ? machine_address_bits() : 0, 0, 0};
    default:
        return (struct cpuid){0};
    }
}

/* What differs between vcpus, or changes while they run. */
static void add_dynamic(const struct vcpu *v, struct xen_cpuid_leaf *l)
{
    const uint32_t apic_id = v->id * 2;
    switch (l->leaf) {
    case 1:
        l->b = (l->b & 0x00ffffff) | apic_id << 24;
        if (l->c &
            BIT(XSAVE)) /* CR4.OSXSAVE is ours and always set; Linux takes a clear bit for "no XSAVE under Xen" */
            l->c |= BIT(OSXSAVE);
        break;
    case 0xb:
        l->d = apic_id;
        break;
    case 0xd:
        if (l->subleaf == 0 && l->a)
            l->b = cpu_policy_xstate_bytes(v->domain, v->xcr0, false);
        if (l->subleaf == 1 && l->a & BIT(XSAVEC))
            l->b = cpu_policy_xstate_bytes(v->domain, v->xcr0, true);
        break;
    case 0x80000001:
        if (cpu_features.vendor == VENDOR_AMD)
            l->d |= cpu_policy_lookup(v->domain, 1, 0).d & AMD_REPEATED;
        break;
    }
}

void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
    if (leaf >> 16 == XEN_CPUID_FIRST_LEAF >> 16) {
        *out = leaf >> 8 == XEN_CPUID_FIRST_LEAF >> 8 ? hypervisor_leaf(v, leaf, subleaf) : (struct cpuid){0};
        return;
    }
    struct xen_cpuid_leaf l = cpu_policy_lookup(v->domain, leaf, subleaf);
    add_dynamic(v, &l);
    *out = (struct cpuid){l.a, l.b, l.c, l.d};
}
