/*
 * How often something may happen: a burst at once, then one per interval. For the messages a guest can cause.
 * No lock: two that race may pass one too many.
 */
#ifndef HV_RATE_LIMIT_H
#define HV_RATE_LIMIT_H

#include <hv/types.h>

/* *tokens and *refill start as 0; `time` never goes back. True: it may happen now. */
static inline bool rate_limit_take(uint32_t *tokens, ns_t *refill, ns_t time, uint32_t burst, ns_t interval)
{
    uint64_t earned = (time - *refill) / interval;
    if (*refill == 0) {
        *refill = time;
        *tokens = burst;
    } else if (earned) {
        *refill += earned * interval;
        *tokens = earned >= burst - *tokens ? burst : *tokens + (uint32_t)earned;
    }
    if (*tokens == 0)
        return false;
    --*tokens;
    return true;
}

#endif
