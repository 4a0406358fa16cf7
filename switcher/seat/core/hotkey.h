// The seat's key chords, decided before a key reaches anybody. A chord is the exact set {Ctrl, Alt} held,
// either side, plus one trigger key. Pure: no I/O, no clock. Key codes are those of
// linux/input-event-codes.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "key_set.h"

enum hotkey_verdict {
    HOTKEY_PASS,     // not ours: goes to whoever has the focus
    HOTKEY_SWALLOW,  // the rest of a chord: nobody may see it
    HOTKEY_SLOT,     // Ctrl+Alt+0..9, see slot
    HOTKEY_PREVIOUS, // Ctrl+Alt+Left
    HOTKEY_NEXT,     // Ctrl+Alt+Right
    HOTKEY_BAR,      // Ctrl+Alt+Space
};

struct hotkey_decision {
    enum hotkey_verdict verdict;
    unsigned slot;
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
