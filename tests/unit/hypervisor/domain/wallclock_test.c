/*
 * The date in guests' shared pages, written by the real core/guest_time.c, while another CPU sets it or ends the guest.
 */
#include "../../check.h"
#include <hv/compat.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/time.h>

static void (*other_cpu)(void);

void fake_before_lock(struct spinlock *lock)
{
    void (*act)(void) = other_cpu;
    other_cpu = NULL;
    if (act)
        act();
}

static struct domain guest;

/* Frees it, so that the sanitizer tells of whoever writes to it later. */
static void end_guest(void)
{
    free(wallclock_take_page(&guest));
}

static struct shared_info *give_page(void)
{
    return guest.shared_info = calloc(1, sizeof(struct shared_info));
}

static void tells_the_date(void)
{
    struct shared_info *page = give_page();
    guest.time_offset_seconds = -3600;
    wallclock_set(0x123456789UL, 250000000, 0);
    domain_update_wallclock(&guest);
    CHECK(page->wc_sec == 0x23456789 - 3600 && page->wc_sec_hi == 1 && page->wc_nsec == 250000000);
    CHECK(page->wc_version && page->wc_version % 2 == 0);
    uint32_t before = page->wc_version;
    wallclock_set(10000, 5, 5000000000UL); /* it was that late 5 s after start */
    domain_update_wallclock(&guest);
    CHECK(page->wc_sec == 9995 - 3600 && page->wc_nsec == 5 && page->wc_version != before && page->wc_version % 2 == 0);
    end_guest();
}

/* Domain-0 sets its clock while the guest ends. */
static void a_page_that_is_gone(void)
{
    give_page();
    other_cpu = end_guest;
    domain_update_wallclock(&guest);
    CHECK(!other_cpu && !guest.shared_info);
    domain_update_wallclock(&guest);
    CHECK(!wallclock_take_page(&guest));
}

static void set_later(void)
{
    wallclock_set(2000, 0, 0);
    domain_update_wallclock(&guest);
}

/* Two set it: what stands in the page is what was set last, in whatever order they come to write it. */
static void two_writers(void)
{
    struct shared_info *page = give_page();
    guest.time_offset_seconds = 0;
    wallclock_set(1000, 0, 0);
    other_cpu = set_later;
    domain_update_wallclock(&guest);
    CHECK(page->wc_sec == 2000 && page->wc_version % 2 == 0);
    end_guest();
}

int main(void)
{
    tells_the_date();
    a_page_that_is_gone();
    two_writers();
    puts("wallclock: ok");
    return 0;
}
