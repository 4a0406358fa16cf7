#include "pulse_fake.h"

#include <stdlib.h>
#include <string.h>

#include "../check.h"

struct pa_context {
    int references;
    pa_context_state_t state;
    pa_context_notify_cb_t on_state;
    void *data;
};

bool fake_server, fake_cards;
unsigned fake_contexts;
pa_stream *fake_streams[FAKE_STREAMS];

static pa_context *current;

static void set_context(pa_context *context, pa_context_state_t state)
{
    context->references++; // as the library: its user may give it up now
    context->state = state;
    if (context->on_state)
        context->on_state(context, context->data);
    pa_context_unref(context);
}

pa_context *pa_context_new(pa_mainloop_api *api, const char *name)
{
    pa_context *context = calloc(1, sizeof(*context));
    CHECK(api && strcmp(name, "Roundhouse") == 0);
    context->references = 1;
    fake_contexts++;
    return current = context;
}

void pa_context_unref(pa_context *context)
{
    CHECK(context->references > 0);
    if (--context->references > 0)
        return;
    fake_contexts--;
    current = current == context ? NULL : current;
    free(context);
}

void pa_context_set_state_callback(pa_context *context, pa_context_notify_cb_t callback, void *data)
{
    context->on_state = callback;
    context->data = data;
}

int pa_context_connect(pa_context *context, const char *server, pa_context_flags_t flags, const pa_spawn_api *api)
{
    CHECK(!server && flags == PA_CONTEXT_NOAUTOSPAWN && !api);
    set_context(context, fake_server ? PA_CONTEXT_READY : PA_CONTEXT_FAILED);
    return fake_server ? 0 : -1;
}

void pa_context_disconnect(pa_context *context)
{
    set_context(context, PA_CONTEXT_TERMINATED);
}

pa_context_state_t pa_context_get_state(const pa_context *context)
{
    return context->state;
}

int pa_context_errno(const pa_context *context)
{
    (void)context;
    return PA_ERR_CONNECTIONREFUSED;
}

const char *pa_strerror(int error)
{
    return error == PA_ERR_CONNECTIONREFUSED ? "connection refused" : "?";
}

static void set_stream(pa_stream *stream, pa_stream_state_t state)
{
    stream->references++;
    stream->state = state;
    if (stream->on_state)
        stream->on_state(stream, stream->data);
    pa_stream_unref(stream);
}

pa_stream *pa_stream_new(pa_context *context, const char *name, const pa_sample_spec *spec, const pa_channel_map *map)
{
    pa_stream *stream = calloc(1, sizeof(*stream));
    CHECK(context == current && context->state == PA_CONTEXT_READY && !map);
    stream->references = 1;
    stream->context = context;
    stream->spec = *spec;
    strncpy(stream->name, name, sizeof(stream->name) - 1);
    for (unsigned i = 0; i < FAKE_STREAMS; i++) {
        if (fake_streams[i])
            continue;
        fake_streams[i] = stream;
        return stream;
    }
    CHECK(!"that many streams");
    return NULL;
}

void pa_stream_unref(pa_stream *stream)
{
    CHECK(stream->references > 0);
    if (--stream->references > 0)
        return;
    for (unsigned i = 0; i < FAKE_STREAMS; i++)
        if (fake_streams[i] == stream)
            fake_streams[i] = NULL;
    free(stream);
}

void pa_stream_set_state_callback(pa_stream *stream, pa_stream_notify_cb_t callback, void *data)
{
    stream->on_state = callback;
    stream->data = data;
}

static int connect_stream(pa_stream *stream, const pa_buffer_attr *buffer, bool record)
{
    stream->buffer = *buffer;
    stream->record = record;
    set_stream(stream, fake_cards ? PA_STREAM_READY : PA_STREAM_FAILED);
    return 0;
}

int pa_stream_connect_playback(pa_stream *stream, const char *device, const pa_buffer_attr *buffer,
                               pa_stream_flags_t flags, const pa_cvolume *volume, pa_stream *other)
{
    CHECK(!device && flags == PA_STREAM_ADJUST_LATENCY && !volume && !other); // which card is PulseAudio's affair
    return connect_stream(stream, buffer, false);
}

int pa_stream_connect_record(pa_stream *stream, const char *device, const pa_buffer_attr *buffer,
                             pa_stream_flags_t flags)
{
    CHECK(!device && flags == PA_STREAM_ADJUST_LATENCY);
    return connect_stream(stream, buffer, true);
}

int pa_stream_disconnect(pa_stream *stream)
{
    set_stream(stream, PA_STREAM_TERMINATED);
    return 0;
}

pa_stream_state_t pa_stream_get_state(const pa_stream *stream)
{
    return stream->state;
}

const pa_buffer_attr *pa_stream_get_buffer_attr(pa_stream *stream)
{
    return &stream->buffer;
}

size_t pa_stream_writable_size(const pa_stream *stream)
{
    return stream->queued >= stream->buffer.tlength ? 0 : stream->buffer.tlength - stream->queued;
}

size_t pa_stream_readable_size(const pa_stream *stream)
{
    return stream->piece_bytes;
}

int pa_stream_write(pa_stream *stream, const void *data, size_t bytes, pa_free_cb_t free_data, int64_t offset,
                    pa_seek_mode_t seek)
{
    CHECK(stream->state == PA_STREAM_READY && !stream->record && !free_data && offset == 0);
    CHECK(seek == PA_SEEK_RELATIVE && bytes >= sizeof(stream->last));
    stream->queued += bytes;
    memcpy(stream->last, (const unsigned char *)data + bytes - sizeof(stream->last), sizeof(stream->last));
    return 0;
}

int pa_stream_peek(pa_stream *stream, const void **data, size_t *bytes)
{
    CHECK(stream->state == PA_STREAM_READY && stream->record);
    *data = stream->hole || !stream->piece_bytes ? NULL : stream->piece;
    *bytes = stream->piece_bytes;
    return 0;
}

int pa_stream_drop(pa_stream *stream)
{
    CHECK(stream->piece_bytes > 0);
    stream->piece_bytes = 0;
    return 0;
}

void fake_server_dies(void)
{
    fake_server = false;
    for (unsigned i = 0; i < FAKE_STREAMS; i++)
        if (fake_streams[i])
            set_stream(fake_streams[i], PA_STREAM_FAILED);
    if (current)
        set_context(current, PA_CONTEXT_FAILED);
}
