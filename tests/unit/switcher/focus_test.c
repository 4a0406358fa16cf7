// Focus: single cases, then long random play against the two promises of focus.h.
#include "focus.h"

#include <string.h>

#include "../check.h"
#include "../random.h"
#include "hotkey.h"

struct log {
    unsigned count, slot;
    uint32_t codes[KEY_CNT];
};

static void note(void *data, unsigned slot, uint32_t code)
{
    struct log *log = data;
    log->slot = slot;
    log->codes[log->count++] = code;
}

static void switching_releases(void)
{
    struct focus f = {0};
    struct log log = {0};
    CHECK(focus_add(&f, 1) && focus_add(&f, 2));
    CHECK(focus_switch(&f, 1, note, &log) && log.count == 0 && f.current == 1);
    CHECK(focus_key(&f, KEY_LEFTCTRL, true) && focus_key(&f, KEY_A, true) && focus_key(&f, BTN_LEFT, true));
    CHECK(focus_switch(&f, 2, note, &log) && f.current == 2);
    CHECK(log.count == 3 && log.slot == 1);
    CHECK(log.codes[0] == KEY_LEFTCTRL && log.codes[1] == KEY_A && log.codes[2] == BTN_LEFT);
    CHECK(!focus_key(&f, KEY_A, false)); // guest 2 never saw the press
    CHECK(focus_key(&f, KEY_A, true) && !focus_key(&f, KEY_A, true) && focus_key(&f, KEY_A, false));
}

static void letting_go(void)
{
    struct focus f = {0};
    struct log log = {0};
    CHECK(focus_key(&f, KEY_A, true) && focus_key(&f, BTN_LEFT, true));
    focus_release(&f, note, &log);
    CHECK(log.count == 2 && log.slot == FOCUS_SWITCHER && key_set_empty(&f.held) && !focus_key(&f, KEY_A, false));
}

static void empty_slots(void)
{
    struct focus f = {0};
    struct log log = {0};
    CHECK(!focus_switch(&f, 3, note, &log) && f.current == FOCUS_SWITCHER);
    CHECK(!focus_switch(&f, 10, note, &log) && !focus_switch(&f, 4000000000u, note, &log));
    CHECK(!focus_add(&f, 0) && !focus_add(&f, 10) && focus_add(&f, 9) && !focus_add(&f, 9));
    CHECK(focus_key(&f, KEY_B, true));
    CHECK(focus_switch(&f, FOCUS_SWITCHER, note, &log) && log.count == 0); // no change: keys stay
    CHECK(key_set_has(&f.held, KEY_B));
}

static void neighbours(void)
{
    struct focus f = {0};
    CHECK(focus_neighbour(&f, 1) == 0 && focus_neighbour(&f, -1) == 0);
    focus_add(&f, 2);
    focus_add(&f, 5);
    focus_add(&f, 9);
    CHECK(focus_neighbour(&f, 1) == 2 && focus_neighbour(&f, -1) == 9); // from the switcher
    f.current = 5;
    CHECK(focus_neighbour(&f, 1) == 9 && focus_neighbour(&f, -1) == 2);
    f.current = 9;
    CHECK(focus_neighbour(&f, 1) == 2); // round the end, past the switcher
    f.current = 2;
    CHECK(focus_neighbour(&f, -1) == 9);
    focus_remove(&f, 5);
    focus_remove(&f, 9);
    CHECK(focus_neighbour(&f, 1) == 2);
}

static void guest_gone(void)
{
    struct focus f = {0};
    struct log log = {0};
    focus_add(&f, 4);
    focus_add(&f, 5);
    focus_switch(&f, 4, note, &log);
    focus_key(&f, KEY_C, true);
    focus_remove(&f, 5);
    CHECK(f.current == 4 && key_set_has(&f.held, KEY_C));
    focus_remove(&f, 4);
    CHECK(f.current == FOCUS_SWITCHER && key_set_empty(&f.held) && f.present == 0);
    CHECK(!focus_key(&f, KEY_C, false));
    focus_remove(&f, 4);
    focus_remove(&f, 0);
    focus_remove(&f, 99);
    CHECK(f.current == FOCUS_SWITCHER);
}

// What each target believes is held, from the events it was sent.
static bool believed[FOCUS_SLOTS][KEY_CNT];

static void deliver(void *data, unsigned slot, uint32_t code)
{
    (void)data;
    CHECK(believed[slot][code]); // promise 1: no release without a press
    believed[slot][code] = false;
}

static bool holds_anything(unsigned slot)
{
    bool any = false;
    for (unsigned code = 0; code < KEY_CNT; code++)
        any |= believed[slot][code];
    return any;
}

// The hotkeys of this play: they know the focus alone.
struct seat {
    struct focus focus;
};

static bool show_slot(struct seat *seat, unsigned nth)
{
    return focus_switch(&seat->focus, nth + 1, deliver, NULL);
}

static bool show_switcher(struct seat *seat, unsigned nth)
{
    return focus_switch(&seat->focus, nth, deliver, NULL);
}

static bool show_next(struct seat *seat, unsigned nth)
{
    return focus_switch(&seat->focus, focus_neighbour(&seat->focus, (int)nth + 1), deliver, NULL);
}

const struct hotkey hotkey_table[] = {
    {HOTKEY_CTRL | HOTKEY_ALT, KEY_1, KEY_2, show_slot},
    {HOTKEY_CTRL | HOTKEY_ALT, KEY_0, KEY_0, show_switcher},
    {HOTKEY_CTRL | HOTKEY_ALT, KEY_RIGHT, KEY_RIGHT, show_next},
    {.act = NULL},
};

static void play_key(struct seat *seat, struct hotkeys *h, uint32_t code, bool pressed)
{
    struct focus *f = &seat->focus;
    if (!hotkey_feed(h, seat, code, pressed) || !focus_key(f, code, pressed))
        return;
    CHECK(believed[f->current][code] != pressed);
    believed[f->current][code] = pressed;
}

static void random_play(void)
{
    static const uint32_t keys[] = {KEY_LEFTCTRL, KEY_RIGHTALT, KEY_LEFTALT, KEY_LEFTSHIFT, KEY_0,    KEY_1,
                                    KEY_2,        KEY_RIGHT,    KEY_A,       KEY_ENTER,     BTN_LEFT, BTN_RIGHT};
    bool physical[sizeof(keys) / sizeof(keys[0])] = {0};
    struct seat seat = {0};
    struct focus *f = &seat.focus;
    struct hotkeys h = {0};
    for (unsigned step = 0; step < 200000; step++) {
        unsigned k = random_below(sizeof(keys) / sizeof(keys[0]));
        physical[k] = !physical[k];
        play_key(&seat, &h, keys[k], physical[k]);
        unsigned slot = 1 + random_below(2);
        if (random_below(500) == 0)
            focus_add(f, slot);
        if (random_below(900) == 0) {
            focus_remove(f, slot);
            memset(believed[slot], 0, sizeof(believed[slot]));
        }
        // Promise 2: nobody but the focused target holds anything.
        if (step % 16 == 0)
            for (unsigned other = 0; other < 3; other++)
                CHECK(other == f->current || !holds_anything(other));
    }
}

int main(void)
{
    switching_releases();
    letting_go();
    empty_slots();
    neighbours();
    guest_gone();
    random_play();
    return 0;
}
