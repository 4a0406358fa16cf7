// Glyphs of the font that tools/make_font.py makes.
#include "text.h"

#include <stdbool.h>
#include <stddef.h>

enum { REPLACEMENT = 0xfffd, PLANE = 0x10000, GLYPH_WIDTH = 16 };

struct glyph {
    uint16_t advance;           // in dots; 0: drawn over the one before
    uint16_t rows[TEXT_HEIGHT]; // the leftmost dot is the highest bit
};

extern const struct {
    uint16_t index[PLANE]; // by code point; 0: none
    struct glyph glyphs[]; // [0] is empty
} text_font;

// How many bytes follow the first one, and its bits of the code point; -1: it begins no character.
static int following(uint8_t first, uint32_t *code)
{
    if (first < 0x80) {
        *code = first;
        return 0;
    }
    int bytes = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    *code = first & (0x3fu >> bytes);
    return first >= 0xc2 && first <= 0xf4 ? bytes : -1;
}

// The next character of UTF-8 text, which is moved past it; U+FFFD for what is none, 0 at the end.
static uint32_t next(const char **text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const uint8_t *p = (const uint8_t *)*text;
    uint32_t code;
    if (*p == 0)
        return 0;
    int bytes = following(*p++, &code), left = bytes;
    for (; left > 0 && (*p & 0xc0) == 0x80; left--)
        code = code << 6 | (*p++ & 0x3f);
    *text = (const char *)p;
    bool wrong = left != 0 || code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
    return wrong ? REPLACEMENT : code;
}

static const struct glyph *glyph_of(uint32_t code)
{
    unsigned number = code < PLANE ? text_font.index[code] : 0;
    return &text_font.glyphs[number ? number : text_font.index[REPLACEMENT]];
}

int32_t text_width(const char *text, int32_t scale)
{
    int32_t width = 0;
    for (uint32_t code; (code = next(&text)) != 0;)
        width += glyph_of(code)->advance * scale;
    return width;
}

static void draw_glyph(struct canvas *to, struct rect area, const struct glyph *glyph, int32_t x, int32_t y,
                       int32_t scale, uint32_t xrgb)
{
    for (int32_t row = 0; row < TEXT_HEIGHT; row++) {
        for (int32_t column = 0; column < GLYPH_WIDTH; column++) {
            if (glyph->rows[row] >> (GLYPH_WIDTH - 1 - column) & 1)
                pixels_fill(to, rect_intersect(area, (struct rect){x + column * scale, y + row * scale, scale, scale}),
                            xrgb);
        }
    }
}

void text_draw(struct canvas *to, struct rect area, const char *text, int32_t x, int32_t y, int32_t scale,
               uint32_t xrgb)
{
    int32_t before = x; // where the last glyph that has a width begins
    for (uint32_t code; (code = next(&text)) != 0;) {
        const struct glyph *glyph = glyph_of(code);
        before = glyph->advance ? x : before;
        draw_glyph(to, area, glyph, before, y, scale, xrgb);
        x += glyph->advance * scale;
    }
}
