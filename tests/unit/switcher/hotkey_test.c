// Chords: what is decided, and that no half of a chord gets through.
#include "hotkey.h"

#include <stddef.h>

#include "../check.h"

// What acted last, and how often something did. `able`: there is something to do.
static struct {
    unsigned row, nth, count;
} acted;
static bool able = true;

static bool act(unsigned row, unsigned nth)
{
    acted.row = row;
    acted.nth = nth;
    acted.count += able;
    return able;
}

#define ACT(row)                                                                                                       \
    static bool act_##row(struct seat *seat, unsigned nth)                                                             \
    {                                                                                                                  \
        CHECK(seat == NULL);                                                                                           \
        return act(row, nth);                                                                                          \
    }
ACT(0)
ACT(1)
ACT(2)
ACT(3)

// Rows of all shapes; those of the seat are walked in seat_test.c.
const struct hotkey hotkey_table[] = {
    {HOTKEY_CTRL | HOTKEY_ALT, KEY_1, KEY_9, act_0},
    {HOTKEY_CTRL | HOTKEY_ALT, KEY_LEFT, KEY_LEFT, act_1},
    {HOTKEY_CTRL | HOTKEY_ALT | HOTKEY_SHIFT, KEY_LEFT, KEY_LEFT, act_2},
    {HOTKEY_META, KEY_SPACE, KEY_SPACE, act_3},
    {.act = NULL},
};

enum verdict { PASS, SWALLOW, ACT };

static enum verdict feed(struct hotkeys *h, uint32_t code, bool pressed)
{
    unsigned before = acted.count;
    bool passes = hotkey_feed(h, NULL, code, pressed);
    CHECK(acted.count == before || !passes);
    return passes ? PASS : acted.count == before ? SWALLOW : ACT;
}

static void chord(const uint32_t held[3], uint32_t code, unsigned row, unsigned nth)
{
    struct hotkeys h = {0};
    for (unsigned i = 0; i < 3 && held[i]; i++)
        CHECK(feed(&h, held[i], true) == PASS);
    CHECK(feed(&h, code, true) == ACT && acted.row == row && acted.nth == nth);
    CHECK(feed(&h, code, true) == SWALLOW); // a repeat is no second chord
    CHECK(feed(&h, code, false) == SWALLOW);
    for (unsigned i = 0; i < 3 && held[i]; i++)
        CHECK(feed(&h, held[i], false) == PASS);
    CHECK(key_set_empty(&h.modifiers) && key_set_empty(&h.swallowed));
}

static void every_chord(void)
{
    static const uint32_t held[][3] = {{KEY_LEFTCTRL, KEY_LEFTALT},
                                       {KEY_RIGHTCTRL, KEY_LEFTALT},
                                       {KEY_LEFTALT, KEY_RIGHTCTRL},
                                       {KEY_LEFTALT, KEY_LEFTCTRL},
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
        {KEY_LEFTCTRL, KEY_RIGHTALT, 0}, // AltGr: the characters @, { and the like
        {KEY_LEFTCTRL, KEY_LEFTALT, KEY_RIGHTALT},
    };
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct hotkeys h = {0};
        for (unsigned m = 0; m < 3; m++)
            if (wrong[i][m])
                feed(&h, wrong[i][m], true);
        CHECK(feed(&h, KEY_1, true) == PASS);
        CHECK(feed(&h, KEY_1, false) == PASS);
    }
    struct hotkeys none = {0};
    CHECK(feed(&none, KEY_1, true) == PASS && feed(&none, KEY_SPACE, true) == PASS);
}

static void release_order(void)
{
    struct hotkeys h = {0};
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_2, true) == ACT);
    CHECK(feed(&h, KEY_LEFTALT, false) == PASS);
    CHECK(feed(&h, KEY_LEFTCTRL, false) == PASS);
    CHECK(feed(&h, KEY_2, false) == SWALLOW); // the trigger comes up last: still nobody's
    CHECK(feed(&h, KEY_2, true) == PASS);
    CHECK(feed(&h, KEY_2, false) == PASS);
}

static void key_down_before_the_modifiers(void)
{
    struct hotkeys h = {0};
    CHECK(feed(&h, KEY_1, true) == PASS);
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_1, false) == PASS); // whoever saw the press must see the release
    CHECK(feed(&h, KEY_1, true) == ACT);
}

// Somebody else's chord, where ours has nothing to do: all of it passes.
static void nothing_to_do(void)
{
    struct hotkeys h = {0};
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    able = false;
    CHECK(feed(&h, KEY_1, true) == PASS && feed(&h, KEY_1, true) == PASS && feed(&h, KEY_1, false) == PASS);
    able = true;
    CHECK(feed(&h, KEY_1, true) == ACT && feed(&h, KEY_1, false) == SWALLOW);
}

static void two_triggers(void)
{
    struct hotkeys h = {0};
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_1, true) == ACT);
    CHECK(feed(&h, KEY_2, true) == ACT);
    CHECK(feed(&h, KEY_1, false) == SWALLOW);
    CHECK(feed(&h, KEY_2, false) == SWALLOW);
    CHECK(feed(&h, KEY_X, true) == PASS);                                    // no row has it: the guest's
    CHECK(feed(&h, KEY_0, true) == PASS && feed(&h, KEY_ESC, true) == PASS); // beside a row's first and last
}

static void odd_codes(void)
{
    struct hotkeys h = {0};
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_MAX, true) == PASS);
    CHECK(feed(&h, KEY_CNT, true) == PASS);
    CHECK(feed(&h, UINT32_MAX, true) == PASS);
    CHECK(feed(&h, UINT32_MAX, false) == PASS);
}

int main(void)
{
    every_chord();
    only_the_exact_set();
    release_order();
    key_down_before_the_modifiers();
    nothing_to_do();
    two_triggers();
    odd_codes();
    return 0;
}
