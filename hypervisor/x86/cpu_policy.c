#include <hv/cpu_policy.h>
#include <hv/lib.h>
void cpu_policy_init(void){}
void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
    if (leaf >= 0x40000000 && leaf < 0x40010000) {
        *out = (struct cpuid){0};
        if (leaf == 0x40000000) { out->eax = 0x40000005; memcpy(&out->ebx, "XenV", 4); memcpy(&out->ecx, "MMXe", 4); memcpy(&out->edx, "nVMM", 4);} 
        if (leaf == 0x40000001) out->eax = 0x00040011;
        if (leaf == 0x40000005) out->ebx = 0x21;
        return;
    }
    *out = cpuid(leaf, subleaf);
    if (leaf == 1) out->ecx &= ~(1U<<3 | 1U<<5 | 1U<<17 | 1U<<24);
    if (leaf == 7) out->ebx &= ~(1U<<7 | 1U<<20 | 1U<<10);
    if (leaf == 0x80000001) out->ecx &= ~(1U<<2);
}
int cpu_policy_get_system(unsigned index, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr, uint32_t *msrs){return -EOPNOTSUPP;}
int cpu_policy_get_domain(struct domain *d, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr, uint32_t *msrs){return -EOPNOTSUPP;}
int cpu_policy_set_domain(struct domain *d, const struct xen_cpuid_leaf *leaf, uint32_t leaves, const struct xen_msr_entry *msr, uint32_t msrs, uint32_t *bad_leaf, uint32_t *bad_subleaf, uint32_t *bad_msr){return 0;}
int cpu_featureset_get(unsigned index, uint32_t *words_out, uint32_t *words){return -EOPNOTSUPP;}
