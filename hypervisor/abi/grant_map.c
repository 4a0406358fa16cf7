/*
 * Pins of grant entries, handles, and mapping by grant. hv/grant_table.h says what each of them holds.
 */
#include "grant_table_private.h"
#include <hv/console.h>
#include <hv/hypercall.h>
#include <hv/p2m.h>
#include <hv/tlb.h>

#define MARK_TRIES              16 /* a granter that keeps changing its entry loses the grant, not our time */
#define HANDLES_PER_YIELD_CHECK 64

/* Pins. */

/* May `user` do this by an entry whose first word (flags, domid) is `header`? */
static int16_t check_header(const struct grant_table *gt, uint32_t header, domid_t user, bool write, bool whole)
{
    uint16_t flags = header;

    if ((flags & GTF_type_mask) != GTF_permit_access || (domid_t)(header >> 16) != user)
        return GNTST_bad_gntref;
    if (write && (flags & GTF_readonly))
        return GNTST_bad_gntref;
    if ((flags & GTF_sub_page) && (whole || gt->version == 1))
        return GNTST_bad_gntref;
    return GNTST_okay;
}

/* Takes from the guest's view the marks that the record does not justify (any more). */
static void clear_marks(struct grant_table *gt, grant_ref_t ref)
{
    const struct grant_record *r = grant_record(gt, ref);
    uint16_t gone = 0;

    if (!r->writers)
        gone |= GTF_writing;
    if (!r->writers && !r->readers)
        gone |= GTF_reading;
    if (gt->version == 1)
        __atomic_fetch_and(&grant_entry_v1(gt, ref)->flags, (uint16_t)~gone, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(grant_status(gt, ref), (uint16_t)~gone, __ATOMIC_SEQ_CST);
}

/* Version 1: check and mark are one atomic operation on the entry's first word. */
static int16_t mark_v1(struct grant_table *gt, grant_ref_t ref, domid_t user, bool write, bool whole, uint32_t *header)
{
    uint32_t *word = (uint32_t *)grant_entry_v1(gt, ref);
    uint32_t marks = write ? GTF_reading | GTF_writing : GTF_reading;

    for (unsigned i = 0; i < MARK_TRIES; i++) {
        int16_t status;

        *header = READ_ONCE(*word);
        status = check_header(gt, *header, user, write, whole);
        if (status != GNTST_okay)
            return status;
        if (__atomic_compare_exchange_n(word, header, *header | marks, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return GNTST_okay;
    }
    return GNTST_general_error;
}

/* Version 2: the marks are elsewhere. Mark, then look again: the granter withdraws the entry first and reads the marks
 * then. */
static int16_t mark_v2(struct grant_table *gt, grant_ref_t ref, domid_t user, bool write, bool whole, uint32_t *header)
{
    uint32_t *word = (uint32_t *)grant_entry_v2(gt, ref);
    uint16_t marks = write ? GTF_reading | GTF_writing : GTF_reading;
    int16_t status;

    *header = READ_ONCE(*word);
    status = check_header(gt, *header, user, write, whole);
    if (status != GNTST_okay)
        return status;
    __atomic_fetch_or(grant_status(gt, ref), marks, __ATOMIC_SEQ_CST);
    if (READ_ONCE(*word) == *header)
        return GNTST_okay;
    clear_marks(gt, ref);
    return GNTST_general_error;
}

/* First pin of an entry: from now on the record counts. */
static int16_t fill_record(struct domain *granter, grant_ref_t ref, domid_t user, uint32_t header)
{
    struct grant_table *gt = granter->grants;
    struct grant_record *r = grant_record(gt, ref);
    uint64_t gfn;

    r->user = user;
    r->sub_page = header & GTF_sub_page;
    r->start = 0;
    r->length = PAGE_SIZE;
    if (gt->version == 1) {
        gfn = READ_ONCE(grant_entry_v1(gt, ref)->frame);
    } else if (r->sub_page) {
        r->start = READ_ONCE(grant_entry_v2(gt, ref)->sub_page.page_off);
        r->length = READ_ONCE(grant_entry_v2(gt, ref)->sub_page.length);
        gfn = READ_ONCE(grant_entry_v2(gt, ref)->sub_page.frame);
    } else {
        gfn = READ_ONCE(grant_entry_v2(gt, ref)->full_page.frame);
    }
    r->gfn = gfn;
    return domain_gfn_to_mfn(granter, gfn, &r->mfn) ? GNTST_bad_page : GNTST_okay;
}

/* Lock held. */
static int16_t pin(struct domain *granter, grant_ref_t ref, domid_t user, bool write, bool whole)
{
    struct grant_table *gt = granter->grants;
    struct grant_record *r = grant_record(gt, ref);
    bool first = !r->readers && !r->writers;
    uint32_t header;
    int16_t status;

    if (!first && (r->user != user || (whole && r->sub_page)))
        return GNTST_bad_gntref;
    if (first || (write && !r->writers)) {
        status = (gt->version == 1 ? mark_v1 : mark_v2)(gt, ref, user, write, whole, &header);
        if (status != GNTST_okay)
            return status;
        status = first ? fill_record(granter, ref, user, header) : GNTST_okay;
        if (status != GNTST_okay) {
            clear_marks(gt, ref);
            return status;
        }
    }
    if (write)
        r->writers++;
    else
        r->readers++;
    gt->pinned += first;
    return GNTST_okay;
}

int16_t grant_pin(struct domain *granter, grant_ref_t ref, domid_t user, bool write, bool whole, struct grant_use *use)
{
    struct grant_table *gt = granter->grants;
    int16_t status = GNTST_bad_gntref;

    if (allowed_between(granter, POLICY_VERB_SHARE_MEMORY, current->domain))
        return GNTST_permission_denied;
    spin_lock(&gt->lock);
    if (ref < grant_entries(gt)) {
        status = pin(granter, ref, user, write, whole);
        if (status == GNTST_okay) {
            const struct grant_record *r = grant_record(gt, ref);

            *use = (struct grant_use){.mfn = r->mfn, .start = r->start, .length = r->length};
        }
    }
    spin_unlock(&gt->lock);
    return status;
}

void grant_unpin(struct domain *granter, grant_ref_t ref, bool write)
{
    struct grant_table *gt = granter->grants;
    struct grant_record *r;

    spin_lock(&gt->lock);
    r = grant_record(gt, ref);
    ASSERT(write ? r->writers : r->readers);
    if (write && is_hvm(granter))
        log_dirty_mark(granter, r->gfn);
    if (write)
        r->writers--;
    else
        r->readers--;
    if (!r->readers && !r->writers)
        gt->pinned--;
    clear_marks(gt, ref);
    spin_unlock(&gt->lock);
}

int16_t grant_get_frame(struct domain *owner, mfn_t mfn, bool write)
{
    struct page *page = mfn_to_page(mfn);

    if (write ? page_get_with_type(page, owner, TYPE_WRITABLE) != 0 : !page_get(page, owner))
        return GNTST_bad_page;
    if (READ_ONCE(page->references) & PAGE_XENHEAP) {
        grant_put_frame(mfn, write);
        return GNTST_bad_page;
    }
    return GNTST_okay;
}

void grant_put_frame(mfn_t mfn, bool write)
{
    if (write)
        page_put_with_type(mfn_to_page(mfn));
    else
        page_put(mfn_to_page(mfn));
}

/* Handles. */

static struct grant_handle *handle_at(const struct grant_table *gt, uint32_t handle)
{
    return &gt->handle[handle / HANDLES_PER_FRAME][handle % HANDLES_PER_FRAME];
}

/* handle_lock held. */
static bool add_handle_frame(struct grant_table *gt)
{
    uint32_t first = gt->handle_frames * HANDLES_PER_FRAME;

    if (gt->handle_frames == gt->max_handle_frames)
        return false;
    gt->handle[gt->handle_frames] = zalloc(HANDLES_PER_FRAME * sizeof(struct grant_handle));
    if (!gt->handle[gt->handle_frames])
        return false;
    gt->handle_frames++;
    for (uint32_t h = first + HANDLES_PER_FRAME; h-- > first;) {
        handle_at(gt, h)->next_free = gt->free_handle;
        gt->free_handle = h;
    }
    return true;
}

/* A busy handle, or NO_HANDLE. */
static uint32_t handle_new(struct grant_table *gt)
{
    uint32_t handle = NO_HANDLE;

    spin_lock(&gt->handle_lock);
    if (gt->free_handle != NO_HANDLE || add_handle_frame(gt)) {
        handle = gt->free_handle;
        gt->free_handle = handle_at(gt, handle)->next_free;
        handle_at(gt, handle)->flags = HANDLE_BUSY;
        gt->handles_used++;
    }
    spin_unlock(&gt->handle_lock);
    return handle;
}

static void handle_free(struct grant_table *gt, uint32_t handle)
{
    spin_lock(&gt->handle_lock);
    handle_at(gt, handle)->flags = 0;
    handle_at(gt, handle)->granter = NULL;
    handle_at(gt, handle)->next_free = gt->free_handle;
    gt->free_handle = handle;
    gt->handles_used--;
    spin_unlock(&gt->handle_lock);
}

/* Makes a used handle busy for the caller alone; NULL if there is none or it is busy. */
static struct grant_handle *handle_claim(struct grant_table *gt, uint32_t handle)
{
    struct grant_handle *h = NULL;

    spin_lock(&gt->handle_lock);
    if (handle < gt->handle_frames * HANDLES_PER_FRAME) {
        h = handle_at(gt, handle);
        uint32_t flags = __atomic_load_n(&h->flags, __ATOMIC_ACQUIRE); /* who has it busy lets go without the lock */
        if (!flags || (flags & HANDLE_BUSY))
            h = NULL;
        else
            WRITE_ONCE(h->flags, flags | HANDLE_BUSY);
    }
    spin_unlock(&gt->handle_lock);
    return h;
}

/* What is left of a claimed handle may be used by others again. */
static void handle_unclaim(struct grant_handle *h, uint32_t flags)
{
    __atomic_store_n(&h->flags, flags, __ATOMIC_RELEASE);
}

/* Everything that a mapping holds, once nothing can reach the frame through it. */
static void release_handle(struct grant_table *gt, uint32_t handle)
{
    struct grant_handle h = *handle_at(gt, handle);
    bool write = !(h.flags & GNTMAP_readonly);

    grant_put_frame(h.mfn, write);
    grant_unpin(h.granter, h.ref, write);
    domain_put(h.granter);
    handle_free(gt, handle);
}

/* Mapping. */

/* Pin and frame references; on success *h describes the mapping but for its flags. */
static int16_t hold_grant(struct domain *granter, const struct gnttab_map_grant_ref *op, struct grant_handle *h)
{
    bool write = !(op->flags & GNTMAP_readonly);
    struct grant_use use;
    int16_t status = grant_pin(granter, op->ref, current->domain->id, write, true, &use);

    if (status != GNTST_okay)
        return status;
    status = grant_get_frame(granter, use.mfn, write);
    if (status != GNTST_okay) {
        grant_unpin(granter, op->ref, write);
        return status;
    }
    h->granter = granter;
    h->mfn = use.mfn;
    h->ref = op->ref;
    return GNTST_okay;
}

static int map_host(uint64_t address, mfn_t mfn, unsigned flags)
{
    return is_hvm(current->domain) ? hvm_grant_map(address, mfn, flags) : pv_grant_map(address, mfn, flags, 0);
}

static int unmap_host(uint64_t address, mfn_t mfn, unsigned flags)
{
    return is_hvm(current->domain) ? hvm_grant_unmap(address, mfn, flags) : pv_grant_unmap(address, mfn, flags, 0);
}

static int16_t map_from(struct domain *granter, struct gnttab_map_grant_ref *op)
{
    struct grant_table *gt = current->domain->grants;
    uint32_t handle = handle_new(gt);
    struct grant_handle *h;
    int16_t status;

    if (handle == NO_HANDLE)
        return GNTST_no_space;
    h = handle_at(gt, handle);
    status = hold_grant(granter, op, h);
    if (status != GNTST_okay) {
        handle_free(gt, handle);
        return status;
    }
    if (op->flags & GNTMAP_host_map) {
        status = map_host(op->host_addr, h->mfn, op->flags);
        if (status != GNTST_okay) {
            bool write = !(op->flags & GNTMAP_readonly);

            grant_put_frame(h->mfn, write);
            grant_unpin(granter, op->ref, write);
            handle_free(gt, handle);
            return status;
        }
    }
    domain_hold(granter);
    op->handle = handle;
    op->dev_bus_addr = h->mfn << PAGE_SHIFT; /* without GNTMAP_device_map too: it is where kernels look for the frame */
    handle_unclaim(h, op->flags & HANDLE_FLAGS);
    return GNTST_okay;
}

long grant_op_map_grant_ref(struct request *r)
{
    struct gnttab_map_grant_ref *op = r->argument;
    struct domain *granter;

    op->status = GNTST_general_error;
    if (!(op->flags & (GNTMAP_device_map | GNTMAP_host_map)))
        return 0;
    op->status = GNTST_bad_domain;
    granter = domain_get(op->dom);
    if (!granter)
        return 0;
    if (granter->grants && granter->dying == DOMAIN_ALIVE)
        op->status = map_from(granter, op);
    domain_put(granter);
    return 0;
}

/* Unmapping. */

void grant_finish_unmaps(struct unmap_batch *batch)
{
    /* Any CPU that ran the domain may have the translation, also one that went idle on its page table since. */
    if (batch->flush)
        tlb_flush_all();
    for (unsigned i = 0; i < batch->count; i++)
        release_handle(current->domain->grants, batch->handle[i]);
    batch->count = 0;
    batch->flush = false;
}

/* The parts of a claimed mapping that are named by non-zero addresses. *flags: the parts that remain. */
static int16_t unmap_parts(const struct grant_handle *h, uint64_t host, uint64_t device, struct unmap_batch *batch,
                           uint32_t *flags)
{
    int16_t status;

    /* Every mapping tells its device address, so a caller may hand it back for one that is for the host alone. */
    if (device && device != h->mfn << PAGE_SHIFT)
        return GNTST_bad_dev_addr;
    if (host && !(*flags & GNTMAP_host_map))
        return GNTST_bad_virt_addr;
    if (host) {
        status = unmap_host(host, h->mfn, *flags);
        if (status != GNTST_okay)
            return status;
        *flags &= ~GNTMAP_host_map;
        batch->flush = !is_hvm(current->domain); /* hvm_grant_unmap has flushed */
    }
    if (device)
        *flags &= ~GNTMAP_device_map;
    return GNTST_okay;
}

static int16_t unmap_one(uint32_t handle, uint64_t host, uint64_t device, struct unmap_batch *batch)
{
    struct grant_table *gt = current->domain->grants;
    struct grant_handle *h = handle_claim(gt, handle);
    uint32_t flags;
    int16_t status;

    if (!h)
        return GNTST_bad_handle;
    flags = h->flags & ~HANDLE_BUSY;
    status = unmap_parts(h, host, device, batch, &flags);
    if (flags & (GNTMAP_host_map | GNTMAP_device_map)) {
        handle_unclaim(h, flags);
        return status;
    }
    batch->handle[batch->count++] = handle; /* stays busy until the flush */
    if (batch->count == UNMAP_BATCH)
        grant_finish_unmaps(batch);
    return status;
}

long grant_op_unmap_grant_ref(struct request *r)
{
    struct gnttab_unmap_grant_ref *op = r->argument;

    op->status = unmap_one(op->handle, op->host_addr, op->dev_bus_addr, batch_of(r));
    return 0;
}

long grant_op_unmap_and_replace(struct request *r)
{
    struct gnttab_unmap_and_replace *op = r->argument;

    /* pv_grant_unmap takes the new entry itself, not the address of one: without it this is a plain unmap. */
    op->status = op->new_addr ? GNTST_bad_virt_addr : unmap_one(op->handle, op->host_addr, 0, batch_of(r));
    return 0;
}

int grant_table_release_mappings(struct domain *d)
{
    struct grant_table *gt = d->grants;

    if (!gt)
        return 0;
    for (; gt->release_next < gt->handle_frames * HANDLES_PER_FRAME; gt->release_next++) {
        if (!handle_at(gt, gt->release_next)->flags)
            continue;
        release_handle(gt, gt->release_next);
        if (gt->release_next % HANDLES_PER_YIELD_CHECK == 0 && hypercall_should_yield()) {
            gt->release_next++;
            return -ERESTART;
        }
    }
    ASSERT(!gt->handles_used);
    return 0;
}
