/*
 * hv/rate_limit.h: whatever a guest does, never more than a burst and one per interval; and a quiet one is heard. Also
 * with several vcpus at once, none of which may take what is not there.
 */
#include "../../check.h"
#include "../../random.h"
#include <hv/rate_limit.h>
#include <pthread.h>

#define BURST    32
#define INTERVAL 100000000ULL
#define THREADS  4

static struct rate_limit limit;

static unsigned attempts(ns_t time, unsigned count)
{
    unsigned passed = 0;
    while (count--)
        passed += rate_limit_take(&limit, time, 1, BURST, INTERVAL);
    return passed;
}

static void test_flood(ns_t start)
{
    limit = (struct rate_limit){0};
    unsigned passed = 0;
    ns_t time = start;
    for (unsigned i = 0; i < 200000; i++) {
        time += random_below(1000000);
        passed += attempts(time, 1);
    }
    ns_t intervals = (time - start) / INTERVAL;
    CHECK(passed <= BURST + intervals + 1, "%u in %llu intervals", passed, (unsigned long long)intervals);
    CHECK(passed + 1 >= BURST + intervals, "only %u in %llu intervals", passed, (unsigned long long)intervals);
}

#define RACED 5000000
static pthread_barrier_t start;

static void *race(void *out)
{
    pthread_barrier_wait(&start);
    while (rate_limit_take(&limit, 1, 1, RACED, 1))
        ++*(unsigned *)out;
    return NULL;
}

static void test_race(void)
{
    pthread_t thread[THREADS];
    unsigned passed[THREADS] = {0}, sum = 0;
    limit = (struct rate_limit){0};
    pthread_barrier_init(&start, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(pthread_create(&thread[i], NULL, race, &passed[i]) == 0, "thread %u", i);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        sum += passed[i];
    }
    CHECK(sum == RACED, "%u vcpus at one moment take %u, not %u", THREADS, sum, RACED);
}

int main(void)
{
    test_flood(1);
    test_flood(5000000000ULL);
    test_race();
    limit = (struct rate_limit){0};
    CHECK(attempts(1000, 100) == BURST, "the first burst");
    CHECK(attempts(1000 + INTERVAL - 1, 100) == 0, "nothing is earned early");
    CHECK(attempts(1000 + INTERVAL, 100) == 1, "one per interval");
    CHECK(attempts(1000 + 4 * INTERVAL, 100) == 3, "three intervals, three messages");
    CHECK(attempts(1000 + 1000000 * INTERVAL, 100) == BURST, "a long rest earns one burst, not more");
    CHECK(attempts(1000 + (1ULL << 36) * INTERVAL, 100) == BURST, "earnings of 2^36 are cut");
    limit = (struct rate_limit){0};
    CHECK(!rate_limit_take(&limit, 1000, BURST + 1, BURST, INTERVAL), "more than a burst at once");
    CHECK(attempts(1000, BURST + 1) == BURST, "what was refused costs nothing");
    CHECK(rate_limit_take(&limit, 1000, 2, BURST + 2, INTERVAL), "whoever may take more");
    CHECK(!rate_limit_take(&limit, 1000, 1, BURST + 2, INTERVAL), "and no more than that");
    return 0;
}
