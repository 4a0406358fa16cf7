/*
 * General and type references of frames. The rules are in hv/page_type.h.
 */
#include <hv/console.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>
#include <hv/pv_internal.h>
#include <hv/tlb.h>

static bool reference_get(struct page *page)
{
    uint64_t x = __atomic_load_n(&page->references, __ATOMIC_RELAXED), next;
    do {
        uint64_t count = x & PAGE_REFERENCES_MASK;
        if (count == 0 || count >= TYPE_COUNT_LIMIT || (x & PAGE_FREE))
            return false;
        next = x + 1;
    } while (!__atomic_compare_exchange_n(&page->references, &x, next, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    return true;
}

/* The owner changes only while there are no references, so it is looked at after one was taken. */
bool page_get(struct page *page, const struct domain *d)
{
    if (!reference_get(page))
        return false;
    if (likely(page->owner == d->id))
        return true;
    page_put(page);
    return false;
}

bool page_get_owned(struct page *page)
{
    return reference_get(page);
}

void page_put(struct page *page)
{
    uint64_t left = __atomic_sub_fetch(&page->references, 1, __ATOMIC_ACQ_REL);
    if (likely(left & PAGE_REFERENCES_MASK))
        return;
    domain_free_page(page);
}

struct domain *page_owner(const struct page *page)
{
    domid_t id = page->owner;
    struct domain *d = id == DOMID_INVALID ? NULL : domain_find(id);
    return d;
}

static int validate(struct page *page, uint64_t type)
{
    mfn_t mfn = page_to_mfn(page);
    struct domain *d = page_owner(page);
    if (!d)
        return -EINVAL;
    if (type == TYPE_DESCRIPTOR)
        return pv_validate_descriptor_page(d, mfn);
    return pv_validate_table(d, mfn, (unsigned)(type >> TYPE_SHIFT));
}

/* The first reference of this type. The type is set before the check so that nobody can get the frame writable while it
 * runs; old writable translations are flushed first. */
static int take_first(struct page *page, uint64_t type, uint64_t old)
{
    bool check = type != TYPE_WRITABLE;
    if ((old & TYPE_MASK) != type && (old & TYPE_MASK) != TYPE_NONE)
        tlb_filter_and_flush(page->tlbflush);
    if (!check)
        return 0;
    int err = validate(page, type);
    if (err) {
        __atomic_store_n(&page->type, TYPE_NONE, __ATOMIC_RELEASE);
        return err;
    }
    __atomic_or_fetch(&page->type, TYPE_VALIDATED, __ATOMIC_RELEASE);
    return 0;
}

int page_get_type(struct page *page, uint64_t type)
{
    uint64_t x = __atomic_load_n(&page->type, __ATOMIC_RELAXED), next;
    do {
        uint64_t count = x & TYPE_COUNT_MASK;
        if (count == 0)
            next = type | 1;
        else if ((x & TYPE_MASK) != type)
            return -EINVAL;
        else if (count >= TYPE_COUNT_LIMIT)
            return -EBUSY;
        else
            next = x + 1;
    } while (!__atomic_compare_exchange_n(&page->type, &x, next, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    if ((x & TYPE_COUNT_MASK) == 0)
        return take_first(page, type, x);
    /* A table that is being checked right now names itself: not supported (no linear page tables). */
    return type == TYPE_WRITABLE || (x & TYPE_VALIDATED)
               ? 0
               : (__atomic_sub_fetch(&page->type, 1, __ATOMIC_RELEASE), -EINVAL);
}

/* The last reference of a table gives back what its entries name; its owner's pt_lock is held then, so that no new
 * reference of that type can come while the count is still 1. */
void page_put_type(struct page *page)
{
    uint64_t x = __atomic_load_n(&page->type, __ATOMIC_RELAXED), next;
    do {
        uint64_t type = x & TYPE_MASK;
        ASSERT(x & TYPE_COUNT_MASK);
        if ((x & TYPE_COUNT_MASK) == 1) {
            if (type >= TYPE_L1 && type <= TYPE_L4 && (x & TYPE_VALIDATED)) {
                pv_devalidate_table(page_owner(page), page_to_mfn(page), (unsigned)(type >> TYPE_SHIFT));
                __atomic_and_fetch(&page->type, ~TYPE_VALIDATED, __ATOMIC_RELAXED);
                x &= ~TYPE_VALIDATED;
            }
            page->tlbflush = tlbflush_clock;
            next = type; /* kept, with count 0: tells the next user whether a flush is due */
        } else {
            next = x - 1;
        }
    } while (!__atomic_compare_exchange_n(&page->type, &x, next, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

int page_get_with_type(struct page *page, const struct domain *d, uint64_t type)
{
    if (!page_get(page, d))
        return -EINVAL;
    int err = page_get_type(page, type);
    if (err)
        page_put(page);
    return err;
}

void page_put_with_type(struct page *page)
{
    page_put_type(page);
    page_put(page);
}
