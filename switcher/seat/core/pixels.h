// Pictures in memory and the few operations on them. Little-endian 32-bit pixels unless the format says
// otherwise. The memory behind a source may change while it is read (guests draw when they like); no
// operation depends on reading a pixel twice.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "damage.h"

enum pixel_format {
    PIXEL_XRGB8888,
    PIXEL_ARGB8888, // premultiplied; the same as XRGB8888 for pixels_copy
    PIXEL_RGB565,
    PIXEL_RGB888, // three bytes: blue, green, red
};

struct image {
    const uint8_t *pixels;
    uint32_t width, height; // 0 by 0: no picture
    uint32_t stride;        // bytes from row to row
    enum pixel_format format;
};

struct canvas {
    uint8_t *pixels; // XRGB8888
    uint32_t width, height, stride;
};

unsigned pixel_size(enum pixel_format format);

static inline struct rect canvas_rect(const struct canvas *canvas)
{
    return (struct rect){0, 0, (int32_t)canvas->width, (int32_t)canvas->height};
}

void pixels_fill(struct canvas *to, struct rect area, uint32_t xrgb);

// Draws the image with its top left corner at (x, y), only inside `area`, which lies within the canvas.
void pixels_copy(struct canvas *to, struct rect area, const struct image *image, int32_t x, int32_t y);

// The same for ARGB8888, blended over what is there.
void pixels_blend(struct canvas *to, struct rect area, const struct image *image, int32_t x, int32_t y);

// Where a picture is drawn in an area: as often as large as fits, so that it stays sharp; one that is too large is made
// as small as it has to be. Empty when there is none.
struct rect pixels_fitted(const struct image *picture, struct rect area);

// Draws the image so that it fills `place`, only inside `area`, which lies within the canvas. A pixel is the mean of
// all that it covers of the image, so that nothing of it is left out and edges stay where they are; where the image is
// drawn a whole number of times larger, its own pixels are seen. Of more than a few pixels that one covers a few are
// looked at.
void pixels_scale(struct canvas *to, struct rect area, const struct image *image, struct rect place);
