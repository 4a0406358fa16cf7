// Who has the screen, the keyboard and the pointer, and which keys that one holds down. Exactly one target is
// focused: slot 0 is the switcher, 1..9 are guests. Pure: no I/O; callers deliver what these functions say.
//
// Invariant: a target is sent a release only for a key it was sent the press of, and whoever loses the focus
// was sent the release of every key and button it held.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "key_set.h"

enum { FOCUS_SLOTS = 10, FOCUS_SWITCHER = 0 };

struct focus {
    unsigned current;    // slot that has the focus
    uint16_t present;    // bit n: a guest sits in slot n; bit 0 is not used
    struct key_set held; // keys and buttons that the current target was sent the press of
};

typedef void focus_release_fn(void *data, unsigned slot, uint32_t code);

// Whether this press or release goes to the current target; records it. A press of a held key (autorepeat, a
// second keyboard) and a release of a key the target never saw do not.
bool focus_key(struct focus *focus, uint32_t code, bool pressed);

// The current target lets go of all that it holds: `release` is called for each.
void focus_release(struct focus *focus, focus_release_fn *release, void *data);

// Moves the focus. `release` is called for every key the old target holds, before the change. False, and
// nothing happens, when no guest sits in the slot; switching to the current slot keeps the keys and is true.
bool focus_switch(struct focus *focus, unsigned slot, focus_release_fn *release, void *data);

// The nearest guest above (step +1) or below (step -1) the current slot, round the end; the switcher is
// passed over. The current slot when there is no other guest.
unsigned focus_neighbour(const struct focus *focus, int step);

// A guest comes; false when the slot is out of range or taken.
bool focus_add(struct focus *focus, unsigned slot);

// A guest is gone: if it had the focus the switcher has it now, and its held keys are forgotten without
// releases.
void focus_remove(struct focus *focus, unsigned slot);
