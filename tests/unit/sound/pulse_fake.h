// libpulse with a server in memory, for one context. Streams take what is written into a queue that the test empties,
// and give what the test puts there.
#pragma once

#include <pulse/pulseaudio.h>
#include <stdbool.h>

enum { FAKE_STREAMS = 4, FAKE_QUEUE = 1 << 16 };

struct pa_stream {
    int references;
    pa_context *context;
    pa_stream_state_t state;
    pa_stream_notify_cb_t on_state;
    void *data;
    pa_sample_spec spec;
    pa_buffer_attr buffer;
    bool record;
    char name[64];
    size_t queued; // bytes written and not yet heard
    unsigned char last[4];
    unsigned char piece[FAKE_QUEUE]; // what peek gives next
    size_t piece_bytes;
    bool hole;
};

extern bool fake_server, fake_cards;          // whether there is one; without cards streams fail
extern unsigned fake_contexts;                // that are there now
extern pa_stream *fake_streams[FAKE_STREAMS]; // that are there now
void fake_server_dies(void);
