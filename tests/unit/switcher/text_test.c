// Text on the screen: what is decoded, how wide it is, where it is drawn. Names are a person's, and may be anything.
#include "text.h"

#include <string.h>

#include "../check.h"
#include "../random.h"

enum { WIDTH = 64, HEIGHT = 20, INK = 0x00ff00 };

static uint32_t pixels[HEIGHT][WIDTH];
static struct canvas canvas = {(uint8_t *)pixels, WIDTH, HEIGHT, WIDTH * 4};

// Whether both look the same.
static bool same(const char *a, const char *b)
{
    static uint32_t first[HEIGHT][WIDTH];
    memset(pixels, 0, sizeof(pixels));
    text_draw(&canvas, canvas_rect(&canvas), a, 0, 2, 1, INK);
    memcpy(first, pixels, sizeof(first));
    memset(pixels, 0, sizeof(pixels));
    text_draw(&canvas, canvas_rect(&canvas), b, 0, 2, 1, INK);
    return memcmp(first, pixels, sizeof(first)) == 0;
}

static void characters(void)
{
    CHECK(!same("a", "b") && !same("a", "") && !same("\u4e2d", "\ufffd") && !same("\u00e9", "e"));
    CHECK(same("\U0001f3a4z", "\ufffdz"));
    CHECK(same("\x80z", "\ufffdz") && same("\xff", "\ufffd"));
    CHECK(same("\xe4\xb8z", "\ufffdz")); // cut off
    CHECK(same("\xe4", "\ufffd") && same("\xf0\x9f\x8e", "\ufffd"));
    CHECK(same("\xc0\xaf", "\ufffd\ufffd") && same("\xe0\x80\xaf", "\ufffd")); // a slash in more bytes than it has
    CHECK(same("\xed\xa0\x80", "\ufffd"));                                     // half of a pair
    CHECK(same("\xf4\x90\x80\x80\xff", "\ufffd\ufffd"));
}

static void any_bytes(void)
{
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[9];
        for (unsigned i = 0; i < 8; i++)
            bytes[i] = (char)random_below(256);
        bytes[8] = 0;
        text_draw(&canvas, canvas_rect(&canvas), bytes, (int32_t)random_below(200) - 100,
                  (int32_t)random_below(60) - 30, 1 + (int32_t)random_below(2), INK);
    }
}

static void widths(void)
{
    CHECK(text_width("", 1) == 0 && text_width("work", 1) == 32 && text_width("work", 2) == 64);
    CHECK(text_width("\u4e2d", 1) == 16 && text_width("e\u0301", 1) == 8);
    CHECK(text_width("\U0001f3a4", 1) == text_width("\ufffd", 1)); // there is no glyph
    CHECK(text_width("\u202e", 1) == text_width("\ufffd", 1));     // it would turn round what follows
    CHECK(text_width("\x01", 1) == text_width("\ufffd", 1));
}

static unsigned drawn(struct rect area)
{
    unsigned count = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            count += (pixels[y][x] & 0xffffff) == INK && rect_contains(area, x, y);
    return count;
}

static unsigned draw(struct rect area, const char *text, int32_t x, int32_t y, int32_t scale)
{
    memset(pixels, 0, sizeof(pixels));
    text_draw(&canvas, area, text, x, y, scale, INK);
    return drawn(canvas_rect(&canvas));
}

static void drawing(void)
{
    struct rect all = canvas_rect(&canvas), left = {0, 0, 8, HEIGHT}, part = {3, 5, 4, 6};
    unsigned bar = draw(all, "|", 4, 2, 1);
    CHECK(bar >= 10 && bar <= 16 && drawn((struct rect){4, 2, 8, 16}) == bar);
    CHECK(pixels[10][8] == INK || pixels[10][7] == INK); // in the middle of its cell
    CHECK(draw(all, "|", 4, -20, 2) > bar);
    unsigned plain = draw(all, "e", 0, 2, 1), accent = draw(all, "e\u0301", 0, 2, 1);
    CHECK(accent > plain && drawn(left) == accent);
    unsigned whole = draw(all, "\u4e2d\u4e2d", 0, 2, 1);
    CHECK(whole > 40 && drawn((struct rect){16, 0, 16, HEIGHT}) * 2 == whole);
    unsigned clipped = draw(part, "\u4e2d", 0, 2, 1);
    CHECK(clipped > 0 && drawn(part) == clipped);
    CHECK(draw(all, "far away", 1 << 20, 2, 1) == 0);
}

int main(void)
{
    characters();
    any_bytes();
    widths();
    drawing();
    return 0;
}
