/*
 * Small objects: cells of a power of two from 128 bytes to half a page, carved from single pages. A page has cells of
 * one size and goes back to the page allocator as soon as none of them is used: what is free then does not depend on
 * what was once in use. A cell's size class is found from a header before it; larger objects take whole pages, with
 * their order in the header.
 */
#include <hv/console.h>
#include <hv/lock_check.h>
#include <hv/page_alloc.h>
#include <hv/spinlock.h>

#define HEADER     64 /* keeps objects aligned for xsave areas and cache lines */
#define MIN_SHIFT  7
#define MAX_SHIFT  11
#define LARGE_FLAG 0x100

struct cell {
    uint32_t kind;  /* size shift, or LARGE_FLAG | page order */
    uint32_t magic; /* catches frees of what is not ours */
    struct cell *next;
    struct { /* of the whole page, in its first cell: pages with free cells are linked */
        struct cell *free, *next, *prev;
        unsigned used;
    } page;
};
_Static_assert(sizeof(struct cell) <= HEADER, "a header has room for it");
#define CELL_USED 0x0b1ec7edU
#define CELL_FREE 0xf4eef4eeU

static struct spinlock heap_lock = SPINLOCK_INIT(LOCK_HEAP);
static struct cell *with_room[MAX_SHIFT + 1];

static struct cell *page_of(struct cell *cell)
{
    return (void *)((unsigned long)cell & ~(PAGE_SIZE - 1UL));
}

static void link_page(struct cell *page)
{
    struct cell **head = &with_room[page->kind];
    page->page.prev = NULL;
    page->page.next = *head;
    if (*head)
        (*head)->page.prev = page;
    *head = page;
}

static void unlink_page(struct cell *page)
{
    struct cell *next = page->page.next, *prev = page->page.prev;
    if (next)
        next->page.prev = prev;
    if (prev)
        prev->page.next = next;
    else
        with_room[page->kind] = next;
}

static struct cell *take_from(struct cell *page)
{
    struct cell *cell = page->page.free;
    page->page.free = cell->next;
    page->page.used++;
    if (!page->page.free)
        unlink_page(page);
    return cell;
}

/* The page, if it has become empty and is nobody's any more. */
static struct cell *give_to(struct cell *page, struct cell *cell)
{
    if (!page->page.free)
        link_page(page);
    cell->next = page->page.free;
    page->page.free = cell;
    if (--page->page.used)
        return NULL;
    unlink_page(page);
    return page;
}

static void carve(char *page, unsigned shift)
{
    struct cell *first = (void *)page;
    for (unsigned at = 0; at < PAGE_SIZE; at += 1U << shift) {
        struct cell *cell = (void *)(page + at);
        *cell = (struct cell){.kind = shift, .magic = CELL_FREE, .next = at ? first->page.free : NULL};
        first->page.free = cell;
    }
}

static struct cell *take(unsigned shift, char *new_page)
{
    if (new_page)
        carve(new_page, shift);
    unsigned long flags = spin_lock_irqsave(&heap_lock);
    if (new_page)
        link_page((void *)new_page);
    struct cell *cell = with_room[shift] ? take_from(with_room[shift]) : NULL;
    spin_unlock_irqrestore(&heap_lock, flags);
    return cell;
}

static struct cell *alloc_small(unsigned shift)
{
    struct cell *cell = take(shift, NULL);
    char *page = cell ? NULL : alloc_zeroed_pages(0);
    if (page)
        cell = take(shift, page);
    if (cell)
        memset((char *)cell + HEADER, 0, (1UL << shift) - HEADER);
    return cell;
}

static struct cell *alloc_large(size_t bytes)
{
    unsigned order = 0;
    while ((PAGE_SIZE << order) < bytes)
        order++;
    struct cell *cell = alloc_zeroed_pages(order);
    if (cell)
        cell->kind = LARGE_FLAG | order;
    return cell;
}

void *zalloc(size_t bytes)
{
    lock_check_call(); /* there may be no page for it yet, and a new one may have to be flushed from TLBs */
    bytes += HEADER;
    unsigned shift = MIN_SHIFT;
    while (shift <= MAX_SHIFT && (1UL << shift) < bytes)
        shift++;
    struct cell *cell = shift > MAX_SHIFT ? alloc_large(bytes) : alloc_small(shift);
    if (!cell)
        return NULL;
    cell->magic = CELL_USED;
    return (char *)cell + HEADER;
}

void free(void *object)
{
    if (!object)
        return;
    struct cell *cell = (void *)((char *)object - HEADER);
    if (cell->magic != CELL_USED)
        panic("free of %p, which is not an object of the heap or was freed before", object);
    cell->magic = CELL_FREE;
    if (cell->kind & LARGE_FLAG) {
        free_virtual_pages(cell, cell->kind & ~LARGE_FLAG);
        return;
    }
    unsigned long flags = spin_lock_irqsave(&heap_lock);
    struct cell *empty = give_to(page_of(cell), cell);
    spin_unlock_irqrestore(&heap_lock, flags);
    free_virtual_pages(empty, 0);
}
