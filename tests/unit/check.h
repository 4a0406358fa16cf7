/*
 * What a unit test expects. The first check that does not hold says where, what and the values on standard error and
 * ends the process with status 1, wherever it stands: in a thread too, and in a child, whose status its parent checks.
 * A test of several named parts that go on without each other: test_list.h.
 */
#ifndef UNIT_CHECK_H
#define UNIT_CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* If the test has it: removes what would outlive the process. */
__attribute__((weak)) void check_clean_up(void);

/* Without what waits for an orderly exit: leaks of a test that was not finished are no news. */
static inline __attribute__((noreturn)) void check_failed(void)
{
    fputc('\n', stderr);
    fflush(stdout);
    if (check_clean_up)
        check_clean_up();
    _Exit(1);
}

#define CHECK_SAYS(format, ...) fprintf(stderr, "%s:%d: %s: " format, __FILE__, __LINE__, __func__, __VA_ARGS__)

/* CHECK(condition [, format, ...]): the remark, as of printf, says more: of which row, or of which round. */
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            CHECK_SAYS("failed: %s", #condition);                                                                      \
            __VA_OPT__(fprintf(stderr, ": " __VA_ARGS__);)                                                             \
            check_failed();                                                                                            \
        }                                                                                                              \
    } while (0)

/* CHECK_EQUAL(expected, actual [, format, ...]): two integers, of 64 bits at most. */
#define CHECK_EQUAL(expected, actual, ...)                                                                             \
    do {                                                                                                               \
        long long expected_ = (long long)(expected), actual_ = (long long)(actual);                                    \
        if (expected_ != actual_) {                                                                                    \
            CHECK_SAYS("failed: %s is %lld (%#llx), expected %s, %lld (%#llx)", #actual, actual_,                      \
                       (unsigned long long)actual_, #expected, expected_, (unsigned long long)expected_);              \
            __VA_OPT__(fprintf(stderr, ": " __VA_ARGS__);)                                                             \
            check_failed();                                                                                            \
        }                                                                                                              \
    } while (0)

#endif
