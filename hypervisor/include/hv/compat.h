/*
 * Hypercalls of 32-bit code in HVM guests, and the 32-bit layout of what they share with us. abi/compat.c
 * Source: the public headers as an i386 compiler lays them out: unsigned long and guest handles have 4 bytes, uint64_t
 * is aligned to 4.
 */
#ifndef HV_COMPAT_H
#define HV_COMPAT_H

#include <hv/compat_layout.h>
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

/* ---- What is shared (compat_layout.h) ---- */

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
