// sndif as Linux's front end speaks it (sound/xen), and as one that wants to do harm does. The guest's memory and ports
// are those of fake_xen.h; the player is the test.
#include "xen_ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/io/sndif.h>

#include "../check.h"
#include "../random.h"
#include "../switcher/fake_xen.h"
#include "../test_list.h"
#include "clock.h"
#include "sndif.h"

enum { REQUESTS = 1, EVENTS = 2, CAPTURE_REQUESTS = 3, CAPTURE_EVENTS = 4, DIRECTORY = 9, BUFFER = 100 };
enum { RATE = 48000, FRAME = 4, SIZE = 16384, PERIOD = 4096, SLOT = 3 };

static uint8_t (*memory)[FAKE_PAGE];
static struct sound sound;
static struct source *card;
static xen_sndif_front_ring_t rings[DIRECTIONS];
static uint16_t next_id;
static int failed;
static struct {
    struct source *source;
    struct pcm_format format;
    unsigned starts;
} running[DIRECTIONS];

// ---- what sndif uses of the sound process ----

void player_start(struct player *player, unsigned slot, enum direction direction, struct source *source,
                  const struct pcm_format *format, const char *name)
{
    CHECK(player == sound.player && slot == SLOT && strcmp(name, "work") == 0);
    running[direction].source = source;
    running[direction].format = *format;
    running[direction].starts++;
}

void player_stop(struct player *player, unsigned slot, enum direction direction)
{
    CHECK(player == sound.player && slot == SLOT);
    running[direction].source = NULL;
}

void sound_source_failed(struct sound *sound_, unsigned slot, int error)
{
    CHECK(sound_ == &sound && slot == SLOT && failed == 0);
    failed = error;
    source_disconnect(card);
    card = NULL;
}

// ---- the guest ----

static struct xensnd_event_page *event_page(enum direction direction)
{
    return (struct xensnd_event_page *)memory[direction == PLAYBACK ? EVENTS : CAPTURE_EVENTS];
}

static void plug_in(void)
{
    int fd = memfd_create("guest", 0);
    CHECK(ftruncate(fd, (off_t)FAKE_PAGES * FAKE_PAGE) == 0 && dup2(fd, FAKE_MEMORY) == FAKE_MEMORY);
    memory = mmap(NULL, (size_t)FAKE_PAGES * FAKE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(memory != MAP_FAILED);
    close(fd);
    for (int i = 0; i < FAKE_PORT_COUNT; i++) {
        int port = eventfd(0, EFD_NONBLOCK);
        CHECK(dup2(port, FAKE_PORTS + i) == FAKE_PORTS + i);
        close(port);
    }
    uint32_t *directory = (uint32_t *)memory[DIRECTORY];
    for (unsigned i = 0; i < SNDIF_BUFFER_MAX / FAKE_PAGE; i++)
        directory[1 + i] = BUFFER + 2 * i; // not one after the other
    SHARED_RING_INIT((xen_sndif_sring_t *)memory[REQUESTS]);
    SHARED_RING_INIT((xen_sndif_sring_t *)memory[CAPTURE_REQUESTS]);
    FRONT_RING_INIT(&rings[PLAYBACK], (xen_sndif_sring_t *)memory[REQUESTS], FAKE_PAGE);
    FRONT_RING_INIT(&rings[CAPTURE], (xen_sndif_sring_t *)memory[CAPTURE_REQUESTS], FAKE_PAGE);
    memset(&sound, 0, sizeof(sound));
    sound.loop = wl_event_loop_create();
    sound.ports = ports_new(sound.loop);
    sound.player = (struct player *)&sound;
    strcpy(sound.guests[SLOT].name, "work");
    memset(running, 0, sizeof(running));
    failed = 0;
    struct link_sndif_connect connect = {{REQUESTS, 1, EVENTS, 2}, {CAPTURE_REQUESTS, 3, CAPTURE_EVENTS, 4}};
    card = sndif_connect(&sound, SLOT, &connect);
    CHECK(card);
}

static void pull_out(void)
{
    source_disconnect(card);
    card = NULL;
    ports_free(sound.ports);
    wl_event_loop_destroy(sound.loop);
    munmap(memory, (size_t)FAKE_PAGES * FAKE_PAGE);
    for (int fd = FAKE_MEMORY; fd < FAKE_PORTS + FAKE_PORT_COUNT; fd++)
        close(fd);
}

static void kick(enum direction direction)
{
    uint64_t one = 1;
    CHECK(write(FAKE_PORTS + (direction == PLAYBACK ? 1 : 3), &one, sizeof(one)) == sizeof(one));
}

static void push(enum direction direction, const struct xensnd_req *request)
{
    xen_sndif_front_ring_t *ring = &rings[direction];
    *RING_GET_REQUEST(ring, ring->req_prod_pvt) = *request;
    ring->req_prod_pvt++;
    RING_PUSH_REQUESTS(ring);
    kick(direction);
}

// One request and its answer, which must come within the time that Linux waits.
static struct xensnd_resp ask(enum direction direction, struct xensnd_req request)
{
    xen_sndif_front_ring_t *ring = &rings[direction];
    request.id = next_id++;
    push(direction, &request);
    for (int64_t begin = now_ms(); ring->sring->rsp_prod == ring->rsp_cons;) {
        CHECK(now_ms() - begin < 3000, "no answer to operation %u", request.operation);
        wl_event_loop_dispatch(sound.loop, 20);
    }
    struct xensnd_resp response = *RING_GET_RESPONSE(ring, ring->rsp_cons);
    ring->rsp_cons++;
    CHECK(response.id == request.id && response.operation == request.operation);
    return response;
}

static struct xensnd_req opening(void)
{
    struct xensnd_req request = {.operation = XENSND_OP_OPEN};
    request.op.open = (struct xensnd_open_req){RATE, XENSND_PCM_FORMAT_S16_LE, 2, 0, SIZE, DIRECTORY, PERIOD};
    return request;
}

static int open_stream(enum direction direction)
{
    return ask(direction, opening()).status;
}

static int plain(enum direction direction, uint8_t operation)
{
    return ask(direction, (struct xensnd_req){.operation = operation}).status;
}

static int trigger(enum direction direction, uint8_t type)
{
    struct xensnd_req request = {.operation = XENSND_OP_TRIGGER};
    request.op.trigger.type = type;
    return ask(direction, request).status;
}

static int transfer(enum direction direction, uint8_t operation, uint32_t offset, uint32_t length)
{
    struct xensnd_req request = {.operation = operation};
    request.op.rw = (struct xensnd_rw_req){offset, length};
    return ask(direction, request).status;
}

static uint8_t *shared(size_t offset)
{
    return memory[BUFFER + 2 * (offset / FAKE_PAGE)] + offset % FAKE_PAGE;
}

// Bytes that say where in the stream they are.
static uint8_t pattern(uint64_t place)
{
    return (uint8_t)(place * 7 + place / 251);
}

static void fill(uint64_t place, uint32_t offset, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        *shared(offset + i) = pattern(place + i);
}

static int16_t samples[SIZE];

static void play(unsigned frames)
{
    CHECK(running[PLAYBACK].source == card);
    memset(samples, 0x5a, sizeof(samples));
    card->ops->play(card, samples, frames);
}

static bool silent(size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (((uint8_t *)samples)[i])
            return false;
    return true;
}

static bool has_pattern(uint64_t place, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (((uint8_t *)samples)[i] != pattern(place + i))
            return false;
    return true;
}

// Positions told since the last look, as Linux reads them: by the event's number. The last of them, -1: none.
static unsigned events_seen;
static uint16_t event_id[DIRECTIONS];

static int64_t last_position(enum direction direction)
{
    struct xensnd_event_page *page = event_page(direction);
    int64_t position = -1;
    events_seen = 0;
    for (; page->in_cons != page->in_prod; page->in_cons++, event_id[direction]++, events_seen++) {
        const struct xensnd_evt *event = &XENSND_IN_RING_REF(page, page->in_cons);
        CHECK(event->id == event_id[direction] && event->type == XENSND_EVT_CUR_POS);
        position = (int64_t)event->op.cur_pos.position;
    }
    return position;
}

// ---- tests ----

static void plays_what_is_written(void)
{
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    CHECK(!running[PLAYBACK].source);
    uint64_t written = 0, played = 0;
    for (; written < SIZE; written += PERIOD) {
        fill(written, (uint32_t)written, PERIOD);
        CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, (uint32_t)written, PERIOD));
    }
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    CHECK(running[PLAYBACK].format.rate == RATE && running[PLAYBACK].format.channels == 2);
    for (unsigned round = 0; round < 50; round++) {
        play(300);
        CHECK(has_pattern(played, 300 * FRAME), "round %u", round);
        played += 300 * FRAME;
        while (written - played <= SIZE - PERIOD) { // Linux writes where it was told that all is played
            fill(written, written % SIZE, PERIOD);
            CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, written % SIZE, PERIOD));
            written += PERIOD;
        }
    }
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_STOP));
    CHECK(!running[PLAYBACK].source);
    CHECK_EQUAL(0, plain(PLAYBACK, XENSND_OP_CLOSE));
}

static void what_was_played_is_silence(void)
{
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    fill(0, 0, SIZE);
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, 0, PERIOD));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    play(PERIOD / FRAME);
    CHECK(has_pattern(0, PERIOD));
    play(PERIOD / FRAME); // shared, but never written
    CHECK(silent(PERIOD));
    play(SIZE / FRAME); // and round
    CHECK(silent(SIZE));
}

static void positions_are_told_by_periods(void)
{
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    play(PERIOD / FRAME); // at its end, but not behind it
    CHECK_EQUAL(-1, last_position(PLAYBACK));
    play(1);
    CHECK_EQUAL(PERIOD + FRAME, last_position(PLAYBACK));
    for (unsigned i = 2; i < 3 * XENSND_IN_RING_LEN; i++) {
        play(PERIOD / FRAME);
        CHECK_EQUAL((int64_t)PERIOD * i + FRAME, last_position(PLAYBACK));
        CHECK_EQUAL(1, events_seen);
    }
    play(SIZE / FRAME); // several at once are one event
    last_position(PLAYBACK);
    CHECK_EQUAL(1, events_seen);
}

static void no_period_no_events(void)
{
    struct xensnd_req request = opening();
    request.op.open.period_sz = 0;
    CHECK_EQUAL(0, ask(PLAYBACK, request).status);
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    play(SIZE / FRAME);
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_STOP));
    CHECK_EQUAL(-1, last_position(PLAYBACK));
}

// Linux's front end after an under-run: it counts on from where it was, and writes at the buffer's begin.
static void a_stop_begins_anew(void)
{
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    fill(0, 0, SIZE);
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, 0, SIZE));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    play(1000);
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_STOP));
    CHECK_EQUAL(SIZE, last_position(PLAYBACK));
    fill(5000, 0, PERIOD);
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, 0, PERIOD));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    play(PERIOD / FRAME + 1);
    CHECK(has_pattern(5000, PERIOD));
    CHECK_EQUAL(SIZE + PERIOD + FRAME, last_position(PLAYBACK));
    play(SIZE / FRAME - PERIOD / FRAME - 1);
    CHECK(silent(SIZE - PERIOD - FRAME)); // what was not played is gone
}

static void a_pause_goes_on(void)
{
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    fill(0, 0, SIZE);
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, 0, SIZE));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    play(100);
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_PAUSE));
    CHECK(!running[PLAYBACK].source);
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_RESUME));
    play(100);
    CHECK(has_pattern(100 * FRAME, 100 * FRAME));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_RESUME)); // it runs: nothing begins anew
    CHECK_EQUAL(2, running[PLAYBACK].starts);
    CHECK_EQUAL(-EINVAL, trigger(PLAYBACK, 4));
}

static void records(void)
{
    CHECK_EQUAL(0, open_stream(CAPTURE));
    CHECK_EQUAL(0, trigger(CAPTURE, XENSND_OP_TRIGGER_START));
    CHECK(running[CAPTURE].source == card && !running[PLAYBACK].source);
    uint64_t place = 0;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < PERIOD; i++)
            ((uint8_t *)samples)[i] = pattern(place + i);
        card->ops->record(card, samples, PERIOD / FRAME);
        CHECK_EQUAL(0, transfer(CAPTURE, XENSND_OP_READ, place % SIZE, PERIOD));
        for (unsigned i = 0; i < PERIOD; i++)
            CHECK_EQUAL(pattern(place + i), *shared(place % SIZE + i));
        place += PERIOD;
    }
    CHECK_EQUAL(20 * PERIOD, last_position(CAPTURE));
    CHECK_EQUAL(-EINVAL, transfer(CAPTURE, XENSND_OP_WRITE, 0, PERIOD));
}

static struct xensnd_query_hw_param all_that_is(void)
{
    return (struct xensnd_query_hw_param){
        UINT64_MAX, {0, UINT32_MAX}, {0, UINT32_MAX}, {0, UINT32_MAX}, {0, UINT32_MAX}};
}

static struct xensnd_resp query(struct xensnd_query_hw_param wanted)
{
    struct xensnd_req request = {.operation = XENSND_OP_HW_PARAM_QUERY};
    request.op.hw_param = wanted;
    return ask(PLAYBACK, request);
}

static void parameters_are_narrowed(void)
{
    struct xensnd_resp all = query(all_that_is());
    const struct xensnd_query_hw_param *got = &all.resp.hw_param;
    CHECK(all.status == 0 && got->formats == 1 << XENSND_PCM_FORMAT_S16_LE);
    CHECK(got->rates.min == PCM_RATE_MIN && got->rates.max == PCM_RATE_MAX);
    CHECK(got->channels.min == 1 && got->channels.max == PCM_CHANNELS_MAX);
    CHECK(got->buffer.min == 1 && got->buffer.max == SNDIF_BUFFER_MAX / 2);
    CHECK(got->period.min == 40 && got->period.max == SNDIF_BUFFER_MAX / 2);
    struct xensnd_query_hw_param wanted = all_that_is();
    wanted.rates.min = wanted.rates.max = RATE;
    wanted.channels.min = wanted.channels.max = 2;
    wanted.period.min = 100;
    struct xensnd_resp some = query(wanted);
    got = &some.resp.hw_param;
    CHECK(some.status == 0 && got->rates.min == RATE && got->rates.max == RATE && got->channels.min == 2);
    CHECK(got->buffer.max == SNDIF_BUFFER_MAX / FRAME && got->period.min == 240);
    wanted.rates.min = wanted.rates.max = 192000;
    CHECK_EQUAL(-EINVAL, query(wanted).status);
    wanted = all_that_is();
    wanted.formats = 1 << XENSND_PCM_FORMAT_U8;
    CHECK_EQUAL(-EINVAL, query(wanted).status);
    wanted = all_that_is();
    wanted.channels.min = 3;
    CHECK_EQUAL(-EINVAL, query(wanted).status);
    wanted = all_that_is();
    wanted.period.max = 10;
    CHECK_EQUAL(-EINVAL, query(wanted).status);
}

static void volumes_of_channels(void)
{
    int32_t volumes[2] = {-6021, 40000}; // half, and louder than there is
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    memcpy(shared(8192), volumes, sizeof(volumes));
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_SET_VOLUME, 8192, sizeof(volumes)));
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_GET_VOLUME, 12288, sizeof(volumes)));
    memcpy(volumes, shared(12288), sizeof(volumes));
    CHECK(volumes[0] == -6021 && volumes[1] == 0);
    int16_t frame[2] = {20000, -20000};
    memcpy(shared(0), frame, sizeof(frame));
    memcpy(shared(FRAME), frame, sizeof(frame));
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, 0, 2 * FRAME));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    play(1);
    CHECK(abs(samples[0] - 10000) < 10 && samples[1] == -20000);
    memcpy(shared(8192), (uint8_t[]){0, 1}, 2);
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_MUTE, 8192, 2));
    play(1);
    CHECK(abs(samples[0] - 10000) < 10 && samples[1] == 0);
    memcpy(shared(8192), (uint32_t[]){0, 1}, 8); // in words
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_UNMUTE, 8192, 8));
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, 0, 3 * FRAME)); // the third of nothing
    CHECK_EQUAL(-EINVAL, transfer(PLAYBACK, XENSND_OP_MUTE, 8192, 3));
    CHECK_EQUAL(-EINVAL, transfer(PLAYBACK, XENSND_OP_SET_VOLUME, SIZE - 4, 8));
    CHECK_EQUAL(-EINVAL, transfer(PLAYBACK, XENSND_OP_GET_VOLUME, 0, 4));
    CHECK_EQUAL(0, plain(PLAYBACK, XENSND_OP_CLOSE));
    CHECK_EQUAL(0, open_stream(PLAYBACK)); // the next one has volumes of its own
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_GET_VOLUME, 12288, sizeof(volumes)));
    memcpy(volumes, shared(12288), sizeof(volumes));
    CHECK(volumes[0] == 0 && volumes[1] == 0);
}

static void order_of_operations(void)
{
    static const uint8_t need_open[] = {XENSND_OP_READ, XENSND_OP_WRITE,  XENSND_OP_SET_VOLUME, XENSND_OP_GET_VOLUME,
                                        XENSND_OP_MUTE, XENSND_OP_UNMUTE, XENSND_OP_TRIGGER};
    for (unsigned i = 0; i < sizeof(need_open); i++)
        CHECK_EQUAL(-EIO, plain(PLAYBACK, need_open[i]), "operation %u", need_open[i]);
    CHECK_EQUAL(0, plain(PLAYBACK, XENSND_OP_CLOSE)); // as Linux does
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    CHECK_EQUAL(-EBUSY, open_stream(PLAYBACK));
    CHECK_EQUAL(0, open_stream(CAPTURE)); // is another stream
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    CHECK_EQUAL(0, plain(PLAYBACK, XENSND_OP_CLOSE)); // and is stopped with it
    CHECK(!running[PLAYBACK].source);
    CHECK_EQUAL(-EOPNOTSUPP, plain(PLAYBACK, 10));
    CHECK_EQUAL(-EOPNOTSUPP, plain(PLAYBACK, 255));
}

static void bad_openings(void)
{
    static const struct xensnd_open_req bad[] = {
        {0, 2, 2, 0, SIZE, DIRECTORY, PERIOD},
        {7999, 2, 2, 0, SIZE, DIRECTORY, PERIOD},
        {48001, 2, 2, 0, SIZE, DIRECTORY, PERIOD},
        {UINT32_MAX, 2, 2, 0, SIZE, DIRECTORY, PERIOD},
        {RATE, 1, 2, 0, SIZE, DIRECTORY, PERIOD},
        {RATE, 255, 2, 0, SIZE, DIRECTORY, PERIOD},
        {RATE, 2, 0, 0, SIZE, DIRECTORY, PERIOD},
        {RATE, 2, 3, 0, 3 * PERIOD, DIRECTORY, PERIOD},
        {RATE, 2, 4, 0, SIZE, DIRECTORY, PERIOD},
        {RATE, 2, 255, 0, 510 * 16, DIRECTORY, 0},
        {RATE, 2, 2, 0, 0, DIRECTORY, 0},
        {RATE, 2, 2, 0, 3, DIRECTORY, 0},
        {RATE, 2, 2, 0, SIZE + 2, DIRECTORY, PERIOD},
        {RATE, 2, 2, 0, SNDIF_BUFFER_MAX + FRAME, DIRECTORY, PERIOD},
        {RATE, 2, 2, 0, UINT32_MAX - 3, DIRECTORY, PERIOD},
        {RATE, 2, 2, 0, SIZE, 0, PERIOD},
        {RATE, 2, 2, 0, SIZE, DIRECTORY, SIZE + 1},
        {RATE, 2, 2, 0, SIZE, DIRECTORY, UINT32_MAX},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct xensnd_req request = {.operation = XENSND_OP_OPEN};
        request.op.open = bad[i];
        CHECK_EQUAL(-EINVAL, ask(PLAYBACK, request).status, "row %u", i);
        CHECK_EQUAL(-EIO, trigger(PLAYBACK, XENSND_OP_TRIGGER_START), "row %u", i);
    }
    struct xensnd_req request = opening();
    request.op.open.gref_directory = UINT32_MAX; // a page that is not granted
    CHECK_EQUAL(-EFAULT, ask(PLAYBACK, request).status);
    ((uint32_t *)memory[DIRECTORY])[2] = UINT32_MAX;
    CHECK_EQUAL(-EFAULT, open_stream(PLAYBACK));
    ((uint32_t *)memory[DIRECTORY])[2] = BUFFER + 2;
    CHECK_EQUAL(0, open_stream(PLAYBACK));
}

static void pieces_outside(void)
{
    static const uint32_t bad[][2] = {{SIZE, 1},          {SIZE - 1, 2},       {0, SIZE + 1},
                                      {UINT32_MAX, 1},    {1, UINT32_MAX},     {UINT32_MAX, UINT32_MAX},
                                      {SIZE / 2, SIZE},   {UINT32_MAX - 3, 8}, {0x80000000, 0x80000000},
                                      {0x80000000, SIZE}, {SIZE + 1, 0}};
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    CHECK_EQUAL(0, open_stream(CAPTURE));
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQUAL(-EINVAL, transfer(PLAYBACK, XENSND_OP_WRITE, bad[i][0], bad[i][1]), "row %u", i);
        CHECK_EQUAL(-EINVAL, transfer(CAPTURE, XENSND_OP_READ, bad[i][0], bad[i][1]), "row %u", i);
    }
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, SIZE, 0));
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, 0, SIZE));
}

// Any request at all, on both rings, with the player going on.
static void any_request(void)
{
    for (unsigned round = 0; round < 20000; round++) {
        enum direction direction = random_below(DIRECTIONS);
        struct xensnd_req request;
        for (unsigned i = 0; i < sizeof(request) / 4; i++)
            ((uint32_t *)&request)[i] = (uint32_t)random_value();
        request.operation = (uint8_t)random_below(11);
        if (request.operation == XENSND_OP_OPEN && random_below(4))
            request = opening();
        if (request.operation == XENSND_OP_TRIGGER)
            request.op.trigger.type = (uint8_t)random_below(5);
        if (random_below(2) && request.operation >= XENSND_OP_READ && request.operation <= XENSND_OP_UNMUTE)
            request.op.rw = (struct xensnd_rw_req){random_below(SIZE), random_below(16)};
        ask(direction, request);
        if (running[PLAYBACK].source)
            play(random_below(SIZE / FRAME));
        if (running[CAPTURE].source)
            card->ops->record(card, samples, random_below(SIZE / FRAME));
    }
    CHECK_EQUAL(0, failed);
}

static void impossible_ring(void)
{
    ((xen_sndif_sring_t *)memory[REQUESTS])->req_prod = 1000;
    kick(PLAYBACK);
    for (int64_t begin = now_ms(); !failed && now_ms() - begin < 3000;)
        wl_event_loop_dispatch(sound.loop, 20);
    CHECK_EQUAL(EPROTO, failed);
    CHECK(!card);
}

// The events' counter that is the guest's says that it has read more than there was, or nothing for ever.
static void events_that_nobody_reads(void)
{
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    for (unsigned i = 0; i < 3 * XENSND_IN_RING_LEN; i++)
        play(PERIOD / FRAME + 1);
    CHECK_EQUAL(XENSND_IN_RING_LEN, event_page(PLAYBACK)->in_prod);
    event_page(PLAYBACK)->in_cons = 0x7fffffff;
    for (unsigned i = 0; i < 3 * XENSND_IN_RING_LEN; i++)
        play(PERIOD / FRAME + 1);
    CHECK_EQUAL(0, transfer(PLAYBACK, XENSND_OP_WRITE, 0, PERIOD));
}

static atomic_bool ends;

static void *scribble(void *data)
{
    (void)data;
    random_seed(7);
    while (!ends) {
        ((uint32_t *)memory[DIRECTORY])[random_below(8)] = random_below(2) ? BUFFER + random_below(32) : 0;
        *(uint32_t *)shared(4 * random_below(SIZE / 4)) = (uint32_t)random64();
        ((uint32_t *)memory[REQUESTS])[16 + random_below(1000)] = (uint32_t)random_value();
        event_page(PLAYBACK)->in_cons = (uint32_t)random_value();
    }
    return NULL;
}

// All that can be read twice changes meanwhile.
static void memory_that_changes(void)
{
    pthread_t thread;
    ends = false;
    pthread_create(&thread, NULL, scribble, NULL);
    xen_sndif_front_ring_t *ring = &rings[PLAYBACK];
    for (unsigned round = 0; round < 20000; round++) {
        struct xensnd_req request = opening();
        if (round % 3) {
            request.operation = (uint8_t)(round % 3 == 1 ? random_below(11) : XENSND_OP_SET_VOLUME);
            request.op.rw = (struct xensnd_rw_req){0, 8};
        }
        while (RING_FULL(ring)) {
            wl_event_loop_dispatch(sound.loop, 5);
            ring->rsp_cons = ring->sring->rsp_prod;
        }
        push(PLAYBACK, &request);
        if (running[PLAYBACK].source)
            play(100);
    }
    ends = true;
    pthread_join(thread, NULL);
    CHECK_EQUAL(0, failed);
}

// A guest that asks without end has its share of the loop, and others have theirs.
static void a_flood_takes_turns(void)
{
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    xen_sndif_front_ring_t *ring = &rings[PLAYBACK];
    unsigned most = 0, served = 0;
    for (unsigned turn = 0; turn < 200; turn++) {
        struct xensnd_req request = {.operation = XENSND_OP_WRITE};
        request.op.rw = (struct xensnd_rw_req){0, SIZE};
        ring->rsp_cons = ring->sring->rsp_prod;
        while (!RING_FULL(ring))
            push(PLAYBACK, &request);
        wl_event_loop_dispatch(sound.loop, 50);
        unsigned now = ring->sring->rsp_prod - ring->rsp_cons;
        most = now > most ? now : most;
        served += now;
    }
    CHECK(most <= 16, "%u in one turn", most);
    CHECK(served > 200);
}

static void next_one_goes_on(void)
{
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    for (unsigned i = 0; i < 3; i++)
        play(PERIOD / FRAME + 1);
    last_position(PLAYBACK);
    source_disconnect(card); // the process ends; the guest knows nothing of it
    push(PLAYBACK, &(struct xensnd_req){.id = 77, .operation = XENSND_OP_WRITE});
    struct link_sndif_connect connect = {{REQUESTS, 1, EVENTS, 2}, {CAPTURE_REQUESTS, 3, CAPTURE_EVENTS, 4}};
    card = sndif_connect(&sound, SLOT, &connect);
    for (int64_t begin = now_ms(); rings[PLAYBACK].sring->rsp_prod == rings[PLAYBACK].rsp_cons;) {
        CHECK(now_ms() - begin < 3000);
        wl_event_loop_dispatch(sound.loop, 20);
    }
    struct xensnd_resp response = *RING_GET_RESPONSE(&rings[PLAYBACK], rings[PLAYBACK].rsp_cons);
    rings[PLAYBACK].rsp_cons++;
    CHECK(response.id == 77 && response.status == -EIO); // its program opens the card again
    CHECK_EQUAL(0, plain(PLAYBACK, XENSND_OP_CLOSE));
    CHECK_EQUAL(0, open_stream(PLAYBACK));
    CHECK_EQUAL(0, trigger(PLAYBACK, XENSND_OP_TRIGGER_START));
    play(PERIOD / FRAME + 1);
    CHECK_EQUAL(PERIOD + FRAME, last_position(PLAYBACK)); // by the numbers of events that come next
}

static const struct unit_test tests[] = {
    {"plays what is written", plays_what_is_written},
    {"what was played is silence", what_was_played_is_silence},
    {"positions are told by periods", positions_are_told_by_periods},
    {"no period, no events", no_period_no_events},
    {"a stop begins anew", a_stop_begins_anew},
    {"a pause goes on", a_pause_goes_on},
    {"records", records},
    {"parameters are narrowed", parameters_are_narrowed},
    {"volumes of channels", volumes_of_channels},
    {"order of operations", order_of_operations},
    {"bad openings", bad_openings},
    {"pieces outside the buffer", pieces_outside},
    {"any request", any_request},
    {"a ring that cannot be", impossible_ring},
    {"events that nobody reads", events_that_nobody_reads},
    {"memory that changes", memory_that_changes},
    {"a flood takes turns", a_flood_takes_turns},
    {"the next process goes on", next_one_goes_on},
};

static void around(void (*run)(void))
{
    memset(event_id, 0, sizeof(event_id));
    plug_in();
    run();
    pull_out();
}

int main(void)
{
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), around);
}
