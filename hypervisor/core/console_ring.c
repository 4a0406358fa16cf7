/*
 * The log ring.
 */
#include <hv/console_ring.h>
#include <hv/lib.h>

_Static_assert((CONSOLE_RING_BYTES & (CONSOLE_RING_BYTES - 1)) == 0, "positions wrap at a multiple of the size");

void ring_put(struct console_ring *ring, const char *text, size_t bytes)
{
    if (bytes > CONSOLE_RING_BYTES) {
        ring->end += (uint32_t)(bytes - CONSOLE_RING_BYTES);
        text += bytes - CONSOLE_RING_BYTES;
        bytes = CONSOLE_RING_BYTES;
    }
    uint32_t at = ring->end % CONSOLE_RING_BYTES;
    size_t first = min(bytes, (size_t)(CONSOLE_RING_BYTES - at));
    memcpy(ring->data + at, text, first);
    memcpy(ring->data, text + first, bytes - first);
    ring->end += (uint32_t)bytes;
    if (ring->end - ring->start > CONSOLE_RING_BYTES)
        ring->start = ring->end - CONSOLE_RING_BYTES;
}

size_t ring_get(const struct console_ring *ring, char *to, size_t bytes, uint32_t *index)
{
    if (*index - ring->start > ring->end - ring->start)
        *index = ring->start;
    uint32_t at = *index % CONSOLE_RING_BYTES;
    bytes = min(bytes, (size_t)(ring->end - *index));
    size_t first = min(bytes, (size_t)(CONSOLE_RING_BYTES - at));
    memcpy(to, ring->data + at, first);
    memcpy(to + first, ring->data, bytes - first);
    *index += (uint32_t)bytes;
    return bytes;
}

void ring_clear(struct console_ring *ring)
{
    ring->start = ring->end;
}
