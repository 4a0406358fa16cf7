// The clock of guests' sound.
#include "player.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"

enum {
    TURN_MS = 10,
    QUEUE_MS = 60,     // what waits at PulseAudio: what this process may be late without a gap
    STALL_MS = 1000,   // time that is made up for; more tells a guest nothing that it could still use
    LINGER_MS = 2000,  // a stream of playback is kept for the next start
    REOPEN_MS = 250,   // between two streams of one direction: what its guest can ask of PulseAudio
    PACE_PPM = 5000,   // two clocks of one kind are much closer than that
    STEP_FRAMES = 480, // carried at once
};

struct voice {
    struct source *source; // NULL: it does not run
    struct pcm_format format, stream_format;
    char name[LINK_NAME_SIZE];
    struct pulse_stream *stream;
    int64_t moved_at, stopped_at, opened_at; // microseconds
    uint64_t credit;                         // millionths of a frame that are due
    uint32_t gain;
    bool fresh; // nothing was written or read since the start, or since the queue was empty
    unsigned underruns;
};

struct player {
    const struct mixer *mixer;
    struct pulse *pulse;
    struct wl_event_source *timer;
    bool armed; // a start in between does not put off whose turn it is
    struct voice voices[LINK_SLOTS][DIRECTIONS];
};

static unsigned frames_of(const struct voice *voice, unsigned ms)
{
    return voice->format.rate * ms / 1000;
}

// How much faster than its nominal rate a guest is moved on, in millionths: PulseAudio's clock is its card's, and a
// queue that gets shorter or longer says how that differs from ours.
static int pace(const struct voice *voice, enum direction direction)
{
    int queued = voice->stream ? pulse_queued(voice->stream) : -1, target = (int)frames_of(voice, QUEUE_MS);
    if (queued < 0)
        return 0;
    int missing = direction == PLAYBACK ? target - queued : queued - target;
    missing = missing > target ? target : missing < -target ? -target : missing;
    return missing * PACE_PPM / target;
}

static unsigned frames_due(struct voice *voice, enum direction direction, int64_t now)
{
    int64_t elapsed = now - voice->moved_at;
    if (elapsed < 0)
        elapsed = 0;
    if (elapsed > STALL_MS * 1000)
        elapsed = STALL_MS * 1000;
    voice->moved_at = now;
    int64_t nominal = elapsed * voice->format.rate;
    voice->credit += (uint64_t)(nominal + nominal / 1000000 * pace(voice, direction));
    unsigned frames = (unsigned)(voice->credit / 1000000);
    voice->credit %= 1000000;
    return frames;
}

static void feed(struct voice *voice, const int16_t *samples, unsigned frames)
{
    static const int16_t silence[STEP_FRAMES * PCM_CHANNELS_MAX];
    int queued = voice->stream ? pulse_queued(voice->stream) : -1;
    if (queued < 0 || queued > (int)frames_of(voice, 2 * QUEUE_MS))
        return;
    if (queued == 0) {
        voice->underruns += !voice->fresh;
        for (unsigned left = frames_of(voice, QUEUE_MS), now; left > 0; left -= now) {
            now = left < STEP_FRAMES ? left : STEP_FRAMES;
            pulse_write(voice->stream, silence, now);
        }
    }
    voice->fresh = false;
    pulse_write(voice->stream, samples, frames);
}

// A queue that was empty is left to fill first: one gap instead of many. What is too long in it is an old delay.
static void fetch(struct voice *voice, int16_t *samples, unsigned frames)
{
    int queued = voice->stream ? pulse_queued(voice->stream) : -1, target = (int)frames_of(voice, QUEUE_MS);
    if (queued < 0 || (voice->fresh && queued < target))
        return;
    for (unsigned got = frames; got == frames && queued > 2 * target; queued -= (int)frames)
        got = pulse_read(voice->stream, samples, frames);
    bool gap = pulse_read(voice->stream, samples, frames) < frames;
    voice->underruns += gap;
    voice->fresh = gap;
}

static void carry(struct player *player, unsigned slot, enum direction direction, unsigned frames)
{
    struct voice *voice = &player->voices[slot][direction];
    int16_t samples[STEP_FRAMES * PCM_CHANNELS_MAX] = {0};
    unsigned channels = voice->format.channels;
    if (direction == PLAYBACK) {
        voice->source->ops->play(voice->source, samples, frames);
        mixer_fade(&voice->gain, mixer_play_gain(player->mixer, slot), samples, frames, channels, voice->format.rate);
        feed(voice, samples, frames);
        return;
    }
    fetch(voice, samples, frames);
    mixer_fade(&voice->gain, mixer_record_gain(player->mixer, slot), samples, frames, channels, voice->format.rate);
    voice->source->ops->record(voice->source, samples, frames);
}

// Nothing is recorded of a guest that may not hear it.
static bool wants_stream(const struct player *player, unsigned slot, enum direction direction)
{
    const struct voice *voice = &player->voices[slot][direction];
    if (direction == CAPTURE && !mixer_record_gain(player->mixer, slot) && !voice->gain)
        return false;
    return voice->source != NULL;
}

static void drop_stream(struct voice *voice)
{
    pulse_close(voice->stream);
    voice->stream = NULL;
}

static void update_stream(struct player *player, unsigned slot, enum direction direction, int64_t now)
{
    struct voice *voice = &player->voices[slot][direction];
    bool wanted = wants_stream(player, slot, direction);
    bool lingers = direction == PLAYBACK && !voice->source && now - voice->stopped_at <= LINGER_MS * 1000;
    if (!wanted && !lingers)
        drop_stream(voice);
    if (wanted && voice->stream && memcmp(&voice->stream_format, &voice->format, sizeof(voice->format)) != 0)
        drop_stream(voice);
    if (!wanted || voice->stream || (voice->opened_at && now - voice->opened_at < REOPEN_MS * 1000))
        return;
    voice->stream = pulse_open(player->pulse, direction, voice->name, &voice->format, frames_of(voice, QUEUE_MS));
    voice->stream_format = voice->format;
    voice->opened_at = now;
    voice->fresh = true;
}

static bool turn_voice(struct player *player, unsigned slot, enum direction direction, int64_t now)
{
    struct voice *voice = &player->voices[slot][direction];
    update_stream(player, slot, direction, now);
    unsigned frames = voice->source ? frames_due(voice, direction, now) : 0;
    while (frames > 0 && voice->source) { // a source may end while it is moved on
        unsigned step = frames < STEP_FRAMES ? frames : STEP_FRAMES;
        carry(player, slot, direction, step);
        frames -= step;
    }
    return voice->source || voice->stream;
}

bool player_turn(struct player *player, int64_t now_us)
{
    bool more = false;
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        for (unsigned direction = 0; direction < DIRECTIONS; direction++)
            more |= turn_voice(player, slot, (enum direction)direction, now_us);
    return more;
}

static int on_timer(void *data)
{
    struct player *player = data;
    player->armed = player_turn(player, now_us());
    if (player->armed)
        wl_event_source_timer_update(player->timer, TURN_MS);
    return 0;
}

void player_start(struct player *player, unsigned slot, enum direction direction, struct source *source,
                  const struct pcm_format *format, const char *name)
{
    struct voice *voice = &player->voices[slot][direction];
    voice->source = source;
    voice->format = *format;
    strncpy(voice->name, name, sizeof(voice->name) - 1);
    voice->moved_at = now_us();
    voice->credit = 0;
    voice->gain = 0; // the first sample is no click either
    voice->fresh = true;
    if (!player->armed)
        wl_event_source_timer_update(player->timer, TURN_MS);
    player->armed = true;
}

void player_stop(struct player *player, unsigned slot, enum direction direction)
{
    struct voice *voice = &player->voices[slot][direction];
    if (!voice->source)
        return;
    if (voice->underruns)
        log_guest(slot, "PulseAudio ran out of its sound %u times", voice->underruns);
    voice->underruns = 0;
    voice->source = NULL;
    voice->stopped_at = now_us();
}

struct player *player_new(struct wl_event_loop *loop, const struct mixer *mixer, struct pulse *pulse)
{
    struct player *player = calloc(1, sizeof(*player));
    if (!player)
        return NULL;
    player->mixer = mixer;
    player->pulse = pulse;
    player->timer = wl_event_loop_add_timer(loop, on_timer, player);
    if (player->timer)
        return player;
    free(player);
    return NULL;
}

void player_free(struct player *player)
{
    if (!player)
        return;
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        for (unsigned direction = 0; direction < DIRECTIONS; direction++)
            drop_stream(&player->voices[slot][direction]);
    wl_event_source_remove(player->timer);
    free(player);
}
