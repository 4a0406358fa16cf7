// A guest's sound card as the rest of the sound process sees it, whichever protocol its guest or its device model
// speaks: sndif (sndif.h).
//
// A source says when one of its directions begins to run and when it ends (player_start(), player_stop()), and is then
// moved on by the clock: time is the player's, and goes on for the guest whether or not anybody hears it.
#pragma once

#include <stdint.h>

enum direction { PLAYBACK, CAPTURE, DIRECTIONS };

// Samples are int16_t of this processor's byte order, channels interleaved: a frame is one sample of each channel.
struct pcm_format {
    uint32_t rate; // PCM_RATE_MIN..PCM_RATE_MAX
    unsigned channels;
};

enum { PCM_RATE_MIN = 8000, PCM_RATE_MAX = 48000, PCM_CHANNELS_MAX = 2 };

struct source;

struct source_ops {
    void (*disconnect)(struct source *source);
    // So many frames later: gives all that was played meanwhile, silence where it has nothing.
    void (*play)(struct source *source, int16_t *samples, unsigned frames);
    // So many frames later: takes what was recorded meanwhile.
    void (*record)(struct source *source, const int16_t *samples, unsigned frames);
};

// The first member of what a protocol keeps of a sound card.
struct source {
    const struct source_ops *ops;
};

static inline void source_disconnect(struct source *source)
{
    if (source)
        source->ops->disconnect(source);
}
