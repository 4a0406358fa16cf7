// The backend's half of kbdif.
#include "keyboard.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/io/kbdif.h>

#include "foreign.h"
#include "key_set.h"
#include "log.h"

static_assert(sizeof(union xenkbd_in_event) == XENKBD_IN_EVENT_SIZE, "xenkbd event size");
static_assert(sizeof(struct xenkbd_page) == 16, "xenkbd_page layout");

enum { QUEUE_LENGTH = 256, RESERVED_FOR_RELEASES = 128 };

struct keyboard {
    struct backend base;
    struct guest *guest;
    struct ports *ports;
    int port;
    struct xenkbd_page *page;
    bool by_grant, absolute;
    uint32_t width, height;
    uint32_t produced;
    int32_t last_x, last_y;
    unsigned first, count; // of the queue
    union xenkbd_in_event queue[QUEUE_LENGTH];
};

#define READ_ONCE(x) (*(volatile __typeof__(x) *)&(x))

static bool ring_has_room(struct keyboard *keyboard)
{
    return keyboard->produced - READ_ONCE(keyboard->page->in_cons) < XENKBD_IN_RING_LEN;
}

static void flush(struct keyboard *keyboard)
{
    uint32_t before = keyboard->produced;
    while (keyboard->count > 0 && ring_has_room(keyboard)) {
        memcpy(&XENKBD_IN_RING_REF(keyboard->page, keyboard->produced), &keyboard->queue[keyboard->first],
               sizeof(union xenkbd_in_event));
        keyboard->first = (keyboard->first + 1) % QUEUE_LENGTH;
        keyboard->count--;
        keyboard->produced++;
    }
    if (keyboard->produced == before)
        return;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    keyboard->page->in_prod = keyboard->produced;
    ports_notify(keyboard->ports, keyboard->port);
}

static void on_port(void *data)
{
    flush(data);
}

static bool is_movement(const union xenkbd_in_event *event)
{
    return (event->type == XENKBD_TYPE_POS && event->pos.rel_z == 0) ||
           (event->type == XENKBD_TYPE_MOTION && event->motion.rel_z == 0);
}

// Folds a movement in to the last waiting event when that is one too.
static bool merge(struct keyboard *keyboard, const union xenkbd_in_event *event)
{
    if (keyboard->count == 0 || !is_movement(event))
        return false;
    union xenkbd_in_event *last = &keyboard->queue[(keyboard->first + keyboard->count - 1) % QUEUE_LENGTH];
    if (!is_movement(last) || last->type != event->type)
        return false;
    if (event->type == XENKBD_TYPE_POS) {
        *last = *event;
    } else {
        last->motion.rel_x += event->motion.rel_x;
        last->motion.rel_y += event->motion.rel_y;
    }
    return true;
}

static void send(struct keyboard *keyboard, const union xenkbd_in_event *event)
{
    bool release = event->type == XENKBD_TYPE_KEY && !event->key.pressed;
    unsigned limit = release ? QUEUE_LENGTH : QUEUE_LENGTH - RESERVED_FOR_RELEASES;
    if (!merge(keyboard, event) && keyboard->count < limit) {
        keyboard->queue[(keyboard->first + keyboard->count) % QUEUE_LENGTH] = *event;
        keyboard->count++;
    }
    flush(keyboard);
}

static bool absolute(const struct backend *backend)
{
    return ((const struct keyboard *)backend)->absolute;
}

static void key(struct backend *backend, uint32_t code, bool pressed)
{
    struct keyboard *keyboard = (struct keyboard *)backend;
    union xenkbd_in_event event = {0};
    event.key.type = XENKBD_TYPE_KEY;
    event.key.pressed = pressed;
    event.key.keycode = code;
    send(keyboard, &event);
    if (pressed) // kbdif does not tell of lamps: they are as if the guest had begun with none and done what is usual
        guest_set_lamps(keyboard->guest, keyboard->guest->lamps ^ lamp_of(code));
}

static int32_t scaled(double part, uint32_t range)
{
    if (part < 0)
        part = 0;
    int64_t value = (int64_t)(part * range);
    return value >= range ? (int32_t)range - 1 : (int32_t)value;
}

static void position(struct backend *backend, double x, double y)
{
    struct keyboard *keyboard = (struct keyboard *)backend;
    keyboard->last_x = scaled(x, keyboard->width);
    keyboard->last_y = scaled(y, keyboard->height);
    union xenkbd_in_event event = {0};
    event.pos.type = XENKBD_TYPE_POS;
    event.pos.abs_x = keyboard->last_x;
    event.pos.abs_y = keyboard->last_y;
    send(keyboard, &event);
}

static void motion(struct backend *backend, int32_t dx, int32_t dy)
{
    struct keyboard *keyboard = (struct keyboard *)backend;
    union xenkbd_in_event event = {0};
    event.motion.type = XENKBD_TYPE_MOTION;
    event.motion.rel_x = dx;
    event.motion.rel_y = dy;
    send(keyboard, &event);
}

static void wheel(struct backend *backend, int32_t notches)
{
    struct keyboard *keyboard = (struct keyboard *)backend;
    union xenkbd_in_event event = {0};
    if (keyboard->absolute) {
        event.pos.type = XENKBD_TYPE_POS;
        event.pos.abs_x = keyboard->last_x;
        event.pos.abs_y = keyboard->last_y;
        event.pos.rel_z = notches;
    } else {
        event.motion.type = XENKBD_TYPE_MOTION;
        event.motion.rel_z = notches;
    }
    send(keyboard, &event);
}

static void disconnect(struct backend *backend)
{
    struct keyboard *keyboard = (struct keyboard *)backend;
    ports_unbind(keyboard->ports, keyboard->port);
    if (keyboard->by_grant)
        foreign_unmap_grants(keyboard->page, 1);
    else
        foreign_unmap_frames(keyboard->page, 1);
    free(keyboard);
}

static const struct backend_ops ops = {
    .disconnect = disconnect,
    .absolute = absolute,
    .key = key,
    .position = position,
    .motion = motion,
    .wheel = wheel,
};

struct backend *keyboard_connect(struct guest *guest, struct ports *ports, const struct link_keyboard_connect *connect,
                                 int privcmd)
{
    struct keyboard *keyboard = calloc(1, sizeof(*keyboard));
    if (!keyboard)
        return NULL;
    keyboard->base.ops = &ops;
    keyboard->guest = guest;
    keyboard->ports = ports;
    keyboard->port = -1;
    keyboard->by_grant = connect->by_grant;
    keyboard->absolute = connect->absolute;
    keyboard->width = connect->width;
    keyboard->height = connect->height;
    uint32_t reference = (uint32_t)connect->page;
    if (connect->by_grant)
        keyboard->page = foreign_map_grants(guest->domid, &reference, 1, PROT_READ | PROT_WRITE);
    else
        keyboard->page = foreign_map_frames(privcmd, guest->domid, &connect->page, 1, PROT_READ | PROT_WRITE);
    if (keyboard->page)
        keyboard->port = ports_bind(ports, guest->domid, connect->event_channel, on_port, keyboard);
    if (keyboard->port < 0) {
        int error = errno;
        disconnect(&keyboard->base);
        errno = error;
        return NULL;
    }
    keyboard->produced = READ_ONCE(keyboard->page->in_prod);
    return &keyboard->base;
}
