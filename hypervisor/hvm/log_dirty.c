/*
 * Which pages a guest has written: for a copy of a running guest (XEN_DOMCTL_shadow_op), and for its display memory
 * (XEN_DMOP_track_dirty_vram). Source: xen/domctl.h, xen/hvm/dm_op.h.
 *
 * A watched page is P2M_RAM_LOG_DIRTY, read-only, until it is written; the fault makes it P2M_RAM. Collecting the bits
 * of a range turns P2M_RAM back, and then the CPUs flush: a write that still got through an old translation went into
 * the page before the caller reads it. Both uses read the same entries; what one collects in the display's range while
 * the other is interested too is noted for it (vram.dirty), and while the whole domain is watched only its own
 * collection makes pages clean.
 *
 * The p2m is gone through in blocks of 512 pages, one lock period each.
 */
#include "p2m_private.h"
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/page_alloc.h>
#include <hv/viridian.h>

#define BLOCK       512U
#define BLOCK_WORDS (BLOCK / BITS_PER_LONG)

/* ---- marking ---- */

/* Lock held. Splits a large entry if there is a table to do it with; otherwise all of it counts as written. */
static void make_dirty(struct p2m *p2m, gfn_t gfn)
{
    bool short_of_tables;
    unsigned level;
    pte_t *slot;

    p2m_write_begin(p2m);
    slot = p2m_slot(p2m, gfn, 1, false, &short_of_tables);
    level = 1;
    if (!slot)
        slot = p2m_find(p2m, gfn, &level);
    WRITE_ONCE(*slot, make_leaf(p2m, pte_mfn(*slot), level, P2M_RAM));
    p2m_write_end(p2m);
}

/* A page that is writable by now: another vcpu was faster, or the processor remembered the older entry. */
static bool writable_by_now(enum p2m_type kind)
{
    return kind == P2M_RAM || kind == P2M_FOREIGN || kind == P2M_GRANT_WRITABLE || kind == P2M_SHARED;
}

static bool allow_write(struct p2m *p2m, gfn_t gfn)
{
    enum p2m_type kind;
    unsigned level;

    unsigned long flags = spin_lock_irqsave(&p2m->lock);
    kind = entry_kind(*p2m_find(p2m, gfn, &level));
    if (kind == P2M_RAM_LOG_DIRTY) {
        make_dirty(p2m, gfn);
        p2m->log.faults++;
    }
    spin_unlock_irqrestore(&p2m->lock, flags);
    return kind == P2M_RAM_LOG_DIRTY || writable_by_now(kind);
}

/* A large entry takes a table to split, or two: without them the copy of a running guest would be of all its memory. */
bool p2m_fix_write_fault(struct domain *d, gfn_t gfn)
{
    struct p2m *p2m = d->hvm->p2m;

    if (gfn >= p2m->limit)
        return false;
    if (unlikely(p2m->reserved < P2M_RESERVE))
        (void)p2m_fill_reserve(p2m);
    return allow_write(p2m, gfn);
}

void log_dirty_mark(struct domain *d, gfn_t gfn)
{
    enum p2m_type kind;

    p2m_lookup(d, gfn, &kind, NULL);
    if (kind == P2M_RAM_LOG_DIRTY)
        (void)allow_write(d->hvm->p2m, gfn);
}

/* ---- collecting ---- */

/* What to do with the pages [first, end) of a block: those of kind `from` are reported and become `to`. */
struct scan {
    gfn_t first, end;
    enum p2m_type from, to;
    unsigned long bits[BLOCK_WORDS]; /* of the block */
    uint32_t found;
    bool changed;
    bool for_vram; /* dirty_vram itself collects: nothing to note for it */
};

static void note_for_vram(struct p2m *p2m, const struct scan *scan, gfn_t gfn)
{
    if (!scan->for_vram && gfn >= p2m->vram.first && gfn - p2m->vram.first < p2m->vram.count)
        set_bit(gfn - p2m->vram.first, p2m->vram.dirty);
}

static void scan_page(struct p2m *p2m, struct scan *scan, gfn_t gfn, pte_t *slot)
{
    if (entry_kind(*slot) != scan->from)
        return;
    scan->bits[gfn % BLOCK / BITS_PER_LONG] |= 1UL << gfn % BITS_PER_LONG;
    scan->found++;
    if (scan->from == scan->to)
        return;
    if (scan->from == P2M_RAM)
        note_for_vram(p2m, scan, gfn);
    WRITE_ONCE(*slot, make_leaf(p2m, pte_mfn(*slot), 1, scan->to));
    scan->changed = true;
}

/* All 512 pages are one entry, and all are asked for. */
static void scan_large(struct p2m *p2m, struct scan *scan, gfn_t block, pte_t *slot)
{
    memset(scan->bits, 0xff, sizeof(scan->bits));
    scan->found += BLOCK;
    if (scan->from == scan->to)
        return;
    for (unsigned i = 0; scan->from == P2M_RAM && i < BLOCK; i++)
        note_for_vram(p2m, scan, block + i);
    WRITE_ONCE(*slot, make_leaf(p2m, pte_mfn(*slot), 2, scan->to));
    scan->changed = true;
}

/* Lock held, sequence odd. *pages: how many from `block` on this answers, more than a block where there is a hole. */
static int scan_entries(struct p2m *p2m, struct scan *scan, gfn_t block, uint64_t *pages)
{
    gfn_t first = max(scan->first, block), end = min(scan->end, block + BLOCK);
    unsigned level;
    pte_t *slot = p2m_find(p2m, block, &level);
    bool short_of_tables;

    if (level > 1 && entry_kind(*slot) != scan->from) {
        *pages = (1UL << level_order(level)) - (block & ((1UL << level_order(level)) - 1));
        return 0;
    }
    if (level > 2)
        slot = p2m_slot(p2m, block, 2, false, &short_of_tables);
    if (slot && level > 1 && end - first == BLOCK) {
        scan_large(p2m, scan, block, slot);
        return 0;
    }
    if (slot && level > 1)
        slot = p2m_slot(p2m, block, 1, false, &short_of_tables);
    if (!slot)
        return -ENOMEM;
    for (gfn_t gfn = first; gfn < end; gfn++)
        scan_page(p2m, scan, gfn, slot + (gfn - block));
    return 0;
}

static int scan_block(struct domain *d, struct scan *scan, gfn_t block, uint64_t *pages)
{
    struct p2m *p2m = d->hvm->p2m;
    int error;

    (void)p2m_fill_reserve(p2m); /* small entries need none */
    memset(scan->bits, 0, sizeof(scan->bits));
    *pages = BLOCK;
    unsigned long flags = spin_lock_irqsave(&p2m->lock);
    p2m_write_begin(p2m);
    error = p2m->dying ? -ESRCH : scan_entries(p2m, scan, block, pages);
    p2m_write_end(p2m);
    spin_unlock_irqrestore(&p2m->lock, flags);
    return error;
}

/* Bits of the pages from block on, as many as the caller's bitmap still takes; bits beyond `count` in its last byte are
 * zero. */
static int copy_bits(unsigned long to, const struct scan *scan, uint64_t pages, uint64_t count, bool empty)
{
    size_t bytes = DIV_ROUND_UP(min(pages, count), 8);

    return empty ? clear_guest_va(to, bytes) : copy_to_guest_va(to, scan->bits, bytes);
}

/* ---- XEN_DOMCTL_shadow_op ---- */

#define BLOCKS_PER_YIELD_CHECK 64

/* Goes over [0, count) from where the same op stopped. bitmap 0: only the change matters. */
static int scan_domain(struct domain *d, uint32_t op, enum p2m_type from, enum p2m_type to, uint64_t count,
                       unsigned long bitmap)
{
    struct p2m *p2m = d->hvm->p2m;
    struct scan scan = {.end = count, .from = from, .to = to};
    gfn_t at = p2m->log.op == op ? p2m->log.next : 0;
    uint64_t pages;
    int error = 0;

    if (!at)
        p2m->log.dirty = 0;
    for (unsigned n = 1; at < count && !error; n++, at += pages) {
        error = scan_block(d, &scan, at, &pages);
        if (!error && bitmap)
            error = copy_bits(bitmap + at / 8, &scan, pages, count - at, pages > BLOCK);
        if (!error && at + pages < count && n % BLOCKS_PER_YIELD_CHECK == 0 && hypercall_should_yield())
            error = -ERESTART;
    }
    p2m->log.dirty += scan.found;
    p2m->log.op = error == -ERESTART ? op : 0;
    p2m->log.next = error == -ERESTART ? at : 0;
    if (scan.changed && from == P2M_RAM)
        p2m_flush(d);
    return error;
}

static uint64_t all_pages(const struct domain *d)
{
    return ROUND_UP(p2m_highest(d) + 1, (gfn_t)BLOCK);
}

/* What is mapped from here on is dirty; what is there now counts as clean. */
static int enable(struct domain *d, struct xen_domctl_shadow_op *op)
{
    struct p2m *p2m = d->hvm->p2m;
    int error;

    if (p2m->log.on && p2m->log.op != op->op)
        return -EINVAL;
    p2m->log.on = true;
    error = scan_domain(d, op->op, P2M_RAM, P2M_RAM_LOG_DIRTY, all_pages(d), 0);
    if (error && error != -ERESTART)
        p2m->log.on = false;
    p2m->log.total_dirty = p2m->log.faults = 0;
    return error;
}

/* The display goes on being watched: all of it is reported as written once. */
static int disable(struct domain *d, struct xen_domctl_shadow_op *op)
{
    struct p2m *p2m = d->hvm->p2m;

    p2m->log.on = false;
    return scan_domain(d, op->op, P2M_RAM_LOG_DIRTY, P2M_RAM, all_pages(d), 0);
}

/* What we write in the guest's name without being asked. */
static void mark_shared_areas(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu(d, v)
        if (v->info_mfn != INVALID_MFN)
            log_dirty_mark(d, m2p_get(v->info_mfn));
    viridian_mark_pages(d);
}

static int collect(struct domain *d, struct xen_domctl_shadow_op *op)
{
    struct p2m *p2m = d->hvm->p2m;
    bool clean = op->op == XEN_DOMCTL_SHADOW_OP_CLEAN;
    uint64_t count = min(op->pages, p2m->limit);
    int error;

    if (!p2m->log.on)
        return -EINVAL;
    if (op->mode & XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL)
        mark_shared_areas(d);
    error = scan_domain(d, op->op, P2M_RAM, clean ? P2M_RAM_LOG_DIRTY : P2M_RAM, count,
                        guest_handle_address(op->dirty_bitmap));
    if (error)
        return error;
    op->stats.fault_count = p2m->log.faults;
    op->stats.dirty_count = p2m->log.dirty;
    op->pages = count;
    if (clean)
        p2m->log.faults = 0;
    return 0;
}

int log_dirty_op(struct domain *d, struct xen_domctl_shadow_op *op)
{
    switch (op->op) {
    case XEN_DOMCTL_SHADOW_OP_OFF:
        return disable(d, op);
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
        return op->mode == XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY ? enable(d, op) : -EINVAL;
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
        return enable(d, op);
    case XEN_DOMCTL_SHADOW_OP_CLEAN:
    case XEN_DOMCTL_SHADOW_OP_PEEK:
        return collect(d, op);
    case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
        op->mb = (uint32_t)(DIV_ROUND_UP(p2m_get_pool_size(d), MiB));
        return 0;
    case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
        return p2m_set_pool_size(d, (uint64_t)op->mb * MiB);
    }
    return -EINVAL;
}

/* ---- display memory ---- */

/* Pages of the range from `from` to `to`, 512 at a time, without telling anybody. */
static int scan_vram(struct domain *d, gfn_t first, uint32_t count, enum p2m_type from, enum p2m_type to)
{
    struct scan scan = {.first = first, .end = first + count, .from = from, .to = to, .for_vram = true};
    uint64_t pages;
    int error = 0;

    for (gfn_t at = ROUND_DOWN(first, (gfn_t)BLOCK); at < scan.end && !error; at += pages)
        error = scan_block(d, &scan, at, &pages);
    if (scan.changed && from == P2M_RAM)
        p2m_flush(d);
    return error;
}

/* Pages of the old range are plain memory again, unless the whole domain is watched. */
static void stop_vram(struct domain *d)
{
    struct p2m *p2m = d->hvm->p2m;
    gfn_t first = p2m->vram.first;
    uint32_t count = p2m->vram.count;
    unsigned long *dirty = p2m->vram.dirty;

    unsigned long flags = spin_lock_irqsave(&p2m->lock);
    p2m->vram.count = 0;
    p2m->vram.dirty = NULL;
    spin_unlock_irqrestore(&p2m->lock, flags);
    free(dirty);
    if (count && !p2m->log.on)
        (void)scan_vram(d, first, count, P2M_RAM_LOG_DIRTY, P2M_RAM);
}

/* A new range is dirty as a whole, and watched from now on. */
static int start_vram(struct domain *d, gfn_t first, uint32_t count)
{
    struct p2m *p2m = d->hvm->p2m;
    unsigned long *dirty = zalloc(DIV_ROUND_UP(count, BITS_PER_LONG) * sizeof(*dirty));
    int error;

    if (!dirty)
        return -ENOMEM;
    memset(dirty, 0xff, DIV_ROUND_UP(count, BITS_PER_LONG) * sizeof(*dirty));
    error = p2m->log.on ? 0 : scan_vram(d, first, count, P2M_RAM, P2M_RAM_LOG_DIRTY);
    if (error) {
        (void)scan_vram(d, first, count, P2M_RAM_LOG_DIRTY, P2M_RAM);
        free(dirty);
        return error;
    }
    unsigned long flags = spin_lock_irqsave(&p2m->lock);
    p2m->vram.first = first;
    p2m->vram.count = count;
    p2m->vram.dirty = dirty;
    spin_unlock_irqrestore(&p2m->lock, flags);
    return 0;
}

/* The block's bits of [first, end) and those noted by others, at their place in a bitmap that starts at `first`. */
static void merge_block(struct p2m *p2m, const struct scan *scan, gfn_t block, unsigned long *out)
{
    for (gfn_t gfn = max(block, scan->first); gfn < min(block + BLOCK, scan->end); gfn++)
        if (test_bit(gfn % BLOCK, scan->bits))
            set_bit(gfn - scan->first, out);
}

/* Collects into a copy of the notes, which are empty afterwards. While the whole domain is watched nothing is made
 * clean: a page is reported again until that collection has passed. */
static int collect_vram(struct domain *d, unsigned long *out)
{
    struct p2m *p2m = d->hvm->p2m;
    struct scan scan = {.first = p2m->vram.first,
                        .end = p2m->vram.first + p2m->vram.count,
                        .from = P2M_RAM,
                        .to = p2m->log.on ? P2M_RAM : P2M_RAM_LOG_DIRTY,
                        .for_vram = true};
    size_t bytes = DIV_ROUND_UP(p2m->vram.count, BITS_PER_LONG) * sizeof(*out);
    uint64_t pages;
    int error = 0;

    unsigned long flags = spin_lock_irqsave(&p2m->lock);
    memcpy(out, p2m->vram.dirty, bytes);
    memset(p2m->vram.dirty, 0, bytes);
    spin_unlock_irqrestore(&p2m->lock, flags);
    for (gfn_t at = ROUND_DOWN(scan.first, (gfn_t)BLOCK); at < scan.end && !error; at += pages) {
        error = scan_block(d, &scan, at, &pages);
        if (!error && pages == BLOCK)
            merge_block(p2m, &scan, at, out);
    }
    if (scan.changed)
        p2m_flush(d);
    return error;
}

static int report_vram(struct domain *d, unsigned long guest_bitmap)
{
    struct p2m *p2m = d->hvm->p2m;
    uint32_t count = p2m->vram.count;
    size_t bytes = DIV_ROUND_UP(count, 8);
    unsigned long *out = zalloc(ROUND_UP(bytes, sizeof(*out)));
    int error;

    if (!out)
        return -ENOMEM;
    error = collect_vram(d, out);
    if (!error && count % 8)
        ((uint8_t *)out)[bytes - 1] &= (uint8_t)((1U << count % 8) - 1);
    if (!error && copy_to_guest_va(guest_bitmap, out, bytes))
        error = -EFAULT;
    if (error) /* nothing is lost: the next call reports it all */
        memset(p2m->vram.dirty, 0xff, ROUND_UP(bytes, sizeof(*out)));
    free(out);
    return error;
}

int dirty_vram(struct domain *d, gfn_t first, uint32_t count, unsigned long guest_bitmap)
{
    struct p2m *p2m = d->hvm->p2m;
    int error = 0;

    if (count > DIRTY_VRAM_MAX_PAGES || first >= p2m->limit || count > p2m->limit - first)
        return -EINVAL;
    spin_lock(&p2m->vram.lock);
    if (count != p2m->vram.count || first != p2m->vram.first) {
        stop_vram(d);
        error = count ? start_vram(d, first, count) : 0;
    }
    if (!error && count)
        error = report_vram(d, guest_bitmap);
    spin_unlock(&p2m->vram.lock);
    return error;
}
