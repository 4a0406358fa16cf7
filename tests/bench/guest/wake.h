/*
 * How long after its time a sleeper runs. In the guest, and in Domain-0. wake.c
 */
#ifndef BENCH_WAKE_H
#define BENCH_WAKE_H

/* Sleeps many times and prints NAME_median and NAME_worst: ns from the moment that was asked for until the program has
 * the processor. Ends the program with a message if that does not work. */
void wake_measure(const char *name);

#endif
