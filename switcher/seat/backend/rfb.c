// Socket, picture and pacing of one RFB connection.
#include "rfb.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "rfb_protocol.h"
#include "seat.h"

// A server that takes no input keeps this much waiting; beyond the half only what must not get lost is added.
enum { QUEUE_BYTES = 8192, QUEUE_SOFT_BYTES = QUEUE_BYTES / 2, READ_BYTES = 256 << 10, NOTCHES_MAX = 16 };
// Each change of size is told to the manager and to the interface: a server may not do that all the time.
enum { HIDDEN_MS = 1000, RESIZES_PER_PERIOD = 20 };

enum weight { WEIGHT_MOVEMENT, WEIGHT_NORMAL, WEIGHT_ESSENTIAL };

struct rfb {
    struct backend base;
    struct guest *guest;
    int socket;
    struct wl_event_source *source, *timer;
    struct rfb_parser parser;
    struct rfb_listener listener;
    size_t limit; // bytes of the picture
    uint8_t *pixels;
    unsigned resizes; // in this period of the timer
    bool ready;       // the handshake is done
    bool whole;       // the next request is for the whole picture
    bool waiting;     // a request is unanswered
    bool absolute, failed;
    struct key_set held; // what it was sent the press of
    unsigned buttons;
    uint32_t x, y;
    uint8_t queue[QUEUE_BYTES];
    size_t queued, movement; // bytes; where a movement begins that is last and not yet sent, SIZE_MAX: none
};

static bool on_screen(const struct rfb *rfb)
{
    return seat_shows_guest(rfb->guest->seat, rfb->guest->slot);
}

static void fail(struct rfb *rfb, int error, const char *what)
{
    if (rfb->failed)
        return;
    rfb->failed = true;
    log_guest(rfb->guest->slot, "the device model %s", what);
    wl_event_source_fd_update(rfb->source, 0);
    guest_display_failed(rfb->guest, error);
}

// ---- to the server ----

static void queue_advance(struct rfb *rfb, size_t sent)
{
    memmove(rfb->queue, rfb->queue + sent, rfb->queued - sent);
    rfb->queued -= sent;
    rfb->movement = rfb->movement != SIZE_MAX && rfb->movement >= sent ? rfb->movement - sent : SIZE_MAX;
}

static void flush(struct rfb *rfb)
{
    while (rfb->queued > 0 && !rfb->failed) {
        ssize_t sent = send(rfb->socket, rfb->queue, rfb->queued, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            queue_advance(rfb, (size_t)sent);
        } else if (sent < 0 && errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            fail(rfb, EPIPE, "is gone");
        }
    }
    if (!rfb->failed)
        wl_event_source_fd_update(rfb->source, WL_EVENT_READABLE | (rfb->queued ? WL_EVENT_WRITABLE : 0));
}

static bool queue(struct rfb *rfb, const void *bytes, size_t size, enum weight weight)
{
    if (rfb->failed)
        return false;
    if (weight == WEIGHT_MOVEMENT && rfb->absolute && rfb->movement != SIZE_MAX)
        rfb->queued = rfb->movement; // a later position takes the place of one that still waits
    size_t limit = weight == WEIGHT_ESSENTIAL ? QUEUE_BYTES : QUEUE_SOFT_BYTES;
    if (rfb->queued + size > limit) {
        if (weight == WEIGHT_ESSENTIAL)
            fail(rfb, ETIMEDOUT, "takes no input any more");
        return false;
    }
    rfb->movement = weight == WEIGHT_MOVEMENT ? rfb->queued : SIZE_MAX;
    memcpy(rfb->queue + rfb->queued, bytes, size);
    rfb->queued += size;
    flush(rfb);
    return true;
}

static void request(struct rfb *rfb)
{
    if (!rfb->ready || rfb->waiting)
        return;
    uint8_t message[RFB_REQUEST_SIZE];
    size_t size = rfb_request_message(message, !rfb->whole, rfb->parser.width, rfb->parser.height);
    rfb->waiting = true;
    rfb->whole = false;
    queue(rfb, message, size, WEIGHT_ESSENTIAL);
}

static bool send_pointer(struct rfb *rfb, unsigned buttons, uint32_t x, uint32_t y, enum weight weight)
{
    uint8_t message[RFB_POINTER_SIZE];
    return queue(rfb, message, rfb_pointer_message(message, buttons, x, y), weight);
}

// Buttons and wheel at the place where the pointer is.
static bool send_buttons(struct rfb *rfb, unsigned buttons, enum weight weight)
{
    uint32_t x = rfb->absolute ? rfb->x : RFB_RELATIVE_ZERO, y = rfb->absolute ? rfb->y : RFB_RELATIVE_ZERO;
    return send_pointer(rfb, buttons, x, y, weight);
}

static unsigned button_bit(uint32_t code)
{
    switch (code) {
    case BTN_LEFT:
        return RFB_LEFT;
    case BTN_MIDDLE:
        return RFB_MIDDLE;
    case BTN_RIGHT:
        return RFB_RIGHT;
    default:
        return 0;
    }
}

static bool send_key(struct rfb *rfb, uint32_t code, bool pressed, enum weight weight)
{
    if (is_button(code)) {
        unsigned buttons = pressed ? rfb->buttons | button_bit(code) : rfb->buttons & ~button_bit(code);
        bool sent = send_buttons(rfb, buttons, weight);
        rfb->buttons = sent ? buttons : rfb->buttons;
        return sent;
    }
    uint8_t message[RFB_KEY_SIZE];
    size_t size = rfb_key_message(message, code, pressed);
    return size > 0 && queue(rfb, message, size, weight);
}

static void key(struct backend *backend, uint32_t code, bool pressed)
{
    struct rfb *rfb = (struct rfb *)backend;
    if (!rfb->ready)
        return;
    if (!pressed && key_set_remove(&rfb->held, code))
        send_key(rfb, code, false, WEIGHT_ESSENTIAL);
    else if (pressed && send_key(rfb, code, true, WEIGHT_NORMAL))
        key_set_add(&rfb->held, code);
}

static bool absolute(const struct backend *backend)
{
    return ((const struct rfb *)backend)->absolute;
}

static uint32_t scaled(double part, uint32_t range)
{
    double value = part * range;
    return value <= 0 ? 0 : value >= range ? range - 1 : (uint32_t)value;
}

static void position(struct backend *backend, double x, double y)
{
    struct rfb *rfb = (struct rfb *)backend;
    if (!rfb->ready)
        return;
    rfb->x = scaled(x, rfb->parser.width);
    rfb->y = scaled(y, rfb->parser.height);
    send_pointer(rfb, rfb->buttons, rfb->x, rfb->y, WEIGHT_MOVEMENT);
}

static uint32_t relative(int32_t distance)
{
    int32_t limit = RFB_RELATIVE_ZERO;
    return (uint32_t)((distance < -limit ? -limit : distance > limit ? limit : distance) + limit);
}

static void motion(struct backend *backend, int32_t dx, int32_t dy)
{
    struct rfb *rfb = (struct rfb *)backend;
    if (rfb->ready)
        send_pointer(rfb, rfb->buttons, relative(dx), relative(dy), WEIGHT_NORMAL);
}

static void wheel(struct backend *backend, int32_t notches)
{
    struct rfb *rfb = (struct rfb *)backend;
    unsigned bit = notches < 0 ? RFB_WHEEL_UP : RFB_WHEEL_DOWN;
    if (!rfb->ready)
        return;
    for (int32_t i = 0; i < abs(notches) && i < NOTCHES_MAX; i++) {
        if (send_buttons(rfb, rfb->buttons | bit, WEIGHT_NORMAL))
            send_buttons(rfb, rfb->buttons, WEIGHT_ESSENTIAL);
    }
}

// ---- from the server ----

static void on_send(void *data, const void *bytes, size_t size)
{
    queue(data, bytes, size, WEIGHT_ESSENTIAL);
}

static uint8_t *on_resize(void *data, uint32_t width, uint32_t height)
{
    struct rfb *rfb = data;
    const struct image *now = &rfb->guest->picture;
    rfb->whole = true;
    if (rfb->pixels && now->width == width && now->height == height)
        return rfb->pixels;
    uint64_t size = (uint64_t)width * height * 4;
    bool fits = width <= LINK_MAX_SIZE && height <= LINK_MAX_SIZE && size <= rfb->limit;
    uint8_t *pixels = fits && ++rfb->resizes <= RESIZES_PER_PERIOD ? calloc(1, size) : NULL;
    if (!pixels)
        return NULL;
    struct image image = {pixels, width, height, width * 4, PIXEL_XRGB8888};
    guest_set_picture(rfb->guest, &image);
    free(rfb->pixels);
    rfb->pixels = pixels;
    return pixels;
}

static void on_damage(void *data, struct rect area)
{
    struct rfb *rfb = data;
    guest_damage(rfb->guest, area);
}

static void on_update_done(void *data)
{
    struct rfb *rfb = data;
    bool first = !rfb->ready;
    rfb->ready = true;
    rfb->waiting = false;
    if (first || rfb->whole || on_screen(rfb))
        request(rfb);
}

static void on_absolute(void *data, bool absolute)
{
    struct rfb *rfb = data;
    rfb->absolute = absolute;
}

static void on_lamps(void *data, unsigned lamps)
{
    guest_set_lamps(((struct rfb *)data)->guest, lamps);
}

static void on_cursor(void *data, const uint8_t *pixels, uint32_t width, uint32_t height, int32_t x, int32_t y)
{
    struct rfb *rfb = data;
    struct image image = {pixels, width, height, width * 4, PIXEL_ARGB8888};
    guest_set_cursor(rfb->guest, &image, x, y);
}

// One read of bounded size per turn: others have their turns in between.
static void receive(struct rfb *rfb)
{
    struct iovec targets[RFB_TARGETS];
    unsigned count = rfb_targets(&rfb->parser, targets, RFB_TARGETS, READ_BYTES);
    ssize_t size = readv(rfb->socket, targets, (int)count);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0)
        fail(rfb, EPIPE, "is gone");
    else if (!rfb_received(&rfb->parser, (size_t)size))
        fail(rfb, EPROTO, "broke the protocol of its screen");
}

static int on_ready(int socket, uint32_t mask, void *data)
{
    (void)socket;
    struct rfb *rfb = data;
    if (mask & WL_EVENT_WRITABLE)
        flush(rfb);
    if (!rfb->failed && (mask & (WL_EVENT_READABLE | WL_EVENT_HANGUP | WL_EVENT_ERROR)))
        receive(rfb);
    return 0;
}

static int on_timer(void *data)
{
    struct rfb *rfb = data;
    rfb->resizes = 0;
    request(rfb);
    wl_event_source_timer_update(rfb->timer, HIDDEN_MS);
    return 0;
}

static void shown(struct backend *backend)
{
    request((struct rfb *)backend);
}

// ---- the whole ----

static void disconnect(struct backend *backend)
{
    struct rfb *rfb = (struct rfb *)backend;
    if (rfb->source)
        wl_event_source_remove(rfb->source);
    if (rfb->timer)
        wl_event_source_remove(rfb->timer);
    close(rfb->socket);
    free(rfb->pixels);
    free(rfb);
}

static const struct backend_ops ops = {
    .disconnect = disconnect,
    .shown = shown,
    .absolute = absolute,
    .key = key,
    .position = position,
    .motion = motion,
    .wheel = wheel,
};

struct backend *rfb_connect(struct guest *guest, const struct link_rfb_connect *connect, int socket)
{
    struct rfb *rfb = calloc(1, sizeof(*rfb));
    if (!rfb) {
        close(socket);
        errno = ENOMEM;
        return NULL;
    }
    rfb->base.ops = &ops;
    rfb->guest = guest;
    rfb->socket = socket;
    rfb->limit = connect->videoram_limit;
    rfb->movement = SIZE_MAX;
    rfb->listener =
        (struct rfb_listener){rfb, on_send, on_resize, on_damage, on_update_done, on_absolute, on_lamps, on_cursor};
    rfb_start(&rfb->parser, &rfb->listener);
    fcntl(socket, F_SETFL, O_NONBLOCK);
    rfb->source = wl_event_loop_add_fd(guest->seat->loop, socket, WL_EVENT_READABLE, on_ready, rfb);
    rfb->timer = wl_event_loop_add_timer(guest->seat->loop, on_timer, rfb);
    if (!rfb->source || !rfb->timer) {
        disconnect(&rfb->base);
        errno = ENOMEM;
        return NULL;
    }
    wl_event_source_timer_update(rfb->timer, HIDDEN_MS);
    return &rfb->base;
}
