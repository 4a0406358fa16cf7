// Messages to the seat that carry a guest's values. They take types that only guest_value.h makes, so that what a guest
// wrote cannot be out of range in a message.
#pragma once

#include "guest_value.h"
#include "link_protocol.h"

// A shared page and the guest's port for it.
struct ring {
    struct grant_reference page;
    struct event_port port;
};

// A stream of a sound card.
struct pcm_rings {
    struct ring requests, events;
};

struct link_message link_encode_fbif(unsigned slot, struct guest_frame page, struct event_port port,
                                     uint32_t videoram_limit);
struct link_message link_encode_displif(unsigned slot, struct ring requests, struct ring events,
                                        struct screen_size size);
struct link_message link_encode_sndif(unsigned slot, const struct pcm_rings *playback, const struct pcm_rings *capture);
// range NULL: movements only.
struct link_message link_encode_keyboard_by_grant(unsigned slot, struct ring ring, const struct screen_size *range);
struct link_message link_encode_keyboard_by_frame(unsigned slot, struct guest_frame page, struct event_port port,
                                                  const struct screen_size *range);
