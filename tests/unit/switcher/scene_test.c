// What is drawn over what. The interface is a fake: a bar of one colour, half of it transparent.
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "guest_input.h"
#include "roundhouse_guest.h"
#include "scene.h"
#include "seat.h"
#include "strip.h"
#include "ui.h"

enum {
    WIDTH = 200,
    HEIGHT = 100, // of the stage
    BAR = 20,
    GROUND = 0x1d2128,
    BAR_COLOUR = 0x0000ff,
    GUEST = 0x00ff00,
    POINTER = 0xff0000
};

static struct seat *seat;
static struct output output = {.width = WIDTH, .height = HEIGHT + STRIP_HEIGHT};
static uint32_t screen[HEIGHT + STRIP_HEIGHT][WIDTH], picture[HEIGHT * 4][WIDTH * 4], pointer[64][64];
static struct canvas canvas = {(uint8_t *)screen, WIDTH, HEIGHT + STRIP_HEIGHT, WIDTH * 4};

struct guest *seat_focused_guest(struct seat *s)
{
    return s->focus.current ? &s->guests[s->focus.current] : NULL;
}

static struct rect damaged;

void seat_damage(struct seat *s, struct rect area)
{
    CHECK(s == seat);
    damaged = area;
}

void seat_cursor_update(struct seat *s)
{
    CHECK(s == seat);
}

bool seat_focus(struct seat *s, unsigned slot, bool user_asked)
{
    CHECK(s == seat && user_asked);
    s->focus.current = slot;
    return true;
}

const struct hotkey hotkey_table[] = {{.act = NULL}};

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

static unsigned marks_in_strip(uint32_t colour)
{
    unsigned marks = 0;
    for (int y = HEIGHT + 2; y < HEIGHT + STRIP_HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            marks += at(x, y) != colour;
    return marks;
}

// Nothing but the seat paints the strip, whoever reaches how far; and it says who has the keyboard.
static void the_strip(void)
{
    guest_of(WIDTH * 4, HEIGHT * 4);
    seat->guests[1].signs = 0;
    seat->bar_shown = true;
    paint(WIDTH / 2, HEIGHT - 1); // with the guest's pointer, which is 64 high, at the edge
    for (int y = HEIGHT; y < HEIGHT + STRIP_HEIGHT; y++)
        CHECK(at(WIDTH - 1, y) == (y < HEIGHT + 2 ? 0 : 0x123456) && at(WIDTH / 2, y) != POINTER);
    CHECK(at(WIDTH / 2, HEIGHT - 1) == POINTER && marks_in_strip(0x123456) < 30); // the slot's number
    strcpy(seat->guests[1].name, "work");
    paint(0, 0);
    unsigned named = marks_in_strip(0x123456);
    CHECK(named > 60 && at(10, HEIGHT + 10) != 0x55555555);
    seat->guests[1].signs = GUEST_SIGN_PAUSED;
    paint(0, 0);
    unsigned paused = marks_in_strip(0x123456);
    CHECK(paused > named + 150);
    seat->guests[1].signs = 0;
    seat->cut = true;
    paint(0, 0);
    CHECK(marks_in_strip(0x123456) > named + 150);
    seat->cut = false;
    for (unsigned sign = GUEST_SIGN_MICROPHONE; sign <= GUEST_SIGN_NETWORK; sign *= 2) {
        seat->guests[1].signs = sign;
        paint(0, 0);
        CHECK(marks_in_strip(0x123456) > named + 40 && marks_in_strip(0x123456) < paused);
    }
    seat->guests[1].rgb = 0xfff0a0; // a light colour has dark letters
    paint(0, 0);
    CHECK(at(WIDTH - 1, HEIGHT + 20) == 0xfff0a0 && marks_in_strip(0xfff0a0) > named);
    bool dark = false;
    for (int x = 0; x < WIDTH; x++)
        dark |= at(x, HEIGHT + 12) == 0;
    CHECK(dark);
    static uint32_t before[HEIGHT + STRIP_HEIGHT][WIDTH];
    memcpy(before, screen, sizeof(screen));
    memset(seat->guests[1].name, 'W', LINK_NAME_SIZE - 1); // does not run into the signs
    paint(0, 0);
    for (int y = HEIGHT; y < HEIGHT + STRIP_HEIGHT; y++)
        CHECK(memcmp(&screen[y][WIDTH - 32], &before[y][WIDTH - 32], 32 * 4) == 0);
    seat->bar_shown = false;
    seat->focus.current = 0;
    paint(0, 0);
    CHECK(at(WIDTH - 1, HEIGHT + 20) == 0x101317 && marks_in_strip(0x101317) > 100); // the switcher's
    memset(screen, 0x55, sizeof(screen));
    scene_paint(seat, &canvas, (struct rect){0, HEIGHT + 10, 3, 3}); // only the area
    CHECK(at(2, HEIGHT + 12) == 0x101317 && at(3, HEIGHT + 12) == 0x555555 && at(2, HEIGHT + 9) == 0x555555);
    scene_paint(seat, &canvas, (struct rect){0, HEIGHT - 1, 1, 1});
    CHECK(at(0, HEIGHT) == 0x555555);
}

// To be looked at: screens as PPM in the folder $SEAT_PICTURES.
enum { WIDE = 800, HIGH = 500 };
static uint32_t wide_pixels[HIGH][WIDE];

static void put_picture(const char *name)
{
    struct canvas wide = {(uint8_t *)wide_pixels, WIDE, HIGH, WIDE * 4};
    const char *folder = getenv("SEAT_PICTURES");
    char path[256];
    output = (struct output){.width = WIDE, .height = HIGH};
    scene_paint(seat, &wide, canvas_rect(&wide));
    snprintf(path, sizeof(path), "%s/%s.ppm", folder ? folder : "", name);
    FILE *file = folder ? fopen(path, "w") : NULL;
    if (!file)
        return;
    fprintf(file, "P6 %d %d 255\n", WIDE, HIGH);
    for (int y = 0; y < HIGH; y++)
        for (int x = 0; x < WIDE; x++)
            for (int shift = 16; shift >= 0; shift -= 8)
                fputc(wide_pixels[y][x] >> shift & 0xff, file);
    fclose(file);
}

static void picture_of_the_strip(void)
{
    guest_of(WIDTH * 4, HEIGHT * 4);
    strcpy(seat->guests[1].name, "Büro 工作 офис あ 한 e\u0301 عمل");
    seat->guests[1].signs = GUEST_SIGNS;
    seat->guests[1].rgb = 0x2e8b57;
    seat->cut = true;
    put_picture("strip");
    seat->cut = false;
}

static uint32_t wide_at(struct rect place, int part) // 0..4 across its middle
{
    return wide_pixels[place.y + place.height / 2][place.x + 1 + (place.width - 2) * part / 4] & 0xffffff;
}

// All guests at once, each whole and within its own place, also one without a picture; the strip stays as it is.
static void peek(void)
{
    static uint32_t colours[3][60][80];
    static const char *const names[] = {"work", "Büro zu Hause", "机"};
    output = (struct output){.width = WIDE, .height = HIGH};
    guest_of(80, 60);
    for (unsigned i = 0; i < 3; i++) {
        struct guest *guest = &seat->guests[2 + 2 * i];
        *guest = (struct guest){.seat = seat, .slot = 2 + 2 * i, .present = true, .rgb = 0x3465a4 + i * 0x402000};
        strcpy(guest->name, names[i]);
        for (unsigned y = 0; y < 60; y++)
            for (unsigned x = 0; x < 80; x++)
                colours[i][y][x] = 0x440000 * (i + 1) | y * 4;
        if (i < 2)
            guest->picture = (struct image){(uint8_t *)colours[i], 80, 60, 320, PIXEL_XRGB8888};
    }
    seat->focus = (struct focus){.current = 1, .present = 1 << 1 | 1 << 2 | 1 << 4 | 1 << 6};
    CHECK(rect_empty(scene_guest_area(seat, &seat->guests[2]))); // not on screen
    CHECK(peek_move(seat, +1) && seat->peek.chosen == 2 && peek_move(seat, +1) && seat->peek.chosen == 4);
    CHECK(damaged.width == WIDE && damaged.height == HIGH - STRIP_HEIGHT);
    put_picture("peek");
    struct rect places[4];
    unsigned slots[] = {1, 2, 4, 6};
    for (unsigned i = 0; i < 4; i++) {
        places[i] = scene_guest_area(seat, &seat->guests[slots[i]]);
        CHECK(i == 3 ? rect_empty(places[i]) : places[i].width * 60 == places[i].height * 80 && places[i].width >= 160);
        for (unsigned other = 0; other < i; other++)
            CHECK(rect_empty(rect_intersect(places[i], places[other])));
    }
    CHECK(wide_at(places[0], 0) == GUEST && wide_at(places[0], 4) == GUEST);
    CHECK(wide_at(places[1], 2) >> 16 == 0x44 && wide_at(places[2], 2) >> 16 == 0x88);
    CHECK((wide_pixels[places[2].y - 2][places[2].x] & 0xffffff) == 0xffffff); // the chosen one's frame
    CHECK((wide_pixels[places[1].y - 2][places[1].x] & 0xffffff) == 0x3465a4); // another's, in its colour
    CHECK((wide_pixels[HIGH - 1][WIDE - 1] & 0xffffff) == 0x123456);           // the strip is the focused guest's
    struct rect part = scene_picture_area(seat, &seat->guests[2], (struct rect){0, 0, 10, 10});
    CHECK(part.x == places[1].x && part.y == places[1].y && part.width == places[1].width / 8);
    peek_key(seat, KEY_A, true); // neither Ctrl nor Alt is held: it goes
    CHECK(!seat->peek.shown && seat->focus.current == 4);
    CHECK(scene_guest_area(seat, &seat->guests[4]).width > 500 && rect_empty(scene_guest_area(seat, &seat->guests[1])));
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
    the_strip();
    picture_of_the_strip();
    peek();
    free(seat);
    return 0;
}
