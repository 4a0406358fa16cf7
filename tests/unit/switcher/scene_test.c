// What is drawn over what. The interface is a fake: a bar of one colour, half of it transparent.
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "guest_input.h"
#include "scene.h"
#include "seat.h"
#include "ui.h"

enum {
    WIDTH = 200,
    HEIGHT = 100,
    BAR = 20,
    GROUND = 0x1d2128,
    BAR_COLOUR = 0x0000ff,
    GUEST = 0x00ff00,
    POINTER = 0xff0000
};

static struct seat *seat;
static struct output output = {.width = WIDTH, .height = HEIGHT};
static uint32_t screen[HEIGHT][WIDTH], picture[HEIGHT * 4][WIDTH * 4], pointer[64][64];
static struct canvas canvas = {(uint8_t *)screen, WIDTH, HEIGHT, WIDTH * 4};

struct guest *seat_focused_guest(struct seat *s)
{
    return s->focus.current ? &s->guests[s->focus.current] : NULL;
}

bool guest_input_present(const struct guest *guest)
{
    return guest->present;
}

bool ui_bar_contains(const struct ui *ui, double x, double y)
{
    (void)ui;
    return seat->bar_shown && x >= 0 && y < BAR;
}

bool ui_layer_mapped(const struct ui *ui, enum ui_layer layer)
{
    (void)ui;
    (void)layer;
    return true;
}

struct rect ui_bar_strip(const struct ui *ui)
{
    (void)ui;
    return (struct rect){0, 0, WIDTH, BAR};
}

// The right half of the bar is left transparent.
void ui_paint(struct ui *ui, struct canvas *to, struct rect area, enum ui_layer layer)
{
    (void)ui;
    if (layer == UI_LAYER_BAR)
        pixels_fill(to, rect_intersect(area, (struct rect){0, 0, WIDTH / 2, BAR}), BAR_COLOUR);
}

bool ui_cursor(const struct ui *ui, struct image *image, int32_t *hotspot_x, int32_t *hotspot_y)
{
    (void)ui;
    (void)image;
    (void)hotspot_x;
    (void)hotspot_y;
    return false;
}

static void paint(double x, double y)
{
    seat->pointer_x = x;
    seat->pointer_y = y;
    memset(screen, 0x55, sizeof(screen));
    scene_paint(seat, &canvas, canvas_rect(&canvas));
}

static uint32_t at(int x, int y)
{
    return screen[y][x] & 0xffffff;
}

static void guest_of(uint32_t width, uint32_t height)
{
    struct guest *guest = &seat->guests[1];
    *guest = (struct guest){.seat = seat, .slot = 1, .present = true, .rgb = 0x123456};
    guest->picture = (struct image){(uint8_t *)picture, width, height, sizeof(picture[0]), PIXEL_XRGB8888};
    guest->cursor = (struct image){(uint8_t *)pointer, 64, 64, 256, PIXEL_ARGB8888};
    guest->cursor_x = guest->cursor_y = 32;
    seat->focus.current = 1;
}

static void pointer_stays_below_the_bar(void)
{
    guest_of(WIDTH, HEIGHT);
    paint(50, BAR + 2);
    CHECK(at(50, BAR + 2) == POINTER && at(50, BAR - 1) == POINTER); // no bar: all of it
    seat->bar_shown = true;
    paint(50, BAR + 2);
    CHECK(at(50, BAR + 2) == POINTER && at(50, BAR) == POINTER && at(50, BAR - 1) == BAR_COLOUR);
    paint(150, BAR + 2);
    CHECK(at(150, BAR - 1) == GROUND && at(180, 3) == GROUND); // nor does the guest fill what the bar leaves open
    seat->bar_shown = false;
}

static void pictures_stay_in_their_place(void)
{
    guest_of(WIDTH * 4, HEIGHT * 4); // larger than the screen
    seat->bar_shown = true;
    paint(50, 50);
    CHECK(at(10, 5) == BAR_COLOUR && at(10, BAR) == GUEST && at(WIDTH - 1, HEIGHT - 1) == GUEST);
    seat->bar_shown = false;
    guest_of(40, 60); // smaller, but for twice as large: its pointer does not reach out of it
    paint(WIDTH / 2, HEIGHT / 2);
    CHECK(at(WIDTH / 2, HEIGHT / 2) == POINTER && at(WIDTH / 2 - 19, HEIGHT / 2) == POINTER);
    CHECK(at(WIDTH / 2 - 21, HEIGHT / 2) == 0 && at(WIDTH / 2 + 21, HEIGHT / 2) == 0);
}

static bool is_at(struct rect area, int32_t x, int32_t y, int32_t width, int32_t height)
{
    if (area.x == x && area.y == y && area.width == width && area.height == height)
        return true;
    fprintf(stderr, "it is at %d,%d, %dx%d\n", area.x, area.y, area.width, area.height);
    return false;
}

// All of a picture is seen: as large as it is, a whole number of times larger, or as small as it has to be.
static void pictures_fit(void)
{
    static const struct {
        uint32_t width, height;
        struct rect place;
    } cases[] = {
        {200, 100, {0, 0, 200, 100}}, {190, 90, {5, 5, 190, 90}},   {100, 50, {0, 0, 200, 100}},
        {60, 30, {10, 5, 180, 90}},   {50, 20, {0, 10, 200, 80}},   {400, 100, {0, 25, 200, 50}},
        {100, 200, {75, 0, 50, 100}}, {201, 101, {0, 0, 199, 100}}, {800, 1, {0, 49, 200, 1}},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        guest_of(cases[i].width, cases[i].height);
        struct rect place = cases[i].place, area = scene_guest_area(seat, &seat->guests[1]);
        CHECK(is_at(area, place.x, place.y, place.width, place.height));
        paint(0, 0);
        CHECK(at(place.x + place.width - 1, place.y + place.height - 1) == GUEST);
        CHECK(place.x == 0 || (at(place.x - 1, HEIGHT / 2) == 0 && at(place.x + place.width, HEIGHT / 2) == 0));
    }
    guest_of(100, 50); // twice as large
    CHECK(is_at(scene_picture_area(seat, &seat->guests[1], (struct rect){3, 4, 5, 6}), 6, 8, 10, 12));
    guest_of(300, 150); // two thirds: also what is covered in part
    CHECK(is_at(scene_picture_area(seat, &seat->guests[1], (struct rect){4, 4, 1, 2}), 2, 2, 2, 2));
    CHECK(is_at(scene_picture_area(seat, &seat->guests[1], (struct rect){0, 0, 300, 150}), 0, 0, 200, 100));
    CHECK(rect_empty(scene_picture_area(seat, &seat->guests[1], (struct rect){0})));
    guest_of(0, 0);
    CHECK(rect_empty(scene_guest_area(seat, &seat->guests[1])));
}

// The last line of a picture that is too large is to be seen, where it belongs.
static void edges_are_seen(void)
{
    guest_of(WIDTH + 20, HEIGHT + 10);
    for (int x = 0; x < WIDTH * 4; x++)
        picture[HEIGHT + 9][x] = picture[0][x] = 0xffffff;
    paint(WIDTH / 2, HEIGHT / 2);
    CHECK(at(20, 0) > 0xe000e0 && at(20, HEIGHT - 1) > 0xe000e0 && at(20, HEIGHT - 4) == GUEST && at(20, 4) == GUEST);
    for (int x = 0; x < WIDTH * 4; x++)
        picture[HEIGHT + 9][x] = picture[0][x] = GUEST;
}

static void only_the_area_is_drawn(void)
{
    guest_of(WIDTH, HEIGHT);
    seat->pointer_x = seat->pointer_y = 50;
    memset(screen, 0x55, sizeof(screen));
    scene_paint(seat, &canvas, (struct rect){40, 40, 10, 10});
    CHECK(at(40, 40) == POINTER && at(39, 40) == 0x555555 && at(50, 49) == 0x555555);
}

static void guest_without_a_picture(void)
{
    guest_of(0, 0);
    paint(0, 0);
    CHECK(at(WIDTH / 2, HEIGHT / 2) == 0x123456 && at(WIDTH - 1, HEIGHT - 1) == GROUND);
}

int main(void)
{
    seat = calloc(1, sizeof(*seat));
    seat->output = &output;
    for (int i = 0; i < HEIGHT * 4 * WIDTH * 4; i++)
        ((uint32_t *)picture)[i] = GUEST;
    for (int i = 0; i < 64 * 64; i++)
        ((uint32_t *)pointer)[i] = 0xff000000 | POINTER;
    pointer_stays_below_the_bar();
    pictures_stay_in_their_place();
    pictures_fit();
    edges_are_seen();
    only_the_area_is_drawn();
    guest_without_a_picture();
    free(seat);
    return 0;
}
