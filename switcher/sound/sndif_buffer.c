// Shared buffers of sndif.
#include "sndif_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "foreign.h"
#include "page_directory.h"

enum { PAGE_BYTES = 4096 };

int sndif_buffer_open(struct sndif_buffer *buffer, uint32_t domid, uint32_t directory, size_t bytes)
{
    size_t pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    uint32_t *references = calloc(pages, sizeof(*references));
    *buffer = (struct sndif_buffer){.copy = calloc(1, bytes), .bytes = bytes, .pages = pages};
    int error = references && buffer->copy ? page_directory_read(domid, directory, references, pages) : ENOMEM;
    if (!error)
        buffer->shared = foreign_map_grants(domid, references, pages, PROT_READ | PROT_WRITE);
    if (!error && !buffer->shared)
        error = errno;
    free(references);
    if (error)
        sndif_buffer_close(buffer);
    return error;
}

void sndif_buffer_close(struct sndif_buffer *buffer)
{
    foreign_unmap_grants(buffer->shared, buffer->pages);
    free(buffer->copy);
    *buffer = (struct sndif_buffer){0};
}

bool sndif_buffer_has(const struct sndif_buffer *buffer, uint32_t offset, uint32_t length)
{
    return offset <= buffer->bytes && length <= buffer->bytes - offset;
}

// The piece at the position that does not go over the end; moves on behind it.
static uint8_t *next_piece(struct sndif_buffer *buffer, size_t *bytes)
{
    size_t place = (size_t)(buffer->position % buffer->bytes);
    if (*bytes > buffer->bytes - place)
        *bytes = buffer->bytes - place;
    buffer->position += *bytes;
    return buffer->copy + place;
}

void sndif_buffer_play(struct sndif_buffer *buffer, void *samples, size_t bytes)
{
    for (size_t done = 0, now; done < bytes; done += now) {
        now = bytes - done;
        uint8_t *piece = next_piece(buffer, &now);
        memcpy((uint8_t *)samples + done, piece, now);
        memset(piece, 0, now);
    }
}

void sndif_buffer_record(struct sndif_buffer *buffer, const void *samples, size_t bytes)
{
    for (size_t done = 0, now; done < bytes; done += now) {
        now = bytes - done;
        uint8_t *piece = next_piece(buffer, &now);
        memcpy(piece, (const uint8_t *)samples + done, now);
    }
}

void sndif_buffer_rewind(struct sndif_buffer *buffer)
{
    size_t place = (size_t)(buffer->position % buffer->bytes);
    if (place)
        buffer->position += buffer->bytes - place;
    memset(buffer->copy, 0, buffer->bytes);
}
