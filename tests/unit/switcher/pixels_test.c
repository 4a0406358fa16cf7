// Pictures: formats, clipping, blending, scaling.
#include "pixels.h"

#include <stdlib.h>
#include <string.h>

#include "../check.h"

enum { SIZE = 16 };

static uint32_t target_pixels[SIZE * SIZE];
static struct canvas target = {(uint8_t *)target_pixels, SIZE, SIZE, SIZE * 4};

static uint32_t at(int x, int y)
{
    return target_pixels[y * SIZE + x] & 0xffffff;
}

// A canvas within the target: what lies around it is not its own.
static void filling(void)
{
    struct canvas inner = {(uint8_t *)&target_pixels[4 * SIZE + 4], 8, 8, SIZE * 4};
    for (int y = -4; y <= 3; y++) {
        for (int x = -4; x <= 3; x++) {
            memset(target_pixels, 0, sizeof(target_pixels));
            pixels_fill(&inner, (struct rect){x, y, 9, 9}, 0x123456);
            for (int ty = -4; ty < SIZE - 4; ty++) {
                for (int tx = -4; tx < SIZE - 4; tx++) {
                    bool own = tx >= 0 && tx < 8 && ty >= 0 && ty < 8;
                    bool inside = own && tx >= x && tx < x + 9 && ty >= y && ty < y + 9;
                    CHECK(at(tx + 4, ty + 4) == (inside ? 0x123456 : 0));
                }
            }
        }
    }
}

static void clipping(void)
{
    uint32_t source[4 * 4];
    for (unsigned i = 0; i < 16; i++)
        source[i] = 0x100 + i;
    struct image image = {(uint8_t *)source, 4, 4, 16, PIXEL_XRGB8888};
    for (int y = -6; y < SIZE + 6; y++) {
        for (int x = -6; x < SIZE + 6; x++) {
            memset(target_pixels, 0, sizeof(target_pixels));
            struct rect area = rect_intersect((struct rect){3, 2, 9, 11}, canvas_rect(&target));
            pixels_copy(&target, area, &image, x, y);
            for (int ty = 0; ty < SIZE; ty++) {
                for (int tx = 0; tx < SIZE; tx++) {
                    bool inside =
                        tx >= 3 && tx < 12 && ty >= 2 && ty < 13 && tx >= x && tx < x + 4 && ty >= y && ty < y + 4;
                    CHECK(at(tx, ty) == (inside ? 0x100u + (unsigned)((ty - y) * 4 + tx - x) : 0));
                }
            }
        }
    }
}

static void formats(void)
{
    uint16_t rgb565[] = {0xf800, 0x07e0, 0x001f, 0xffff};
    struct image image = {(uint8_t *)rgb565, 4, 1, 8, PIXEL_RGB565};
    pixels_copy(&target, canvas_rect(&target), &image, 0, 0);
    CHECK(at(0, 0) == 0xff0000 && at(1, 0) == 0x00ff00 && at(2, 0) == 0x0000ff && at(3, 0) == 0xffffff);
    uint8_t rgb888[] = {0x33, 0x22, 0x11};
    image = (struct image){rgb888, 1, 1, 3, PIXEL_RGB888};
    pixels_copy(&target, canvas_rect(&target), &image, 5, 5);
    CHECK(at(5, 5) == 0x112233);
}

static void blending(void)
{
    for (unsigned alpha = 0; alpha < 256; alpha++) {
        for (unsigned below = 0; below < 256; below += 5) {
            uint32_t source = alpha << 24 | alpha << 16; // red, premultiplied
            struct image image = {(uint8_t *)&source, 1, 1, 4, PIXEL_ARGB8888};
            target_pixels[0] = below << 16 | below << 8 | below;
            pixels_blend(&target, canvas_rect(&target), &image, 0, 0);
            double keep = below * (255 - alpha) / 255.0;
            int red = at(0, 0) >> 16, green = at(0, 0) >> 8 & 0xff, blue = at(0, 0) & 0xff;
            CHECK(abs(red - (int)(alpha + keep + 0.5)) <= 1 && abs(green - (int)(keep + 0.5)) <= 1 && green == blue);
        }
    }
}

static void scaling(void)
{
    uint32_t source[8 * 8];
    for (unsigned y = 0; y < 8; y++)
        for (unsigned x = 0; x < 8; x++)
            source[y * 8 + x] = x < 4 ? 0xff0000 : 0x0000ff;
    struct image image = {(uint8_t *)source, 8, 8, 32, PIXEL_XRGB8888};
    uint32_t small_pixels[4];
    struct canvas small = {(uint8_t *)small_pixels, 2, 2, 8};
    struct rect all = canvas_rect(&small);
    pixels_scale(&small, all, &image, all);
    CHECK(small_pixels[0] == 0xffff0000 && small_pixels[1] == 0xff0000ff && small_pixels[3] == 0xff0000ff);
    pixels_scale(&target, canvas_rect(&target), &image, canvas_rect(&target)); // larger than the source
    CHECK(at(0, 0) == 0xff0000 && at(SIZE - 1, SIZE - 1) == 0x0000ff);
    uint32_t one;
    struct canvas dot = {(uint8_t *)&one, 1, 1, 4};
    all = canvas_rect(&dot);
    pixels_scale(&dot, all, &image, all);
    CHECK(one == 0xff7f007f);
}

// A little smaller: each line of the picture keeps its share, and none is left out or drawn twice as wide.
static void scaling_sharply(void)
{
    enum { LINES = 20, SMALLER = 19 };
    uint32_t source[LINES], scaled[SMALLER];
    struct image image = {(uint8_t *)source, LINES, 1, LINES * 4, PIXEL_XRGB8888};
    struct canvas canvas = {(uint8_t *)scaled, SMALLER, 1, SMALLER * 4};
    for (unsigned line = 0; line < LINES; line++) {
        for (unsigned i = 0; i < LINES; i++)
            source[i] = i == line ? 0x00ffffff : 0;
        pixels_scale(&canvas, canvas_rect(&canvas), &image, canvas_rect(&canvas));
        unsigned sum = 0, touched = 0;
        for (unsigned i = 0; i < SMALLER; i++) {
            sum += scaled[i] & 0xff;
            touched += (scaled[i] & 0xff) != 0;
        }
        CHECK(sum * LINES > 250 * SMALLER && sum * LINES < 260 * SMALLER && touched >= 1 && touched <= 2);
    }
}

// Part of a place at a time, and of one that reaches out of the canvas: the same pixels as all at once.
static void scaling_in_parts(void)
{
    enum { SIDE = 30 };
    uint32_t source[SIDE * SIDE], whole[SIZE * SIZE];
    for (unsigned i = 0; i < SIDE * SIDE; i++)
        source[i] = i * 0x010203 & 0xffffff;
    struct image image = {(uint8_t *)source, SIDE, SIDE, SIDE * 4, PIXEL_XRGB8888};
    struct rect place = {-3, 2, SIZE + 8, SIZE - 5};
    pixels_fill(&target, canvas_rect(&target), 0x123456);
    pixels_scale(&target, canvas_rect(&target), &image, place);
    CHECK(at(0, 1) == 0x123456 && at(0, SIZE - 3) == 0x123456 && at(SIZE - 1, 2) != 0x123456);
    memcpy(whole, target_pixels, sizeof(whole));
    for (int32_t y = 0; y < SIZE; y += 3)
        for (int32_t x = 0; x < SIZE; x += 5)
            pixels_scale(&target, rect_intersect((struct rect){x, y, 5, 3}, canvas_rect(&target)), &image, place);
    CHECK(memcmp(whole, target_pixels, sizeof(whole)) == 0);
    place = (struct rect){0, 0, SIDE * 2, SIDE * 2}; // twice as large: its own pixels
    pixels_scale(&target, canvas_rect(&target), &image, place);
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++)
            CHECK(at(x, y) == source[y / 2 * SIDE + x / 2]);
}

int main(void)
{
    filling();
    clipping();
    formats();
    blending();
    scaling();
    scaling_sharply();
    scaling_in_parts();
    return 0;
}
