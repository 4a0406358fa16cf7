/*
 * What a test may set of the shared fakes, where it does not have its own.
 */
#ifndef FAKE_DEFAULT_H
#define FAKE_DEFAULT_H

#include <hv/types.h>

extern uint64_t fake_now;     /* now(), in nanoseconds */
extern uint64_t fake_tsc_khz; /* tsc_khz() */

/* From now on hypercall_should_yield() says yes at every n-th call, 0: never; and how often it did. */
void fake_yield_every(unsigned n);
extern unsigned fake_yields;

#endif
