// The clock of guests' sound, with streams that the test makes and a time that is the test's.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"
#include "../test_list.h"
#include "clock.h"
#include "player.h"

enum { RATE = 48000, LOUD = 16000, STREAMS = 4, QUEUE = RATE * 60 / 1000 };

static struct wl_event_loop *loop;
static struct mixer mixer;
static struct player *player;
static int64_t now; // microseconds
static unsigned underruns_logged, timer_set;

void log_guest(unsigned slot, const char *format, ...)
{
    (void)slot, (void)format;
    underruns_logged++;
}

int __real_wl_event_source_timer_update(struct wl_event_source *source, int ms);
int __wrap_wl_event_source_timer_update(struct wl_event_source *source, int ms);
int __wrap_wl_event_source_timer_update(struct wl_event_source *source, int ms)
{
    timer_set++;
    return __real_wl_event_source_timer_update(source, ms);
}

// ---- PulseAudio ----

struct pulse_stream {
    bool open, away;
    enum direction direction;
    struct pcm_format format;
    int queued;
    unsigned long written; // frames
    int16_t last, peak;
    char name[16];
};

static struct pulse_stream streams[STREAMS];
static unsigned opened;
static bool no_server;

struct pulse_stream *pulse_open(struct pulse *pulse, enum direction direction, const char *name,
                                const struct pcm_format *format, unsigned frames)
{
    CHECK(pulse == (struct pulse *)&streams && frames == format->rate * 60 / 1000);
    opened++;
    for (unsigned i = 0; i < STREAMS; i++) {
        if (streams[i].open)
            continue;
        streams[i] = (struct pulse_stream){.open = true, .direction = direction, .format = *format};
        strncpy(streams[i].name, name, sizeof(streams[i].name) - 1);
        return &streams[i];
    }
    CHECK(!"that many streams");
    return NULL;
}

void pulse_close(struct pulse_stream *stream)
{
    if (stream)
        stream->open = false;
}

int pulse_queued(const struct pulse_stream *stream)
{
    CHECK(stream->open);
    return no_server ? -1 : stream->queued;
}

void pulse_write(struct pulse_stream *stream, const int16_t *samples, unsigned frames)
{
    CHECK(stream->open && !no_server && stream->direction == PLAYBACK && frames > 0);
    stream->queued += (int)frames;
    stream->written += frames;
    for (unsigned i = 0; i < frames * stream->format.channels; i++)
        stream->peak = samples[i] > stream->peak ? samples[i] : stream->peak;
    stream->last = samples[frames * stream->format.channels - 1];
}

unsigned pulse_read(struct pulse_stream *stream, int16_t *samples, unsigned frames)
{
    CHECK(stream->open && stream->direction == CAPTURE);
    unsigned got = (int)frames < stream->queued ? frames : (unsigned)stream->queued;
    for (unsigned i = 0; i < got * stream->format.channels; i++)
        samples[i] = LOUD;
    stream->queued -= (int)got;
    return got;
}

// ---- guests ----

struct card {
    struct source source;
    unsigned long played, recorded; // frames
    int16_t heard;                  // the last sample recorded
};

static void play(struct source *source, int16_t *samples, unsigned frames)
{
    for (unsigned i = 0; i < 2 * frames; i++)
        samples[i] = LOUD;
    ((struct card *)source)->played += frames;
}

static void record(struct source *source, const int16_t *samples, unsigned frames)
{
    ((struct card *)source)->recorded += frames;
    ((struct card *)source)->heard = samples[2 * frames - 1];
}

static const struct source_ops ops = {NULL, play, record};
static struct card cards[3];
static const struct pcm_format stereo = {RATE, 2};

static void start(unsigned slot, enum direction direction)
{
    player_start(player, slot, direction, &cards[slot].source, &stereo, slot == 1 ? "one" : "two");
    now = now_us();
}

// Turns of 10 ms, in which streams hear or give what a card of that rate does.
static bool turns(unsigned count, unsigned rate)
{
    bool more = true;
    for (unsigned i = 0; i < count; i++) {
        now += 10000;
        for (unsigned s = 0; s < STREAMS; s++) {
            int frames = (int)(rate / 100);
            if (streams[s].direction == CAPTURE)
                streams[s].queued += frames;
            else
                streams[s].queued = streams[s].queued < frames ? 0 : streams[s].queued - frames;
        }
        more = player_turn(player, now);
    }
    return more;
}

static struct pulse_stream *stream_named(const char *name, enum direction direction)
{
    for (unsigned i = 0; i < STREAMS; i++)
        if (streams[i].open && streams[i].direction == direction && strcmp(streams[i].name, name) == 0)
            return &streams[i];
    return NULL;
}

// ---- tests ----

static bool near(unsigned long wanted, unsigned long got)
{
    return got + wanted / 100 >= wanted && got <= wanted + wanted / 100;
}

static void time_is_the_clocks(void)
{
    start(1, PLAYBACK);
    turns(100, RATE);
    CHECK(near(RATE, cards[1].played), "%lu frames in a second", cards[1].played);
    CHECK(stream_named("one", PLAYBACK)->last == LOUD); // it is on screen
    no_server = true;
    turns(100, RATE);
    CHECK(near(2 * RATE, cards[1].played));
    no_server = false;
    unsigned long written = stream_named("one", PLAYBACK)->written;
    turns(100, RATE);
    CHECK(near(3 * RATE, cards[1].played));
    CHECK(stream_named("one", PLAYBACK)->written > written + RATE / 2);
}

static void a_stall_is_made_up_for_in_part(void)
{
    start(1, PLAYBACK);
    now += 10 * 1000000;
    player_turn(player, now);
    unsigned long played = cards[1].played;
    CHECK(near(RATE, played), "%lu", played);
    now -= 5 * 1000000; // time that goes back
    player_turn(player, now);
    CHECK_EQUAL(played, cards[1].played);
}

// A card whose clock is not ours: the queue neither runs empty nor grows.
static void follows_the_cards_clock(void)
{
    static const unsigned rates[] = {RATE - 100, RATE + 100}; // 2 in 1,000, many times what real ones differ
    for (unsigned i = 0; i < 2; i++) {
        start(1, PLAYBACK);
        turns(10, RATE);
        for (unsigned second = 0; second < 120; second++) {
            turns(100, rates[i]);
            int queued = stream_named("one", PLAYBACK)->queued;
            CHECK(queued > QUEUE / 4 && queued < 2 * QUEUE, "%d frames after %u s at %u", queued, second, rates[i]);
        }
        player_stop(player, 1, PLAYBACK);
        turns(300, RATE);
    }
    CHECK_EQUAL(0, underruns_logged);
}

static void focus_fades(void)
{
    start(1, PLAYBACK);
    start(2, PLAYBACK);
    turns(50, RATE);
    CHECK(stream_named("one", PLAYBACK)->last == LOUD && stream_named("two", PLAYBACK)->peak == 0);
    mixer.focus = 2;
    turns(1, RATE);
    int16_t between = stream_named("two", PLAYBACK)->last;
    CHECK(between > 0 && between < LOUD, "%d", between);
    turns(2, RATE);
    CHECK(stream_named("one", PLAYBACK)->last == 0 && stream_named("two", PLAYBACK)->last == LOUD);
}

static void the_microphone_is_one_guests(void)
{
    start(1, CAPTURE);
    start(2, CAPTURE);
    turns(50, RATE);
    CHECK_EQUAL(0, opened); // nobody hears it, so nothing is recorded
    CHECK(near(RATE / 2, cards[1].recorded) && cards[1].heard == 0);
    mixer_give_microphone(&mixer, 2);
    turns(50, RATE);
    CHECK(cards[2].heard == LOUD && cards[1].heard == 0);
    CHECK(!stream_named("one", CAPTURE));
    mixer_give_microphone(&mixer, 1);
    turns(50, RATE);
    CHECK(cards[1].heard == LOUD && cards[2].heard == 0);
    CHECK(!stream_named("two", CAPTURE));
    mixer_give_microphone(&mixer, 0);
    turns(50, RATE);
    CHECK(cards[1].heard == 0 && !stream_named("one", CAPTURE));
}

// A recording begins when there is a queue of it, has no old delay, and ends with its guest's.
static void a_recording_is_neither_late_nor_torn(void)
{
    mixer_give_microphone(&mixer, 1);
    start(1, CAPTURE);
    turns(4, RATE);
    CHECK(cards[1].heard == 0 && stream_named("one", CAPTURE)->queued > 0);
    turns(20, RATE);
    CHECK_EQUAL(LOUD, cards[1].heard);
    stream_named("one", CAPTURE)->queued += 10 * QUEUE;
    turns(1, RATE);
    CHECK(stream_named("one", CAPTURE)->queued <= 2 * QUEUE);
    stream_named("one", CAPTURE)->queued = 0;
    player_turn(player, now += 10000);
    turns(3, RATE);
    CHECK_EQUAL(0, cards[1].heard);
    turns(20, RATE);
    CHECK_EQUAL(LOUD, cards[1].heard);
    player_stop(player, 1, CAPTURE);
    CHECK_EQUAL(1, underruns_logged);
    turns(1, RATE);
    CHECK(!stream_named("one", CAPTURE));
}

static void a_gap_is_counted_and_filled(void)
{
    start(1, PLAYBACK);
    turns(20, RATE);
    stream_named("one", PLAYBACK)->queued = 0;
    player_turn(player, now += 10000);
    CHECK(stream_named("one", PLAYBACK)->queued > QUEUE);
    player_stop(player, 1, PLAYBACK);
    CHECK_EQUAL(1, underruns_logged);
}

// A card that stands still: nothing piles up.
static void a_full_queue_takes_no_more(void)
{
    start(1, PLAYBACK);
    turns(1000, 0);
    CHECK(stream_named("one", PLAYBACK)->queued < 3 * QUEUE);
    CHECK(near(10 * RATE, cards[1].played));
}

// What a guest does with its triggers and formats is not PulseAudio's load.
static void streams_are_not_made_without_end(void)
{
    struct pcm_format format = stereo;
    for (unsigned i = 0; i < 1000; i++) {
        format.rate = i % 2 ? RATE : 44100;
        player_start(player, 1, PLAYBACK, &cards[1].source, &format, "one");
        now = now < now_us() ? now_us() : now;
        turns(1, RATE);
        player_stop(player, 1, PLAYBACK);
    }
    CHECK(opened >= 2 && opened <= 1000 / 25 + 1, "%u streams in ten seconds", opened);
    opened = 0;
    for (unsigned i = 0; i < 100; i++) {
        player_start(player, 1, PLAYBACK, &cards[1].source, &stereo, "one");
        turns(1, RATE);
        player_stop(player, 1, PLAYBACK);
    }
    CHECK(opened <= 1);
}

static void idle_is_idle(void)
{
    start(1, PLAYBACK);
    CHECK(turns(10, RATE));
    player_stop(player, 1, PLAYBACK);
    CHECK(turns(100, RATE)); // the stream waits for the next start
    CHECK(!turns(150, RATE));
    CHECK(!stream_named("one", PLAYBACK));
}

// Starts of one guest do not put off the turns of another.
static void starts_put_off_nothing(void)
{
    start(1, PLAYBACK);
    CHECK_EQUAL(1, timer_set);
    for (unsigned i = 0; i < 100; i++) {
        player_start(player, 2, PLAYBACK, &cards[2].source, &stereo, "two");
        player_stop(player, 2, PLAYBACK);
    }
    CHECK_EQUAL(1, timer_set);
    for (int64_t begin = now_ms(); !cards[1].played && now_ms() - begin < 20000;)
        wl_event_loop_dispatch(loop, 100);
    CHECK(cards[1].played > 0);
    CHECK_EQUAL(2, timer_set); // for the next turn
}

static const struct unit_test tests[] = {
    {"time is the clock's", time_is_the_clocks},
    {"a stall is made up for in part", a_stall_is_made_up_for_in_part},
    {"follows the card's clock", follows_the_cards_clock},
    {"focus fades", focus_fades},
    {"the microphone is one guest's", the_microphone_is_one_guests},
    {"a recording is neither late nor torn", a_recording_is_neither_late_nor_torn},
    {"a gap is counted and filled", a_gap_is_counted_and_filled},
    {"a full queue takes no more", a_full_queue_takes_no_more},
    {"streams are not made without end", streams_are_not_made_without_end},
    {"idle is idle", idle_is_idle},
    {"starts put off nothing", starts_put_off_nothing},
};

static void around(void (*run)(void))
{
    loop = wl_event_loop_create();
    memset(&mixer, 0, sizeof(mixer));
    memset(streams, 0, sizeof(streams));
    memset(cards, 0, sizeof(cards));
    cards[1].source.ops = cards[2].source.ops = &ops;
    opened = underruns_logged = timer_set = 0;
    no_server = false;
    mixer.volume = LINK_VOLUME_MAX;
    mixer_add(&mixer, 1, GUEST_SOUND_MUTED, LINK_VOLUME_MAX);
    mixer_add(&mixer, 2, GUEST_SOUND_MUTED, LINK_VOLUME_MAX);
    mixer.focus = 1;
    player = player_new(loop, &mixer, (struct pulse *)&streams);
    run();
    player_free(player);
    wl_event_loop_destroy(loop);
}

int main(void)
{
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), around);
}
