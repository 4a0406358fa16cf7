// Composition, one damaged area at a time: what lies below first, then what lies above.
#include "scene.h"

#include "cursor.h"
#include "guest_input.h"
#include "peek.h"
#include "strip.h"
#include "ui.h"

enum { BACKGROUND = 0xff1d2128, BORDER = 0xff000000, TILE_SIZE = 160 };

struct rect scene_guest_area(const struct seat *seat, const struct guest *guest)
{
    if (seat->peek.shown)
        return peek_picture_area(seat, guest);
    if (!seat_shows_guest(seat, guest->slot))
        return (struct rect){0};
    return pixels_fitted(&guest->picture, strip_stage(seat->output));
}

struct rect scene_picture_area(const struct seat *seat, const struct guest *guest, struct rect part)
{
    const struct image *picture = &guest->picture;
    struct rect place = scene_guest_area(seat, guest);
    if (rect_empty(place) || rect_empty(part))
        return (struct rect){0};
    int64_t left = (int64_t)part.x * place.width / picture->width;
    int64_t top = (int64_t)part.y * place.height / picture->height;
    int64_t right = ((int64_t)part.x + part.width) * place.width + picture->width - 1;
    int64_t bottom = ((int64_t)part.y + part.height) * place.height + picture->height - 1;
    return (struct rect){place.x + (int32_t)left, place.y + (int32_t)top, (int32_t)(right / picture->width - left),
                         (int32_t)(bottom / picture->height - top)};
}

// The guest whose cursor it is at the pointer's place; NULL over the interface and over empty places.
static struct guest *cursor_owner(struct seat *seat)
{
    struct guest *guest = seat_focused_guest(seat);
    if (!guest || guest->picture.width == 0 || !guest_input_present(guest) || seat->peek.shown)
        return NULL;
    if (seat->bar_shown && ui_bar_contains(seat->ui, seat->pointer_x, seat->pointer_y))
        return NULL;
    return rect_contains(scene_guest_area(seat, guest), seat->pointer_x, seat->pointer_y) ? guest : NULL;
}

// Most guests draw their cursor in to their picture, and then there is none to draw here.
static bool guest_cursor(const struct guest *guest, struct image *image, int32_t *hotspot_x, int32_t *hotspot_y)
{
    *image = guest->cursor;
    *hotspot_x = guest->cursor_x;
    *hotspot_y = guest->cursor_y;
    return image->width > 0;
}

static bool interface_at_pointer(struct seat *seat)
{
    return ui_bar_contains(seat->ui, seat->pointer_x, seat->pointer_y) ||
           (!seat_focused_guest(seat) && ui_layer_mapped(seat->ui, UI_LAYER_SWITCHER));
}

static bool cursor_image(struct seat *seat, struct image *image, int32_t *hotspot_x, int32_t *hotspot_y)
{
    const struct guest *owner = cursor_owner(seat);
    if (owner)
        return guest_cursor(owner, image, hotspot_x, hotspot_y);
    bool over_interface = !seat->peek.shown && interface_at_pointer(seat);
    if (over_interface)
        return ui_cursor(seat->ui, image, hotspot_x, hotspot_y);
    *image = cursor_arrow();
    *hotspot_x = *hotspot_y = 0;
    return true;
}

struct rect scene_cursor_area(const struct seat *seat)
{
    struct image image;
    int32_t x, y;
    if (!cursor_image((struct seat *)seat, &image, &x, &y))
        return (struct rect){0};
    return (struct rect){(int32_t)seat->pointer_x - x, (int32_t)seat->pointer_y - y, (int32_t)image.width,
                         (int32_t)image.height};
}

// A guest's pointer is drawn within its own picture, below everything of ours; the interface's above.
static void paint_cursor(struct seat *seat, struct canvas *canvas, struct rect area, bool of_guest)
{
    struct image image;
    int32_t x, y;
    const struct guest *owner = cursor_owner(seat);
    if ((owner != NULL) != of_guest || !cursor_image(seat, &image, &x, &y))
        return;
    if (owner)
        area = rect_intersect(area, scene_guest_area(seat, owner));
    pixels_blend(canvas, area, &image, (int32_t)seat->pointer_x - x, (int32_t)seat->pointer_y - y);
}

// The place of a guest that has no picture yet, or no longer: a tile in its colour.
static void paint_placeholder(struct seat *seat, const struct guest *guest, struct canvas *canvas, struct rect area)
{
    struct rect stage = strip_stage(seat->output);
    struct rect tile = {(stage.width - TILE_SIZE) / 2, (stage.height - TILE_SIZE) / 2, TILE_SIZE, TILE_SIZE};
    pixels_fill(canvas, area, BACKGROUND);
    pixels_fill(canvas, rect_intersect(area, tile), 0xff000000 | guest->rgb);
}

static void paint_guest(struct seat *seat, const struct guest *guest, struct canvas *canvas, struct rect area)
{
    struct rect place = scene_guest_area(seat, guest), covered = rect_intersect(area, place);
    if (covered.width != area.width || covered.height != area.height)
        pixels_fill(canvas, area, BORDER);
    if (place.width == (int32_t)guest->picture.width && place.height == (int32_t)guest->picture.height)
        pixels_copy(canvas, covered, &guest->picture, place.x, place.y);
    else
        pixels_scale(canvas, covered, &guest->picture, place);
}

static void paint_stage(struct seat *seat, struct canvas *canvas, struct rect area)
{
    if (seat->peek.shown) {
        peek_paint(seat, canvas, area);
        paint_cursor(seat, canvas, area, false);
        return;
    }
    const struct guest *guest = seat_focused_guest(seat);
    if (guest && guest->picture.width > 0) {
        paint_guest(seat, guest, canvas, area);
    } else if (guest) {
        paint_placeholder(seat, guest, canvas, area);
    } else {
        pixels_fill(canvas, area, BACKGROUND);
        ui_paint(seat->ui, canvas, area, UI_LAYER_SWITCHER);
    }
    paint_cursor(seat, canvas, area, true);
    if (seat->bar_shown) {
        // Whatever the bar leaves transparent is not the guest's to fill.
        pixels_fill(canvas, rect_intersect(area, ui_bar_strip(seat->ui)), BACKGROUND);
        ui_paint(seat->ui, canvas, area, UI_LAYER_BAR);
    }
    paint_cursor(seat, canvas, area, false);
}

void scene_paint(struct seat *seat, struct canvas *canvas, struct rect area)
{
    struct rect staged = rect_intersect(area, strip_stage(seat->output));
    if (!rect_empty(staged))
        paint_stage(seat, canvas, staged);
    strip_paint(seat, canvas, area);
}
