/*
 * XENMEM_exchange: a PV guest swaps frames it owns for others, to get memory that is contiguous or low enough for a
 * device (Linux: swiotlb-xen). Source: xen/memory.h.
 *
 * Work goes in chunks: as many input extents as make one output extent, or the other way round. A chunk is done wholly
 * or not at all: (1) every input frame is claimed: its only reference, the owner's, is taken away so that nobody can
 * map it any more; (2) the new frames are allocated; (3) the caller's list is updated; only then (4) frames change
 * hands, which cannot fail.
 */
#include <hv/abi_internal.h>
#include <hv/claim.h>
#include <hv/guest_copy.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>

struct exchange {
    struct domain *domain;
    struct xen_memory_exchange args;
    unsigned in_order, out_order;
    uint64_t in_per_chunk, out_per_chunk; /* extents; one of them is 1 */
    uint64_t *in;                         /* mfn of each input extent of this chunk */
    struct page **out;                    /* each output extent */
    uint64_t *pfn;                        /* where the guest wants each */
};

/* Frame n of the input of this chunk. The guest's own number: it may be beyond all frames. */
static mfn_t input_frame(const struct exchange *x, uint64_t n)
{
    return x->in[n >> x->in_order] + (n & ((1UL << x->in_order) - 1));
}

static bool claim_frame(struct domain *d, mfn_t mfn)
{
    return mfn < max_mfn && page_claim(mfn_to_page(mfn), d);
}

static void unclaim_frames(const struct exchange *x, uint64_t frames)
{
    for (uint64_t n = 0; n < frames; n++)
        page_give(mfn_to_page(input_frame(x, n)), x->domain, 0);
}

static int claim_input(struct exchange *x)
{
    uint64_t first = x->args.nr_exchanged, frames = x->in_per_chunk << x->in_order;

    if (copy_from_guest_offset(x->in, x->args.in.extent_start, first, x->in_per_chunk))
        return -EFAULT;
    for (uint64_t n = 0; n < frames; n++)
        if (!claim_frame(x->domain, input_frame(x, n))) {
            unclaim_frames(x, n);
            return -EINVAL;
        }
    return 0;
}

static void free_output(struct exchange *x, uint64_t extents)
{
    for (uint64_t n = 0; n < extents; n++)
        free_pages(x->out[n], x->out_order);
}

static int allocate_output(struct exchange *x)
{
    unsigned bits = XENMEMF_get_address_bits(x->args.out.mem_flags);

    for (uint64_t n = 0; n < x->out_per_chunk; n++) {
        x->out[n] = alloc_pages(x->out_order, bits ? bits : ANY_ADDRESS);
        if (!x->out[n]) {
            free_output(x, n);
            return -ENOMEM;
        }
        memset(page_to_virt(x->out[n]), 0, PAGE_SIZE << x->out_order);
    }
    return 0;
}

/* Reads the wanted pfns and leaves the new mfns in their place. */
static int update_list(struct exchange *x, uint64_t first)
{
    if (copy_from_guest_offset(x->pfn, x->args.out.extent_start, first, x->out_per_chunk))
        return -EFAULT;
    for (uint64_t n = 0; n < x->out_per_chunk; n++) {
        uint64_t mfn = page_to_mfn(x->out[n]);

        if (copy_to_guest_offset(x->args.out.extent_start, first + n, &mfn, 1))
            return -EFAULT;
    }
    return 0;
}

static void release_input(struct exchange *x)
{
    uint64_t frames = x->in_per_chunk << x->in_order;

    for (uint64_t n = 0; n < frames; n++) {
        mfn_t mfn = input_frame(x, n);

        domain_remove_page(x->domain, mfn_to_page(mfn));
        m2p_set(mfn, M2P_INVALID);
        free_pages(mfn_to_page(mfn), 0);
    }
}

/* While the frames are ours: a vcpu that guesses their numbers may return them as soon as they are its domain's. */
static void name_extent(const struct exchange *x, uint64_t n, bool named)
{
    mfn_t mfn = page_to_mfn(x->out[n]);

    for (uint64_t i = 0; i < 1UL << x->out_order; i++)
        m2p_set(mfn + i, named ? x->pfn[n] + i : M2P_INVALID);
}

/*
 * As many frames come as went, under the lock that everybody takes who changes the domain's count or limit: it fails
 * only for a domain that is being destroyed or is already above a limit that was lowered under it. Then the rest stays
 * ours.
 */
static int assign_output(struct exchange *x)
{
    for (uint64_t n = 0; n < x->out_per_chunk; n++) {
        int error;

        name_extent(x, n, true);
        error = domain_assign_pages(x->domain, x->out[n], x->out_order);
        if (error) {
            name_extent(x, n, false);
            for (; n < x->out_per_chunk; n++)
                free_pages(x->out[n], x->out_order);
            return error;
        }
    }
    return 0;
}

static int exchange_chunk(struct exchange *x)
{
    uint64_t out_first = x->args.nr_exchanged << x->in_order >> x->out_order;
    int error = claim_input(x);

    if (error)
        return error;
    error = allocate_output(x);
    if (!error) {
        error = update_list(x, out_first);
        if (error)
            free_output(x, x->out_per_chunk);
    }
    if (error) {
        unclaim_frames(x, x->in_per_chunk << x->in_order);
        return error;
    }
    spin_lock(&reservation_lock);
    release_input(x);
    error = assign_output(x);
    spin_unlock(&reservation_lock);
    return error;
}

static int check_arguments(const struct exchange *x)
{
    const struct xen_memory_exchange *a = &x->args;
    unsigned in = a->in.extent_order, out = a->out.extent_order;

    if (in > MAX_EXTENT_ORDER || out > MAX_EXTENT_ORDER)
        return -EPERM;
    if (a->in.domid != a->out.domid || a->in.nr_extents > ~0UL >> in || a->out.nr_extents > ~0UL >> out ||
        a->in.nr_extents << in != a->out.nr_extents << out)
        return -EINVAL;
    if (a->nr_exchanged > a->in.nr_extents || a->nr_exchanged & (x->in_per_chunk - 1) ||
        a->in.nr_extents & (x->in_per_chunk - 1))
        return -EINVAL;
    return 0;
}

static int allocate_scratch(struct exchange *x)
{
    x->in = zalloc(x->in_per_chunk * sizeof(*x->in));
    x->out = zalloc(x->out_per_chunk * sizeof(*x->out));
    x->pfn = zalloc(x->out_per_chunk * sizeof(*x->pfn));
    return x->in && x->out && x->pfn ? 0 : -ENOMEM;
}

static long exchange_all(struct exchange *x)
{
    while (x->args.nr_exchanged < x->args.in.nr_extents) {
        int error = exchange_chunk(x);

        if (error)
            return error;
        x->args.nr_exchanged += x->in_per_chunk;
        if (x->args.nr_exchanged < x->args.in.nr_extents && hypercall_should_yield())
            return -ERESTART;
    }
    return 0;
}

/* Progress is in nr_exchanged, which the ABI shows to the guest anyway. */
static long exchange_run(struct exchange *x, uint64_t argument)
{
    unsigned long at = argument + offsetof(struct xen_memory_exchange, nr_exchanged);
    long result = allocate_scratch(x);

    if (!result)
        result = exchange_all(x);
    free(x->in);
    free(x->out);
    free(x->pfn);
    if (copy_to_guest_va(at, &x->args.nr_exchanged, sizeof(x->args.nr_exchanged)))
        return -EFAULT;
    return result;
}

long memory_exchange(struct request *r)
{
    const struct xen_memory_exchange *args = r->argument;
    struct exchange x = {.args = *args};
    long result;

    x.in_order = min(x.args.in.extent_order, MAX_EXTENT_ORDER);
    x.out_order = min(x.args.out.extent_order, MAX_EXTENT_ORDER);
    x.in_per_chunk = x.out_order > x.in_order ? 1UL << (x.out_order - x.in_order) : 1;
    x.out_per_chunk = x.in_order > x.out_order ? 1UL << (x.in_order - x.out_order) : 1;
    result = check_arguments(&x);
    if (!result)
        result = domain_get_for_caller(x.args.in.domid, &x.domain);
    if (result)
        return result;
    if (x.domain->hvm) { /* its memory is contiguous where it looks, and no device sees it */
        domain_put(x.domain);
        return -EOPNOTSUPP;
    }
    result = exchange_run(&x, r->address);
    domain_put(x.domain);
    return result;
}
