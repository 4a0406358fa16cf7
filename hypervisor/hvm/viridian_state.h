/*
 * State of Microsoft's interface, shared between its two files.
 */
#ifndef HVM_VIRIDIAN_STATE_H
#define HVM_VIRIDIAN_STATE_H

#include <hv/viridian.h>

struct viridian_vcpu {
    uint64_t assist_msr;
    struct page *assist_page; /* held, writable; NULL: none */
    uint32_t *assist;         /* in it: bit 0 = no EOI required */
    bool assist_offered;
};

#define CRASH_PARAMETERS 5

struct viridian_domain {
    uint64_t features; /* HVMPV_* */
    uint64_t guest_os_id, hypercall_msr, reference_tsc_msr;
    int64_t epoch; /* system time at which the reference counter was 0; before this machine's start perhaps */
    uint64_t crash[CRASH_PARAMETERS];
    struct viridian_vcpu vcpu[]; /* by vcpu id; max_vcpus */
};

#define PAGE_MSR_ENABLE 1ULL /* of the MSRs that name a page */

#endif
