/*
 * The ranges that an ioreq server serves: by hand at the corners, and against one bool per number.
 */
#include "../../random.h"
#include "guest.h"

static void ranges_by_hand(void)
{
    struct io_ranges *r = calloc(1, sizeof(*r));

    CHECK_EQUAL(-EINVAL, io_ranges_add(r, 10, 9));
    CHECK_EQUAL(0, io_ranges_add(r, 10, 19));
    CHECK_EQUAL(-EEXIST, io_ranges_add(r, 19, 30));
    CHECK_EQUAL(-EEXIST, io_ranges_add(r, 0, 100));
    CHECK_EQUAL(0, io_ranges_add(r, 30, 39));
    CHECK_EQUAL(2, r->count);
    CHECK(!io_ranges_contain(r, 15, 35));
    CHECK_EQUAL(0, io_ranges_add(r, 20, 29)); /* closes the gap */
    CHECK_EQUAL(1, r->count);
    CHECK(io_ranges_contain(r, 10, 39) && !io_ranges_contain(r, 9, 9) && !io_ranges_contain(r, 39, 40));
    CHECK_EQUAL(-ENOENT, io_ranges_remove(r, 5, 12));
    CHECK_EQUAL(0, io_ranges_remove(r, 20, 20)); /* splits */
    CHECK_EQUAL(2, r->count);
    CHECK_EQUAL(0, io_ranges_add(r, 0, 0));
    CHECK_EQUAL(0, io_ranges_add(r, ~0ULL, ~0ULL));
    CHECK(io_ranges_contain(r, 0, 0) && io_ranges_contain(r, ~0ULL, ~0ULL));
    CHECK_EQUAL(0, io_ranges_remove(r, 0, 0));
    CHECK_EQUAL(0, io_ranges_remove(r, ~0ULL, ~0ULL));
    while (r->count < IO_RANGES_MAX)
        CHECK_EQUAL(0, io_ranges_add(r, 1000 + r->count * 10, 1004 + r->count * 10));
    CHECK_EQUAL(-ENOSPC, io_ranges_add(r, 9999999, 9999999));
    CHECK_EQUAL(-ENOSPC, io_ranges_remove(r, 12, 13)); /* would split */
    CHECK_EQUAL(0, io_ranges_remove(r, 10, 13));
    free(r);
}

/* Against one bool per number. */
static void ranges_random(void)
{
    struct io_ranges *r = calloc(1, sizeof(*r));
    bool in[200] = {false};

    for (unsigned n = 0; n < 200000; n++) {
        unsigned first = random_below(200), last = first + random_below(12), have = 0;

        last = min(last, 199U);
        for (unsigned i = first; i <= last; i++)
            have += in[i];
        if (random64() & 1) {
            CHECK_EQUAL(have ? -EEXIST : 0, io_ranges_add(r, first, last));
            for (unsigned i = first; i <= last && !have; i++)
                in[i] = true;
        } else {
            bool all = have == last - first + 1;

            CHECK(io_ranges_contain(r, first, last) == all);
            CHECK_EQUAL(all ? 0 : -ENOENT, io_ranges_remove(r, first, last));
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

    return fake_run_tests(tests, sizeof(tests) / sizeof(tests[0]), guest_setup, guest_teardown);
}
