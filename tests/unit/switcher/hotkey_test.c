// Chords: what is decided, and that no half of a chord gets through.
#include "hotkey.h"

#include "../check.h"

static enum hotkey_verdict feed(struct hotkeys *h, uint32_t code, bool pressed)
{
    return hotkey_feed(h, code, pressed).verdict;
}

static void every_chord(void)
{
    static const struct {
        uint32_t code;
        enum hotkey_verdict verdict;
        unsigned slot;
    } chords[] = {
        {KEY_0, HOTKEY_SLOT, 0},    {KEY_1, HOTKEY_SLOT, 1},        {KEY_2, HOTKEY_SLOT, 2},
        {KEY_3, HOTKEY_SLOT, 3},    {KEY_4, HOTKEY_SLOT, 4},        {KEY_5, HOTKEY_SLOT, 5},
        {KEY_6, HOTKEY_SLOT, 6},    {KEY_7, HOTKEY_SLOT, 7},        {KEY_8, HOTKEY_SLOT, 8},
        {KEY_9, HOTKEY_SLOT, 9},    {KEY_LEFT, HOTKEY_PREVIOUS, 0}, {KEY_RIGHT, HOTKEY_NEXT, 0},
        {KEY_SPACE, HOTKEY_BAR, 0},
    };
    static const uint32_t pairs[][2] = {{KEY_LEFTCTRL, KEY_LEFTALT},
                                        {KEY_RIGHTCTRL, KEY_LEFTALT},
                                        {KEY_LEFTALT, KEY_RIGHTCTRL},
                                        {KEY_RIGHTALT, KEY_LEFTCTRL}};
    for (unsigned p = 0; p < 4; p++) {
        for (unsigned i = 0; i < sizeof(chords) / sizeof(chords[0]); i++) {
            struct hotkeys h = {0};
            CHECK(feed(&h, pairs[p][0], true) == HOTKEY_PASS);
            CHECK(feed(&h, pairs[p][1], true) == HOTKEY_PASS);
            struct hotkey_decision d = hotkey_feed(&h, chords[i].code, true);
            CHECK(d.verdict == chords[i].verdict && d.slot == chords[i].slot);
            CHECK(feed(&h, chords[i].code, true) == HOTKEY_SWALLOW); // a repeat is no second chord
            CHECK(feed(&h, chords[i].code, false) == HOTKEY_SWALLOW);
            CHECK(feed(&h, pairs[p][0], false) == HOTKEY_PASS);
            CHECK(feed(&h, pairs[p][1], false) == HOTKEY_PASS);
            CHECK(key_set_empty(&h.modifiers) && key_set_empty(&h.swallowed));
        }
    }
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
}

static void release_order(void)
{
    struct hotkeys h = {0};
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_2, true) == HOTKEY_SLOT);
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
    CHECK(feed(&h, KEY_1, true) == HOTKEY_SLOT);
}

static void two_triggers(void)
{
    struct hotkeys h = {0};
    feed(&h, KEY_LEFTCTRL, true);
    feed(&h, KEY_LEFTALT, true);
    CHECK(feed(&h, KEY_1, true) == HOTKEY_SLOT);
    CHECK(feed(&h, KEY_2, true) == HOTKEY_SLOT);
    CHECK(feed(&h, KEY_1, false) == HOTKEY_SWALLOW);
    CHECK(feed(&h, KEY_2, false) == HOTKEY_SWALLOW);
    CHECK(feed(&h, KEY_X, true) == HOTKEY_PASS); // Ctrl+Alt+X is the guest's
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
