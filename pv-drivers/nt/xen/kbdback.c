#include "kbdback.h"
#include <stdlib.h>
#include <string.h>
#include "back.h"
#include "events.h"

#define FRONT HV_DOMAIN_PATH "/device/vkbd/0"
#define BACK  "/local/domain/7/backend/vkbd/1/0"

static struct kbdback *only;

void kbdback_set(struct kbdback *keyboard, const char *name, unsigned value)
{
    UNREFERENCED_PARAMETER(keyboard);
    hv_lock();
    back_set(BACK, name, value);
    hv_unlock();
}

/* --- events --- */

static uint32_t waiting(const struct kbdback *keyboard)
{
    uint32_t count = keyboard->produced - __atomic_load_n(&keyboard->page->in_cons, __ATOMIC_SEQ_CST);

    if (count > XENKBD_IN_RING_LEN && !keyboard->careless)
        nt_bug("kbdback: the front end's index ran away");
    return count;
}

static void kicked(void *context)
{
    struct kbdback *keyboard = context;

    keyboard->kicks++;
    if (keyboard->page)
        waiting(keyboard);
}

bool kbdback_send(struct kbdback *keyboard, const union xenkbd_in_event *event)
{
    bool room;

    hv_lock();
    room = keyboard->page && waiting(keyboard) < XENKBD_IN_RING_LEN;
    if (room) {
        memcpy(&XENKBD_IN_RING_REF(keyboard->page, keyboard->produced), event, sizeof(*event));
        __atomic_store_n(&keyboard->page->in_prod, ++keyboard->produced, __ATOMIC_SEQ_CST);
        hv_notify(keyboard->port);
    }
    hv_unlock();
    return room;
}

bool kbdback_key(struct kbdback *keyboard, unsigned code, bool pressed)
{
    union xenkbd_in_event event = {.key = {.type = XENKBD_TYPE_KEY, .pressed = pressed, .keycode = code}};

    return kbdback_send(keyboard, &event);
}

bool kbdback_move(struct kbdback *keyboard, int x, int y, int z)
{
    union xenkbd_in_event event = {.motion = {.type = XENKBD_TYPE_MOTION, .rel_x = x, .rel_y = y, .rel_z = z}};

    return kbdback_send(keyboard, &event);
}

bool kbdback_place(struct kbdback *keyboard, int x, int y, int z)
{
    union xenkbd_in_event event = {.pos = {.type = XENKBD_TYPE_POS, .abs_x = x, .abs_y = y, .rel_z = z}};

    return kbdback_send(keyboard, &event);
}

bool kbdback_touch(struct kbdback *keyboard, unsigned type, unsigned contact, int x, int y)
{
    union xenkbd_in_event event = {.mtouch = {.type = XENKBD_TYPE_MTOUCH,
                                              .event_type = (uint8_t)type,
                                              .contact_id = (uint8_t)contact,
                                              .u.pos = {.abs_x = x, .abs_y = y}}};

    return kbdback_send(keyboard, &event);
}

void kbdback_run_away(struct kbdback *keyboard)
{
    hv_lock();
    keyboard->page->in_prod = keyboard->produced + 1000;
    hv_notify(keyboard->port);
    hv_unlock();
}

/* --- the connection --- */

static void connect(struct kbdback *keyboard)
{
    keyboard->reference = (uint32_t)back_get(FRONT, XENKBD_FIELD_RING_GREF);
    keyboard->port = (uint32_t)back_get(FRONT, XENKBD_FIELD_EVT_CHANNEL);
    keyboard->asked_absolute = back_get(FRONT, XENKBD_FIELD_REQ_ABS_POINTER) == 1;
    keyboard->asked_raw = back_get(FRONT, XENKBD_FIELD_REQ_RAW_POINTER) == 1;
    keyboard->asked_touch = back_get(FRONT, XENKBD_FIELD_REQ_MTOUCH) == 1;
    keyboard->page = hv_map(keyboard->reference, KBDBACK_DOMAIN, true);
    if (!keyboard->page || !hv_bind(keyboard->port, KBDBACK_DOMAIN, kicked, keyboard))
        nt_bug("kbdback: the ring or the port is not given");
    if (keyboard->asked_raw && !keyboard->asked_absolute)
        nt_bug("kbdback: raw positions are asked for, and no positions");
    keyboard->produced = keyboard->page->in_prod;
    back_set(BACK, "state", XenbusStateConnected);
}

static void disconnect(struct kbdback *keyboard)
{
    if (!keyboard->page)
        return;
    hv_unbind(keyboard->port);
    hv_unmap(keyboard->reference, true);
    keyboard->page = NULL;
}

static void front_changed(struct kbdback *keyboard)
{
    if (keyboard->silent)
        return;
    switch (back_get(FRONT, "state")) {
    case XenbusStateInitialising:
        disconnect(keyboard);
        back_set(BACK, "state", XenbusStateInitWait);
        break;
    case XenbusStateInitialised:
        if (!keyboard->page)
            connect(keyboard);
        break;
    case XenbusStateClosing:
        disconnect(keyboard);
        back_set(BACK, "state", XenbusStateClosing);
        break;
    case XenbusStateClosed:
        disconnect(keyboard);
        back_set(BACK, "state", keyboard->stays_away ? XenbusStateClosed : XenbusStateInitWait);
        break;
    default:
        break;
    }
}

static void observe(const char *path)
{
    if (only && !strcmp(path, FRONT "/state"))
        front_changed(only);
}

static void new_domain(void)
{
    only->page = NULL;
    back_set(FRONT, "state", XenbusStateInitialising);
}

void kbdback_close(struct kbdback *keyboard)
{
    hv_lock();
    keyboard->stays_away = true;
    back_set(BACK, "state", XenbusStateClosing);
    hv_unlock();
}

void kbdback_forget(struct kbdback *keyboard)
{
    hv_lock();
    disconnect(keyboard);
    hv_unlock();
}

void kbdback_boot(void)
{
    only = NULL;
    store_observe(observe);
    hv_on_new_domain = new_domain;
}

static void publish(const struct kbdback *keyboard)
{
    const struct {
        const char *name;
        unsigned value;
    } nodes[] = {
        {XENKBD_FIELD_FEAT_ABS_POINTER, keyboard->absolute},
        {XENKBD_FIELD_FEAT_RAW_POINTER, keyboard->raw},
        {XENKBD_FIELD_FEAT_DSBL_KEYBRD, keyboard->no_keyboard},
        {XENKBD_FIELD_FEAT_DSBL_POINTER, keyboard->no_pointer},
        {XENKBD_FIELD_FEAT_MTOUCH, keyboard->contacts != 0},
        {XENKBD_FIELD_WIDTH, keyboard->width},
        {XENKBD_FIELD_HEIGHT, keyboard->height},
        {XENKBD_FIELD_MT_WIDTH, keyboard->touch_width},
        {XENKBD_FIELD_MT_HEIGHT, keyboard->touch_height},
        {XENKBD_FIELD_MT_NUM_CONTACTS, keyboard->contacts},
    };

    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        if (nodes[i].value)
            back_set(BACK, nodes[i].name, nodes[i].value);
}

struct kbdback *kbdback_add(struct kbdback wanted)
{
    struct kbdback *keyboard = malloc(sizeof(*keyboard));

    *keyboard = wanted;
    store_set(FRONT "/backend", BACK);
    back_set(FRONT, "backend-id", KBDBACK_DOMAIN);
    publish(keyboard);
    back_set(FRONT, "state", XenbusStateInitialising);
    back_set(BACK, "state", keyboard->silent ? XenbusStateInitialising : XenbusStateInitWait);
    only = keyboard;
    return keyboard;
}

void kbdback_end(void)
{
    if (only && only->page)
        nt_bug("kbdback: the front end left without a word");
    free(only);
    only = NULL;
    store_observe(NULL);
    hv_on_new_domain = NULL;
}
