/*
 * Checks after which a test goes on: a failed one is printed and counted.
 */
#ifndef COUNT_FAILURES_H
#define COUNT_FAILURES_H

#include <stdio.h>

extern unsigned fake_failures;
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #condition);                      \
            fake_failures++;                                                                                           \
        }                                                                                                              \
    } while (0)
#define CHECK_EQUAL(have, want)                                                                                        \
    do {                                                                                                               \
        long long _h = (long long)(have), _w = (long long)(want);                                                      \
        if (_h != _w) {                                                                                                \
            fprintf(stderr, "%s:%d: %s: %s is %lld, not %lld\n", __FILE__, __LINE__, __func__, #have, _h, _w);         \
            fake_failures++;                                                                                           \
        }                                                                                                              \
    } while (0)

#endif
