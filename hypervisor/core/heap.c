/*
 * Small objects: one list of free cells for each power of two from 32 bytes to half a page, carved from single pages.
 * A cell's size class is found from a header before it; larger objects take whole pages, with their order in the
 * header.
 */
#include <hv/console.h>
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
};
#define CELL_USED 0x0b1ec7edU
#define CELL_FREE 0xf4eef4eeU

static struct spinlock heap_lock = SPINLOCK_INIT(LOCK_HEAP);
static struct cell *free_cells[MAX_SHIFT + 1];

static bool refill(unsigned shift)
{
    char *page = alloc_zeroed_pages(0);
    if (!page)
        return false;
    unsigned long flags = spin_lock_irqsave(&heap_lock);
    for (unsigned at = 0; at < PAGE_SIZE; at += 1U << shift) {
        struct cell *cell = (void *)(page + at);
        *cell = (struct cell){shift, CELL_FREE, free_cells[shift]};
        free_cells[shift] = cell;
    }
    spin_unlock_irqrestore(&heap_lock, flags);
    return true;
}

static struct cell *take(unsigned shift)
{
    unsigned long flags = spin_lock_irqsave(&heap_lock);
    struct cell *cell = free_cells[shift];
    if (cell)
        free_cells[shift] = cell->next;
    spin_unlock_irqrestore(&heap_lock, flags);
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
    bytes += HEADER;
    unsigned shift = MIN_SHIFT;
    while (shift <= MAX_SHIFT && (1UL << shift) < bytes)
        shift++;
    struct cell *cell;
    if (shift > MAX_SHIFT) {
        cell = alloc_large(bytes);
    } else {
        cell = take(shift);
        if (!cell && refill(shift))
            cell = take(shift);
        if (cell)
            memset((char *)cell + HEADER, 0, (1UL << shift) - HEADER);
    }
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
    cell->next = free_cells[cell->kind];
    free_cells[cell->kind] = cell;
    spin_unlock_irqrestore(&heap_lock, flags);
}
