// The rules of sound.
#include "mixer.h"

#include <string.h>

// A ducked guest is 20 dB below what it would be on screen.
enum { DUCK_PARTS = 10 };

void mixer_add(struct mixer *mixer, unsigned slot, enum guest_sound rule, uint32_t volume)
{
    mixer_remove(mixer, slot);
    mixer->guests[slot] = (struct mixer_guest){true, rule, volume};
}

void mixer_remove(struct mixer *mixer, unsigned slot)
{
    if (mixer->microphone == slot)
        mixer->microphone = 0;
    mixer->guests[slot] = (struct mixer_guest){0};
}

void mixer_give_microphone(struct mixer *mixer, unsigned slot)
{
    mixer->microphone = mixer->guests[slot].present ? slot : 0;
}

// Loudness is heard by its logarithm; the cube of a volume's part is what PulseAudio's own volumes mean too.
static uint64_t gain_of(uint32_t volume)
{
    uint64_t cube = (uint64_t)volume * volume * volume;
    return cube * GAIN_ONE / ((uint64_t)LINK_VOLUME_MAX * LINK_VOLUME_MAX * LINK_VOLUME_MAX);
}

static uint64_t gain_off_screen(enum guest_sound rule)
{
    switch (rule) {
    case GUEST_SOUND_KEPT:
        return GAIN_ONE;
    case GUEST_SOUND_DUCKED:
        return GAIN_ONE / DUCK_PARTS;
    case GUEST_SOUND_MUTED:
    case GUEST_SOUND_NONE:
        break;
    }
    return 0;
}

uint32_t mixer_play_gain(const struct mixer *mixer, unsigned slot)
{
    const struct mixer_guest *guest = &mixer->guests[slot];
    if (!guest->present || guest->rule == GUEST_SOUND_NONE)
        return 0;
    uint64_t gain = mixer->focus == slot ? GAIN_ONE : gain_off_screen(guest->rule);
    gain = gain * gain_of(guest->volume) / GAIN_ONE;
    return (uint32_t)(gain * gain_of(mixer->volume) / GAIN_ONE);
}

uint32_t mixer_record_gain(const struct mixer *mixer, unsigned slot)
{
    return slot && mixer->microphone == slot ? GAIN_ONE : 0;
}

static uint32_t towards(uint32_t gain, uint32_t wanted, uint32_t step)
{
    if (gain < wanted)
        return wanted - gain < step ? wanted : gain + step;
    return gain - wanted < step ? wanted : gain - step;
}

void mixer_fade(uint32_t *gain, uint32_t wanted, int16_t *samples, size_t frames, unsigned channels, uint32_t rate)
{
    uint32_t step = (uint32_t)GAIN_ONE * 1000 / MIXER_FADE_MS / rate + 1;
    for (size_t frame = 0; frame < frames; frame++) {
        *gain = towards(*gain, wanted, step);
        for (unsigned channel = 0; channel < channels; channel++, samples++)
            *samples = (int16_t)((int64_t)*samples * *gain / GAIN_ONE);
    }
}
