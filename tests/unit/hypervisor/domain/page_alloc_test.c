/*
 * core/page_alloc.c against a map of who has which frame: no frame is given twice, zones hold, what comes back merges,
 * and nothing is lost by any order of takes and returns.
 */
#include "../../check.h"
#include "../../random.h"
#include <string.h>
#include <hv/boot.h>
#include <hv/bootinfo.h>
#include <hv/page_alloc.h>
#include <hv/pagetable.h>
#include <hv/percpu.h>
#include <hv/spinlock.h>
#include <hv/tlb.h>

#define FIRST 16U
#define HELD  400

volatile uint64_t tlbflush_clock = 1;

void fake_before_lock(struct spinlock *lock)
{
}
void tlb_filter_and_flush(uint64_t stamp)
{
}
void pagetable_use_allocator(void)
{
}
bool boot_frame_taken(paddr_t at, paddr_t *skip)
{
    return false;
}

static bool taken[FAKE_FRAMES];
static struct {
    struct page *page;
    unsigned order;
} held[HELD];
static unsigned count;

static void mark(struct page *page, unsigned order, bool now)
{
    for (unsigned i = 0; i < 1U << order; i++) {
        mfn_t mfn = page_to_mfn(page) + i;
        CHECK(mfn >= FIRST && mfn < FAKE_FRAMES && taken[mfn] != now);
        taken[mfn] = now;
    }
}

/* What is free and aligned has merged, so it can be had. */
static bool could_be_had(unsigned order, unsigned bits)
{
    unsigned size = 1U << order, end = bits >= 40 ? FAKE_FRAMES : min(FAKE_FRAMES, 1U << (bits - PAGE_SHIFT));
    for (unsigned at = 0; at + size <= end; at += size) {
        unsigned i = at < FIRST ? size : 0;
        while (i < size && !taken[at + i])
            i++;
        if (at >= FIRST && i == size)
            return true;
    }
    return false;
}

static bool take(unsigned order, unsigned bits)
{
    struct page *page = alloc_pages(order, bits);
    CHECK(page || !could_be_had(order, bits));
    if (!page)
        return false;
    CHECK(!(page_to_mfn(page) & ((1U << order) - 1)));
    CHECK(bits >= 40 || page_to_mfn(page) + (1U << order) <= 1U << (bits - PAGE_SHIFT));
    mark(page, order, true);
    held[count].page = page;
    held[count++].order = order;
    return true;
}

static void give(unsigned i)
{
    mark(held[i].page, held[i].order, false);
    free_pages(held[i].page, held[i].order);
    held[i] = held[--count];
}

static void check_count(void)
{
    unsigned long gone = 0;
    for (unsigned i = 0; i < FAKE_FRAMES; i++)
        gone += taken[i];
    CHECK(free_page_count() == total_page_count() - gone);
}

int main(void)
{
    bootinfo.memory_count = 0;
    page_alloc_init();
    CHECK(!alloc_pages(0, ANY_ADDRESS));
    page_alloc_add(FIRST * PAGE_SIZE, FAKE_FRAMES * PAGE_SIZE);
    for (unsigned round = 0; round < 200000; round++) {
        if (count < HELD && random_below(2))
            take(random_below(7), random_below(4) ? ANY_ADDRESS : PAGE_SHIFT + 5 + random_below(9));
        else if (count)
            give(random_below(count));
        if (round % 1000 == 0)
            check_count();
    }
    while (count)
        give(0);
    check_count();
    /* All has merged again: the upper half is one block, the next quarter one, and so on down to the first. */
    for (unsigned order = 11; order >= 4; order--)
        CHECK(take(order, ANY_ADDRESS));
    CHECK(!free_page_count() && !take(0, ANY_ADDRESS));
    while (count)
        give(0);
    /* Low frames go last, and to whoever needs them first. */
    CHECK(take(0, PAGE_SHIFT + 5) && page_to_mfn(held[0].page) < 32);
    CHECK(!alloc_pages(0, PAGE_SHIFT + 4) && !alloc_pages(0, PAGE_SHIFT) && !alloc_pages(12, ANY_ADDRESS));
    return 0;
}
