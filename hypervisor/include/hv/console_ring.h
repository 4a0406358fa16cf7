/*
 * The last CONSOLE_RING_BYTES bytes of the log. core/console_ring.c
 *
 * Positions count bytes since boot and wrap at 2^32, so a reader that keeps its position never sees a byte
 * twice and notices when it has been overtaken. No lock: the console's is held.
 */
#ifndef HV_CONSOLE_RING_H
#define HV_CONSOLE_RING_H

#include <hv/types.h>

#define CONSOLE_RING_BYTES (128 * 1024U)

struct console_ring {
    char data[CONSOLE_RING_BYTES];
    uint32_t start, end; /* positions of the oldest byte kept and of the next to come */
};

void ring_put(struct console_ring *ring, const char *text, size_t bytes);
/* *index is moved to the oldest byte kept if it names one that is gone or not there yet. */
size_t ring_get(const struct console_ring *ring, char *to, size_t bytes, uint32_t *index);
void ring_clear(struct console_ring *ring);

#endif
