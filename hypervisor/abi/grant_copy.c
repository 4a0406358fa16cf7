/*
 * GNTTABOP_copy: bytes from one frame to another, each the caller's own or granted to it.
 */
#include "grant_table_private.h"
#include <hv/p2m.h>

/* One side of a copy while it goes on. */
struct copy_side {
    struct domain *granter; /* with a reference; NULL: the caller's own frame */
    grant_ref_t ref;
    mfn_t mfn;
    bool write;
};

static int16_t open_granted(const struct gnttab_copy_ptr *ptr, uint16_t bytes, struct copy_side *side)
{
    struct domain *granter = domain_get_any(ptr->domid);
    struct grant_use use;
    int16_t status = GNTST_bad_domain;

    if (!granter)
        return status;
    if (granter->grants && granter->dying == DOMAIN_ALIVE)
        status = grant_pin(granter, ptr->u.ref, current->domain->id, side->write, false, &use);
    if (status != GNTST_okay) {
        domain_put(granter);
        return status;
    }
    if (ptr->offset < use.start || ptr->offset + bytes > use.start + use.length)
        status = GNTST_bad_copy_arg;
    else
        status = grant_get_frame(granter, use.mfn, side->write);
    if (status != GNTST_okay) {
        grant_unpin(granter, ptr->u.ref, side->write);
        domain_put(granter);
        return status;
    }
    side->granter = granter;
    side->ref = ptr->u.ref;
    side->mfn = use.mfn;
    return GNTST_okay;
}

static int16_t open_own(const struct gnttab_copy_ptr *ptr, struct copy_side *side)
{
    struct domain *d = current->domain;

    if (ptr->domid != DOMID_SELF && ptr->domid != d->id)
        return GNTST_permission_denied;
    if (domain_gfn_to_mfn(d, ptr->u.gmfn, &side->mfn))
        return GNTST_bad_page;
    if (side->write && is_hvm(d))
        log_dirty_mark(d, ptr->u.gmfn);
    side->granter = NULL;
    return grant_get_frame(d, side->mfn, side->write);
}

static int16_t open_side(const struct gnttab_copy_ptr *ptr, bool granted, uint16_t bytes, struct copy_side *side)
{
    return granted ? open_granted(ptr, bytes, side) : open_own(ptr, side);
}

static void close_side(const struct copy_side *side)
{
    grant_put_frame(side->mfn, side->write);
    if (!side->granter)
        return;
    grant_unpin(side->granter, side->ref, side->write);
    domain_put(side->granter);
}

static int16_t copy_one(const struct gnttab_copy *op)
{
    struct copy_side source = {.write = false}, dest = {.write = true};
    int16_t status;

    if (op->source.offset + op->len > PAGE_SIZE || op->dest.offset + op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    status = open_side(&op->source, op->flags & GNTCOPY_source_gref, op->len, &source);
    if (status != GNTST_okay)
        return status;
    status = open_side(&op->dest, op->flags & GNTCOPY_dest_gref, op->len, &dest);
    if (status == GNTST_okay) {
        memmove((char *)mfn_to_virt(dest.mfn) + op->dest.offset, (char *)mfn_to_virt(source.mfn) + op->source.offset,
                op->len);
        close_side(&dest);
    }
    close_side(&source);
    return status;
}

long grant_op_copy(struct request *r)
{
    struct gnttab_copy *op = r->argument;
    op->status = copy_one(op);
    return 0;
}
