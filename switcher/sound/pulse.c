// libpulse's context and streams.
#include "pulse.h"

#include <pulse/context.h>
#include <pulse/error.h>
#include <pulse/stream.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "link_protocol.h"
#include "log.h"

enum { RETRY_MS = 1000, SAMPLE_BYTES = sizeof(int16_t) };

struct pulse {
    pa_mainloop_api *api;
    pa_context *context; // NULL between two servers
    struct wl_event_source *retry;
    bool said_away; // in the log
    struct pulse_stream *streams;
};

struct pulse_stream {
    struct pulse *pulse;
    struct pulse_stream *next;
    enum direction direction;
    char name[LINK_NAME_SIZE];
    struct pcm_format format;
    unsigned frames;
    pa_stream *stream; // NULL while there is no server, or no card for it
    size_t taken;      // CAPTURE: bytes of the piece that comes next
};

static size_t frame_bytes(const struct pulse_stream *stream)
{
    return (size_t)SAMPLE_BYTES * stream->format.channels;
}

// ---- streams ----

static void end_stream(struct pulse_stream *stream)
{
    if (!stream->stream)
        return;
    pa_stream_set_state_callback(stream->stream, NULL, NULL);
    pa_stream_disconnect(stream->stream);
    pa_stream_unref(stream->stream);
    stream->stream = NULL;
}

static void try_later(struct pulse *pulse)
{
    wl_event_source_timer_update(pulse->retry, RETRY_MS);
}

// There may be no card now, or none any more; one that comes is found by trying.
static void on_stream_state(pa_stream *unused, void *data)
{
    (void)unused;
    struct pulse_stream *stream = data;
    pa_stream_state_t state = pa_stream_get_state(stream->stream);
    if (state != PA_STREAM_FAILED && state != PA_STREAM_TERMINATED)
        return;
    end_stream(stream);
    try_later(stream->pulse);
}

static void make_stream(struct pulse_stream *stream)
{
    pa_sample_spec spec = {PA_SAMPLE_S16NE, stream->format.rate, (uint8_t)stream->format.channels};
    uint32_t bytes = (uint32_t)(stream->frames * frame_bytes(stream)), any = UINT32_MAX;
    pa_buffer_attr playback = {.maxlength = any, .tlength = 2 * bytes, .prebuf = 0, .minreq = any, .fragsize = any};
    pa_buffer_attr capture = {
        .maxlength = 8 * bytes, .tlength = any, .prebuf = any, .minreq = any, .fragsize = bytes / 2};
    stream->stream = pa_stream_new(stream->pulse->context, stream->name, &spec, NULL);
    if (!stream->stream)
        return;
    stream->taken = 0;
    pa_stream_set_state_callback(stream->stream, on_stream_state, stream);
    int result = stream->direction == PLAYBACK
                     ? pa_stream_connect_playback(stream->stream, NULL, &playback, PA_STREAM_ADJUST_LATENCY, NULL, NULL)
                     : pa_stream_connect_record(stream->stream, NULL, &capture, PA_STREAM_ADJUST_LATENCY);
    if (result < 0) {
        end_stream(stream);
        try_later(stream->pulse);
    }
}

static void make_streams(struct pulse *pulse)
{
    for (struct pulse_stream *stream = pulse->streams; stream; stream = stream->next)
        if (!stream->stream)
            make_stream(stream);
}

struct pulse_stream *pulse_open(struct pulse *pulse, enum direction direction, const char *name,
                                const struct pcm_format *format, unsigned frames)
{
    struct pulse_stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    *stream = (struct pulse_stream){.pulse = pulse, .next = pulse->streams, .direction = direction};
    strncpy(stream->name, name, sizeof(stream->name) - 1);
    stream->format = *format;
    stream->frames = frames;
    pulse->streams = stream;
    if (pulse->context && pa_context_get_state(pulse->context) == PA_CONTEXT_READY)
        make_stream(stream);
    return stream;
}

void pulse_close(struct pulse_stream *stream)
{
    if (!stream)
        return;
    struct pulse_stream **link = &stream->pulse->streams;
    while (*link != stream)
        link = &(*link)->next;
    *link = stream->next;
    end_stream(stream);
    free(stream);
}

static bool is_ready(const struct pulse_stream *stream)
{
    return stream->stream && pa_stream_get_state(stream->stream) == PA_STREAM_READY;
}

int pulse_queued(const struct pulse_stream *stream)
{
    if (!is_ready(stream))
        return -1;
    if (stream->direction == CAPTURE) {
        size_t readable = pa_stream_readable_size(stream->stream);
        return readable == (size_t)-1 ? -1 : (int)((readable - stream->taken) / frame_bytes(stream));
    }
    const pa_buffer_attr *buffer = pa_stream_get_buffer_attr(stream->stream);
    size_t writable = pa_stream_writable_size(stream->stream);
    if (!buffer || writable == (size_t)-1)
        return -1;
    return writable >= buffer->tlength ? 0 : (int)((buffer->tlength - writable) / frame_bytes(stream));
}

void pulse_write(struct pulse_stream *stream, const int16_t *samples, unsigned frames)
{
    if (is_ready(stream))
        pa_stream_write(stream->stream, samples, frames * frame_bytes(stream), NULL, 0, PA_SEEK_RELATIVE);
}

// PulseAudio gives pieces of any size, and the same one until it is dropped as a whole. One without bytes is a gap.
unsigned pulse_read(struct pulse_stream *stream, int16_t *samples, unsigned frames)
{
    size_t wanted = frames * frame_bytes(stream), done = 0;
    while (is_ready(stream) && done < wanted) {
        const void *piece;
        size_t bytes, here;
        if (pa_stream_peek(stream->stream, &piece, &bytes) < 0 || bytes <= stream->taken)
            break;
        here = bytes - stream->taken < wanted - done ? bytes - stream->taken : wanted - done;
        if (piece)
            memcpy((uint8_t *)samples + done, (const uint8_t *)piece + stream->taken, here);
        else
            memset((uint8_t *)samples + done, 0, here);
        done += here;
        stream->taken += here;
        if (stream->taken < bytes)
            break;
        pa_stream_drop(stream->stream);
        stream->taken = 0;
    }
    return (unsigned)(done / frame_bytes(stream));
}

// ---- the server ----

static void lost(struct pulse *pulse, const char *why)
{
    if (!pulse->said_away)
        log_info("PulseAudio is away (%s): nothing is heard until it is back", why);
    pulse->said_away = true;
    for (struct pulse_stream *stream = pulse->streams; stream; stream = stream->next)
        end_stream(stream);
    if (pulse->context)
        pa_context_unref(pulse->context);
    pulse->context = NULL;
    try_later(pulse);
}

static void on_state(pa_context *context, void *data)
{
    struct pulse *pulse = data;
    switch (pa_context_get_state(context)) {
    case PA_CONTEXT_READY:
        log_info("PulseAudio is there");
        pulse->said_away = false;
        make_streams(pulse);
        break;
    case PA_CONTEXT_FAILED:
    case PA_CONTEXT_TERMINATED:
        lost(pulse, pa_strerror(pa_context_errno(context)));
        break;
    default:
        break;
    }
}

static void connect_context(struct pulse *pulse)
{
    pulse->context = pa_context_new(pulse->api, "Roundhouse");
    if (!pulse->context) {
        lost(pulse, "out of memory");
        return;
    }
    pa_context_set_state_callback(pulse->context, on_state, pulse);
    if (pa_context_connect(pulse->context, NULL, PA_CONTEXT_NOAUTOSPAWN, NULL) < 0 && pulse->context)
        lost(pulse, pa_strerror(pa_context_errno(pulse->context)));
}

static int on_retry(void *data)
{
    struct pulse *pulse = data;
    if (!pulse->context)
        connect_context(pulse);
    else if (pa_context_get_state(pulse->context) == PA_CONTEXT_READY)
        make_streams(pulse);
    return 0;
}

struct pulse *pulse_new(pa_mainloop_api *api, struct wl_event_loop *loop)
{
    struct pulse *pulse = calloc(1, sizeof(*pulse));
    if (!pulse)
        return NULL;
    pulse->api = api;
    pulse->retry = wl_event_loop_add_timer(loop, on_retry, pulse);
    if (!pulse->retry) {
        free(pulse);
        return NULL;
    }
    connect_context(pulse);
    return pulse;
}

void pulse_free(struct pulse *pulse)
{
    if (!pulse)
        return;
    wl_event_source_remove(pulse->retry);
    if (pulse->context) {
        pa_context_set_state_callback(pulse->context, NULL, NULL);
        pa_context_disconnect(pulse->context);
        pa_context_unref(pulse->context);
    }
    free(pulse);
}
