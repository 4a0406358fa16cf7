/*
 * What 32-bit guests share with us, as an i386 compiler lays it out. Nothing but structures, so that a test can compile
 * this for i386 and compare it with the public headers (tests/unit/hypervisor/compat/layout.c).
 */
#ifndef HV_COMPAT_LAYOUT_H
#define HV_COMPAT_LAYOUT_H

#include <hv/types.h>
#include <hv/xen.h>
#include <xen/vcpu.h>

struct compat_vcpu_info {
    uint8_t evtchn_upcall_pending, evtchn_upcall_mask;
    uint32_t evtchn_pending_sel;
    uint32_t arch[6];
    struct vcpu_time_info time;
};

#define COMPAT_2L_NR_CHANNELS 1024
struct compat_shared_info {
    struct compat_vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    uint32_t evtchn_pending[COMPAT_2L_NR_CHANNELS / 32];
    uint32_t evtchn_mask[COMPAT_2L_NR_CHANNELS / 32];
    uint32_t wc_version, wc_sec, wc_nsec;
    uint32_t max_pfn, pfn_to_mfn_frame_list_list, nmi_reason, p2m_cr3, p2m_vaddr, p2m_generation;
    uint32_t wc_sec_hi;
};

/* A vcpu's record is where it is in the 64-bit layout too, and its time is at the same place in it. */
_Static_assert(sizeof(struct compat_vcpu_info) == sizeof(struct vcpu_info), "same array");
_Static_assert(offsetof(struct compat_vcpu_info, time) == offsetof(struct vcpu_info, time), "same place");
_Static_assert(offsetof(struct compat_vcpu_info, evtchn_pending_sel) == 4, "i386");
_Static_assert(offsetof(struct compat_shared_info, evtchn_pending) == 2048, "i386");
_Static_assert(offsetof(struct compat_shared_info, evtchn_mask) == 2176, "i386");
_Static_assert(offsetof(struct compat_shared_info, wc_version) == 2304, "i386");
_Static_assert(offsetof(struct compat_shared_info, wc_sec_hi) == 2340, "i386");
_Static_assert(sizeof(struct compat_shared_info) == 2344, "i386");

struct compat_runstate_info {
    int32_t state;
    uint64_t state_entry_time;
    uint64_t time[4];
} __packed;
_Static_assert(sizeof(struct compat_runstate_info) == 44, "i386");

#endif
