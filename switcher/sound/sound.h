// The sound process: what its parts have in common.
#pragma once

#include <stdbool.h>
#include <wayland-server-core.h>

#include "link_protocol.h"
#include "mixer.h"
#include "player.h"
#include "ports.h"
#include "source.h"

struct sound_link;

struct sound_guest {
    bool present;
    uint32_t domid;
    char name[LINK_NAME_SIZE];
    struct source *source; // NULL: no sound card is connected
};

struct sound {
    struct wl_event_loop *loop;
    struct ports *ports;
    struct mixer mixer;
    struct player *player;
    struct sound_link *link;
    struct sound_guest guests[LINK_SLOTS];
};

// The guest's sound card is at its end, for this errno value: disconnects it and tells the manager. The source is gone
// afterwards.
void sound_source_failed(struct sound *sound, unsigned slot, int error);
