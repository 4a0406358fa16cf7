// Writing on the screen without a toolkit: one line of UTF-8 in GNU Unifont, one colour. Every character of the basic
// plane that Unifont has is shown by its glyph, left to right as it stands, letters of joining scripts unjoined; what
// has none, what would hide or turn round its neighbours, and bytes that are no character, by U+FFFD. Pure.
#pragma once

#include <stdint.h>

#include "pixels.h"

enum { TEXT_HEIGHT = 16 }; // of a line, in pixels at scale 1

// In pixels, `scale` to a dot.
int32_t text_width(const char *text, int32_t scale);

// Draws the text with its top left corner at (x, y), only inside `area`, which lies within the canvas.
void text_draw(struct canvas *to, struct rect area, const char *text, int32_t x, int32_t y, int32_t scale,
               uint32_t xrgb);
