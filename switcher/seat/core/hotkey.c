// Chord matching by modifier state, not by the order in which keys went down.
#include "hotkey.h"

#include <stddef.h>

static const struct {
    uint32_t code;
    unsigned modifier;
} modifier_keys[] = {
    {KEY_LEFTCTRL, HOTKEY_CTRL},  {KEY_RIGHTCTRL, HOTKEY_CTRL},  {KEY_LEFTALT, HOTKEY_ALT},
    {KEY_RIGHTALT, HOTKEY_ALTGR}, {KEY_LEFTSHIFT, HOTKEY_SHIFT}, {KEY_RIGHTSHIFT, HOTKEY_SHIFT},
    {KEY_LEFTMETA, HOTKEY_META},  {KEY_RIGHTMETA, HOTKEY_META},
};

enum { MODIFIER_KEYS = sizeof(modifier_keys) / sizeof(modifier_keys[0]) };

bool hotkey_is_modifier(uint32_t code)
{
    for (size_t i = 0; i < MODIFIER_KEYS; i++)
        if (modifier_keys[i].code == code)
            return true;
    return false;
}

// The set that is held now.
unsigned hotkey_modifiers(const struct hotkeys *hotkeys)
{
    unsigned modifiers = 0;
    for (size_t i = 0; i < MODIFIER_KEYS; i++)
        if (key_set_has(&hotkeys->modifiers, modifier_keys[i].code))
            modifiers |= modifier_keys[i].modifier;
    return modifiers;
}

// Whether it goes to whoever has the focus.
static bool press(struct hotkeys *hotkeys, struct seat *seat, uint32_t code)
{
    if (key_set_has(&hotkeys->swallowed, code))
        return false;
    unsigned held = hotkey_modifiers(hotkeys);
    for (const struct hotkey *row = hotkey_table; row->act; row++)
        if (row->modifiers == held && code >= row->first && code <= row->last && row->act(seat, code - row->first))
            return !key_set_add(&hotkeys->swallowed, code);
    return true;
}

bool hotkey_feed(struct hotkeys *hotkeys, struct seat *seat, uint32_t code, bool pressed)
{
    if (hotkey_is_modifier(code)) {
        if (pressed)
            key_set_add(&hotkeys->modifiers, code);
        else
            key_set_remove(&hotkeys->modifiers, code);
        return true;
    }
    return pressed ? press(hotkeys, seat, code) : !key_set_remove(&hotkeys->swallowed, code);
}
