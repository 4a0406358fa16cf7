// The grid has as many columns as make its cells as square as the screen; guests are in it by slot.
#include "peek.h"

#include <stdio.h>

#include "backend.h"
#include "seat.h"
#include "strip.h"
#include "text.h"

enum { GROUND = 0xff101317, CHOSEN = 0xffffffff, WRITING = 0xffe8ebf0 };
enum { GAP_DOTS = 16, FRAME_DOTS = 3, CAPTION_DOTS = TEXT_HEIGHT + 8 };

static void damage(struct seat *seat)
{
    seat_damage(seat, strip_stage(seat->output));
    seat_cursor_update(seat);
}

bool peek_move(struct seat *seat, int step)
{
    struct focus at = seat->focus;
    if (seat->peek.shown)
        at.current = seat->peek.chosen;
    unsigned slot = focus_neighbour(&at, step);
    if (!seat->guests[slot].present)
        return false; // the switcher, or one that has just gone
    bool begins = !seat->peek.shown;
    seat->peek = (struct peek){.shown = true, .chosen = slot};
    seat->repeat_code = 0;
    for (unsigned other = 1; begins && other < LINK_SLOTS; other++)
        if (seat->guests[other].present)
            backend_shown(seat->guests[other].display);
    damage(seat);
    return true;
}

void peek_end(struct seat *seat, bool go)
{
    unsigned slot = seat->peek.chosen;
    if (!seat->peek.shown)
        return;
    seat->peek = (struct peek){0};
    damage(seat);
    if (go)
        seat_focus(seat, slot, true);
}

void peek_key(struct seat *seat, uint32_t code, bool pressed)
{
    unsigned both = HOTKEY_CTRL | HOTKEY_ALT;
    if (pressed && code == KEY_ESC)
        peek_end(seat, false);
    else if ((hotkey_modifiers(&seat->hotkeys) & both) != both)
        peek_end(seat, true);
}

void peek_guest_gone(struct seat *seat, unsigned slot)
{
    if (!seat->peek.shown)
        return;
    damage(seat);
    if (seat->peek.chosen == slot && !peek_move(seat, +1))
        peek_end(seat, false);
}

// The guest's place in the grid, without the gap around it; the caption is its lowest part.
static struct rect cell_of(const struct seat *seat, unsigned slot)
{
    struct rect stage = strip_stage(seat->output);
    int32_t count = 0, place = 0, columns = 1, gap = GAP_DOTS * strip_scale(seat->output);
    for (unsigned other = 1; other < LINK_SLOTS; other++) {
        place += other < slot && seat->guests[other].present;
        count += seat->guests[other].present;
    }
    while (columns * columns < count)
        columns++;
    int32_t rows = count > 0 ? (count + columns - 1) / columns : 1;
    int32_t width = stage.width / columns, height = stage.height / rows;
    return (struct rect){stage.x + place % columns * width + gap, stage.y + place / columns * height + gap,
                         width - 2 * gap, height - 2 * gap};
}

static struct rect picture_cell(const struct seat *seat, unsigned slot)
{
    struct rect cell = cell_of(seat, slot);
    cell.height -= CAPTION_DOTS * strip_scale(seat->output);
    return cell;
}

struct rect peek_picture_area(const struct seat *seat, const struct guest *guest)
{
    return pixels_fitted(&guest->picture, picture_cell(seat, guest->slot));
}

static void paint_guest(const struct seat *seat, struct canvas *canvas, struct rect area, const struct guest *guest)
{
    struct rect cell = cell_of(seat, guest->slot), place = peek_picture_area(seat, guest);
    int32_t scale = strip_scale(seat->output), frame = FRAME_DOTS * scale;
    bool empty = rect_empty(place);
    if (empty)
        place = picture_cell(seat, guest->slot);
    struct rect around = {place.x - frame, place.y - frame, place.width + 2 * frame, place.height + 2 * frame};
    uint32_t colour = 0xff000000 | guest->rgb;
    pixels_fill(canvas, rect_intersect(area, around), guest->slot == seat->peek.chosen ? CHOSEN : colour);
    if (empty)
        pixels_fill(canvas, rect_intersect(area, place), colour);
    else
        pixels_scale(canvas, area, &guest->picture, place);
    char text[LINK_NAME_SIZE + 16];
    snprintf(text, sizeof(text), "%u  %s", guest->slot, guest->name);
    int32_t width = text_width(text, scale), left = cell.width > width ? (cell.width - width) / 2 : 0;
    text_draw(canvas, rect_intersect(area, cell), text, cell.x + left, cell.y + cell.height - TEXT_HEIGHT * scale,
              scale, WRITING);
}

void peek_paint(struct seat *seat, struct canvas *canvas, struct rect area)
{
    pixels_fill(canvas, area, GROUND);
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        if (seat->guests[slot].present)
            paint_guest(seat, canvas, area, &seat->guests[slot]);
}
