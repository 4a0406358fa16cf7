// Chords: what is decided, and that no half of a chord gets through.
#include "hotkey.h"

#include <stddef.h>

#include "../check.h"

static void act(struct seat *seat, unsigned nth)
{
    (void)seat;
    (void)nth;
}

// Rows of all shapes; those of the seat are walked in seat_test.c.
const struct hotkey hotkey_table[] = {
    {HOTKEY_CTRL | HOTKEY_ALT, KEY_1, KEY_9, act},
    {HOTKEY_CTRL | HOTKEY_ALT, KEY_LEFT, KEY_LEFT, act},
    {HOTKEY_CTRL | HOTKEY_ALT | HOTKEY_SHIFT, KEY_LEFT, KEY_LEFT, act},
    {HOTKEY_META, KEY_SPACE, KEY_SPACE, act},
    {.act = NULL},
};

static enum hotkey_verdict feed(struct hotkeys *h, uint32_t code, bool pressed)
{
    return hotkey_feed(h, code, pressed).verdict;
}

static void chord(const uint32_t held[3], uint32_t code, unsigned row, unsigned nth)
{
    struct hotkeys h = {0};
    for (unsigned i = 0; i < 3 && held[i]; i++)
        CHECK(feed(&h, held[i], true) == HOTKEY_PASS);
    struct hotkey_decision d = hotkey_feed(&h, code, true);
    CHECK(d.verdict == HOTKEY_ACT && d.hotkey == &hotkey_table[row] && d.nth == nth);
    CHECK(feed(&h, code, true) == HOTKEY_SWALLOW); // a repeat is no second chord
    CHECK(feed(&h, code, false) == HOTKEY_SWALLOW);
    for (unsigned i = 0; i < 3 && held[i]; i++)
        CHECK(feed(&h, held[i], false) == HOTKEY_PASS);
    CHECK(key_set_empty(&h.modifiers) && key_set_empty(&h.swallowed));
}

static void every_chord(void)
{
    static const uint32_t held[][3] = {{KEY_LEFTCTRL, KEY_LEFTALT},
                                       {KEY_RIGHTCTRL, KEY_LEFTALT},
                                       {KEY_LEFTALT, KEY_RIGHTCTRL},
                                       {KEY_RIGHTALT, KEY_LEFTCTRL},
                                       {KEY_LEFTCTRL, KEY_RIGHTCTRL, KEY_LEFTALT}};
    for (unsigned i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        for (uint32_t code = KEY_1; code <= KEY_9; code++)
            chord(held[i], code, 0, code - KEY_1);
        chord(held[i], KEY_LEFT, 1, 0);
    }
    chord((const uint32_t[3]){KEY_RIGHTSHIFT, KEY_LEFTCTRL, KEY_LEFTALT}, KEY_LEFT, 2, 0);
    chord((const uint32_t[3]){KEY_LEFTMETA}, KEY_SPACE, 3, 0);
    chord((const uint32_t[3]){KEY_RIGHTMETA}, KEY_SPACE, 3, 0);
}

static void only_the_exact_set(void)
{
    static const uint32_t wrong[][3] = {
        {KEY_LEFTCTRL, 0, 0},
        {KEY_LEFTALT, 0, 0},
        {KEY_LEFTSHIFT, 0, 0},
        {KEY_LEFTCTRL, KEY_LEFTALT, KEY_LEFTSHIFT},
        {KEY_LEFTCTRL, KEY_LEFTALT, KEY_RIGHTMETA},
        {KEY_LEFTCTRL, KEY_RIGHTCTRL, 0},
    };
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct hotkeys h = {0};
        for (unsigned m = 0; m < 3; m++)
            if (wrong[i][m])
                feed(&h, wrong[i][m], true);
        CHECK(feed(&h, KEY_1, true) == HOTKEY_PASS);
        CHECK(feed(&h, KEY_1, false) == HOTKEY_PASS);
    }
    struct hotkeys none = {0};
    CHECK(feed(&none, KEY_1, true) == HOTKEY_PASS && feed(&none, KEY_SPACE, true) == HOTKEY_PASS);
}

static void release_order(void)
{
    struct hotkeys h = {0};
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_2, true) == HOTKEY_ACT);
    CHECK(feed(&h, KEY_LEFTALT, false) == HOTKEY_PASS);
    CHECK(feed(&h, KEY_LEFTCTRL, false) == HOTKEY_PASS);
    CHECK(feed(&h, KEY_2, false) == HOTKEY_SWALLOW); // the trigger comes up last: still nobody's
    CHECK(feed(&h, KEY_2, true) == HOTKEY_PASS);
    CHECK(feed(&h, KEY_2, false) == HOTKEY_PASS);
}

static void key_down_before_the_modifiers(void)
{
    struct hotkeys h = {0};
    CHECK(feed(&h, KEY_1, true) == HOTKEY_PASS);
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_1, false) == HOTKEY_PASS); // whoever saw the press must see the release
    CHECK(feed(&h, KEY_1, true) == HOTKEY_ACT);
}

static void two_triggers(void)
{
    struct hotkeys h = {0};
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_1, true) == HOTKEY_ACT);
    CHECK(feed(&h, KEY_2, true) == HOTKEY_ACT);
    CHECK(feed(&h, KEY_1, false) == HOTKEY_SWALLOW);
    CHECK(feed(&h, KEY_2, false) == HOTKEY_SWALLOW);
    CHECK(feed(&h, KEY_X, true) == HOTKEY_PASS); // no row has it: the guest's
    CHECK(feed(&h, KEY_0, true) == HOTKEY_PASS &&
          feed(&h, KEY_ESC, true) == HOTKEY_PASS); // beside a row's first and last
}

static void odd_codes(void)
{
    struct hotkeys h = {0};
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_MAX, true) == HOTKEY_PASS);
    CHECK(feed(&h, KEY_CNT, true) == HOTKEY_PASS);
    CHECK(feed(&h, UINT32_MAX, true) == HOTKEY_PASS);
    CHECK(feed(&h, UINT32_MAX, false) == HOTKEY_PASS);
}

int main(void)
{
    every_chord();
    only_the_exact_set();
    release_order();
    key_down_before_the_modifiers();
    two_triggers();
    odd_codes();
    return 0;
}
