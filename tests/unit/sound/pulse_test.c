// Streams of PulseAudio, with a server that comes, dies and comes back.
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "../test_list.h"
#include "clock.h"
#include "pulse.h"
#include "pulse_fake.h"

static const struct pcm_format stereo = {48000, 2};
static struct wl_event_loop *loop;
static struct pulse *pulse;
static pa_mainloop_api api;
static unsigned said;

void log_info(const char *format, ...)
{
    (void)format;
    said++;
}

static void wait_for_retry(void)
{
    for (int64_t begin = now_ms(); now_ms() - begin < 1200;)
        wl_event_loop_dispatch(loop, 100);
}

static struct pulse_stream *play(const char *name)
{
    return pulse_open(pulse, PLAYBACK, name, &stereo, 2880);
}

static void a_queue_is_told(void)
{
    struct pulse_stream *stream = play("work");
    pa_stream *below = fake_streams[0];
    CHECK(below && strcmp(below->name, "work") == 0 && below->spec.rate == 48000 && below->spec.channels == 2);
    CHECK(below->spec.format == PA_SAMPLE_S16LE && below->buffer.tlength == 2 * 2880 * 4 && below->buffer.prebuf == 0);
    CHECK_EQUAL(0, pulse_queued(stream));
    int16_t samples[200] = {[198] = 1, [199] = 2};
    pulse_write(stream, samples, 100);
    CHECK(pulse_queued(stream) == 100 && below->queued == 400 && below->last[0] == 1 && below->last[2] == 2);
    below->queued = 3 * 2880 * 4; // more than was asked for
    CHECK_EQUAL(2 * 2880, pulse_queued(stream));
    pulse_close(stream);
    CHECK(!fake_streams[0]);
}

static void a_dead_server_is_looked_for(void)
{
    struct pulse_stream *one = play("one"), *two = play("two");
    int16_t samples[20] = {0};
    said = 0;
    fake_server_dies();
    CHECK(pulse_queued(one) == -1 && pulse_queued(two) == -1 && fake_contexts == 0);
    pulse_write(one, samples, 10); // goes nowhere
    pulse_close(two);              // ends while nobody is there
    struct pulse_stream *three = play("three");
    CHECK_EQUAL(-1, pulse_queued(three));
    wait_for_retry();
    wait_for_retry();
    CHECK(fake_contexts == 0 && said == 1); // one line, however often it was looked for
    fake_server = true;
    wait_for_retry();
    CHECK(pulse_queued(one) == 0 && pulse_queued(three) == 0 && said == 2);
    pulse_write(one, samples, 10);
    CHECK_EQUAL(10, pulse_queued(one));
    pulse_close(one);
    pulse_close(three);
}

static void a_card_that_comes_is_found(void)
{
    fake_cards = false;
    struct pulse_stream *stream = play("work");
    CHECK(pulse_queued(stream) == -1 && !fake_streams[0]);
    wait_for_retry();
    CHECK_EQUAL(-1, pulse_queued(stream));
    fake_cards = true;
    wait_for_retry();
    CHECK_EQUAL(0, pulse_queued(stream));
    pulse_close(stream);
}

static void pieces_of_any_size(void)
{
    struct pulse_stream *stream = pulse_open(pulse, CAPTURE, "work", &stereo, 2880);
    pa_stream *below = fake_streams[0];
    int16_t samples[400];
    CHECK(below->record && below->buffer.fragsize == 2880 * 2);
    CHECK(pulse_queued(stream) == 0 && pulse_read(stream, samples, 100) == 0);
    for (unsigned i = 0; i < 400; i++)
        below->piece[i] = (unsigned char)i;
    below->piece_bytes = 400; // 100 frames
    CHECK_EQUAL(100, pulse_queued(stream));
    CHECK_EQUAL(30, pulse_read(stream, samples, 30));
    CHECK(memcmp(samples, below->piece, 120) == 0 && pulse_queued(stream) == 70 && below->piece_bytes == 400);
    CHECK_EQUAL(70, pulse_read(stream, samples, 100));
    CHECK(memcmp(samples, below->piece + 120, 280) == 0 && below->piece_bytes == 0);
    below->piece_bytes = 40;
    below->hole = true;
    samples[0] = samples[19] = 5;
    CHECK(pulse_read(stream, samples, 10) == 10 && samples[0] == 0 && samples[19] == 0);
    below->hole = false;
    below->piece_bytes = 400;
    pulse_read(stream, samples, 30);
    fake_server_dies(); // in the middle of a piece
    fake_server = true;
    wait_for_retry();
    fake_streams[0]->piece_bytes = 400;
    CHECK_EQUAL(100, pulse_queued(stream));
    pulse_close(stream);
}

static const struct unit_test tests[] = {
    {"a queue is told", a_queue_is_told},
    {"a dead server is looked for", a_dead_server_is_looked_for},
    {"a card that comes is found", a_card_that_comes_is_found},
    {"pieces of any size", pieces_of_any_size},
};

static void around(void (*run)(void))
{
    fake_server = fake_cards = true;
    loop = wl_event_loop_create();
    pulse = pulse_new(&api, loop);
    run();
    pulse_free(pulse);
    CHECK_EQUAL(0, fake_contexts);
    wl_event_loop_destroy(loop);
}

int main(void)
{
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), around);
}
