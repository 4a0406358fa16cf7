/*
 * Physical memory of an HVM guest: guest frame number (gfn) to machine frame (mfn), in the format the processor walks
 * (NPT: ordinary page table entries, AMD APM volume 2, 15.25; EPT: Intel SDM volume 3, 28.3). hvm/p2m.c
 *
 * One table of 4 levels; entries for 4 KiB, 2 MiB and, where the processor can, 1 GiB. The kind of a gfn is in
 * software bits of its entry. Lookups take no lock: a change makes p2m.sequence odd while it writes, and who read
 * meanwhile reads again. Changes are made under p2m.lock (interrupts off, innermost but for page_lock), which is not
 * held while CPUs are flushed or memory is allocated. Every change that takes something away bumps hvm->tlb_generation
 * and, before it returns, has made all CPUs that run the domain leave it; they compare the generation before they enter
 * again (p2m_flush). So: functions that change the table need interrupts on and no spin lock that an interrupted CPU
 * could wait for with interrupts off, p2m_fix_write_fault interrupts on and no lock; lookups, p2m_get_page and
 * log_dirty_mark may be called from anywhere but NMI.
 *
 * References: an entry of the guest's own RAM holds none beyond PAGE_ALLOCATED (which p2m_release drops after the entry
 * is gone and flushed); P2M_FOREIGN, P2M_GRANT_WRITABLE and P2M_SHARED hold a general and a TYPE_WRITABLE reference,
 * P2M_GRANT_READONLY a general one, given back when the entry is replaced.
 *
 * Tables are frames of ours; there are at most as many as the paging pool's size says (changes that need more give
 * -ENOMEM), so that a guest cannot take memory by naming frame numbers far apart.
 */
#ifndef HV_P2M_H
#define HV_P2M_H

#include <hv/hvm.h>
#include <hv/page_type.h>

typedef uint64_t gfn_t;
#define INVALID_GFN ((gfn_t)~0ULL)

enum p2m_type {
    P2M_HOLE, /* nothing: device model, or nobody */
    P2M_RAM,
    P2M_RAM_READONLY,  /* ROM: writes are dropped */
    P2M_RAM_LOG_DIRTY, /* RAM, write-protected until written once */
    P2M_MMIO_DM,       /* explicitly the device model's */
    P2M_IOREQ_SERVER,  /* RAM to read, writes go to a device model (HVMMEM_ioreq_server) */
    P2M_FOREIGN,       /* another domain's frame */
    P2M_GRANT_WRITABLE,
    P2M_GRANT_READONLY,
    P2M_SHARED, /* a page of ours: shared_info, grant table, vcpu APIC page */
    P2M_TYPE_COUNT,
};

/* The guest's own memory: its frame is the guest's and can be returned, granted, mapped by the toolstack. */
static inline bool p2m_is_own_ram(enum p2m_type type)
{
    return (type >= P2M_RAM && type <= P2M_RAM_LOG_DIRTY) || type == P2M_IOREQ_SERVER;
}

/* After hvm_vendor is chosen; sets d->hvm->p2m. */
int p2m_init(struct domain *d);
/* Gives back references and tables. -ERESTART when there is more. All vcpus have stopped for good; from the first call
 * on nothing can be mapped any more. The guest's frames themselves go with its page list (pv_relinquish_memory). */
int p2m_relinquish(struct domain *d);
/* Accepts one that p2m_init failed for, and one that was never relinquished. */
void p2m_destroy(struct domain *d);
/* What the processor's nested root (nCR3, EPTP) wants: machine address of the top table. */
paddr_t p2m_root(const struct domain *d);
/* First gfn that does not exist: the width of physical addresses. And the highest that was ever mapped. */
gfn_t p2m_limit(const struct domain *d);
gfn_t p2m_highest(const struct domain *d);

/* *type (never NULL) and, if not NULL, *order of the mapping it is part of (of a hole: of the missing entry).
 * INVALID_MFN when there is no frame. Takes no reference. */
mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order);
/* 2^order frames, both aligned. Takes over the reference(s) the caller holds for kinds that hold some (not if it
 * fails); what was there before is given back, except own RAM, whose frame is only forgotten. Kinds without a frame:
 * mfn is INVALID_MFN. Orders up to 18. -ENOMEM, -EINVAL (alignment, beyond p2m_limit), -ESRCH (dying); nothing has
 * changed then. */
int p2m_set(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order, enum p2m_type type);
int p2m_clear(struct domain *d, gfn_t gfn, unsigned order);
/* p2m_set of one frame, and the guest's own that was there goes back to the allocator (once nobody else holds it). */
int p2m_replace(struct domain *d, gfn_t gfn, mfn_t mfn, enum p2m_type type);
/* As p2m_clear, and frames of the guest's own go back to the allocator (once nobody else holds them).
 * -EINVAL, and nothing has changed, when one of them is not the guest's own RAM. */
int p2m_release(struct domain *d, gfn_t gfn, unsigned order);
/* One frame of the guest's own RAM gets another number, in place of what was there as by p2m_replace. -EINVAL: `from`
 * is not such. */
int p2m_move(struct domain *d, gfn_t from, gfn_t to);
/* Only the kind, if it is `from` now: -EAGAIN otherwise. RAM that becomes P2M_MMIO_DM keeps its frame for the way back.
 */
int p2m_change_type(struct domain *d, gfn_t gfn, enum p2m_type from, enum p2m_type to);
/* Every vcpu of d forgets what its processor remembers of translations, the guest's own too, before it runs guest code
 * again; those that run have left the guest when this returns. Interrupts on. */
void p2m_flush(struct domain *d);

/* The frame at gfn with a general reference, and TYPE_WRITABLE too if `write`; NULL with *error = -EINVAL (nothing
 * there), -EACCES (read-only kind). Give back with page_put / page_put_with_type. A log-dirty page becomes dirty. */
struct page *p2m_get_page(struct domain *d, gfn_t gfn, bool write, int *error);
/* The same for an access that is over before a p2m_flush could matter: never takes TYPE_WRITABLE, which only keeps
 * frames from becoming page tables; what an HVM domain can reach never becomes one. Give back with page_put. */
struct page *p2m_get_page_briefly(struct domain *d, gfn_t gfn, bool write, int *error);
/* For pages that we write to in the guest's name from now on: RAM of its own, for what others granted or share would be
 * written to after it was taken back. A general and a TYPE_WRITABLE reference, given back with page_put_with_type;
 * NULL: no such page. Who holds one has log_dirty.c mark it (mark_shared_areas). */
struct page *p2m_hold_own_page(struct domain *d, gfn_t gfn);
/* For those who map the guest's memory with power over it (Domain-0): own RAM and pages of ours, read-only kinds too;
 * `write` only makes log-dirty pages dirty. A general reference; NULL: -EINVAL. */
struct page *p2m_get_page_privileged(struct domain *d, gfn_t gfn, bool write);

/* Paging pool: what the toolstack gave for tables, in bytes. */
uint64_t p2m_get_pool_size(const struct domain *d);
int p2m_set_pool_size(struct domain *d, uint64_t bytes);

/* A write fault that the p2m itself can solve (log-dirty page: makes it writable). True: try again. */
bool p2m_fix_write_fault(struct domain *d, gfn_t gfn);

/* hvm/log_dirty.c. The p2m is the dirty bitmap: of a page that is watched the entry is P2M_RAM_LOG_DIRTY while it is
 * clean and P2M_RAM when it has been written. New pages are dirty.
 * log_dirty_op: XEN_DOMCTL_shadow_op. -ERESTART: call again with the same op.
 * dirty_vram: XEN_DMOP_track_dirty_vram for [first, first + count): one bit for each page changed since the last call
 * for the same range (all ones after the range changed) to guest_bitmap, a linear address of the caller's; count = 0
 * ends it. -EINVAL: too many pages or beyond the end, -EFAULT, -ENOMEM. */
int log_dirty_op(struct domain *d, struct xen_domctl_shadow_op *op);
int dirty_vram(struct domain *d, gfn_t first, uint32_t count, unsigned long guest_bitmap);
/* We have written to this page, or somebody has through a mapping of ours. */
void log_dirty_mark(struct domain *d, gfn_t gfn);
#define DIRTY_VRAM_MAX_PAGES 32768U /* 128 MiB */

/* Guest linear to physical, through the guest's own page tables (none, 32-bit, PAE, 4 and 5 levels by mode), as an
 * access with these rights; sets accessed and dirty bits as the processor would. hvm/walk.c
 * 0, or the page fault's error code in *fault and -EFAULT; -EINVAL with the table's address in *gpa when a table is not
 * RAM. An address that is not canonical is -EFAULT: who executes instructions has refused it before. */
enum walk_access {
    WALK_READ = 0,
    WALK_WRITE = 2,
    WALK_USER = 4,
    WALK_FETCH = 16,
    WALK_SYSTEM = 32 /* implicit, ignores AC */
};
int hvm_translate(struct vcpu *v, uint64_t linear, unsigned access, uint64_t *gpa, uint32_t *fault);

/* Copies of the current or a paused vcpu's memory. core/guest_copy.c keeps the one place where bytes move.
 * 0; -EFAULT with the fault as above; -EAGAIN: that address is no RAM, or may not be written (MMIO, ROM), *gpa says
 * where. Some bytes may have been copied then. access: as for hvm_translate; WALK_WRITE: buffer to guest. fault and gpa
 * may be NULL. */
int hvm_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t bytes, unsigned access, uint32_t *fault,
                    uint64_t *gpa);
/* By physical address; whole range must be RAM: -EINVAL otherwise, with some bytes perhaps copied. */
int hvm_copy_from_physical(struct domain *d, void *to, uint64_t gpa, size_t bytes);
int hvm_copy_to_physical(struct domain *d, uint64_t gpa, const void *from, size_t bytes);

#endif
