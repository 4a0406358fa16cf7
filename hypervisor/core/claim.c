/*
 * Frames that a domain has been promised before it takes them: another one that starts meanwhile does not get those.
 */
#include <hv/claim.h>
#include <hv/domain.h>
#include <hv/page_alloc.h>

struct spinlock reservation_lock = SPINLOCK_INIT(LOCK_RESERVATION);

/* Sum of outstanding_pages over all domains; reservation_lock. */
static uint64_t claimed_pages;

/* What others have claimed is not for d. */
static bool claims_allow(const struct domain *d, uint64_t pages)
{
    uint64_t others = claimed_pages - d->outstanding_pages, available = free_page_count();

    return available >= others && pages <= available - others;
}

static void claim_reduce(struct domain *d, uint64_t pages)
{
    uint64_t part = min(pages, d->outstanding_pages);

    d->outstanding_pages -= part;
    claimed_pages -= part;
}

struct page *memory_take_frames(struct domain *d, unsigned order, unsigned address_bits)
{
    struct page *page = NULL;

    spin_lock(&reservation_lock);
    if (claims_allow(d, 1UL << order))
        page = domain_alloc_pages(d, order, address_bits);
    if (page)
        claim_reduce(d, 1UL << order);
    spin_unlock(&reservation_lock);
    return page;
}

uint64_t memory_claimed_pages(void)
{
    return READ_ONCE(claimed_pages);
}

int memory_claim_set(struct domain *d, uint64_t pages)
{
    int result = 0;

    spin_lock(&reservation_lock);
    if (pages && (pages > d->max_pages || pages < d->pages))
        result = -EINVAL;
    else if (pages && !claims_allow(d, pages - d->pages))
        result = -ENOMEM;
    if (!result)
        claim_reduce(d, d->outstanding_pages);
    if (!result && pages) {
        d->outstanding_pages = pages - d->pages;
        claimed_pages += d->outstanding_pages;
    }
    spin_unlock(&reservation_lock);
    return result;
}

void memory_claim_drop(struct domain *d)
{
    spin_lock(&reservation_lock);
    claim_reduce(d, d->outstanding_pages);
    spin_unlock(&reservation_lock);
}
