// Peek: while its chord is held, live pictures of all guests in a grid, and one of them chosen. Letting go shows that
// one. Meanwhile nobody is sent what is typed or pointed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "damage.h"
#include "pixels.h"

struct seat;
struct guest;

struct peek {
    bool shown;
    unsigned chosen; // slot
};

// Chooses the next (+1) or previous (-1) guest; begins with that when it is not shown. False: there is no guest.
bool peek_move(struct seat *seat, int step);

// Ends it; `go`: the chosen guest is to be on screen.
void peek_end(struct seat *seat, bool go);

// While it is shown, for each key after the hotkeys: letting go of the chord's modifiers goes, Escape stays.
void peek_key(struct seat *seat, uint32_t code, bool pressed);

// A guest is no longer there.
void peek_guest_gone(struct seat *seat, unsigned slot);

// Where on the screen the guest's picture is while it is shown; empty when it has none.
struct rect peek_picture_area(const struct seat *seat, const struct guest *guest);

// Draws what of the stage lies in the area.
void peek_paint(struct seat *seat, struct canvas *canvas, struct rect area);
