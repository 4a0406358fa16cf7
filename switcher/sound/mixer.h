// Who is heard and how loud, and who hears the microphone: the rules alone, without devices and without a clock.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link_protocol.h"
#include "roundhouse_guest.h"

// A gain of 1.0. No gain is larger.
enum { GAIN_ONE = 1 << 16 };

struct mixer_guest {
    bool present;
    enum guest_sound rule;
    uint32_t volume; // 0..LINK_VOLUME_MAX
};

struct mixer {
    unsigned focus;      // the slot on screen; 0 is the switcher, and then no guest is
    unsigned microphone; // the slot that hears it; 0: nobody
    uint32_t volume;     // of the machine, 0..LINK_VOLUME_MAX
    struct mixer_guest guests[LINK_SLOTS];
};

// A guest that is new in its slot hears no microphone, whoever sat there before.
void mixer_add(struct mixer *mixer, unsigned slot, enum guest_sound rule, uint32_t volume);
void mixer_remove(struct mixer *mixer, unsigned slot);
// Takes it from whoever has it. A slot without a guest, or 0: nobody has it afterwards.
void mixer_give_microphone(struct mixer *mixer, unsigned slot);

// What a guest's samples are to be multiplied with; of its playback, and of what it records.
uint32_t mixer_play_gain(const struct mixer *mixer, unsigned slot);
uint32_t mixer_record_gain(const struct mixer *mixer, unsigned slot);

// Multiplies samples with a gain that goes from *gain towards `wanted` without a step that is heard as a click: from
// nothing to all takes MIXER_FADE_MS. *gain is the caller's to keep for what comes next.
enum { MIXER_FADE_MS = 20 };
void mixer_fade(uint32_t *gain, uint32_t wanted, int16_t *samples, size_t frames, unsigned channels, uint32_t rate);
