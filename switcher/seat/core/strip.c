// One line: number and name at the left, signs at the right, on the guest's colour.
#include "strip.h"

#include <stdio.h>

#include "roundhouse_guest.h"
#include "seat.h"
#include "text.h"

enum { SIGN_CUT = GUEST_SIGNS + 1 }; // not the guest's: the seat's own

enum { OF_SWITCHER = 0x101317, EDGE = 0x000000, EDGE_DOTS = 2, MARGIN_DOTS = 8, SIGN = 16 };

// 16 by 16 dots each, '#' is drawn.
static const char *const microphone[SIGN] = {
    "                ", "      ####      ", "     ######     ", "     ######     ",
    "     ######     ", "     ######     ", "     ######     ", "   # ###### #   ",
    "   # ###### #   ", "   #  ####  #   ", "    #      #    ", "     ######     ",
    "       ##       ", "       ##       ", "     ######     ", "                ",
};
static const char *const camera[SIGN] = {
    "                ", "                ", "                ", " #########    # ",
    " #########   ## ", " #########  ### ", " ############## ", " ############## ",
    " ############## ", " ############## ", " #########  ### ", " #########   ## ",
    " #########    # ", "                ", "                ", "                ",
};
static const char *const network[SIGN] = {
    "                ", "    ##          ", "   ####         ", "  ######    ##  ",
    "    ##      ##  ", "    ##      ##  ", "    ##      ##  ", "    ##      ##  ",
    "    ##      ##  ", "    ##      ##  ", "    ##      ##  ", "    ##    ######",
    "    ##     #### ", "            ##  ", "                ", "                ",
};
static const char *const pause[SIGN] = {
    "                ", "                ", "   ####  ####   ", "   ####  ####   ",
    "   ####  ####   ", "   ####  ####   ", "   ####  ####   ", "   ####  ####   ",
    "   ####  ####   ", "   ####  ####   ", "   ####  ####   ", "   ####  ####   ",
    "   ####  ####   ", "   ####  ####   ", "                ", "                ",
};

static const char *const cross[SIGN] = {
    "                ", "                ", "  ###      ###  ", "   ###    ###   ",
    "    ###  ###    ", "     ######     ", "      ####      ", "      ####      ",
    "     ######     ", "    ###  ###    ", "   ###    ###   ", "  ###      ###  ",
    "                ", "                ", "                ", "                ",
};

// From the right to the left.
static const struct {
    unsigned sign;
    const char *const *dots;
    const char *word; // NULL: none
} signs[] = {
    {GUEST_SIGN_NETWORK, network, NULL},  {GUEST_SIGN_CAMERA, camera, NULL}, {GUEST_SIGN_MICROPHONE, microphone, NULL},
    {GUEST_SIGN_PAUSED, pause, "paused"}, {SIGN_CUT, cross, "cut off"},
};

struct line {
    struct canvas *canvas;
    struct rect area; // to be drawn
    int32_t scale, y;
    uint32_t ink;
};

// Black or white, whichever can be read on the colour.
static uint32_t ink_on(uint32_t rgb)
{
    uint32_t light = (rgb >> 16) * 299 + (rgb >> 8 & 0xff) * 587 + (rgb & 0xff) * 114;
    return light > 140 * 1000 ? 0xff000000 : 0xffffffff;
}

static void draw_sign(const struct line *line, const char *const *dots, int32_t x)
{
    int32_t scale = line->scale;
    for (int32_t row = 0; row < SIGN; row++) {
        for (int32_t column = 0; column < SIGN; column++) {
            struct rect dot = {x + column * scale, line->y + row * scale, scale, scale};
            if (dots[row][column] == '#')
                pixels_fill(line->canvas, rect_intersect(line->area, dot), line->ink);
        }
    }
}

// Returns where they begin.
static int32_t draw_signs(const struct line *line, uint32_t set, int32_t right)
{
    for (unsigned i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (!(set & signs[i].sign))
            continue;
        if (signs[i].word) {
            right -= text_width(signs[i].word, line->scale);
            text_draw(line->canvas, line->area, signs[i].word, right, line->y, line->scale, line->ink);
            right -= MARGIN_DOTS * line->scale / 2;
        }
        right -= SIGN * line->scale;
        draw_sign(line, signs[i].dots, right);
        right -= MARGIN_DOTS * line->scale;
    }
    return right;
}

void strip_paint(const struct seat *seat, struct canvas *canvas, struct rect area)
{
    struct rect strip = strip_area(seat->output);
    area = rect_intersect(area, strip);
    if (rect_empty(area))
        return;
    const struct guest *guest = seat_focused_guest((struct seat *)seat);
    uint32_t colour = guest ? guest->rgb : OF_SWITCHER;
    int32_t scale = strip_scale(seat->output), margin = MARGIN_DOTS * scale;
    struct line line = {.canvas = canvas, .area = area, .scale = scale, .ink = ink_on(colour)};
    line.y = strip.y + (strip.height + EDGE_DOTS * scale - TEXT_HEIGHT * scale) / 2;
    pixels_fill(canvas, area, 0xff000000 | colour);
    // No picture runs over into it.
    pixels_fill(canvas, rect_intersect(area, (struct rect){0, strip.y, strip.width, EDGE_DOTS * scale}),
                0xff000000 | EDGE);
    int32_t end = draw_signs(&line, (guest ? guest->signs : 0) | (seat->cut ? SIGN_CUT : 0), strip.width - margin);
    char text[LINK_NAME_SIZE + 16] = "Roundhouse";
    if (guest)
        snprintf(text, sizeof(text), "%u  %s", guest->slot, guest->name);
    line.area = rect_intersect(area, (struct rect){0, strip.y, end, strip.height});
    text_draw(canvas, line.area, text, margin, line.y, scale, line.ink);
}
