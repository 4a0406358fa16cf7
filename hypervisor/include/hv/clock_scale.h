/*
 * Conversion between counts of a fixed-frequency counter and nanoseconds.
 *
 * Counter to ns is done as the ABI's vcpu_time_info says, so that we and the guests compute the very same
 * time: ns = ((count << shift) * multiplier) >> 32, a negative shift meaning to the right.
 */
#ifndef HV_CLOCK_SCALE_H
#define HV_CLOCK_SCALE_H

#include <hv/types.h>

#define NS_PER_SECOND 1000000000ULL

struct clock_scale {
    uint32_t multiplier;
    int8_t shift;
};

/* hz > 0. Between 31 and 32 significant bits. */
static inline struct clock_scale clock_scale_of(uint64_t hz)
{
    struct clock_scale scale = {.shift = 0};
    for (; hz > 2 * NS_PER_SECOND; hz >>= 1)
        scale.shift--;
    for (; hz <= NS_PER_SECOND; hz <<= 1)
        scale.shift++;
    scale.multiplier = (uint32_t)((NS_PER_SECOND << 32) / hz);
    return scale;
}

static inline ns_t clock_scale_to_ns(uint64_t count, uint32_t multiplier, int8_t shift)
{
    count = shift < 0 ? count >> -shift : count << shift;
    return (ns_t)(((unsigned __int128)count * multiplier) >> 32);
}

/* Counts per ns as a 32.32 number; hz < 2^32 * 10^9. (128-bit division would need a library.) */
static inline uint64_t clock_counts_per_ns(uint64_t hz)
{
    return (hz / NS_PER_SECOND << 32) + (hz % NS_PER_SECOND << 32) / NS_PER_SECOND;
}

/* Rounded up, so that a timer never fires before its time. */
static inline uint64_t clock_ns_to_counts(ns_t ns, uint64_t counts_per_ns)
{
    unsigned __int128 product = (unsigned __int128)ns * counts_per_ns + 0xffffffffU;
    return product >> 96 ? UINT64_MAX : (uint64_t)(product >> 32);
}

/* What a counter that showed `count` at `time` shows at `deadline`: `count` where that is past, the counter's last
 * value where it is beyond its end. */
static inline uint64_t clock_count_at(uint64_t count, ns_t time, ns_t deadline, uint64_t counts_per_ns)
{
    uint64_t more = deadline > time ? clock_ns_to_counts(deadline - time, counts_per_ns) : 0;
    return more > UINT64_MAX - count ? UINT64_MAX : count + more;
}

#endif
