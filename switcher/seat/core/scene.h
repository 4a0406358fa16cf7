// What the screen shows: the focused guest or the switcher, the bar, the cursor.
#pragma once

#include "seat.h"

// Draws one area of the screen.
void scene_paint(struct seat *seat, struct canvas *canvas, struct rect area);

// Where on the screen the guest's picture is; empty when it has none.
struct rect scene_guest_area(const struct seat *seat, const struct guest *guest);

// Where on the screen a part of the guest's picture is, which lies within it.
struct rect scene_picture_area(const struct seat *seat, const struct guest *guest, struct rect part);

// Where the cursor is to be drawn now; empty when whoever is under it draws its own.
struct rect scene_cursor_area(const struct seat *seat);
