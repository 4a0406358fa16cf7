/*
 * The ranges that an ioreq server serves: by hand at the corners, and against one bool per number.
 */
#include "guest.h"

static void ranges_by_hand(void)
{
    struct io_ranges *r = calloc(1, sizeof(*r));

    CHECK_EQUAL(io_ranges_add(r, 10, 9), -EINVAL);
    CHECK_EQUAL(io_ranges_add(r, 10, 19), 0);
    CHECK_EQUAL(io_ranges_add(r, 19, 30), -EEXIST);
    CHECK_EQUAL(io_ranges_add(r, 0, 100), -EEXIST);
    CHECK_EQUAL(io_ranges_add(r, 30, 39), 0);
    CHECK_EQUAL(r->count, 2);
    CHECK(!io_ranges_contain(r, 15, 35));
    CHECK_EQUAL(io_ranges_add(r, 20, 29), 0); /* closes the gap */
    CHECK_EQUAL(r->count, 1);
    CHECK(io_ranges_contain(r, 10, 39) && !io_ranges_contain(r, 9, 9) && !io_ranges_contain(r, 39, 40));
    CHECK_EQUAL(io_ranges_remove(r, 5, 12), -ENOENT);
    CHECK_EQUAL(io_ranges_remove(r, 20, 20), 0); /* splits */
    CHECK_EQUAL(r->count, 2);
    CHECK_EQUAL(io_ranges_add(r, 0, 0), 0);
    CHECK_EQUAL(io_ranges_add(r, ~0ULL, ~0ULL), 0);
    CHECK(io_ranges_contain(r, 0, 0) && io_ranges_contain(r, ~0ULL, ~0ULL));
    CHECK_EQUAL(io_ranges_remove(r, 0, 0), 0);
    CHECK_EQUAL(io_ranges_remove(r, ~0ULL, ~0ULL), 0);
    while (r->count < IO_RANGES_MAX)
        CHECK_EQUAL(io_ranges_add(r, 1000 + r->count * 10, 1004 + r->count * 10), 0);
    CHECK_EQUAL(io_ranges_add(r, 9999999, 9999999), -ENOSPC);
    CHECK_EQUAL(io_ranges_remove(r, 12, 13), -ENOSPC); /* would split */
    CHECK_EQUAL(io_ranges_remove(r, 10, 13), 0);
    free(r);
}

/* Against one bool per number. */
static void ranges_random(void)
{
    struct io_ranges *r = calloc(1, sizeof(*r));
    bool in[200] = {false};

    srandom(1);
    for (unsigned n = 0; n < 200000; n++) {
        unsigned first = (unsigned)random() % 200, last = first + (unsigned)random() % 12, have = 0;

        last = min(last, 199U);
        for (unsigned i = first; i <= last; i++)
            have += in[i];
        if (random() & 1) {
            CHECK_EQUAL(io_ranges_add(r, first, last), have ? -EEXIST : 0);
            for (unsigned i = first; i <= last && !have; i++)
                in[i] = true;
        } else {
            bool all = have == last - first + 1;

            CHECK(io_ranges_contain(r, first, last) == all);
            CHECK_EQUAL(io_ranges_remove(r, first, last), all ? 0 : -ENOENT);
            for (unsigned i = first; i <= last && all; i++)
                in[i] = false;
        }
        for (unsigned i = 1; i < r->count; i++)
            CHECK(r->range[i - 1].last + 1 < r->range[i].first);
    }
    free(r);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"ranges by hand", ranges_by_hand},
        {"ranges against a bitmap", ranges_random},
    };

    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), guest_setup, guest_teardown);
}
