/*
 * Machine memory: buddy allocator over frames, and small objects on top of it. core/page_alloc.c, core/heap.c
 * Any context but interrupt handlers.
 */
#ifndef HV_PAGE_ALLOC_H
#define HV_PAGE_ALLOC_H

#include <hv/lib.h>
#include <hv/page.h>

#define MAX_ORDER   18
#define ANY_ADDRESS 64

void page_alloc_init(void);
/* Hands over RAM that was in use during boot. Page-aligned bounds; the frames have no owner. */
void page_alloc_add(paddr_t start, paddr_t end);

/* 2^order frames, naturally aligned, every byte below 2^address_bits; contents undefined; no references, owner =
 * DOMID_INVALID. NULL when there is no such block. TLBs that could still reach the frames have been flushed. */
struct page *alloc_pages(unsigned order, unsigned address_bits);
void free_pages(struct page *page, unsigned order);
uint64_t free_page_count(void);
uint64_t total_page_count(void);

/* The order of the fewest frames that hold so many bytes. */
static inline unsigned order_for(uint64_t bytes)
{
    unsigned order = 0;
    while ((PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

/* Zeroed frames of our own, in the direct map; NULL when memory is short. */
void *alloc_zeroed_pages(unsigned order);
void free_virtual_pages(void *va, unsigned order);

/* Small objects, zeroed, aligned to 16 (>= 64 bytes: to 64). NULL when memory is short. Larger than a page: whole
 * pages. */
void *zalloc(size_t bytes);
void free(void *object); /* accepts NULL */

#endif
