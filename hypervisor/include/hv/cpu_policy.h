/*
 * What CPUID and a few MSRs say to a domain. x86/cpu_policy.c
 * Source: xen/arch-x86/cpufeatureset.h, xen/sysctl.h (XEN_SYSCTL_get_cpu_policy), xen/arch-x86/cpuid.h.
 */
#ifndef HV_CPU_POLICY_H
#define HV_CPU_POLICY_H

#include <hv/cpu.h>
#include <hv/domain.h>

void cpu_policy_init(void); /* boot CPU, after cpu_features */

/* For a vendor's init(): HVM guests cannot have this feature (XEN_X86_FEATURE_*) though the processor does, because its
 * virtualisation has no control for it. Boot only; before or after cpu_policy_init, before the first domain. */
void cpu_policy_hvm_without(unsigned feature);

/* CPUID as the (PV) vcpu sees it: the domain's policy, the dynamic bits, and the ABI's leaves at 0x40000000.
 * pv/cpuid.c */
void pv_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *out);

/* XEN_SYSCTL_get_cpu_policy: index XEN_SYSCTL_cpu_policy_*. Arrays are written up to the given counts, which become the
 * counts needed; -ENOBUFS when too small. -EOPNOTSUPP for kinds this machine has not. */
int cpu_policy_get_system(unsigned index, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr,
                          uint32_t *msrs);
int cpu_policy_get_domain(struct domain *d, struct xen_cpuid_leaf *leaf, uint32_t *leaves, struct xen_msr_entry *msr,
                          uint32_t *msrs);
/* Takes over what the toolstack wants, clipped to what d's kind of guest can have; -EINVAL, and *bad_leaf names the
 * first bad one. */
int cpu_policy_set_domain(struct domain *d, const struct xen_cpuid_leaf *leaf, uint32_t leaves,
                          const struct xen_msr_entry *msr, uint32_t msrs, uint32_t *bad_leaf, uint32_t *bad_subleaf,
                          uint32_t *bad_msr);
/* MSRs that tell about the processor, as HVM guests see them. False: not one of those, or not there (#GP). */
bool hvm_policy_rdmsr(const struct vcpu *v, uint32_t msr, uint64_t *value);

/* The parts from which pv_cpuid and hvm_cpuid (hvm.h) are made. */
/* Zeros for a leaf that is not there or lies above the policy's limit. */
struct xen_cpuid_leaf cpu_policy_lookup(const struct domain *d, uint32_t leaf, uint32_t subleaf);
/* The hypervisor's own leaves, which start at `first`: true if both kinds of guest are told the same in this one (limit
 * and name, version, time; zeros above the limit, which the toolstack may lower to 2 and more), false if it is the
 * kind's own. */
bool cpu_policy_hypervisor_leaf(const struct vcpu *v, uint32_t first, uint32_t leaf, uint32_t subleaf,
                                struct cpuid *out);
/* Bytes that XSAVE, or in compacted form XSAVEC, needs for the components in `features`. */
uint32_t cpu_policy_xstate_bytes(const struct domain *d, uint64_t features, bool compacted);

/* Leaf 0x80000001 EDX of AMD repeats these bits of leaf 1 EDX. */
#define AMD_REPEATED 0x0183f3ffU

#define MSR_PLATFORM_INFO     0xceU
#define MSR_ARCH_CAPABILITIES 0x10aU

/* As many as a policy's structure can name, not as many as this processor has: a toolstack sizes its buffers by it and
 * writes back sub-leaves that are all zero. */
#define CPU_POLICY_MAX_LEAVES 120
#define CPU_POLICY_MAX_MSRS   2

/* XEN_SYSCTL_get_cpu_featureset: index XEN_SYSCTL_cpu_featureset_*; writes min(*words, available), sets *words. */
int cpu_featureset_get(unsigned index, uint32_t *words_out, uint32_t *words);

#endif
