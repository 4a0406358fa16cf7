/*
 * The real x86/tlb.c and core/page_alloc.c: whoever gets a frame, nobody translates to it by its former use any more.
 * Three processors, whose TLBs are a bit each; a "call" to another runs there at once.
 */
#include "machine.h"
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <hv/pagetable.h>

static unsigned long real_cr4, real_cr3;
static unsigned long dropped_va;
static bool translates[3]; /* each TLB has something old */
static unsigned loads;

static void drop_all(void)
{
    translates[fake_cpu->id] = false;
    loads++;
}

/* What clears a TLB: the global-pages bit going away, or CR3 where no page is global. */
static void fake_write_cr4(unsigned long value)
{
    if (real_cr4 & ~value & X86_CR4_PGE)
        drop_all();
    real_cr4 = value;
}
static void fake_write_cr3(unsigned long value)
{
    if (!(real_cr4 & X86_CR4_PGE))
        drop_all();
}
#define read_cr4()       (real_cr4)
#define write_cr4(value) fake_write_cr4(value)
#define read_cr3()       (real_cr3)
#define write_cr3(value) fake_write_cr3(value)
#define invlpg(va)       (dropped_va = (va))
#include "hypervisor/x86/tlb.c"

void call_on_cpus(const void *cpumask, void (*function)(void *data), void *data)
{
    struct cpu *caller = fake_cpu;
    for (unsigned i = 0; i < cpu_count; i++) {
        fake_cpu = &cpus[i];
        if (test_bit(i, cpumask))
            function(data);
    }
    fake_cpu = caller;
}

static void use_everywhere(void)
{
    translates[0] = translates[1] = translates[2] = true;
}

static bool nobody_translates(void)
{
    return !translates[0] && !translates[1] && !translates[2];
}

static void flush_on(unsigned cpu)
{
    struct cpu *caller = fake_cpu;
    fake_cpu = &cpus[cpu];
    tlb_flush_local();
    fake_cpu = caller;
}

static void a_flush_is_a_flush_with_and_without_global_pages(void)
{
    real_cr4 = 0;
    use_everywhere();
    tlb_flush_local();
    CHECK(!translates[0] && translates[1]);
    real_cr4 = X86_CR4_PGE;
    use_everywhere();
    tlb_flush_local();
    CHECK(!translates[0] && translates[1] && real_cr4 == X86_CR4_PGE);
    tlb_flush_all();
    CHECK(nobody_translates());
}

static void only_those_of_the_mask_are_flushed(void)
{
    cpumask_t mask = {{5}}, none = {{0}};
    use_everywhere();
    tlb_flush_mask(&none, 0);
    CHECK(translates[0] && translates[1] && translates[2]);
    tlb_flush_mask(&mask, 0);
    CHECK(!translates[0] && translates[1] && !translates[2]);
    unsigned before = loads;
    tlb_flush_mask(&mask, 0x5000);
    CHECK(dropped_va == 0x5000 && loads == before);
}

/* A flush that ended just before the stamp was taken came before the last use ended too. */
static void the_filter_leaves_out_only_later_flushes(void)
{
    tlb_flush_all();
    uint64_t stamp = tlbflush_clock;
    use_everywhere();
    tlb_filter_and_flush(stamp);
    CHECK(nobody_translates());
    stamp = tlbflush_clock;
    flush_on(1);
    translates[1] = true; /* of later uses, which are none of the stamp's */
    use_everywhere();
    unsigned before = loads;
    tlb_filter_and_flush(stamp);
    CHECK(loads == before + 2 && translates[1] && !translates[0] && !translates[2]);
    cpus[2].online = false;
    use_everywhere();
    tlb_filter_and_flush(tlbflush_clock);
    CHECK(translates[2] && !translates[0] && !translates[1]);
    cpus[2].online = true;
}

/* ---- Frames on their way to the next owner ---- */

static void a_frame_is_given_out_without_old_translations(void)
{
    struct page *page = alloc_pages(0, ANY_ADDRESS);
    use_everywhere();
    free_pages(page, 0);
    struct page *again = alloc_pages(0, ANY_ADDRESS);
    CHECK(again && nobody_translates());
    free_pages(again, 0);
}

/* The newest stamp of a block counts for all of it, however it was merged and split since. */
static void blocks_keep_the_newest_stamp(void)
{
    struct page *block = alloc_pages(4, ANY_ADDRESS);
    for (unsigned i = 0; i < 16; i++) {
        if (i == 11)
            tlb_flush_all();
        if (i == 12)
            use_everywhere(); /* frames 12-15 are still in use somewhere */
        free_pages(&block[i], 0);
    }
    struct page *part = alloc_pages(2, ANY_ADDRESS);
    CHECK(part && nobody_translates());
    free_pages(part, 2);
}

static void frames_come_back_as_they_went(void)
{
    uint64_t all = free_page_count();
    struct page *blocks[8];
    for (unsigned order = 0; order < 8; order++) {
        blocks[order] = alloc_pages(order, 24);
        CHECK(blocks[order] && !(page_to_mfn(blocks[order]) & ((1UL << order) - 1)));
        CHECK(page_to_mfn(blocks[order]) + (1UL << order) <= 1UL << (24 - PAGE_SHIFT));
        CHECK(blocks[order]->owner == DOMID_INVALID && !page_get_owned(blocks[order]));
    }
    CHECK(free_page_count() == all - 255);
    for (unsigned order = 0; order < 8; order++)
        free_pages(blocks[order], order);
    CHECK(free_page_count() == all && !alloc_pages(MAX_ORDER + 1, ANY_ADDRESS) && !alloc_pages(0, PAGE_SHIFT));
    CHECK(!alloc_pages(13, ANY_ADDRESS)); /* more than there is */
    struct page *largest = alloc_pages(11, ANY_ADDRESS);
    CHECK(largest); /* all parts were put together again */
    free_pages(largest, 11);
}

int main(void)
{
    cpu_count = 3;
    machine_start();
    for (unsigned i = 0; i < cpu_count; i++)
        cpus[i] = (struct cpu){.id = i, .online = true};
    a_flush_is_a_flush_with_and_without_global_pages();
    only_those_of_the_mask_are_flushed();
    the_filter_leaves_out_only_later_flushes();
    a_frame_is_given_out_without_old_translations();
    blocks_keep_the_newest_stamp();
    frames_come_back_as_they_went();
    return 0;
}
