/*
 * How often something may happen: a burst at once, then one per interval. For what a guest can cause.
 *
 * All of it is one word, the time until which what has happened is paid for, so that any number of vcpus may use it at
 * once and none passes what another one has taken.
 */
#ifndef HV_RATE_LIMIT_H
#define HV_RATE_LIMIT_H

#include <hv/lib.h>

struct rate_limit {
    ns_t paid_until; /* [a] starts as 0 */
};

/* True: `count` of them may happen now. Of callers that race, one each time gets on, and no more than `burst` do. */
static inline bool rate_limit_take(struct rate_limit *limit, ns_t time, unsigned count, unsigned burst, ns_t interval)
{
    ns_t before = __atomic_load_n(&limit->paid_until, __ATOMIC_RELAXED), after;
    do {
        after = max(before, time) + count * interval;
        if (after > time + burst * interval)
            return false;
    } while (
        !__atomic_compare_exchange_n(&limit->paid_until, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return true;
}

#endif
