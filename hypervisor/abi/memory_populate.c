/*
 * Growing and shrinking a domain: populate_physmap, increase_reservation, decrease_reservation.
 * Source: xen/memory.h. A PV guest names machine frames; an HVM guest (or who acts for it) names frames of its own, and
 * what it gets is mapped there.
 *
 * Extents are independent of each other; the answer is how many were served, counted from the first. A long call is
 * interrupted between extents and goes on at the one noted in the upper bits of its command word.
 */
#include <hv/abi_internal.h>
#include <hv/claim.h>
#include <hv/guest_copy.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>
#include <hv/policy.h>

struct extents {
    struct domain *domain;
    struct xen_memory_reservation reservation;
    uint64_t start;
    bool populate; /* extents name pfns; else they are only told their mfns */
};

/* A frame that is mapped somewhere stays until that ends, but it is no longer the domain's to map again. */
static bool release_frame(struct domain *d, mfn_t mfn)
{
    struct page *page;
    bool released;

    if (mfn >= max_mfn)
        return false;
    page = mfn_to_page(mfn);
    if (!page_get(page, d))
        return false;
    released = !(READ_ONCE(page->references) & (PAGE_XENHEAP | PAGE_IO)) &&
               test_and_clear_bit(__builtin_ctzl(PAGE_ALLOCATED), &page->references);
    if (released) {
        m2p_set(mfn, M2P_INVALID);
        page_put(page);
    }
    page_put(page);
    return released;
}

/* In one piece where the guest's numbers allow a large entry. How many could be mapped, from the first. */
static uint64_t map_frames(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order)
{
    uint64_t pages = 1UL << order, n = 0;

    if (!(gfn & (pages - 1)))
        return p2m_set(d, gfn, mfn, order, P2M_RAM) ? 0 : pages;
    while (n < pages && !p2m_set(d, gfn + n, mfn + n, 0, P2M_RAM))
        n++;
    return n;
}

bool memory_populate_frame(struct domain *d, uint64_t gfn)
{
    struct page *page = memory_take_frames(d, 0, ANY_ADDRESS);

    if (page && map_frames(d, gfn, page_to_mfn(page), 0))
        return true;
    if (page)
        release_frame(d, page_to_mfn(page));
    return false;
}

static bool give_gfns(struct extents *e, uint64_t i)
{
    const struct xen_memory_reservation *r = &e->reservation;
    unsigned bits = XENMEMF_get_address_bits(r->mem_flags);
    uint64_t pages = 1UL << r->extent_order, mapped;
    struct page *page;
    xen_pfn_t gfn;

    if (!e->populate || copy_from_guest_offset(&gfn, r->extent_start, i, 1))
        return false;
    page = memory_take_frames(e->domain, r->extent_order, bits ? bits : ANY_ADDRESS);
    if (!page)
        return false;
    mapped = map_frames(e->domain, gfn, page_to_mfn(page), r->extent_order);
    if (mapped == pages)
        return true;
    /* What is mapped is the guest's: another vcpu may have returned it already. */
    for (uint64_t n = 0; n < mapped; n++)
        (void)p2m_release(e->domain, gfn + n, 0);
    for (uint64_t n = mapped; n < pages; n++)
        release_frame(e->domain, page_to_mfn(page) + n);
    return false;
}

/* A vcpu that guesses a frame's number may have returned it by now: what is another's gets no name of ours. */
static void name_frames(struct domain *d, mfn_t mfn, uint64_t pages, xen_pfn_t pfn)
{
    for (uint64_t n = 0; n < pages; n++) {
        struct page *page = mfn_to_page(mfn + n);

        if (!page_get(page, d))
            continue;
        m2p_set(mfn + n, pfn == M2P_INVALID ? pfn : pfn + n);
        page_put(page);
    }
}

/* false: this extent cannot be had, the call ends with what it has done so far. */
static bool give_extent(struct extents *e, uint64_t i)
{
    const struct xen_memory_reservation *r = &e->reservation;
    unsigned bits = XENMEMF_get_address_bits(r->mem_flags);
    bool list = !guest_handle_is_null(r->extent_start);
    xen_pfn_t pfn = M2P_INVALID;
    struct page *page;
    mfn_t mfn;

    if (e->populate && copy_from_guest_offset(&pfn, r->extent_start, i, 1))
        return false;
    page = memory_take_frames(e->domain, r->extent_order, bits ? bits : ANY_ADDRESS);
    if (!page)
        return false;
    mfn = page_to_mfn(page);
    name_frames(e->domain, mfn, 1UL << r->extent_order, pfn);
    return !list || !copy_to_guest_offset(r->extent_start, i, &mfn, 1);
}

static bool return_extent(struct extents *e, uint64_t i)
{
    xen_pfn_t mfn;

    if (copy_from_guest_offset(&mfn, e->reservation.extent_start, i, 1))
        return false;
    for (uint64_t n = 0; n < 1UL << e->reservation.extent_order; n++)
        if (!release_frame(e->domain, mfn + n))
            return false;
    return true;
}

/* All frames of an extent that is aligned, or none. */
static bool return_gfns(struct extents *e, uint64_t i)
{
    unsigned order = e->reservation.extent_order;
    xen_pfn_t gfn;

    if (copy_from_guest_offset(&gfn, e->reservation.extent_start, i, 1))
        return false;
    if (!(gfn & ((1UL << order) - 1)))
        return !p2m_release(e->domain, gfn, order);
    for (uint64_t n = 0; n < 1UL << order; n++)
        if (p2m_release(e->domain, gfn + n, 0))
            return false;
    return true;
}

static long for_each_extent(struct hypercall *call, struct extents *e, bool (*serve)(struct extents *, uint64_t))
{
    uint64_t i;

    for (i = e->start; i < e->reservation.nr_extents; i++) {
        if (i != e->start && hypercall_should_yield()) {
            call->arg[0] = (call->arg[0] & MEMOP_COMMAND_MASK) | i << MEMOP_COMMAND_BITS;
            return -ERESTART;
        }
        if (!serve(e, i))
            break;
    }
    return (long)i;
}

/*
 * Whether to go on. A list too long for the command word, extents larger than the
 * caller may name, and a domain that is not there or not his count as "nothing more was done", as on the reference.
 * Populate-on-demand is for guests whose frame numbers are ours to translate.
 */
static bool extents_prepare(const struct request *r, struct extents *e)
{
    const struct xen_memory_reservation *op = r->argument;

    e->reservation = *op;
    e->start = r->call->arg[0] >> MEMOP_COMMAND_BITS;
    if (op->nr_extents > ~0UL >> MEMOP_COMMAND_BITS || op->extent_order > MAX_EXTENT_ORDER ||
        op->mem_flags & XENMEMF_populate_on_demand)
        return false;
    return !domain_get_for_caller(op->domid, &e->domain);
}

long memory_populate(struct request *r)
{
    struct extents e = {.populate = (r->call->arg[0] & MEMOP_COMMAND_MASK) == XENMEM_populate_physmap};
    long result;

    if (!extents_prepare(r, &e))
        return (long)e.start;
    result = for_each_extent(r->call, &e, is_hvm(e.domain) ? give_gfns : give_extent);
    domain_put(e.domain);
    return result;
}

long memory_decrease(struct request *r)
{
    struct extents e = {.populate = false};
    long result;

    if (!extents_prepare(r, &e))
        return (long)e.start;
    result = for_each_extent(r->call, &e, is_hvm(e.domain) ? return_gfns : return_extent);
    domain_put(e.domain);
    return result;
}

long memory_claim(struct request *r)
{
    struct xen_memory_reservation *op = r->argument;
    struct domain *d;
    long result;

    if (!guest_handle_is_null(op->extent_start) || op->extent_order || op->mem_flags)
        return -EINVAL;
    d = domain_get(op->domid);
    if (!d)
        return -EINVAL;
    result = allowed_on(current->domain, POLICY_VERB_CONTROL, d);
    if (!result)
        result = memory_claim_set(d, op->nr_extents);
    domain_put(d);
    return result;
}
