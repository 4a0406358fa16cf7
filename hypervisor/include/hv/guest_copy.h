/*
 * The only way to guest memory. core/guest_copy.c
 *
 * Addresses are the current vcpu's linear addresses (through its own page tables; for PV with its rights, for HVM as
 * its kernel's access); a range that touches the hypervisor (PV), is no memory (HVM), is not mapped or may not be
 * written gives -EFAULT and may have been copied in part. hv/p2m.h has more functions for HVM guests. Never call with a
 * spin lock held that a fault handler could want (page faults here are recovered, not served).
 */
#ifndef HV_GUEST_COPY_H
#define HV_GUEST_COPY_H

#include <hv/types.h>
#include <hv/xen.h>

int __must_check copy_from_guest_va(void *to, unsigned long from, size_t bytes);
int __must_check copy_to_guest_va(unsigned long to, const void *from, size_t bytes);
/* 64-bit store as the guest's own, for stack frames. */
int __must_check clear_guest_va(unsigned long to, size_t bytes);

/* The typed forms, for XEN_GUEST_HANDLE and XEN_GUEST_HANDLE_64 fields: element `index`, `count` elements. */
#define guest_handle_address(handle) ((unsigned long)(handle).p)
#define guest_handle_is_null(handle) ((handle).p == NULL)
#define copy_from_guest_offset(to, handle, index, count)                                                               \
    ({                                                                                                                 \
        const __typeof__(*(handle).p) *_h = (handle).p;                                                                \
        _Static_assert(sizeof(*(to)) == sizeof(*_h), "element size");                                                  \
        copy_from_guest_va((to), (unsigned long)(_h + (index)), sizeof(*_h) * (count));                                \
    })
#define copy_to_guest_offset(handle, index, from, count)                                                               \
    ({                                                                                                                 \
        __typeof__((handle).p) _h = (handle).p;                                                                        \
        _Static_assert(sizeof(*(from)) == sizeof(*_h), "element size");                                                \
        copy_to_guest_va((unsigned long)(_h + (index)), (from), sizeof(*_h) * (count));                                \
    })
#define copy_from_guest(to, handle, count) copy_from_guest_offset(to, handle, 0, count)
#define copy_to_guest(handle, from, count) copy_to_guest_offset(handle, 0, from, count)

/* Hypercall argument that is a pointer to one structure. */
#define copy_argument_in(to, argument)    copy_from_guest_va((to), (unsigned long)(argument), sizeof(*(to)))
#define copy_argument_out(argument, from) copy_to_guest_va((unsigned long)(argument), (from), sizeof(*(from)))

/* Write to a frame of a (perhaps paused, perhaps other) domain by number: -EINVAL if it is not d's RAM. */
struct domain;
int __must_check copy_to_domain_mfn(struct domain *d, mfn_t mfn, size_t offset, const void *from, size_t bytes);

#endif
