/*
 * Taking a dead PV domain's memory apart: pins first (which frees whole trees of tables), then every frame's own
 * reference. A frame mapped by another domain stays, ownerless in effect, until that domain unmaps it.
 */
#include <hv/hypercall.h>
#include <hv/page_type.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/spinlock.h>

static void drop_pin(struct domain *d, struct page *page)
{
    if (!(__atomic_fetch_and(&page->type, ~TYPE_PINNED, __ATOMIC_ACQ_REL) & TYPE_PINNED))
        return;
    spin_lock(&d->pt_lock);
    pv_put_table(d, page_to_mfn(page));
    spin_unlock(&d->pt_lock);
}

/* A frame leaves the domain's list when its last reference goes; frames that others still hold are moved to the parked
 * list so that one pass over the list is enough. */
int pv_relinquish_memory(struct domain *d)
{
    for (unsigned n = 0;; n++) {
        int err = pv_abandon_tables(d);
        if (err || (n && n % 64 == 0 && hypercall_should_yield()))
            return -ERESTART;
        spin_lock(&d->page_lock);
        uint32_t mfn = d->page_list;
        struct page *page = mfn == PAGE_NONE ? NULL : mfn_to_page(mfn);
        bool held = page && page_get(page, d);
        if (held)
            domain_park_page_locked(d, page);
        spin_unlock(&d->page_lock);
        if (!page)
            return 0;
        if (!held)
            continue; /* being freed by its last user right now */
        drop_pin(d, page);
        if (__atomic_fetch_and(&page->references, ~PAGE_ALLOCATED, __ATOMIC_ACQ_REL) & PAGE_ALLOCATED)
            page_put(page);
        page_put(page);
    }
}
