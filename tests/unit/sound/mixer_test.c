// The rules of sound: who is heard and how loud, whose the microphone is, and that no change is a step.
#include <stdlib.h>

#include "../check.h"
#include "../random.h"
#include "../test_list.h"
#include "mixer.h"

enum { RATE = 48000, CHUNK = 480 };

static struct mixer three(enum guest_sound second)
{
    struct mixer mixer = {.volume = LINK_VOLUME_MAX};
    mixer_add(&mixer, 1, GUEST_SOUND_MUTED, LINK_VOLUME_MAX);
    mixer_add(&mixer, 2, second, LINK_VOLUME_MAX);
    mixer_add(&mixer, 3, GUEST_SOUND_NONE, LINK_VOLUME_MAX);
    mixer.focus = 1;
    return mixer;
}

static void the_guest_on_screen_is_heard(void)
{
    static const struct {
        enum guest_sound rule;
        uint32_t away;
    } rows[] = {{GUEST_SOUND_MUTED, 0}, {GUEST_SOUND_DUCKED, GAIN_ONE / 10}, {GUEST_SOUND_KEPT, GAIN_ONE}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mixer mixer = three(rows[i].rule);
        CHECK_EQUAL(GAIN_ONE, mixer_play_gain(&mixer, 1));
        CHECK_EQUAL(rows[i].away, mixer_play_gain(&mixer, 2), "rule %u", rows[i].rule);
        mixer.focus = 2;
        CHECK_EQUAL(0, mixer_play_gain(&mixer, 1));
        CHECK_EQUAL(GAIN_ONE, mixer_play_gain(&mixer, 2), "rule %u", rows[i].rule);
        mixer.focus = 0; // the switcher: nobody is on screen
        CHECK_EQUAL(0, mixer_play_gain(&mixer, 1));
        CHECK_EQUAL(rows[i].away, mixer_play_gain(&mixer, 2), "rule %u", rows[i].rule);
        mixer.focus = 3;
        CHECK_EQUAL(0, mixer_play_gain(&mixer, 3)); // it has no sound, on screen neither
        CHECK_EQUAL(0, mixer_play_gain(&mixer, 4)); // nobody sits there
    }
}

static void volumes_multiply(void)
{
    struct mixer mixer = three(GUEST_SOUND_DUCKED);
    mixer.guests[1].volume = LINK_VOLUME_MAX / 2;
    CHECK_EQUAL(GAIN_ONE / 8, mixer_play_gain(&mixer, 1));
    mixer.volume = LINK_VOLUME_MAX / 2;
    CHECK_EQUAL(GAIN_ONE / 64, mixer_play_gain(&mixer, 1));
    CHECK_EQUAL(GAIN_ONE / 10 / 8, mixer_play_gain(&mixer, 2));
    mixer.guests[1].volume = 0;
    CHECK_EQUAL(0, mixer_play_gain(&mixer, 1));
    mixer.volume = 0;
    CHECK_EQUAL(0, mixer_play_gain(&mixer, 2));
    mixer.volume = mixer.guests[1].volume = LINK_VOLUME_MAX;
    uint32_t before = 0;
    for (mixer.volume = 1; mixer.volume <= LINK_VOLUME_MAX; mixer.volume++) {
        CHECK(mixer_play_gain(&mixer, 1) > before || mixer.volume < 3);
        before = mixer_play_gain(&mixer, 1);
    }
}

static void one_guest_hears_the_microphone(void)
{
    struct mixer mixer = three(GUEST_SOUND_KEPT);
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        CHECK_EQUAL(0, mixer_record_gain(&mixer, slot)); // to be on screen gives nothing
    for (unsigned given = 0; given < LINK_SLOTS; given++) {
        mixer_give_microphone(&mixer, given);
        for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
            CHECK_EQUAL(slot == given && slot >= 1 && slot <= 3 ? GAIN_ONE : 0, mixer_record_gain(&mixer, slot),
                        "slot %u, given to %u", slot, given);
    }
    mixer_give_microphone(&mixer, 2);
    mixer.focus = 1;
    CHECK_EQUAL(GAIN_ONE, mixer_record_gain(&mixer, 2)); // a call goes on while one looks elsewhere
    mixer_add(&mixer, 2, GUEST_SOUND_KEPT, LINK_VOLUME_MAX);
    CHECK_EQUAL(0, mixer_record_gain(&mixer, 2)); // another guest in the same place
    mixer_give_microphone(&mixer, 2);
    mixer_remove(&mixer, 2);
    CHECK_EQUAL(0, mixer_record_gain(&mixer, 2));
    CHECK_EQUAL(0, mixer.microphone);
}

static unsigned most_step(const int16_t *samples, size_t count, int before)
{
    unsigned most = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned step = (unsigned)abs(samples[i] - before);
        most = step > most ? step : most;
        before = samples[i];
    }
    return most;
}

static void changes_are_no_steps(void)
{
    uint32_t gain = 0;
    int16_t samples[CHUNK];
    int before = 0;
    for (unsigned chunk = 0; chunk < 8; chunk++) {
        for (unsigned i = 0; i < CHUNK; i++)
            samples[i] = 32767;
        mixer_fade(&gain, chunk < 4 ? GAIN_ONE : GAIN_ONE / 10, samples, CHUNK, 1, RATE);
        CHECK(most_step(samples, CHUNK, before) <= 32767 / (RATE * MIXER_FADE_MS / 1000) + 3, "chunk %u", chunk);
        before = samples[CHUNK - 1];
        if (chunk == 1 || chunk == 3) // 20 ms are over
            CHECK_EQUAL(32767, before);
    }
    CHECK_EQUAL(GAIN_ONE / 10, gain);
    CHECK_EQUAL(3276, before);
}

static void channels_fade_together(void)
{
    uint32_t gain = 0;
    int16_t samples[2 * CHUNK];
    for (unsigned i = 0; i < CHUNK; i++) {
        samples[2 * i] = -32768;
        samples[2 * i + 1] = 32767;
    }
    mixer_fade(&gain, GAIN_ONE, samples, CHUNK, 2, RATE);
    CHECK(gain > GAIN_ONE / 3 && gain < GAIN_ONE);
    for (unsigned i = 0; i < CHUNK; i++)
        CHECK(abs(samples[2 * i] + samples[2 * i + 1]) <= 1, "frame %u: %d and %d", i, samples[2 * i],
              samples[2 * i + 1]);
    for (unsigned i = 0; i < 2 * CHUNK; i++)
        samples[i] = (int16_t)random64();
    int16_t last = samples[2 * CHUNK - 1];
    gain = GAIN_ONE;
    mixer_fade(&gain, GAIN_ONE, samples, CHUNK, 2, RATE);
    CHECK_EQUAL(last, samples[2 * CHUNK - 1]); // at 1.0 nothing is changed
}

static const struct unit_test tests[] = {
    {"the guest on screen is heard, others by their rule", the_guest_on_screen_is_heard},
    {"volumes of guest and machine multiply", volumes_multiply},
    {"one guest hears the microphone", one_guest_hears_the_microphone},
    {"changes are no steps", changes_are_no_steps},
    {"channels fade together", channels_fade_together},
};

int main(void)
{
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
