/*
 * The real core/page_type.c: references by owner, and the two orders of events in which a frame could have been used by
 * its old and its new kind at once. Other processors act at the points where they can: in a flush, before an exchange.
 */
static void before_exchange(const void *word);
#define __atomic_compare_exchange_n(word, ...) (before_exchange(word), __atomic_compare_exchange_n(word, __VA_ARGS__))
#include "hypervisor/core/page_type.c"
#include "machine.h"
#include <setjmp.h>
#undef __atomic_compare_exchange_n

volatile uint64_t tlbflush_clock = 5;
static uint64_t flushed_at; /* when the other processor flushed last */
static unsigned flushes;
static void (*in_flush)(void), (*at_exchange)(void);
static const void *watched;
static jmp_buf waiting;
static bool waited;
static mfn_t mfn;

void tlb_filter_and_flush(uint64_t stamp)
{
    void (*act)(void) = in_flush;
    in_flush = NULL;
    if (act)
        act();
    if (flushed_at <= stamp) {
        flushes++;
        flushed_at = ++tlbflush_clock;
    }
}

static void before_exchange(const void *word)
{
    void (*act)(void) = at_exchange;
    if (!act || word != watched)
        return;
    at_exchange = NULL;
    act();
}

void smp_call_interrupt(void)
{
    waited = true;
    longjmp(waiting, 1);
}

static int check_frame(mfn_t frame)
{
    return ((uint8_t *)mfn_to_virt(frame))[0] ? -EINVAL : 0;
}

static int take(uint64_t type)
{
    struct page *page = mfn_to_page(mfn);
    if (type != TYPE_DESCRIPTOR)
        return page_get_with_type(page, &guest, type);
    CHECK(page_get(page, &guest));
    int err = page_get_checked_type(page, type, check_frame);
    if (err)
        page_put(page);
    return err;
}

static void give_back(void)
{
    page_put_with_type(mfn_to_page(mfn));
}

/* Another processor wants what this one is about to have: it waits, and is not told "yes" before the flush is done. */
static void second_taker(void)
{
    if (setjmp(waiting))
        page_put(mfn_to_page(mfn)); /* what it held while it waited */
    else
        CHECK(take(TYPE_WRITABLE) && "written to before the flush");
}

static void second_taker_waits_for_the_flush(void)
{
    CHECK(!take(TYPE_DESCRIPTOR));
    give_back();
    in_flush = second_taker;
    CHECK(!take(TYPE_WRITABLE) && waited && !in_flush);
    CHECK(!take(TYPE_WRITABLE)); /* now it may */
    give_back();
    give_back();
}

/* While one gives the last reference back, another processor flushes, then maps the frame, uses it and unmaps it. */
static void mapped_and_unmapped(void)
{
    flushed_at = ++tlbflush_clock;
    CHECK(!take(TYPE_WRITABLE));
    give_back();
}

static void stamp_is_not_older_than_the_last_use(void)
{
    CHECK(!take(TYPE_WRITABLE));
    watched = &mfn_to_page(mfn)->type;
    at_exchange = mapped_and_unmapped;
    give_back();
    unsigned before = flushes;
    CHECK(!at_exchange && !take(TYPE_DESCRIPTOR) && flushes == before + 1);
    give_back();
}

/* The frame changes hands right before it is taken. */
static void goes_to_another(void)
{
    page_give(mfn_to_page(mfn), &other, 0);
}

static void frame_of_another_is_not_touched(void)
{
    uint64_t theirs = PAGE_OF(other.id) | PAGE_ALLOCATED | 1;
    watched = &mfn_to_page(mfn)->references;
    at_exchange = goes_to_another;
    CHECK(!page_get(mfn_to_page(mfn), &guest) && mfn_to_page(mfn)->references == theirs);
    CHECK(!page_claim(mfn_to_page(mfn), &guest) && mfn_to_page(mfn)->references == theirs);
    page_give(mfn_to_page(mfn), &guest, 0);
    CHECK(!page_get(mfn_to_page(mfn), &other));
}

static void claim_takes_what_nobody_else_holds(void)
{
    struct page *page = mfn_to_page(mfn);
    CHECK(page_get(page, &guest) && !page_claim(page, &guest));
    page_put(page);
    CHECK(page_claim(page, &guest) && !page_get(page, &guest) && !page_get_owned(page));
    page_give(page, &guest, 0);
    CHECK(page_get_owned(page));
    page_put(page);
}

static void kinds_exclude_each_other(void)
{
    CHECK(!take(TYPE_WRITABLE) && take(TYPE_DESCRIPTOR) == -EINVAL && page_type_take(mfn_to_page(mfn), TYPE_L1) < 0);
    give_back();
    ((uint8_t *)mfn_to_virt(mfn))[0] = 1;
    CHECK(take(TYPE_DESCRIPTOR) == -EINVAL && !type_count(mfn));
    ((uint8_t *)mfn_to_virt(mfn))[0] = 0;
    CHECK(!take(TYPE_DESCRIPTOR) && take(TYPE_WRITABLE) == -EINVAL);
    give_back();
}

static void counts_saturate(void)
{
    struct page *page = mfn_to_page(mfn);
    CHECK(!take(TYPE_WRITABLE));
    page->type = TYPE_WRITABLE | TYPE_READY | TYPE_COUNT_LIMIT;
    CHECK(take(TYPE_WRITABLE) == -EBUSY);
    page->type = TYPE_WRITABLE | TYPE_READY | 1;
    page->references += TYPE_COUNT_LIMIT;
    CHECK(take(TYPE_WRITABLE) == -EINVAL);
    page->references -= TYPE_COUNT_LIMIT;
    give_back();
}

/* We write to a page of ours without asking: it is as if it were mapped writable, until it is the guest's no more. */
static void page_of_ours_is_never_a_table(void)
{
    void *va = domain_alloc_xenheap(&guest);
    mfn_t ours = virt_to_mfn(va);
    CHECK(page_get_with_type(mfn_to_page(ours), &guest, TYPE_DESCRIPTOR) == -EINVAL);
    CHECK(!page_get_with_type(mfn_to_page(ours), &guest, TYPE_WRITABLE) && !page_claim(mfn_to_page(ours), &guest));
    domain_free_xenheap(&guest, va);
    CHECK(guest.xenheap_pages == 1);
    page_put_with_type(mfn_to_page(ours));
    CHECK(!guest.xenheap_pages && !page_get_owned(mfn_to_page(ours)));
}

int main(void)
{
    machine_start();
    mfn = frame_of(&guest);
    second_taker_waits_for_the_flush();
    stamp_is_not_older_than_the_last_use();
    frame_of_another_is_not_touched();
    claim_takes_what_nobody_else_holds();
    kinds_exclude_each_other();
    counts_saturate();
    page_of_ours_is_never_a_table();
    return 0;
}
