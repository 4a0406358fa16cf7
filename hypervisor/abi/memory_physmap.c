/*
 * XENMEM_add_to_physmap, _batch, remove_from_physmap: what appears where in an HVM guest's physical memory.
 * Source: xen/memory.h, "enum phys_map_space".
 *
 * Pages of ours (shared info, grant table) are at one place at a time: the machine-to-pfn table knows where. Own memory
 * that is in the way goes back to the allocator, as if the guest had returned it.
 */
#include <hv/abi_internal.h>
#include <hv/grant_table.h>
#include <hv/guest_copy.h>
#include <hv/p2m.h>

_Static_assert(sizeof(struct xen_add_to_physmap) == 24, "ABI");
_Static_assert(sizeof(struct xen_add_to_physmap_batch) == 32, "ABI");
_Static_assert(sizeof(struct xen_remove_from_physmap) == 16, "ABI");

static bool is_shown_at(struct domain *d, mfn_t mfn, gfn_t gfn)
{
    enum p2m_type kind;

    return p2m_lookup(d, gfn, &kind, NULL) == mfn && kind == P2M_SHARED;
}

static int show_page(struct domain *d, mfn_t mfn, gfn_t gfn)
{
    struct page *page = mfn_to_page(mfn);
    gfn_t before = m2p_get(mfn);
    int error;

    if (gfn >= p2m_limit(d))
        return -EINVAL;
    if (is_shown_at(d, mfn, gfn))
        return 0;
    error = page_get_with_type(page, d, TYPE_WRITABLE);
    if (error)
        return error;
    error = p2m_replace(d, gfn, mfn, P2M_SHARED);
    if (error)
        page_put_with_type(page);
    else if (before != M2P_INVALID && before != gfn && is_shown_at(d, mfn, before))
        (void)p2m_clear(d, before, 0);
    return error;
}

static int show_shared_info(struct domain *d, uint64_t index, gfn_t gfn)
{
    struct shared_info *shared = READ_ONCE(d->shared_info);
    int error = !index && shared ? show_page(d, virt_to_mfn(shared), gfn) : -EINVAL;

    if (!error)
        d->hvm->shared_info_gfn = gfn;
    return error;
}

static int show_grant_table(struct domain *d, uint64_t index, gfn_t gfn)
{
    bool status = index & XENMAPIDX_grant_table_status;
    mfn_t mfn;
    int error =
        d->grants ? grant_table_get_frame(d, index & ~(uint64_t)XENMAPIDX_grant_table_status, status, &mfn) : -EINVAL;

    return error ? error : show_page(d, mfn, gfn);
}

int memory_move_page(struct domain *d, gfn_t from, gfn_t to)
{
    enum p2m_type kind;

    if (to >= p2m_limit(d))
        return -EINVAL;
    p2m_lookup(d, from, &kind, NULL);
    if (!p2m_is_own_ram(kind))
        return -EINVAL;
    return from == to ? 0 : p2m_move(d, from, to);
}

/* One page. Another domain's frames and device memory are not for guests here. */
static int add_page(struct domain *d, unsigned space, uint64_t index, gfn_t gfn)
{
    switch (space) {
    case XENMAPSPACE_shared_info:
        return show_shared_info(d, index, gfn);
    case XENMAPSPACE_grant_table:
        return show_grant_table(d, index, gfn);
    case XENMAPSPACE_gmfn:
    case XENMAPSPACE_gmfn_range:
        return memory_move_page(d, index, gfn);
    case XENMAPSPACE_gmfn_foreign:
    case XENMAPSPACE_dev_mmio:
        return -EOPNOTSUPP;
    }
    return -EINVAL;
}

/* The domain, with a reference, if it is one whose numbers are ours to map. */
static int get_translated(domid_t id, struct domain **d)
{
    int error = domain_get_for_caller(id, d);

    if (error || is_hvm(*d))
        return error;
    domain_put(*d);
    return -EACCES;
}

/* Progress is in the caller's structure. */
static long add_range(struct domain *d, struct xen_add_to_physmap *op)
{
    while (op->size) {
        int error = add_page(d, op->space, op->idx, op->gpfn);

        if (error)
            return error;
        op->idx++;
        op->gpfn++;
        op->size--;
        if (op->size && hypercall_should_yield())
            return -ERESTART;
    }
    return 0;
}

long memory_add_to_physmap(struct request *r)
{
    struct xen_add_to_physmap *op = r->argument;
    struct domain *d;
    long result = get_translated(op->domid, &d);

    if (result)
        return result;
    if (op->space == XENMAPSPACE_gmfn_range)
        result = add_range(d, op);
    else
        result = add_page(d, op->space, op->idx, op->gpfn);
    domain_put(d);
    return result;
}

static int add_from_batch(struct domain *d, const struct xen_add_to_physmap_batch *op, unsigned i)
{
    xen_ulong_t index;
    xen_pfn_t gfn;
    int error;

    if (copy_from_guest_offset(&index, op->idxs, i, 1) || copy_from_guest_offset(&gfn, op->gpfns, i, 1))
        return -EFAULT;
    error = add_page(d, op->space, index, gfn);
    return copy_to_guest_offset(op->errs, i, &error, 1);
}

static long add_batch(struct hypercall *call, struct domain *d, const struct xen_add_to_physmap_batch *op)
{
    uint64_t start = call->arg[0] >> MEMOP_COMMAND_BITS;

    for (uint64_t i = start; i < op->size; i++) {
        if (i != start && hypercall_should_yield()) {
            call->arg[0] = (call->arg[0] & MEMOP_COMMAND_MASK) | i << MEMOP_COMMAND_BITS;
            return -ERESTART;
        }
        if (add_from_batch(d, op, (unsigned)i))
            return -EFAULT;
    }
    return 0;
}

long memory_add_to_physmap_batch(struct request *r)
{
    struct xen_add_to_physmap_batch *op = r->argument;
    struct domain *d;
    long result;

    if (op->space == XENMAPSPACE_gmfn_range)
        return -EINVAL;
    result = get_translated(op->domid, &d);
    if (result)
        return result;
    if (op->space == XENMAPSPACE_gmfn_foreign)
        result = -EOPNOTSUPP;
    else
        result = op->u.res0 ? -EINVAL : add_batch(r->call, d, op);
    domain_put(d);
    return result;
}

/* Own memory is only unmapped: it still counts as the guest's. Mappings by grant end by their handle. */
static long remove_page(struct domain *d, gfn_t gfn)
{
    enum p2m_type kind;

    if (p2m_lookup(d, gfn, &kind, NULL) == INVALID_MFN)
        return -ENOENT;
    if (kind == P2M_GRANT_WRITABLE || kind == P2M_GRANT_READONLY)
        return -EINVAL;
    if (d->hvm->shared_info_gfn == gfn)
        d->hvm->shared_info_gfn = INVALID_MFN;
    return p2m_clear(d, gfn, 0);
}

long memory_remove_from_physmap(struct request *r)
{
    struct xen_remove_from_physmap *op = r->argument;
    struct domain *d;
    long result = get_translated(op->domid, &d);

    if (result)
        return result;
    result = remove_page(d, op->gpfn);
    domain_put(d);
    return result;
}
