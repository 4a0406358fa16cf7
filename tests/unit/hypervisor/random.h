/*
 * The same numbers in every run, so that a failure can be repeated.
 */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

static inline unsigned next_random(void)
{
    static unsigned long long state = 0x9e3779b97f4a7c15ULL;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 32);
}

#endif
