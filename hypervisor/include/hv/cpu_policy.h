/*
 * What CPUID and a few MSRs say to a domain. x86/cpu_policy.c
 * Source: xen/arch-x86/cpufeatureset.h, xen/sysctl.h (XEN_SYSCTL_get_cpu_policy), xen/arch-x86/cpuid.h.
 */
#ifndef HV_CPU_POLICY_H
#define HV_CPU_POLICY_H

#include <hv/cpu.h>
#include <hv/domain.h>

void cpu_policy_init(void); /* boot CPU, after cpu_features */

/* CPUID as the (PV) vcpu sees it: the domain's policy, the dynamic bits, and the ABI's leaves at 0x40000000. */
void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out);

/* XEN_SYSCTL_get_cpu_policy: index XEN_SYSCTL_cpu_policy_*. Arrays are written up to the given counts, which become the
 * counts needed; -ENOBUFS when too small. -EOPNOTSUPP for kinds this machine has not. */
int cpu_policy_get_system(unsigned index, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr,
                          uint32_t *msrs);
int cpu_policy_get_domain(struct domain *d, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr,
                          uint32_t *msrs);
/* Takes over what the toolstack wants, clipped to what PV can have; -EINVAL, and *bad_leaf names the first bad one. */
int cpu_policy_set_domain(struct domain *d, const struct xen_cpuid_leaf *leaf, uint32_t leaves,
                          const struct xen_msr_entry *msr, uint32_t msrs, uint32_t *bad_leaf, uint32_t *bad_subleaf,
                          uint32_t *bad_msr);
#define CPU_POLICY_MAX_LEAVES 128
#define CPU_POLICY_MAX_MSRS   2

/* XEN_SYSCTL_get_cpu_featureset: index XEN_SYSCTL_cpu_featureset_*; writes min(*words, available), sets *words. */
int cpu_featureset_get(unsigned index, uint32_t *words_out, uint32_t *words);

#endif
