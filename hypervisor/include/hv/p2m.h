/*
 * Physical memory of an HVM guest: guest frame number (gfn) to machine frame (mfn), in the format the processor walks
 * (NPT: ordinary page table entries, AMD APM volume 2, 15.25; EPT: Intel SDM volume 3, 28.3). hvm/p2m.c
 *
 * One table of 4 levels; entries for 4 KiB, 2 MiB and, where the processor can, 1 GiB. The kind of a gfn is in
 * software bits of its entry. Locks: p2m.lock, inside domain.lock and grant table locks, outside page_lock and the page
 * allocator. Every change that takes something away bumps hvm->tlb_generation and, before it returns, has made all CPUs
 * that run the domain leave it and flush (p2m_flush).
 *
 * References: an entry of the guest's own RAM holds none beyond PAGE_ALLOCATED (which decrease_reservation drops after
 * the entry is gone and flushed); P2M_FOREIGN, P2M_GRANT_* and shared pages of ours hold a reference and, when
 * writable, TYPE_WRITABLE, given back when the entry is replaced.
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

int p2m_init(struct domain *d);
/* Gives back references and tables. -ERESTART when there is more. All vcpus have stopped for good. */
int p2m_relinquish(struct domain *d);
void p2m_destroy(struct domain *d);
/* What the processor's nested root (nCR3, EPTP) wants: machine address of the top table. */
paddr_t p2m_root(const struct domain *d);

/* *type (never NULL) and, if not NULL, *order of the mapping it is part of. INVALID_MFN when there is no frame. */
mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order);
/* 2^order frames, both aligned. Takes over the reference(s) the caller holds for kinds that hold some; what was there
 * before is given back, except own RAM, whose frame is only forgotten. -ENOMEM; nothing has changed then. */
int p2m_set(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order, enum p2m_type type);
int p2m_clear(struct domain *d, gfn_t gfn, unsigned order);
/* Only the kind, if it is `from` now: -EAGAIN otherwise. */
int p2m_change_type(struct domain *d, gfn_t gfn, enum p2m_type from, enum p2m_type to);
void p2m_flush(struct domain *d);

/* The frame at gfn with a general reference, and TYPE_WRITABLE too if `write`; NULL with *error = -EINVAL (nothing
 * there), -EACCES (read-only kind). Give back with page_put / page_put_with_type. A log-dirty page becomes dirty. */
struct page *p2m_get_page(struct domain *d, gfn_t gfn, bool write, int *error);

/* A write fault that the p2m itself can solve (log-dirty page: marks it and makes it writable). True: try again. */
bool p2m_fix_write_fault(struct domain *d, gfn_t gfn);
/* XEN_DOMCTL_shadow_op, log-dirty for the whole domain; and XEN_DMOP_track_dirty_vram: bit per page of a range, cleared
 * as they are read. hvm/log_dirty.c */
int log_dirty_op(struct domain *d, struct xen_domctl_shadow_op *op);
int dirty_vram(struct domain *d, gfn_t first, uint32_t count, unsigned long guest_bitmap);
void log_dirty_mark(struct domain *d, gfn_t gfn);

/* Guest linear to physical, through the guest's own page tables (none, 32-bit, PAE, 4 and 5 levels by mode), as an
 * access with these rights; sets accessed and dirty bits as the processor would. hvm/walk.c
 * 0, or the page fault's error code in *fault and -EFAULT; -EINVAL with the gfn in *fault when a table is not RAM. */
enum walk_access {
    WALK_READ = 0,
    WALK_WRITE = 2,
    WALK_USER = 4,
    WALK_FETCH = 16,
    WALK_SYSTEM = 32 /* implicit, ignores AC */
};
int hvm_translate(struct vcpu *v, uint64_t linear, unsigned access, uint64_t *gpa, uint32_t *fault);

/* Copies of the current or a paused vcpu's memory. core/guest_copy.c keeps the one place where bytes move.
 * 0; -EFAULT with the fault as above; -EAGAIN: that address is no RAM (MMIO), *gpa says where. */
int hvm_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t bytes, unsigned access, uint32_t *fault,
                    uint64_t *gpa);
/* By physical address; whole range must be RAM: -EINVAL otherwise. */
int hvm_copy_from_physical(struct domain *d, void *to, uint64_t gpa, size_t bytes);
int hvm_copy_to_physical(struct domain *d, uint64_t gpa, const void *from, size_t bytes);

#endif
