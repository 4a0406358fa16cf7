/*
 * The console of a guest that is not Domain-0: a ring that xenconsoled reads (xen/io/console.h).
 */
#ifndef RING_CONSOLE_H
#define RING_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

struct xencons_interface;

/* Waits for the reader, and until it has settled: a test that closes its channels must not do so before. */
void ring_console_start(struct xencons_interface *ring, uint32_t port);
/* Waits while the ring is full. A reader that never comes is seen by the time limit of the run. */
void ring_console_out(const char *text, size_t length);
/* Waits until all is read. */
void ring_console_drain(void);

#endif
