/*
 * hv/clock_scale.h: the constants a guest computes its time from.
 */
#include "../../check.h"
#include <hv/clock_scale.h>

static const uint64_t frequencies[] = {32768,      1000000,    999999999,  1000000000, 1000000001, 1999999999,
                                       2000000000, 2000000001, 2611200000, 4999999999, 62500000,   100000000000};

static long double difference(uint64_t a, long double b)
{
    return (long double)a > b ? (long double)a - b : b - (long double)a;
}

int main(void)
{
    for (unsigned i = 0; i < sizeof(frequencies) / sizeof(frequencies[0]); i++) {
        uint64_t hz = frequencies[i], day = hz * 86400, per_ns = clock_counts_per_ns(hz);
        struct clock_scale scale = clock_scale_of(hz);
        CHECK(scale.multiplier >= 1U << 30, "%llu Hz: only %u", (unsigned long long)hz, scale.multiplier);
        /* A day: 10^14 ns; the multiplier's last bit is worth at most 2^-30 of it. */
        ns_t ns = clock_scale_to_ns(day, scale.multiplier, scale.shift);
        CHECK(difference(ns, 86400e9L) < 86400e9L / (1 << 29), "%llu Hz: a day is %llu ns", (unsigned long long)hz,
              (unsigned long long)ns);
        uint64_t counts = clock_ns_to_counts(86400ULL * NS_PER_SECOND, per_ns);
        long double tolerance = (long double)day / hz * NS_PER_SECOND / 4294967296.0L + 1;
        CHECK(difference(counts, (long double)day) <= tolerance, "%llu Hz: a day is %llu counts",
              (unsigned long long)hz, (unsigned long long)counts);
        /* A deadline in counts is never before the one in ns, and time never stands back. */
        ns_t before = 0;
        for (unsigned n = 0; n < 1000; n++) {
            ns_t t = clock_scale_to_ns(n * 977ULL, scale.multiplier, scale.shift);
            CHECK(t >= before, "%llu Hz: back from %llu to %llu", (unsigned long long)hz, (unsigned long long)before,
                  (unsigned long long)t);
            before = t;
        }
        CHECK(clock_ns_to_counts(1, per_ns) >= 1, "a wait of 1 ns is no wait");
        /* The count of a deadline: never past where the deadline is not, and never to come where it is past. */
        const uint64_t count = 1000000000, now = 5000000000;
        static const ns_t far[] = {
            0, 1, 3600 * NS_PER_SECOND, 1ULL << 62, 7000000000000000000ULL, UINT64_MAX - 5000000000};
        for (unsigned n = 0; n < sizeof(far) / sizeof(far[0]); n++) {
            uint64_t at = clock_count_at(count, now, now + far[n], per_ns);
            CHECK(at >= count && (at > count || !far[n]), "%llu Hz: %llu ns from now is at %llu",
                  (unsigned long long)hz, (unsigned long long)far[n], (unsigned long long)at);
        }
        CHECK(clock_count_at(count, now, 1, per_ns) == count, "%llu Hz: a past deadline comes later",
              (unsigned long long)hz);
        CHECK(clock_ns_to_counts(UINT64_MAX, UINT64_MAX) == UINT64_MAX, "no saturation");
    }
    return 0;
}
