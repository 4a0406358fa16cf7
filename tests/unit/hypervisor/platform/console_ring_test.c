/*
 * core/console_ring.c against a log that forgets nothing.
 */
#include "../../check.h"
#include "../../random.h"
#include <string.h>
#include <hv/console_ring.h>

#define LOG_BYTES (3 * 1024 * 1024)
static char *all; /* all[i] is the byte at position first + i */
static uint32_t first;
static size_t put, cleared;
static struct console_ring ring;

static void start(uint32_t position)
{
    first = ring.start = ring.end = position;
    put = cleared = 0;
}

static void write_some(size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        all[put + i] = (char)random64();
    ring_put(&ring, all + put, bytes);
    put += bytes;
}

static size_t oldest(void)
{
    size_t kept = put > CONSOLE_RING_BYTES ? put - CONSOLE_RING_BYTES : 0;
    return kept > cleared ? kept : cleared;
}

/* Reads at position first+from; the model says what must come. */
static void read_some(size_t from, size_t bytes)
{
    size_t begin = from >= oldest() && from <= put ? from : oldest();
    size_t want = bytes < put - begin ? bytes : put - begin;
    char *to = malloc(bytes);
    uint32_t index = first + (uint32_t)from;
    size_t got = ring_get(&ring, to, bytes, &index);
    CHECK(got == want, "%zu bytes at %zu of %zu: %zu, not %zu", bytes, from, put, got, want);
    CHECK(memcmp(to, all + begin, want) == 0, "%zu bytes at %zu of %zu differ", bytes, from, put);
    CHECK(index == first + (uint32_t)(begin + want), "next position %u", index);
    free(to);
}

static void test_random(uint32_t position)
{
    start(position);
    while (put < LOG_BYTES - 2 * CONSOLE_RING_BYTES) {
        unsigned dice = random_below(100);
        write_some(dice == 0 ? random_below(2 * CONSOLE_RING_BYTES) : random_below(200));
        read_some(put - random_below(put + 1), random_below(5000));
        read_some(oldest(), CONSOLE_RING_BYTES + 10);
        if (dice == 99) {
            ring_clear(&ring);
            cleared = put;
        }
    }
}

static void test_edges(void)
{
    start(0);
    read_some(0, 100);
    read_some(5, 100); /* not there yet */
    write_some(CONSOLE_RING_BYTES);
    read_some(0, CONSOLE_RING_BYTES);
    write_some(1);
    read_some(0, CONSOLE_RING_BYTES); /* overtaken by one */
    read_some(put, 10);
    ring_clear(&ring);
    cleared = put;
    read_some(0, 10);
}

int main(void)
{
    all = malloc(LOG_BYTES);
    test_edges();
    test_random(0);
    test_random(0xffffffffU - 300000); /* positions wrap at 2^32 on the way */
    free(all);
    return 0;
}
