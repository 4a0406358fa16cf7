// Streams of PulseAudio, below what guests play and record. A server that is away is looked for once a second; streams
// outlive it and are made anew when it is back. Which card they are on is PulseAudio's affair, and so are headsets and
// cards that come and go.
#pragma once

#include <pulse/mainloop-api.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "source.h"

struct pulse;
struct pulse_stream;

// Both loops are the caller's: libpulse's, and the one that the rest runs on. NULL when out of memory.
struct pulse *pulse_new(pa_mainloop_api *api, struct wl_event_loop *loop);
void pulse_free(struct pulse *pulse); // after its streams

// A stream with a queue of about so many frames (PLAYBACK), or of pieces of that size (CAPTURE). NULL when out of
// memory; that there is no server is no error.
struct pulse_stream *pulse_open(struct pulse *pulse, enum direction direction, const char *name,
                                const struct pcm_format *format, unsigned frames);
void pulse_close(struct pulse_stream *stream); // NULL is ignored

// Frames that wait to be heard, or to be read; -1: the stream is not there at the moment.
int pulse_queued(const struct pulse_stream *stream);
void pulse_write(struct pulse_stream *stream, const int16_t *samples, unsigned frames);
// What was recorded, at most so many frames; returns how many.
unsigned pulse_read(struct pulse_stream *stream, int16_t *samples, unsigned frames);
