/*
 * Hypercalls of 32-bit code in HVM guests, and the 32-bit layout of what they share with us. abi/compat.c
 * Source: the public headers as an i386 compiler lays them out: unsigned long and guest handles have 4 bytes, uint64_t
 * is aligned to 4.
 */
#ifndef HV_COMPAT_H
#define HV_COMPAT_H

#include <hv/domain.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>

/* A hypercall for which hvm_compat_call() holds: rewrites its arguments in the 64-bit layout, makes the call, and
 * rewrites what comes back. -ENOSYS for those that 32-bit guests do not need. */
long compat_hypercall(struct hypercall *call);

/*
 * Rewritten arguments lie in memory of ours, at an address that no guest can have (it is not canonical), and only
 * while the call is made. core/guest_copy.c asks for each address before it takes it for a guest's.
 */
#define COMPAT_ARGUMENT_VA 0x8000000000000000UL
static inline bool is_compat_argument(unsigned long address)
{
    return address >> 16 == COMPAT_ARGUMENT_VA >> 16;
}
/* -EFAULT outside of what the current call has rewritten. */
int __must_check compat_copy_from(void *to, unsigned long address, size_t bytes);
int __must_check compat_copy_to(unsigned long address, const void *from, size_t bytes);

/* ---- What is shared ---- */

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

static inline bool has_compat_layout(const struct domain *d)
{
    return d->hvm && d->hvm->shared_info_32;
}
static inline struct compat_shared_info *compat_shared_info(const struct domain *d)
{
    return (struct compat_shared_info *)d->shared_info;
}
/* The guest shows in which mode its kernel runs (it has its hypercall page written, or sets CALLBACK_IRQ): from now on
 * shared_info has that mode's layout. What is in it stays where it is; events of the first 1024 ports that are pending
 * are so in both. v is current. */
void compat_latch_layout(struct vcpu *v);

#endif
