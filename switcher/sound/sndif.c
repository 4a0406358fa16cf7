// The backend's half of sndif: the request rings, and the events that tell how far a stream is. Requests are copied out
// of the ring before they are looked at.
#include "xen_ring.h"

#include "sndif.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/io/sndif.h>

#include "clock.h"
#include "foreign.h"
#include "log.h"
#include "sndif_buffer.h"

static_assert(sizeof(struct xensnd_req) == 64 && sizeof(struct xensnd_resp) == 64, "sndif packet size");
static_assert(sizeof(struct xensnd_evt) == 64 && sizeof(struct xensnd_event_page) == 64, "sndif event size");

enum { RING_BYTES = 4096, SAMPLE_BYTES = sizeof(int16_t), PERIOD_MIN_MS = 5 };
// One stream's share of the main loop: so many requests in a turn, and after more than FREE_US a rest.
enum { REQUESTS_PER_TURN = 16, FREE_US = 2000, REST_FACTOR = 3 };
// Volumes of channels are thousandths of a decibel. Nothing is made louder than it is.
enum { DECIBEL = 1000, VOLUME_MIN = -96 * DECIBEL, VOLUME_MAX = 0 };

struct sndif;

struct stream {
    struct sndif *sndif;
    enum direction direction;
    int request_port, event_port;
    xen_sndif_back_ring_t ring;
    struct xensnd_event_page *events;
    uint32_t event_count; // produced, and the next event's id
    struct sndif_buffer buffer;
    struct pcm_format format;
    uint64_t period, next_event; // bytes, of the buffer's position; period 0: no events
    bool running, resting;       // resting until rest_timer
    struct wl_event_source *rest_timer;
    int32_t volumes[PCM_CHANNELS_MAX];
    bool muted[PCM_CHANNELS_MAX];
    uint32_t gains[PCM_CHANNELS_MAX]; // what the two above make
};

struct sndif {
    struct source base;
    struct sound *sound;
    unsigned slot;
    uint32_t domid;
    struct stream streams[DIRECTIONS];
};

#define READ_ONCE(x) (*(volatile __typeof__(x) *)&(x))

static size_t frame_bytes(const struct stream *stream)
{
    return (size_t)SAMPLE_BYTES * stream->format.channels;
}

// ---- events ----

static void send_position(struct stream *stream)
{
    stream->next_event = stream->buffer.position - stream->buffer.position % stream->period + stream->period;
    if (stream->event_count - READ_ONCE(stream->events->in_cons) >= XENSND_IN_RING_LEN)
        return; // the guest does not read its events; the next one tells as much
    struct xensnd_evt event = {.id = (uint16_t)stream->event_count, .type = XENSND_EVT_CUR_POS};
    event.op.cur_pos.position = stream->buffer.position;
    memcpy(&XENSND_IN_RING_REF(stream->events, stream->event_count), &event, sizeof(event));
    stream->event_count++;
    xen_wmb();
    stream->events->in_prod = stream->event_count;
    ports_notify(stream->sndif->sound->ports, stream->event_port);
}

// Linux's front end counts a period when a position is behind its end, not when it is there.
static void tell_position(struct stream *stream)
{
    if (stream->period && stream->buffer.position > stream->next_event)
        send_position(stream);
}

// ---- time goes on ----

static void apply_volumes(const struct stream *stream, int16_t *samples, unsigned frames)
{
    unsigned channels = stream->format.channels;
    for (unsigned channel = 0; channel < channels; channel++) {
        if (stream->gains[channel] == GAIN_ONE)
            continue;
        for (unsigned i = 0; i < frames; i++)
            samples[i * channels + channel] =
                (int16_t)((int64_t)samples[i * channels + channel] * stream->gains[channel] / GAIN_ONE);
    }
}

static void play(struct source *source, int16_t *samples, unsigned frames)
{
    struct stream *stream = &((struct sndif *)source)->streams[PLAYBACK];
    sndif_buffer_play(&stream->buffer, samples, frames * frame_bytes(stream));
    apply_volumes(stream, samples, frames);
    tell_position(stream);
}

static void record(struct source *source, const int16_t *samples, unsigned frames)
{
    struct stream *stream = &((struct sndif *)source)->streams[CAPTURE];
    sndif_buffer_record(&stream->buffer, samples, frames * frame_bytes(stream));
    tell_position(stream);
}

static void stop(struct stream *stream)
{
    if (stream->running)
        player_stop(stream->sndif->sound->player, stream->sndif->slot, stream->direction);
    stream->running = false;
}

static void start(struct stream *stream)
{
    struct sndif *sndif = stream->sndif;
    const char *name = sndif->sound->guests[sndif->slot].name;
    if (!stream->running)
        player_start(sndif->sound->player, sndif->slot, stream->direction, &sndif->base, &stream->format, name);
    stream->running = true;
}

// ---- requests: 0, or an errno value, which are Xen's too ----

// NULL where the answer carries nothing but a status.
typedef int request_handler(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response);

static void set_gain(struct stream *stream, unsigned channel)
{
    double decibel = (double)stream->volumes[channel] / DECIBEL;
    stream->gains[channel] = stream->muted[channel] ? 0 : (uint32_t)(pow(10, decibel / 20) * GAIN_ONE);
}

static bool acceptable(const struct xensnd_open_req *r)
{
    uint32_t frame = SAMPLE_BYTES * r->pcm_channels;
    return r->pcm_format == XENSND_PCM_FORMAT_S16_LE && r->pcm_rate >= PCM_RATE_MIN && r->pcm_rate <= PCM_RATE_MAX &&
           r->pcm_channels >= 1 && r->pcm_channels <= PCM_CHANNELS_MAX && r->buffer_sz >= frame &&
           r->buffer_sz <= SNDIF_BUFFER_MAX && r->buffer_sz % frame == 0 && r->period_sz <= r->buffer_sz;
}

static int op_open(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    (void)response;
    const struct xensnd_open_req *open = &request->op.open;
    if (stream->buffer.shared)
        return EBUSY;
    if (!acceptable(open))
        return EINVAL;
    int error = sndif_buffer_open(&stream->buffer, stream->sndif->domid, open->gref_directory, open->buffer_sz);
    if (error)
        return error;
    stream->format = (struct pcm_format){open->pcm_rate, open->pcm_channels};
    stream->period = stream->next_event = open->period_sz;
    for (unsigned channel = 0; channel < PCM_CHANNELS_MAX; channel++) {
        stream->volumes[channel] = VOLUME_MAX;
        stream->muted[channel] = false;
        set_gain(stream, channel);
    }
    return 0;
}

// Linux closes what it has not opened, too.
static int op_close(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    (void)request, (void)response;
    stop(stream);
    sndif_buffer_close(&stream->buffer);
    return 0;
}

static int op_write(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    (void)response;
    const struct xensnd_rw_req *rw = &request->op.rw;
    if (stream->direction != PLAYBACK || !sndif_buffer_has(&stream->buffer, rw->offset, rw->length))
        return EINVAL;
    memcpy(stream->buffer.copy + rw->offset, stream->buffer.shared + rw->offset, rw->length);
    return 0;
}

static int op_read(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    (void)response;
    const struct xensnd_rw_req *rw = &request->op.rw;
    if (stream->direction != CAPTURE || !sndif_buffer_has(&stream->buffer, rw->offset, rw->length))
        return EINVAL;
    memcpy(stream->buffer.shared + rw->offset, stream->buffer.copy + rw->offset, rw->length);
    return 0;
}

static bool per_channel(const struct stream *stream, const struct xensnd_rw_req *rw, uint32_t size)
{
    return rw->length == size * stream->format.channels && sndif_buffer_has(&stream->buffer, rw->offset, rw->length);
}

static int op_set_volume(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    (void)response;
    const struct xensnd_rw_req *rw = &request->op.rw;
    int32_t volumes[PCM_CHANNELS_MAX];
    if (!per_channel(stream, rw, sizeof(volumes[0])))
        return EINVAL;
    memcpy(volumes, stream->buffer.shared + rw->offset, rw->length);
    for (unsigned channel = 0; channel < stream->format.channels; channel++) {
        int32_t volume = volumes[channel] > VOLUME_MAX ? VOLUME_MAX : volumes[channel];
        stream->volumes[channel] = volume < VOLUME_MIN ? VOLUME_MIN : volume;
        set_gain(stream, channel);
    }
    return 0;
}

static int op_get_volume(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    (void)response;
    const struct xensnd_rw_req *rw = &request->op.rw;
    if (!per_channel(stream, rw, sizeof(stream->volumes[0])))
        return EINVAL;
    memcpy(stream->buffer.shared + rw->offset, stream->volumes, rw->length);
    return 0;
}

// The header draws a word for each channel and speaks of an octet: the length says which it is. The octets that are not
// zero name the channels that change.
static int op_mute(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    (void)response;
    const struct xensnd_rw_req *rw = &request->op.rw;
    uint8_t octets[PCM_CHANNELS_MAX * sizeof(uint32_t)];
    uint32_t size = per_channel(stream, rw, sizeof(uint8_t)) ? sizeof(uint8_t) : sizeof(uint32_t);
    if (!per_channel(stream, rw, size))
        return EINVAL;
    memcpy(octets, stream->buffer.shared + rw->offset, rw->length);
    for (unsigned channel = 0; channel < stream->format.channels; channel++) {
        if (octets[channel * size])
            stream->muted[channel] = request->operation == XENSND_OP_MUTE;
        set_gain(stream, channel);
    }
    return 0;
}

// A stop is followed by a new beginning at the buffer's begin: Linux writes there next, and takes the position for its
// place in the buffer without beginning to count anew. So the position goes there now, and the guest is told.
static void stop_for_good(struct stream *stream)
{
    stop(stream);
    sndif_buffer_rewind(&stream->buffer);
    if (stream->period)
        send_position(stream);
}

static int op_trigger(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    (void)response;
    switch (request->op.trigger.type) {
    case XENSND_OP_TRIGGER_START:
    case XENSND_OP_TRIGGER_RESUME:
        start(stream);
        return 0;
    case XENSND_OP_TRIGGER_PAUSE:
        stop(stream);
        return 0;
    case XENSND_OP_TRIGGER_STOP:
        stop_for_good(stream);
        return 0;
    default:
        return EINVAL;
    }
}

// Leaves what both allow; false: nothing.
static bool narrow(uint32_t *min, uint32_t *max, uint32_t lower, uint32_t upper)
{
    *min = *min > lower ? *min : lower;
    *max = *max < upper ? *max : upper;
    return *min <= *max;
}

static int op_query(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    (void)stream;
    struct xensnd_query_hw_param *hw = &response->resp.hw_param;
    *hw = request->op.hw_param;
    hw->formats &= UINT64_C(1) << XENSND_PCM_FORMAT_S16_LE;
    if (!hw->formats || !narrow(&hw->rates.min, &hw->rates.max, PCM_RATE_MIN, PCM_RATE_MAX) ||
        !narrow(&hw->channels.min, &hw->channels.max, 1, PCM_CHANNELS_MAX))
        return EINVAL;
    uint32_t frames = SNDIF_BUFFER_MAX / (SAMPLE_BYTES * hw->channels.min);
    uint32_t shortest = hw->rates.min * PERIOD_MIN_MS / 1000;
    return narrow(&hw->buffer.min, &hw->buffer.max, 1, frames) &&
                   narrow(&hw->period.min, &hw->period.max, shortest, frames)
               ? 0
               : EINVAL;
}

static const struct {
    request_handler *handle;
    bool closed; // also while no stream is open
} operations[] = {
    [XENSND_OP_OPEN] = {op_open, true},
    [XENSND_OP_CLOSE] = {op_close, true},
    [XENSND_OP_READ] = {op_read, false},
    [XENSND_OP_WRITE] = {op_write, false},
    [XENSND_OP_SET_VOLUME] = {op_set_volume, false},
    [XENSND_OP_GET_VOLUME] = {op_get_volume, false},
    [XENSND_OP_MUTE] = {op_mute, false},
    [XENSND_OP_UNMUTE] = {op_mute, false},
    [XENSND_OP_TRIGGER] = {op_trigger, false},
    [XENSND_OP_HW_PARAM_QUERY] = {op_query, true},
};

static int perform(struct stream *stream, const struct xensnd_req *request, struct xensnd_resp *response)
{
    if (request->operation >= sizeof(operations) / sizeof(operations[0]))
        return EOPNOTSUPP;
    if (!stream->buffer.shared && !operations[request->operation].closed)
        return EIO;
    return operations[request->operation].handle(stream, request, response);
}

static void serve(struct stream *stream, const struct xensnd_req *request)
{
    struct xensnd_resp response = {.id = request->id, .operation = request->operation};
    response.status = -perform(stream, request, &response);
    memcpy(RING_GET_RESPONSE(&stream->ring, stream->ring.rsp_prod_pvt), &response, sizeof(response));
    stream->ring.rsp_prod_pvt++;
}

// Copies requests out, performs them and answers, as many as one turn may have. Returns whether more are there, or -1
// when the ring cannot be right.
static int work(struct stream *stream)
{
    int notify, more = 1;
    for (unsigned done = 0; more && done < REQUESTS_PER_TURN;) {
        RING_IDX produced = READ_ONCE(stream->ring.sring->req_prod);
        xen_rmb();
        if (RING_REQUEST_PROD_OVERFLOW(&stream->ring, produced))
            return -1;
        for (; stream->ring.req_cons != produced && done < REQUESTS_PER_TURN; done++) {
            struct xensnd_req request;
            memcpy(&request, RING_GET_REQUEST(&stream->ring, stream->ring.req_cons), sizeof(request));
            stream->ring.req_cons++;
            serve(stream, &request);
        }
        RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&stream->ring, notify);
        if (notify)
            ports_notify(stream->sndif->sound->ports, stream->request_port);
        RING_FINAL_CHECK_FOR_REQUESTS(&stream->ring, more);
    }
    return more;
}

// A guest that asks for much, or for what takes long, then waits longer than it was worked for.
static void on_request(void *data)
{
    struct stream *stream = data;
    if (stream->resting)
        return; // on_rested() looks again
    int64_t begin = now_us();
    int more = work(stream);
    int64_t spent = now_us() - begin;
    if (more < 0) {
        sound_source_failed(stream->sndif->sound, stream->sndif->slot, EPROTO);
        return;
    }
    stream->resting = more || spent > FREE_US;
    if (stream->resting)
        wl_event_source_timer_update(stream->rest_timer, 1 + (int)(spent * REST_FACTOR / 1000));
}

static int on_rested(void *data)
{
    struct stream *stream = data;
    stream->resting = false;
    on_request(stream);
    return 0;
}

static void on_event_port(void *data)
{
    (void)data; // the guest has read events; nothing waits for that
}

// ---- connecting ----

static bool connect_stream(struct stream *stream, const struct link_sndif_stream *connect)
{
    struct ports *ports = stream->sndif->sound->ports;
    uint32_t domid = stream->sndif->domid, request_gref = connect->request_gref, event_gref = connect->event_gref;
    stream->rest_timer = wl_event_loop_add_timer(stream->sndif->sound->loop, on_rested, stream);
    if (!stream->rest_timer)
        return false;
    xen_sndif_sring_t *shared = foreign_map_grants(domid, &request_gref, 1, PROT_READ | PROT_WRITE);
    if (!shared)
        return false;
    BACK_RING_ATTACH(&stream->ring, shared, READ_ONCE(shared->rsp_prod), RING_BYTES);
    stream->events = foreign_map_grants(domid, &event_gref, 1, PROT_READ | PROT_WRITE);
    if (!stream->events)
        return false;
    stream->event_count = READ_ONCE(stream->events->in_prod);
    stream->request_port = ports_bind(ports, domid, connect->request_channel, on_request, stream);
    if (stream->request_port < 0)
        return false;
    stream->event_port = ports_bind(ports, domid, connect->event_channel, on_event_port, stream);
    stream->resting = true; // what is asked already has its turn when all is connected
    wl_event_source_timer_update(stream->rest_timer, 1);
    return stream->event_port >= 0;
}

static void disconnect_stream(struct stream *stream)
{
    stop(stream);
    ports_unbind(stream->sndif->sound->ports, stream->request_port);
    ports_unbind(stream->sndif->sound->ports, stream->event_port);
    if (stream->rest_timer)
        wl_event_source_remove(stream->rest_timer);
    sndif_buffer_close(&stream->buffer);
    foreign_unmap_grants(stream->ring.sring, 1);
    foreign_unmap_grants(stream->events, 1);
}

static void disconnect(struct source *source)
{
    struct sndif *sndif = (struct sndif *)source;
    for (unsigned i = 0; i < DIRECTIONS; i++)
        disconnect_stream(&sndif->streams[i]);
    free(sndif);
}

static const struct source_ops ops = {disconnect, play, record};

struct source *sndif_connect(struct sound *sound, unsigned slot, const struct link_sndif_connect *connect)
{
    struct sndif *sndif = calloc(1, sizeof(*sndif));
    if (!sndif)
        return NULL;
    *sndif = (struct sndif){.base = {&ops}, .sound = sound, .slot = slot, .domid = sound->guests[slot].domid};
    for (unsigned i = 0; i < DIRECTIONS; i++) {
        struct stream *stream = &sndif->streams[i];
        stream->sndif = sndif;
        stream->direction = (enum direction)i;
        stream->request_port = stream->event_port = -1;
    }
    if (!connect_stream(&sndif->streams[PLAYBACK], &connect->playback) ||
        !connect_stream(&sndif->streams[CAPTURE], &connect->capture)) {
        int error = errno;
        disconnect(&sndif->base);
        errno = error;
        return NULL;
    }
    return &sndif->base;
}
