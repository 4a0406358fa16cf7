/*
 * General and type references of frames. The rules are in hv/page_type.h.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/irq.h>
#include <hv/page_type.h>
#include <hv/tlb.h>

/* One more, if the bits of `mask` are as in `wanted` at that moment. */
static bool reference_get(struct page *page, uint64_t wanted, uint64_t mask)
{
    uint64_t x = __atomic_load_n(&page->references, __ATOMIC_RELAXED), next;
    do {
        uint64_t count = x & PAGE_REFERENCES_MASK;
        if (count == 0 || count >= TYPE_COUNT_LIMIT || (x & mask) != wanted)
            return false;
        next = x + 1;
    } while (!__atomic_compare_exchange_n(&page->references, &x, next, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    return true;
}

bool page_get(struct page *page, const struct domain *d)
{
    return reference_get(page, PAGE_OF(d->id), PAGE_OF(0xffff));
}

bool page_get_owned(struct page *page)
{
    return reference_get(page, 0, PAGE_FREE);
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

/* The CPU that has it is flushing others, this one perhaps, or about to let go. */
static uint64_t wait_for_change(const struct page *page)
{
    unsigned long flags = irq_save();
    smp_call_interrupt(); /* with interrupts off it is not served otherwise */
    irq_restore(flags);
    cpu_relax();
    return __atomic_load_n(&page->type, __ATOMIC_ACQUIRE);
}

/* Changes of other kinds end without pt_lock, and soon. */
static bool is_table_type(uint64_t type)
{
    return type >= TYPE_L1 && type <= TYPE_L4;
}

static bool is_changing(uint64_t x)
{
    return (x & TYPE_COUNT_MASK) && !(x & TYPE_READY);
}

int page_type_take(struct page *page, uint64_t type)
{
    uint64_t x = __atomic_load_n(&page->type, __ATOMIC_ACQUIRE), next;
    do {
        while (is_changing(x) && (x & TYPE_MASK) == type && !is_table_type(type))
            x = wait_for_change(page);
        if (!(x & TYPE_COUNT_MASK))
            next = type | 1;
        else if ((x & TYPE_MASK) != type)
            return -EINVAL;
        else if (is_changing(x) || (x & TYPE_COUNT_MASK) >= TYPE_COUNT_LIMIT)
            return -EBUSY;
        else
            next = x + 1;
    } while (!__atomic_compare_exchange_n(&page->type, &x, next, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    if (x & TYPE_COUNT_MASK)
        return 0;
    uint64_t former = x & TYPE_MASK;
    if (former != type && former != TYPE_NONE)
        tlb_filter_and_flush(page->tlbflush);
    return PAGE_TYPE_CHANGING;
}

void page_type_ready(struct page *page)
{
    __atomic_or_fetch(&page->type, TYPE_READY, __ATOMIC_RELEASE);
}

bool page_type_drop(struct page *page)
{
    uint64_t x = __atomic_load_n(&page->type, __ATOMIC_RELAXED), next;
    do {
        ASSERT((x & TYPE_COUNT_MASK) && (x & TYPE_READY));
        next = (x & TYPE_COUNT_MASK) == 1 ? x & ~TYPE_READY : x - 1;
    } while (!__atomic_compare_exchange_n(&page->type, &x, next, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    return (x & TYPE_COUNT_MASK) == 1;
}

/* The kind is kept: it tells the next user whether a flush is due, and the stamp of whom. */
void page_type_idle(struct page *page)
{
    page->tlbflush = __atomic_load_n(&tlbflush_clock, __ATOMIC_SEQ_CST);
    __atomic_store_n(&page->type, page->type & TYPE_MASK, __ATOMIC_RELEASE);
}

int page_get_type(struct page *page, uint64_t type)
{
    int taken = page_type_take(page, type);
    if (taken != PAGE_TYPE_CHANGING)
        return taken;
    page_type_ready(page);
    return 0;
}

int page_get_checked_type(struct page *page, uint64_t type, int (*examine)(mfn_t mfn))
{
    int taken = page_type_take(page, type);
    if (taken != PAGE_TYPE_CHANGING)
        return taken;
    int err = examine(page_to_mfn(page));
    if (err)
        page_type_idle(page);
    else
        page_type_ready(page);
    return err;
}

void page_put_type(struct page *page)
{
    if (page_type_drop(page))
        page_type_idle(page);
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
