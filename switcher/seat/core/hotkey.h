// The seat's key chords, decided before a key reaches anybody. A chord is an exact set of modifiers that are held plus
// one trigger key. It is one only where it does something; whoever has the focus gets it otherwise. No I/O, no clock.
// Key codes are those of linux/input-event-codes.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "key_set.h"

struct seat;

// Sets of modifiers, of either side; but with the right Alt, AltGr on many keyboards, people write characters.
enum { HOTKEY_CTRL = 1, HOTKEY_ALT = 2, HOTKEY_SHIFT = 4, HOTKEY_META = 8, HOTKEY_ALTGR = 16 };

struct hotkey {
    unsigned modifiers;                           // these are held, and no others
    uint32_t first, last;                         // trigger keys
    bool (*act)(struct seat *seat, unsigned nth); // nth: of the trigger keys, from 0; false: there is nothing to do
};

// Of hotkey_table.h; ends with a row that has no act.
extern const struct hotkey hotkey_table[];

struct hotkeys {
    struct key_set modifiers; // modifier keys held now
    struct key_set swallowed; // trigger keys held now, whose release nobody may see
};

// Ctrl, Alt, Shift and Meta of either side.
bool hotkey_is_modifier(uint32_t code);

// The set that is held now.
unsigned hotkey_modifiers(const struct hotkeys *hotkeys);

// Feeds one press or release; every key of the keyboard must come through here, in order. True: it is not ours, and
// goes to whoever has the focus. False: nobody may see it; the press that completes a chord has acted. Codes outside
// the range of key_set are never ours.
bool hotkey_feed(struct hotkeys *hotkeys, struct seat *seat, uint32_t code, bool pressed);
