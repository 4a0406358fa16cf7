// The seat's key chords, decided before a key reaches anybody. A chord is an exact set of modifiers that are held,
// either side, plus one trigger key. No I/O, no clock. Key codes are those of linux/input-event-codes.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "key_set.h"

struct seat;

// Sets of modifiers.
enum { HOTKEY_CTRL = 1, HOTKEY_ALT = 2, HOTKEY_SHIFT = 4, HOTKEY_META = 8 };

struct hotkey {
    unsigned modifiers;                           // these are held, and no others
    uint32_t first, last;                         // trigger keys
    void (*act)(struct seat *seat, unsigned nth); // nth: of the trigger keys, from 0
};

// Of hotkey_table.h; ends with a row that has no act.
extern const struct hotkey hotkey_table[];

enum hotkey_verdict {
    HOTKEY_PASS,    // not ours: goes to whoever has the focus
    HOTKEY_SWALLOW, // the rest of a chord: nobody may see it
    HOTKEY_ACT,     // a chord: its hotkey is to act, and nobody may see it
};

struct hotkey_decision {
    enum hotkey_verdict verdict;
    const struct hotkey *hotkey; // HOTKEY_ACT alone
    unsigned nth;                // for its act
};

struct hotkeys {
    struct key_set modifiers; // modifier keys held now
    struct key_set swallowed; // trigger keys held now, whose release nobody may see
};

// Ctrl, Alt, Shift and Meta of either side.
bool hotkey_is_modifier(uint32_t code);

// Feeds one press or release; every key of the keyboard must come through here, in order. Codes outside the
// range of key_set pass.
struct hotkey_decision hotkey_feed(struct hotkeys *hotkeys, uint32_t code, bool pressed);
