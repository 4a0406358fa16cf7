/*
 * The pauses are of many lengths, so that the time asked for comes at another phase of the tick and of other domains'
 * slices each time.
 */
#include "wake.h"

#include "clock.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define SLEEPS   400
#define PAUSE_NS 2000000
#define STEP_NS  137000
#define STEPS    29
#define SECOND   1000000000

static int by_size(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

void wake_measure(const char *name)
{
    static uint64_t late[SLEEPS];
    prctl(PR_SET_TIMERSLACK, 1);
    for (unsigned i = 0; i < SLEEPS; i++) {
        uint64_t due = now() + PAUSE_NS + i % STEPS * STEP_NS;
        struct timespec until = {.tv_sec = (time_t)(due / SECOND), .tv_nsec = (long)(due % SECOND)};
        errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        late[i] = now() - due;
        if (errno) {
            perror("BENCH-ERROR: sleep");
            exit(1);
        }
    }
    qsort(late, SLEEPS, sizeof(late[0]), by_size);
    printf("BENCH %s_median %llu\nBENCH %s_worst %llu\n", name, (unsigned long long)late[SLEEPS / 2], name,
           (unsigned long long)late[SLEEPS - 1]);
}
