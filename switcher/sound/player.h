// What moves guests' sound: a clock that moves each running direction of each source (source.h) on, and carries samples
// between it and a stream of PulseAudio (pulse.h), with the mixer's gains on them. Without PulseAudio, or while its
// queue is full, the clock goes on alone. While nothing runs there is no timer.
#pragma once

#include <stdint.h>
#include <wayland-server-core.h>

#include "mixer.h"
#include "pulse.h"
#include "source.h"

struct player;

// Mixer and pulse stay the caller's and outlive it. NULL when out of memory.
struct player *player_new(struct wl_event_loop *loop, const struct mixer *mixer, struct pulse *pulse);
void player_free(struct player *player);

// A direction of the slot's source runs from now on, or no longer. `name` is the guest's, for people who look at
// PulseAudio. A stop of what does not run does nothing.
void player_start(struct player *player, unsigned slot, enum direction direction, struct source *source,
                  const struct pcm_format *format, const char *name);
void player_stop(struct player *player, unsigned slot, enum direction direction);

// One turn, at this time of the monotonic clock; the timer calls it. False: nothing is left to be done.
bool player_turn(struct player *player, int64_t now_us);
