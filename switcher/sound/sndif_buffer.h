// The buffer of one open stream: the guest's pages, and a copy of ours that stands for what a sound card would have in
// its memory. Bytes go from one to the other when the guest says so, once; what is played and recorded is the copy.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sndif_buffer {
    uint8_t *shared; // the guest's; NULL: no stream is open
    uint8_t *copy;
    size_t bytes, pages;
    uint64_t position; // bytes since it was opened; the place in the buffer is the rest of this by its size
};

// 0, or an errno value; then nothing is open. `bytes` is not 0.
int sndif_buffer_open(struct sndif_buffer *buffer, uint32_t domid, uint32_t directory, size_t bytes);
void sndif_buffer_close(struct sndif_buffer *buffer); // one that is not open is ignored

// Whether this piece lies in the buffer.
bool sndif_buffer_has(const struct sndif_buffer *buffer, uint32_t offset, uint32_t length);

// Takes what is at the position, leaves silence there, and moves on; puts, and moves on.
void sndif_buffer_play(struct sndif_buffer *buffer, void *samples, size_t bytes);
void sndif_buffer_record(struct sndif_buffer *buffer, const void *samples, size_t bytes);

// The stream has stopped: what was not played is dropped, and the position goes to where the buffer begins next.
void sndif_buffer_rewind(struct sndif_buffer *buffer);
