// The trusted strip: a band along the lower edge of the screen that the seat alone paints. It says who has the
// keyboard, by the colour and name that roundhoused gave, and what a person must know of that guest whatever it draws.
// Guests and the interface have the rest of the screen, the stage, and nothing else: all that they draw is cut to it in
// scene.c.
#pragma once

#include "output.h"
#include "pixels.h"

struct seat;

enum { STRIP_HEIGHT = 24 }; // at scale 1: a line of text and a little air, 6 mm at 96 pixels to the inch

// Pixels to a dot: two where dots would be too small to read.
static inline int32_t strip_scale(const struct output *output)
{
    return output->height >= 1400 ? 2 : 1;
}

static inline struct rect strip_stage(const struct output *output)
{
    return (struct rect){0, 0, (int32_t)output->width, (int32_t)output->height - STRIP_HEIGHT * strip_scale(output)};
}

static inline struct rect strip_area(const struct output *output)
{
    int32_t height = STRIP_HEIGHT * strip_scale(output);
    return (struct rect){0, (int32_t)output->height - height, (int32_t)output->width, height};
}

// Draws what of it lies in `area`.
void strip_paint(const struct seat *seat, struct canvas *canvas, struct rect area);
