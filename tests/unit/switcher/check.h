// The least that a test needs: CHECK counts and says where, CHECK_END is main's return value.
#pragma once

#include <stdio.h>

static unsigned check_count, check_failures;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        check_count++;                                                                                                 \
        if (!(condition)) {                                                                                            \
            check_failures++;                                                                                          \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                                    \
        }                                                                                                              \
    } while (0)

static inline int check_end(void)
{
    printf("%u checks, %u failed\n", check_count, check_failures);
    return check_failures || check_count == 0;
}

// Repeatable pseudo-random numbers (xorshift).
static inline unsigned check_random(unsigned below)
{
    static unsigned state = 0x2545f491;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}
