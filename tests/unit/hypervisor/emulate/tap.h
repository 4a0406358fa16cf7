/*
 * Tests that go on after a failed check, and say at the end of each how it went, in TAP.
 */
#ifndef EMULATE_TAP_H
#define EMULATE_TAP_H

#include <stdio.h>

static unsigned failed; /* checks of the test that runs */

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("# line %d: %s\n", __LINE__, #condition);                                                           \
            failed++;                                                                                                  \
        }                                                                                                              \
    } while (0)

struct tap_test {
    const char *name;
    void (*run)(void);
};

/* What main returns. */
static inline int run_tap_tests(const struct tap_test *tests, unsigned count)
{
    unsigned bad = 0;

    printf("1..%u\n", count);
    for (unsigned i = 0; i < count; i++) {
        failed = 0;
        tests[i].run();
        printf("%s %u - %s\n", failed ? "not ok" : "ok", i + 1, tests[i].name);
        bad += failed != 0;
    }
    return bad != 0;
}

#endif
