/*
 * Buddy allocator over machine frames. Free blocks are listed by order and by zone: zone z holds the frames whose
 * number has z significant bits, so that "below 2^n bytes" is "zones up to n - PAGE_SHIFT". A block never spans zones
 * (zone bounds are powers of two and blocks are aligned).
 */
#include <hv/bootinfo.h>
#include <hv/page_alloc.h>
#include <hv/pagetable.h>
#include <hv/spinlock.h>
#include <hv/tlb.h>

#define ZONES 41

static struct spinlock alloc_lock = SPINLOCK_INIT(LOCK_PAGE_ALLOCATOR);
static uint32_t free_list[ZONES][MAX_ORDER + 1];
/* Which lists are not empty, so that nobody looks through all of them for each frame: a bit per order; a bit per zone.
 */
static uint32_t orders_there[ZONES];
static uint64_t zones_there;
static uint64_t free_count, total_count;

static unsigned zone_of(mfn_t mfn)
{
    return mfn ? 64 - (unsigned)__builtin_clzll(mfn) : 0;
}

static void block_insert(mfn_t mfn, unsigned order)
{
    struct page *page = mfn_to_page(mfn);
    unsigned zone = zone_of(mfn);
    uint32_t *head = &free_list[zone][order];
    page->references = PAGE_FREE | PAGE_OF(DOMID_INVALID);
    page->type = order;
    page->next = *head;
    page->prev = PAGE_NONE;
    if (*head != PAGE_NONE)
        mfn_to_page(*head)->prev = (uint32_t)mfn;
    *head = (uint32_t)mfn;
    orders_there[zone] |= 1U << order;
    zones_there |= 1UL << zone;
}

static void note_empty_list(unsigned zone, unsigned order)
{
    orders_there[zone] &= ~(1U << order);
    if (!orders_there[zone])
        zones_there &= ~(1UL << zone);
}

static void block_remove(mfn_t mfn, unsigned order)
{
    struct page *page = mfn_to_page(mfn);
    unsigned zone = zone_of(mfn);
    if (page->prev == PAGE_NONE)
        free_list[zone][order] = page->next;
    else
        mfn_to_page(page->prev)->next = page->next;
    if (page->next != PAGE_NONE)
        mfn_to_page(page->next)->prev = page->prev;
    if (free_list[zone][order] == PAGE_NONE)
        note_empty_list(zone, order);
    page->references = PAGE_OF(DOMID_INVALID);
    page->type = 0;
}

static bool is_free_block(mfn_t mfn, unsigned order)
{
    return mfn < max_mfn && (mfn_to_page(mfn)->references & PAGE_FREE) && mfn_to_page(mfn)->type == order;
}

/* Frames below a free block's first one carry no mark, so merging looks only at first frames of blocks. Merging keeps
 * the newest stamp, which flushes at most once too often. */
static void free_block(mfn_t mfn, unsigned order)
{
    free_count += 1UL << order;
    while (order < MAX_ORDER) {
        mfn_t buddy = mfn ^ (1UL << order);
        if (!is_free_block(buddy, order) || zone_of(buddy) != zone_of(mfn))
            break;
        block_remove(buddy, order);
        uint64_t stamp = max(mfn_to_page(mfn)->tlbflush, mfn_to_page(buddy)->tlbflush);
        mfn &= ~(1UL << order);
        mfn_to_page(mfn)->tlbflush = stamp;
        order++;
    }
    block_insert(mfn, order);
}

/* The smallest block that is large enough; its upper halves go back. */
static mfn_t take_block(unsigned zone, unsigned order)
{
    uint32_t large_enough = orders_there[zone] >> order << order;
    if (!large_enough)
        return INVALID_MFN;
    unsigned o = (unsigned)__builtin_ctz(large_enough);
    mfn_t mfn = free_list[zone][o];
    block_remove(mfn, o);
    while (o > order) {
        o--;
        mfn_t upper = mfn + (1UL << o);
        mfn_to_page(upper)->tlbflush = mfn_to_page(mfn)->tlbflush;
        block_insert(upper, o);
    }
    free_count -= 1UL << order;
    return mfn;
}

/* From the highest zone down: low frames are kept for those who need them. */
static mfn_t take_below(unsigned limit, unsigned order)
{
    uint64_t left = zones_there & ((2UL << limit) - 1);
    while (left) {
        unsigned zone = 63 - (unsigned)__builtin_clzll(left);
        mfn_t mfn = take_block(zone, order);
        if (mfn != INVALID_MFN)
            return mfn;
        left &= ~(1UL << zone);
    }
    return INVALID_MFN;
}

struct page *alloc_pages(unsigned order, unsigned address_bits)
{
    if (order > MAX_ORDER || address_bits <= PAGE_SHIFT)
        return NULL;
    unsigned limit = min(address_bits - PAGE_SHIFT, ZONES - 1U);
    unsigned long flags = spin_lock_irqsave(&alloc_lock);
    mfn_t mfn = take_below(limit, order);
    spin_unlock_irqrestore(&alloc_lock, flags);
    if (mfn == INVALID_MFN)
        return NULL;
    struct page *page = mfn_to_page(mfn);
    uint64_t stamp = page->tlbflush;
    for (unsigned long i = 0; i < 1UL << order; i++)
        page[i] = (struct page){
            .references = PAGE_OF(DOMID_INVALID), .tlbflush = stamp, .next = PAGE_NONE, .prev = PAGE_NONE};
    tlb_filter_and_flush(stamp);
    return page;
}

void free_pages(struct page *page, unsigned order)
{
    page->tlbflush = tlbflush_clock;
    unsigned long flags = spin_lock_irqsave(&alloc_lock);
    free_block(page_to_mfn(page), order);
    spin_unlock_irqrestore(&alloc_lock, flags);
}

uint64_t free_page_count(void)
{
    return free_count;
}

uint64_t total_page_count(void)
{
    return total_count;
}

void *alloc_zeroed_pages(unsigned order)
{
    struct page *page = alloc_pages(order, ANY_ADDRESS);
    return page ? memset(page_to_virt(page), 0, PAGE_SIZE << order) : NULL;
}

void free_virtual_pages(void *va, unsigned order)
{
    if (va)
        free_pages(mfn_to_page(virt_to_mfn(va)), order);
}

/* Adds [start, end) in the largest aligned blocks. */
static void add_range(mfn_t start, mfn_t end)
{
    while (start < end) {
        unsigned order = start ? (unsigned)__builtin_ctzll(start) : MAX_ORDER;
        order = min(order, (unsigned)MAX_ORDER);
        while (start + (1UL << order) > end)
            order--;
        free_block(start, order);
        total_count += 1UL << order;
        start += 1UL << order;
    }
}

void page_alloc_add(paddr_t start, paddr_t end)
{
    unsigned long flags = spin_lock_irqsave(&alloc_lock);
    add_range(start >> PAGE_SHIFT, end >> PAGE_SHIFT);
    spin_unlock_irqrestore(&alloc_lock, flags);
}

void page_alloc_init(void)
{
    memset(free_list, 0xff, sizeof(free_list));
    for (unsigned i = 0; i < bootinfo.memory_count; i++) {
        const struct memory_range *r = &bootinfo.memory[i];
        paddr_t run = r->start, at = r->start;
        if (r->kind != MEMORY_RAM)
            continue;
        while (at < r->end) {
            paddr_t skip;
            if (!boot_frame_taken(at, &skip)) {
                at += PAGE_SIZE;
                continue;
            }
            add_range(run >> PAGE_SHIFT, at >> PAGE_SHIFT);
            at = run = min(ROUND_UP(skip, PAGE_SIZE), r->end);
        }
        add_range(run >> PAGE_SHIFT, at >> PAGE_SHIFT);
    }
    pagetable_use_allocator();
}
