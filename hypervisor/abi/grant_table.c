/*
 * The grant table itself: its frames, versions and limits, and the hypercall.
 */
#include "grant_table_private.h"
#include <hv/console.h>
#include <hv/domain_log.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/p2m.h>
#include <hv/policy.h>
#include <xen/memory.h>

_Static_assert(sizeof(grant_entry_v1_t) == 8, "ABI");
_Static_assert(sizeof(grant_entry_v2_t) == 16, "ABI");
_Static_assert(sizeof(struct gnttab_map_grant_ref) == 32, "ABI");
_Static_assert(sizeof(struct gnttab_unmap_grant_ref) == 24, "ABI");
_Static_assert(sizeof(struct gnttab_copy) == 40, "ABI");
_Static_assert(sizeof(struct gnttab_setup_table) == 24, "ABI");
_Static_assert(offsetof(grant_entry_v2_t, full_page.frame) == 8, "ABI");

#define DEFAULT_GRANT_FRAMES  64
#define DEFAULT_HANDLE_FRAMES 1024
#define MAX_GRANT_FRAMES      4096 /* what we let the toolstack ask for */
#define MAX_HANDLE_FRAMES     16384

static int hvm_gfn_to_mfn(struct domain *d, uint64_t gfn, mfn_t *mfn)
{
    enum p2m_type kind;

    *mfn = p2m_lookup(d, gfn, &kind, NULL);
    return p2m_is_own_ram(kind) ? 0 : -EINVAL;
}

int domain_gfn_to_mfn(struct domain *d, uint64_t gfn, mfn_t *mfn)
{
    if (is_hvm(d))
        return hvm_gfn_to_mfn(d, gfn, mfn);
    if (gfn >= max_mfn || !mfn_is_ram(gfn) || page_owner(mfn_to_page(gfn)) != d)
        return -EINVAL;
    *mfn = gfn;
    return 0;
}

/* Frames. Lock held in all of these. */

static int add_status_frames(struct domain *d, unsigned frames)
{
    struct grant_table *gt = d->grants;
    unsigned needed = DIV_ROUND_UP(frames * ENTRIES_PER_FRAME_V2, STATUS_PER_FRAME);

    for (; gt->status_frames < needed; gt->status_frames++) {
        gt->status[gt->status_frames] = domain_alloc_xenheap(d);
        if (!gt->status[gt->status_frames])
            return -ENOMEM;
    }
    return 0;
}

/* What was added before memory ran out stays. */
static int grow(struct domain *d, unsigned frames)
{
    struct grant_table *gt = d->grants;
    int rc = 0;

    if (frames > gt->max_frames)
        return -EINVAL;
    if (gt->version == 2)
        rc = add_status_frames(d, frames);
    while (!rc && gt->frames < frames) {
        unsigned n = gt->frames;

        if (!gt->record[n])
            gt->record[n] = zalloc(RECORDS_PER_CHUNK * sizeof(struct grant_record));
        gt->frame[n] = gt->record[n] ? domain_alloc_xenheap(d) : NULL;
        if (gt->frame[n])
            gt->frames++;
        else
            rc = -ENOMEM;
    }
    return rc;
}

/* Status frame n exists as soon as the table is large enough for it. */
static int frame_at(struct domain *d, unsigned long n, bool status, mfn_t *mfn)
{
    struct grant_table *gt = d->grants;
    unsigned long frames = status ? n * (STATUS_PER_FRAME / ENTRIES_PER_FRAME_V2) + 1 : n + 1;
    int rc;

    if (d->dying != DOMAIN_ALIVE)
        return -ESRCH; /* its frames may be gone already, and new ones would never be given back */
    if (n >= gt->max_frames || frames > gt->max_frames || (status && gt->version != 2))
        return -EINVAL;
    rc = grow(d, max(gt->frames, (unsigned)frames));
    if (!rc)
        *mfn = virt_to_mfn(status ? (void *)gt->status[n] : gt->frame[n]);
    return rc;
}

int grant_table_get_frame(struct domain *d, unsigned long index, bool status, mfn_t *mfn)
{
    int rc;

    spin_lock(&d->grants->lock);
    rc = frame_at(d, index, status, mfn);
    spin_unlock(&d->grants->lock);
    return rc;
}

int grant_table_get_frames(struct domain *d, unsigned id, unsigned frame, unsigned nr, uint64_t *mfns)
{
    struct grant_table *gt = d->grants;
    int rc = 0;

    if (id != XENMEM_resource_grant_table_id_shared && id != XENMEM_resource_grant_table_id_status)
        return -EINVAL;
    if (frame >= gt->max_frames || nr > gt->max_frames - frame)
        return -EINVAL;
    spin_lock(&gt->lock);
    for (unsigned i = 0; !rc && i < nr; i++)
        rc = frame_at(d, frame + i, id == XENMEM_resource_grant_table_id_status, &mfns[i]);
    spin_unlock(&gt->lock);
    return rc;
}

bool grant_table_has_frame(struct domain *d, unsigned index, bool status, mfn_t *mfn)
{
    struct grant_table *gt = d->grants;
    bool there;

    spin_lock(&gt->lock);
    there = index < (status ? gt->status_frames : gt->frames);
    if (there)
        *mfn = virt_to_mfn(status ? (void *)gt->status[index] : gt->frame[index]);
    spin_unlock(&gt->lock);
    return there;
}

/* What a change under the lock changes, as it was at one moment. */
struct table_state {
    unsigned version, frames, status_frames;
};

static struct table_state table_state(struct domain *d)
{
    struct grant_table *gt = d->grants;
    struct table_state state;

    spin_lock(&gt->lock);
    state = (struct table_state){gt->version, gt->frames, gt->status_frames};
    spin_unlock(&gt->lock);
    return state;
}

unsigned grant_table_max_frames(const struct domain *d)
{
    return d->grants->max_frames;
}

/* Operations on the table. */

/* The domain an operation names, with a reference; another one than the caller needs the right to act on it. GNTST_* */
static int16_t get_target(domid_t id, struct domain **out)
{
    struct domain *d = domain_get_any(id);
    int16_t status = GNTST_okay;

    if (!d)
        return GNTST_bad_domain;
    if (!d->grants)
        status = GNTST_bad_domain;
    else if (!is_current_domain(d) && allowed_on(current->domain, POLICY_VERB_CONTROL, d))
        status = GNTST_permission_denied;
    if (status != GNTST_okay)
        domain_put(d);
    else
        *out = d;
    return status;
}

/* What d calls this frame of its table; all ones while it has not mapped it. */
static uint64_t table_frame_number(const struct domain *d, mfn_t mfn)
{
    return is_hvm(d) ? m2p_get(mfn) : mfn;
}

static long op_setup_table(struct request *r)
{
    struct gnttab_setup_table *op = r->argument;
    struct domain *d;

    op->status = get_target(op->dom, &d);
    if (op->status != GNTST_okay)
        return 0;
    if (op->nr_frames > d->grants->max_frames)
        op->status = GNTST_general_error;
    for (unsigned i = 0; op->status == GNTST_okay && i < op->nr_frames; i++) {
        xen_pfn_t frame;
        mfn_t mfn;

        if (grant_table_get_frame(d, i, false, &mfn))
            op->status = GNTST_general_error;
        else if (frame = table_frame_number(d, mfn), copy_to_guest_offset(op->frame_list, i, &frame, 1))
            op->status = GNTST_bad_virt_addr;
    }
    domain_put(d);
    return 0;
}

static long op_get_status_frames(struct request *r)
{
    struct gnttab_get_status_frames *op = r->argument;
    struct domain *d;

    op->status = get_target(op->dom, &d);
    if (op->status != GNTST_okay)
        return 0;
    if (op->nr_frames > table_state(d).status_frames)
        op->status = GNTST_general_error;
    for (unsigned i = 0; op->status == GNTST_okay && i < op->nr_frames; i++) {
        uint64_t frame;
        mfn_t mfn;

        if (grant_table_get_frame(d, i, true, &mfn))
            op->status = GNTST_general_error;
        else if (frame = table_frame_number(d, mfn), copy_to_guest_offset(op->frame_list, i, &frame, 1))
            op->status = GNTST_bad_virt_addr;
    }
    domain_put(d);
    return 0;
}

static long op_query_size(struct request *r)
{
    struct gnttab_query_size *op = r->argument;
    struct domain *d;

    op->status = get_target(op->dom, &d);
    if (op->status != GNTST_okay)
        return 0;
    op->nr_frames = table_state(d).frames;
    op->max_nr_frames = d->grants->max_frames;
    domain_put(d);
    return 0;
}

static long op_get_version(struct request *r)
{
    struct gnttab_get_version *op = r->argument;
    struct domain *d;
    int16_t status = get_target(op->dom, &d);

    if (status == GNTST_permission_denied)
        return -EPERM;
    if (status != GNTST_okay)
        return -ESRCH;
    op->version = table_state(d).version;
    domain_put(d);
    return 0;
}

#define MARKS (GTF_reading | GTF_writing)

/* The reserved entries in the other version's form, and their marks where version 2 has them. A version 2 entry that
 * version 1 cannot express becomes invalid. */
static void convert_reserved(const struct grant_table *gt, unsigned version, void *to, grant_status_t *marks)
{
    for (unsigned i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        if (version == 2) {
            grant_entry_v1_t from = *grant_entry_v1(gt, i);
            grant_entry_v2_t *entry = (grant_entry_v2_t *)to + i;

            entry->full_page.hdr.flags = from.flags & (uint16_t)~MARKS;
            marks[i] = from.flags & MARKS;
            entry->full_page.hdr.domid = from.domid;
            entry->full_page.frame = from.frame;
        } else {
            grant_entry_v2_t from = *grant_entry_v2(gt, i);
            grant_entry_v1_t *entry = (grant_entry_v1_t *)to + i;

            if ((from.hdr.flags & GTF_type_mask) == GTF_transitive || (from.hdr.flags & GTF_sub_page) ||
                from.full_page.frame > UINT32_MAX)
                continue;
            entry->flags = from.hdr.flags | (*grant_status(gt, i) & MARKS);
            entry->domid = from.hdr.domid;
            entry->frame = from.full_page.frame;
        }
    }
}

/* Those that outlive a change of version may be in use meanwhile. */
static unsigned pinned_reserved(const struct grant_table *gt)
{
    unsigned pinned = 0;

    for (unsigned i = 0; gt->frames && i < GNTTAB_NR_RESERVED_ENTRIES; i++)
        pinned += grant_record(gt, i)->readers || grant_record(gt, i)->writers;
    return pinned;
}

/* Lock held. All entries but the reserved ones are invalid afterwards. */
static int change_version(struct domain *d, unsigned version)
{
    struct grant_table *gt = d->grants;
    grant_entry_v2_t reserved[GNTTAB_NR_RESERVED_ENTRIES] = {0};
    grant_status_t marks[GNTTAB_NR_RESERVED_ENTRIES] = {0};
    int rc = 0;

    if (gt->version == version)
        return 0;
    if (gt->pinned > pinned_reserved(gt))
        return -EBUSY;
    if (version == 2)
        rc = add_status_frames(d, gt->frames);
    if (rc)
        return rc;
    if (gt->frames)
        convert_reserved(gt, version, reserved, marks);
    for (unsigned i = 0; i < gt->frames; i++)
        memset(gt->frame[i], 0, PAGE_SIZE);
    for (unsigned i = 0; i < gt->status_frames; i++)
        memset(gt->status[i], 0, PAGE_SIZE);
    if (gt->frames)
        memcpy(gt->frame[0], reserved,
               GNTTAB_NR_RESERVED_ENTRIES * (version == 1 ? sizeof(grant_entry_v1_t) : sizeof(grant_entry_v2_t)));
    if (gt->status_frames)
        memcpy(gt->status[0], marks, sizeof(marks));
    gt->version = version;
    return 0;
}

static void clear_entry(struct grant_table *gt, grant_ref_t ref)
{
    if (gt->version == 1)
        *grant_entry_v1(gt, ref) = (grant_entry_v1_t){0};
    else
        *grant_entry_v2(gt, ref) = (grant_entry_v2_t){0};
}

void grant_table_forget(struct domain *d)
{
    struct grant_table *gt = d->grants;

    spin_lock(&gt->lock);
    for (grant_ref_t ref = GNTTAB_NR_RESERVED_ENTRIES; ref < grant_entries(gt); ref++)
        if (!grant_record(gt, ref)->readers && !grant_record(gt, ref)->writers)
            clear_entry(gt, ref);
    (void)change_version(d, 1);
    spin_unlock(&gt->lock);
}

static long op_set_version(struct request *r)
{
    struct gnttab_set_version *op = r->argument;
    struct domain *d = current->domain;
    struct grant_table *gt = d->grants;
    uint32_t version = op->version;
    int rc;

    if (version != 1 && version != 2)
        return -EINVAL;
    if (version > gt->max_version)
        return -ENOSYS;
    spin_lock(&gt->lock);
    rc = change_version(d, version);
    op->version = gt->version;
    spin_unlock(&gt->lock);
    return rc;
}

/* The guest may write to them meanwhile: each word is read once. */
static void swap_words(uint64_t *a, uint64_t *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t word = READ_ONCE(a[i]);
        WRITE_ONCE(a[i], READ_ONCE(b[i]));
        WRITE_ONCE(b[i], word);
    }
}

/* Lock held. */
static int16_t swap_entries(struct grant_table *gt, grant_ref_t a, grant_ref_t b)
{
    const struct grant_record *ra, *rb;

    if (a >= grant_entries(gt) || b >= grant_entries(gt))
        return GNTST_bad_gntref;
    ra = grant_record(gt, a);
    rb = grant_record(gt, b);
    if (ra->readers || ra->writers || rb->readers || rb->writers)
        return GNTST_eagain;
    if (gt->version == 1)
        swap_words((uint64_t *)grant_entry_v1(gt, a), (uint64_t *)grant_entry_v1(gt, b),
                   sizeof(grant_entry_v1_t) / sizeof(uint64_t));
    else
        swap_words((uint64_t *)grant_entry_v2(gt, a), (uint64_t *)grant_entry_v2(gt, b),
                   sizeof(grant_entry_v2_t) / sizeof(uint64_t));
    return GNTST_okay;
}

static long op_swap_grant_ref(struct request *r)
{
    struct gnttab_swap_grant_ref *op = r->argument;
    struct grant_table *gt = current->domain->grants;

    spin_lock(&gt->lock);
    op->status = swap_entries(gt, op->ref_a, op->ref_b);
    spin_unlock(&gt->lock);
    return 0;
}

/* transfer: no guest kernel of this century flips pages, they copy. cache_flush: DMA is coherent on x86. */
static long op_not_supported(struct request *r)
{
    return -EOPNOTSUPP;
}

#define OPERATION(name, function, who) [GNTTABOP_##name] = {function, sizeof(struct gnttab_##name), who, ANSWER_DONE}
#define SINGLE(name, function, who)                                                                                    \
    [GNTTABOP_##name] = {function, sizeof(struct gnttab_##name), who, ANSWER_DONE, .single = true}
/* What is POLICY_PV is about machine frames. */
static const struct operation operations[] = {
    OPERATION(map_grant_ref, grant_op_map_grant_ref, POLICY_ANYONE),
    OPERATION(unmap_grant_ref, grant_op_unmap_grant_ref, POLICY_ANYONE),
    SINGLE(setup_table, op_setup_table, POLICY_ANYONE),
    OPERATION(transfer, op_not_supported, POLICY_PV),
    OPERATION(copy, grant_op_copy, POLICY_ANYONE),
    SINGLE(query_size, op_query_size, POLICY_ANYONE),
    OPERATION(unmap_and_replace, grant_op_unmap_and_replace, POLICY_PV),
    SINGLE(set_version, op_set_version, POLICY_ANYONE),
    SINGLE(get_status_frames, op_get_status_frames, POLICY_PV),
    SINGLE(get_version, op_get_version, POLICY_ANYONE),
    OPERATION(swap_grant_ref, op_swap_grant_ref, POLICY_ANYONE),
    OPERATION(cache_flush, op_not_supported, POLICY_PV),
};

/* arg[0] GNTTABOP_*, arg[1] address of the array, arg[2] its elements. Continued with what is left of the array. */
long do_grant_table_op(struct hypercall *call)
{
    const struct operation *o;
    struct grant_request g = {.request = {.call = call}};
    uint32_t left = call->arg[2];
    long result = current->domain->grants ? 0 : -ENOSYS;

    if (!result)
        result = operation_find(operations, ARRAY_SIZE(operations), call->arg[0], &o);
    if (result)
        return result;
    if ((int32_t)left < 0)
        return -EINVAL; /* such an array would be all of the caller's memory, which the answers would run over */
    if (o->single && left != 1)
        return -EINVAL;
    for (bool first = true; left && !result; first = false) {
        if (!first && hypercall_should_yield()) {
            result = -ERESTART;
            break;
        }
        g.request.address = call->arg[1];
        result = operation_run(o, &g.request);
        call->arg[1] += o->bytes;
        call->arg[2] = --left;
    }
    grant_finish_unmaps(&g.batch);
    return result;
}

/* Life of a domain. */

int grant_table_init(struct domain *d, int max_grant_frames, int max_maptrack_frames, unsigned max_version)
{
    unsigned frames = max_grant_frames < 0 ? DEFAULT_GRANT_FRAMES : max_grant_frames;
    unsigned handle_frames = max_maptrack_frames < 0 ? DEFAULT_HANDLE_FRAMES : max_maptrack_frames;
    struct grant_table *gt;

    if (!frames || frames > MAX_GRANT_FRAMES || handle_frames > MAX_HANDLE_FRAMES || max_version > 2)
        return domain_refuse(d, -EINVAL, "max_grant_frames=, max_maptrack_frames= or max_grant_version=: out of range");
    gt = zalloc(sizeof(*gt));
    if (!gt)
        return -ENOMEM;
    spin_lock_init(&gt->lock, LOCK_GRANT_TABLE);
    spin_lock_init(&gt->handle_lock, LOCK_GRANT_HANDLES);
    gt->version = 1;
    gt->max_version = max_version ? max_version : 2;
    gt->max_frames = frames;
    gt->max_handle_frames = handle_frames;
    gt->free_handle = NO_HANDLE;
    gt->frame = zalloc(frames * sizeof(*gt->frame));
    gt->record = zalloc(frames * sizeof(*gt->record));
    gt->status = zalloc(DIV_ROUND_UP(frames * ENTRIES_PER_FRAME_V2, STATUS_PER_FRAME) * sizeof(*gt->status));
    gt->handle = zalloc(max(handle_frames, 1U) * sizeof(*gt->handle));
    d->grants = gt;
    if (!gt->frame || !gt->record || !gt->status || !gt->handle) {
        grant_table_free(d);
        return -ENOMEM;
    }
    return 0;
}

/* Where a dead domain's table seems to be while others still hold what it granted: taking back a grant clears bits in
 * its entry, which nobody reads any more. */
static uint8_t graveyard[PAGE_SIZE] __aligned(4096);

static void bury_frame(struct domain *d, void **frame)
{
    void *va = *frame;
    *frame = graveyard;
    if (va != graveyard)
        domain_free_xenheap(d, va);
}

void grant_table_release_frames(struct domain *d)
{
    struct grant_table *gt = d->grants;

    if (!gt)
        return;
    spin_lock(&gt->lock);
    for (unsigned i = 0; i < gt->frames; i++)
        bury_frame(d, (void **)&gt->frame[i]);
    for (unsigned i = 0; i < gt->status_frames; i++)
        bury_frame(d, (void **)&gt->status[i]);
    spin_unlock(&gt->lock);
}

void grant_table_free(struct domain *d)
{
    struct grant_table *gt = d->grants;

    if (!gt)
        return;
    ASSERT(!gt->pinned && !gt->handles_used);
    d->grants = NULL;
    grant_table_release_frames(d);
    for (unsigned i = 0; gt->record && i < gt->max_frames; i++)
        free(gt->record[i]);
    for (unsigned i = 0; i < gt->handle_frames; i++)
        free(gt->handle[i]);
    free(gt->frame);
    free(gt->status);
    free(gt->record);
    free(gt->handle);
    free(gt);
}

void grant_table_dump(struct domain *d)
{
    struct grant_table *gt = d->grants;

    if (!gt)
        return;
    log_info("d%u grant table: version %u, frames %u of %u, handles used %u\n", d->id, gt->version, gt->frames,
             gt->max_frames, gt->handles_used);
    for (grant_ref_t ref = 0; ref < grant_entries(gt); ref++) {
        const grant_entry_header_t *header =
            gt->version == 1 ? (void *)grant_entry_v1(gt, ref) : (void *)grant_entry_v2(gt, ref);
        const struct grant_record *r = grant_record(gt, ref);

        if (header->flags & GTF_type_mask)
            log_info("  %5u flags %03x to d%u, readers %u, writers %u, mfn %lx\n", ref, header->flags, header->domid,
                     r->readers, r->writers, r->readers || r->writers ? (unsigned long)r->mfn : 0);
    }
}
