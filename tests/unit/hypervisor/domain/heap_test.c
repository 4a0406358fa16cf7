/*
 * core/heap.c: objects are zeroed, aligned, do not overlap, and when all are given back, in whatever order, so are all
 * pages: what is free does not depend on what was once in use.
 */
#include "../../check.h"
#include "../../random.h"
#include <string.h>
#include <hv/console.h>
#include <hv/page_alloc.h>
#include <hv/percpu.h>
#include <hv/spinlock.h>

#define HELD 500

static unsigned long pages;
static bool none_left;

void fake_before_lock(struct spinlock *lock)
{
}
void panic(const char *format, ...)
{
    fprintf(stderr, "panic: %s\n", format);
    abort();
}
void *alloc_zeroed_pages(unsigned order)
{
    if (none_left)
        return NULL;
    pages += 1UL << order;
    return memset(aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order), 0, PAGE_SIZE << order);
}
void free_virtual_pages(void *va, unsigned order)
{
    if (va)
        pages -= 1UL << order;
    (free)(va);
}
void hv_free(void *object);

static struct {
    uint8_t *at;
    size_t bytes;
    uint8_t with;
} held[HELD];
static unsigned count;

static bool all_bytes(const uint8_t *at, size_t bytes, uint8_t value)
{
    while (bytes && *at == value)
        at++, bytes--;
    return !bytes;
}

static void take(void)
{
    static const size_t most[] = {1, 64, 192, 448, 960, 1984, 1985, 4032, 4033, 12000};
    size_t bytes = most[random_below(10)];
    bytes -= bytes > 100 ? random_below(100) : 0;
    uint8_t *at = zalloc(bytes);
    CHECK(at && !((unsigned long)at & (bytes >= 64 ? 63 : 15)) && all_bytes(at, bytes, 0));
    held[count].at = at, held[count].bytes = bytes;
    memset(at, held[count].with = (uint8_t)random64(), bytes);
    count++;
}

static void give(unsigned i)
{
    CHECK(all_bytes(held[i].at, held[i].bytes, held[i].with));
    hv_free(held[i].at);
    held[i] = held[--count];
}

/* Small ones share pages, and a page that has become empty is not kept. */
static void small_ones_share(void)
{
    void *object[64];
    for (unsigned i = 0; i < 64; i++)
        object[i] = zalloc(64);
    CHECK(pages == 2);
    for (unsigned i = 0; i < 64; i += 2)
        hv_free(object[i]);
    CHECK(pages == 2);
    for (unsigned i = 1; i < 64; i += 2)
        hv_free(object[i]);
    CHECK(pages == 0);
}

static void memory_is_short(void)
{
    void *object = zalloc(1000);
    none_left = true;
    void *from_same_page = zalloc(1000);
    CHECK(from_same_page && !zalloc(1000) && !zalloc(64) && !zalloc(5000));
    hv_free(object);
    hv_free(from_same_page);
    hv_free(NULL);
    none_left = false;
    CHECK(pages == 0);
}

int main(void)
{
    small_ones_share();
    memory_is_short();
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 2000; i++)
            if (count < HELD && random_below(2))
                take();
            else if (count)
                give(random_below(count));
        while (count)
            give(random_below(count));
        CHECK(pages == 0);
    }
    return 0;
}
