/*
 * hv/rate_limit.h: whatever a guest does, never more than a burst and one per interval; and a quiet one is
 * heard.
 */
#include "check.h"
#include <hv/rate_limit.h>

#define BURST    32
#define INTERVAL 100000000ULL

static uint32_t tokens;
static ns_t refill;

static unsigned attempts(ns_t time, unsigned count)
{
    unsigned passed = 0;
    while (count--)
        passed += rate_limit_take(&tokens, &refill, time, BURST, INTERVAL);
    return passed;
}

static void test_flood(ns_t start)
{
    tokens = 0;
    refill = 0;
    unsigned passed = 0;
    ns_t time = start;
    for (unsigned i = 0; i < 200000; i++) {
        time += next_random() % 1000000;
        passed += attempts(time, 1);
    }
    ns_t intervals = (time - start) / INTERVAL;
    CHECK(passed <= BURST + intervals + 1, "%u in %llu intervals", passed, (unsigned long long)intervals);
    CHECK(passed + 1 >= BURST + intervals, "only %u in %llu intervals", passed, (unsigned long long)intervals);
}

int main(void)
{
    test_flood(1);
    test_flood(5000000000ULL);
    tokens = 0;
    refill = 0;
    CHECK(attempts(1000, 100) == BURST, "the first burst");
    CHECK(attempts(1000 + INTERVAL - 1, 100) == 0, "nothing is earned early");
    CHECK(attempts(1000 + INTERVAL, 100) == 1, "one per interval");
    CHECK(attempts(1000 + 4 * INTERVAL, 100) == 3, "three intervals, three messages");
    CHECK(attempts(1000 + 1000000 * INTERVAL, 100) == BURST, "a long rest earns one burst, not more");
    CHECK(attempts(1000 + (1ULL << 36) * INTERVAL, 100) == BURST, "earnings of 2^36 are cut");
    return 0;
}
