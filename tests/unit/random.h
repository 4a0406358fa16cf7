/*
 * Numbers for tests of anything: they look random and are the same in every run, so that a failure can be repeated.
 * Each thread has a sequence of its own, that of the same seed unless it takes another. (splitmix64, public domain,
 * Sebastiano Vigna: any seed is as good as any other.)
 */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <stdint.h>

/* Weak: one for all files of a program. */
extern __thread uint64_t random_state;
__attribute__((weak)) __thread uint64_t random_state = 1;

static inline void random_seed(uint64_t seed)
{
    random_state = seed;
}

static inline uint64_t random64(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* 0 to limit - 1. */
static inline unsigned random_below(unsigned limit)
{
    return (unsigned)(random64() % limit);
}

/* Of any kind, and more often one at an edge: small, around the sign or the end of 8, 16, 32 or 64 bits, around another
 * power of two, of any number of bits. */
static inline uint64_t random_value(void)
{
    switch (random_below(5)) {
    case 0:
        return random_below(256);
    case 1:
        return (2UL << ((8U << random_below(4)) - 1 - random_below(2))) - random_below(2);
    case 2:
        return (1UL << random_below(64)) - 1 + random_below(3);
    case 3:
        return random64() >> random_below(64);
    default:
        return random64();
    }
}

#endif
