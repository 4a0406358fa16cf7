/* What the parts of the measured guest's one program share. */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

/* Says what does not work and why, by errno, and switches the guest off. */
void fail(const char *what) __attribute__((noreturn));
/* Prints what the thing named costs: the smallest of some batches of `rounds` calls of `once`, which does it `each`
 * times. */
void measure(const char *name, void (*once)(void), unsigned rounds, unsigned each);
/* Bytes to and from Domain-0 by its network card. network.c */
void measure_network(void);

#endif
