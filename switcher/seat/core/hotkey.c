// Chord matching by modifier state, not by the order in which keys went down.
#include "hotkey.h"

#include <stddef.h>

struct trigger {
    uint32_t code;
    enum hotkey_verdict verdict;
    unsigned slot;
};

static const struct trigger triggers[] = {
    {KEY_0, HOTKEY_SLOT, 0},    {KEY_1, HOTKEY_SLOT, 1}, {KEY_2, HOTKEY_SLOT, 2},        {KEY_3, HOTKEY_SLOT, 3},
    {KEY_4, HOTKEY_SLOT, 4},    {KEY_5, HOTKEY_SLOT, 5}, {KEY_6, HOTKEY_SLOT, 6},        {KEY_7, HOTKEY_SLOT, 7},
    {KEY_8, HOTKEY_SLOT, 8},    {KEY_9, HOTKEY_SLOT, 9}, {KEY_LEFT, HOTKEY_PREVIOUS, 0}, {KEY_RIGHT, HOTKEY_NEXT, 0},
    {KEY_SPACE, HOTKEY_BAR, 0},
};

static const uint32_t modifiers[] = {
    KEY_LEFTCTRL, KEY_RIGHTCTRL, KEY_LEFTALT, KEY_RIGHTALT, KEY_LEFTSHIFT, KEY_RIGHTSHIFT, KEY_LEFTMETA, KEY_RIGHTMETA,
};

bool hotkey_is_modifier(uint32_t code)
{
    for (size_t i = 0; i < sizeof(modifiers) / sizeof(modifiers[0]); i++)
        if (modifiers[i] == code)
            return true;
    return false;
}

static bool either(const struct key_set *set, uint32_t left, uint32_t right)
{
    return key_set_has(set, left) || key_set_has(set, right);
}

static bool chord_held(const struct key_set *held)
{
    return either(held, KEY_LEFTCTRL, KEY_RIGHTCTRL) && either(held, KEY_LEFTALT, KEY_RIGHTALT) &&
           !either(held, KEY_LEFTSHIFT, KEY_RIGHTSHIFT) && !either(held, KEY_LEFTMETA, KEY_RIGHTMETA);
}

static struct hotkey_decision press(struct hotkeys *hotkeys, uint32_t code)
{
    struct hotkey_decision pass = {HOTKEY_PASS, 0}, swallow = {HOTKEY_SWALLOW, 0};
    if (key_set_has(&hotkeys->swallowed, code))
        return swallow;
    if (!chord_held(&hotkeys->modifiers))
        return pass;
    for (size_t i = 0; i < sizeof(triggers) / sizeof(triggers[0]); i++) {
        if (triggers[i].code == code) {
            key_set_add(&hotkeys->swallowed, code);
            return (struct hotkey_decision){triggers[i].verdict, triggers[i].slot};
        }
    }
    return pass;
}

struct hotkey_decision hotkey_feed(struct hotkeys *hotkeys, uint32_t code, bool pressed)
{
    if (hotkey_is_modifier(code)) {
        if (pressed)
            key_set_add(&hotkeys->modifiers, code);
        else
            key_set_remove(&hotkeys->modifiers, code);
        return (struct hotkey_decision){HOTKEY_PASS, 0};
    }
    if (pressed)
        return press(hotkeys, code);
    bool swallowed = key_set_remove(&hotkeys->swallowed, code);
    return (struct hotkey_decision){swallowed ? HOTKEY_SWALLOW : HOTKEY_PASS, 0};
}
