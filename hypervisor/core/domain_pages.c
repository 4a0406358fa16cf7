/*
 * The frames a domain owns: lists, counts, and the end of a frame's life.
 *
 * Lists are linked by frame number in the frame table; a frame is on exactly one of its owner's lists. Counts: d->pages
 * are ordinary frames, d->xenheap_pages frames of ours that the domain may map.
 */
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>

static void list_insert(uint32_t *head, struct page *page)
{
    uint32_t mfn = (uint32_t)page_to_mfn(page);
    page->next = *head;
    page->prev = PAGE_NONE;
    if (*head != PAGE_NONE)
        mfn_to_page(*head)->prev = mfn;
    *head = mfn;
}

static void list_unlink(struct domain *d, struct page *page)
{
    uint32_t mfn = (uint32_t)page_to_mfn(page);
    if (page->prev != PAGE_NONE)
        mfn_to_page(page->prev)->next = page->next;
    else if (d->page_list == mfn)
        d->page_list = page->next;
    else if (d->xenheap_list == mfn)
        d->xenheap_list = page->next;
    else if (d->parked_list == mfn)
        d->parked_list = page->next;
    else
        panic("frame %x is on no list of d%u", mfn, d->id);
    if (page->next != PAGE_NONE)
        mfn_to_page(page->next)->prev = page->prev;
    page->next = page->prev = PAGE_NONE;
}

void domain_park_page_locked(struct domain *d, struct page *page)
{
    list_unlink(d, page);
    list_insert(&d->parked_list, page);
}

int domain_assign_pages(struct domain *d, struct page *page, unsigned order)
{
    unsigned long count = 1UL << order;
    spin_lock(&d->page_lock);
    if (d->dying != DOMAIN_ALIVE || d->pages + count > d->max_pages) {
        spin_unlock(&d->page_lock);
        return d->dying != DOMAIN_ALIVE ? -EINVAL : -E2BIG;
    }
    bool first = d->pages == 0;
    d->pages += (uint32_t)count;
    for (unsigned long i = count; i-- > 0;) {
        page[i].type = TYPE_NONE;
        list_insert(&d->page_list, &page[i]);
        page_give(&page[i], d, 0);
    }
    spin_unlock(&d->page_lock);
    if (first)
        domain_hold(d); /* while it owns frames the structure must stay: page_owner() finds it by number */
    return 0;
}

struct page *domain_alloc_pages(struct domain *d, unsigned order, unsigned address_bits)
{
    if (d->pages + (1UL << order) > d->max_pages)
        return NULL;
    struct page *page = alloc_pages(order, address_bits);
    if (!page)
        return NULL;
    memset(page_to_virt(page), 0, PAGE_SIZE << order);
    if (domain_assign_pages(d, page, order)) {
        free_pages(page, order);
        return NULL;
    }
    return page;
}

void domain_remove_page(struct domain *d, struct page *page)
{
    spin_lock(&d->page_lock);
    list_unlink(d, page);
    bool last = --d->pages == 0;
    spin_unlock(&d->page_lock);
    if (last)
        domain_put(d);
}

void domain_free_page(struct page *page)
{
    struct domain *d = domain_find(page->owner);
    if (!d || (page->type & TYPE_COUNT_MASK))
        panic("frame %lx of d%u freed with type %lx", page_to_mfn(page), page->owner, page->type);
    uint32_t *count = page->references & PAGE_XENHEAP ? &d->xenheap_pages : &d->pages;
    bool each_holds = count == &d->xenheap_pages;
    m2p_set(page_to_mfn(page), M2P_INVALID);
    spin_lock(&d->page_lock);
    list_unlink(d, page);
    bool last = --*count == 0;
    spin_unlock(&d->page_lock);
    free_pages(page, 0);
    if (last || each_holds)
        domain_put(d);
}

void *domain_alloc_xenheap(struct domain *d)
{
    struct page *page = alloc_pages(0, ANY_ADDRESS);
    if (!page)
        return NULL;
    memset(page_to_virt(page), 0, PAGE_SIZE);
    /* We write to it without asking: while it is ours the guest cannot have it as a page table or descriptors. */
    page->type = TYPE_WRITABLE | TYPE_READY | 1;
    m2p_set(page_to_mfn(page), M2P_INVALID);
    spin_lock(&d->page_lock);
    list_insert(&d->xenheap_list, page);
    d->xenheap_pages++;
    spin_unlock(&d->page_lock);
    domain_hold(d);
    page_give(page, d, PAGE_XENHEAP);
    return page_to_virt(page);
}

void domain_free_xenheap(struct domain *d, void *va)
{
    if (!va)
        return;
    struct page *page = mfn_to_page(virt_to_mfn(va));
    if (__atomic_fetch_and(&page->references, ~PAGE_ALLOCATED, __ATOMIC_ACQ_REL) & PAGE_ALLOCATED)
        page_put_with_type(page);
}
