/*
 * Calls of several threads at once, drawn from a seed: how the fuzzers of event channels, grants and processors run.
 * Each thread is a processor (fake/thread_cpu) that runs one vcpu; all begin together.
 */
#ifndef SEVERAL_THREADS_H
#define SEVERAL_THREADS_H

#include <hv/domain.h>

enum { THREADS = 4 };

/* From the command line, [SEED [CALLS]]; said. */
void threads_arguments(int count, char **arguments, unsigned usual_calls);

/* Thread n is vcpu[n] and makes as many calls as were asked for. Threads that wait for each other for ever are a
 * failure too. */
void threads_run(struct vcpu *const vcpu[THREADS], void (*one_call)(unsigned n));

#endif
