// Where the picture goes: a KMS screen or, for tests, memory. Double-buffered; every buffer remembers what it
// lacks.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "damage.h"
#include "pixels.h"

struct session;
struct output;

enum { OUTPUT_BUFFERS = 2 };

struct output_buffer {
    struct canvas canvas;
    struct damage stale; // drawn elsewhere since this buffer was on screen
};

struct output_listener {
    void (*ready)(void *data);   // begin() will succeed again
    void (*resized)(void *data); // width and height changed; all is stale
    void *data;
};

struct output_ops {
    // Shows the buffer, `drawn` being what changed in it; false when that cannot be done now. ready() follows.
    bool (*present)(struct output *output, unsigned index, const struct damage *drawn);
    void (*pause)(struct output *output);
    void (*resume)(struct output *output);
    void (*destroy)(struct output *output);
    bool (*holds)(const struct output *output); // whether the right to the screen is still ours; NULL: always
};

struct output {
    const struct output_ops *ops;
    struct output_listener listener;
    uint32_t width, height;
    struct output_buffer buffers[OUTPUT_BUFFERS];
    unsigned front;    // index of the buffer on screen
    bool busy, paused; // a frame is on its way to the screen; the session is not ours
    bool former;       // until our first frame the screen shows the last one of a former seat
};

// A screen of width by height that nobody sees.
struct output *output_headless_open(struct wl_event_loop *loop, uint32_t width, uint32_t height);

// Nodes of the KMS devices, the one that the firmware used first. To find them takes long beside opening them.
enum { OUTPUT_CARDS = 8 };
struct output_cards {
    unsigned count;
    char nodes[OUTPUT_CARDS][64];
};
void output_drm_cards(struct output_cards *cards);

// The first KMS device that has a connected screen, of these and else of those that are there by now; NULL after a
// logged reason. Width and height of 0 ask for the screen's preferred mode. `force_legacy` leaves atomic mode
// setting alone. What the screen shows stays when the seat dies (kept.h), until the next one has a frame of its own.
struct output *output_drm_open(struct wl_event_loop *loop, struct session *session, const struct output_cards *cards,
                               uint32_t width, uint32_t height, bool force_legacy);

void output_destroy(struct output *output);

// Everything in the area must be drawn again, in every buffer.
void output_damage(struct output *output, struct rect area);

// The buffer to draw in, whose `stale` says what; NULL while a frame is on its way or the session is away.
struct output_buffer *output_begin(struct output *output);

// Shows what was drawn in the buffer that output_begin() gave. False when that failed: the screen is as it was, the
// buffer lacks what it lacked, and ready() calls for another attempt.
bool output_present(struct output *output);
