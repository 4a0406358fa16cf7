#include "seat_rig.h"

#include <stdlib.h>

#include "guest_input.h"
#include "input.h"
#include "link.h"
#include "log.h"
#include "news.h"
#include "scene.h"
#include "ui.h"

struct seat *seat;
struct output screen;
static uint32_t pixels[OUTPUT_BUFFERS][WIDTH * SCREEN_HEIGHT];
bool screen_fails, interface_drawn = true;
unsigned presented, told_presented;

struct got got;
unsigned reached[KEY_CNT];

static void note(unsigned slot, uint32_t code, bool pressed)
{
    got.slot = slot;
    got.code = code;
    got.pressed = pressed;
    got.count++;
    if (code < KEY_CNT)
        reached[code]++;
}

void log_info(const char *format, ...)
{
    (void)format;
}

void log_error(const char *format, ...)
{
    (void)format;
}

bool guest_input_present(const struct guest *guest)
{
    return guest->present;
}

bool guest_input_absolute(const struct guest *guest)
{
    (void)guest;
    return true;
}

void guest_input_key(struct guest *guest, uint32_t code, bool pressed)
{
    note(guest->slot, code, pressed);
}

unsigned moved;

void guest_input_position(struct guest *guest, double x, double y)
{
    moved++;
    (void)guest;
    (void)x;
    (void)y;
}

void guest_input_motion(struct guest *guest, int32_t dx, int32_t dy)
{
    (void)guest;
    (void)dx;
    (void)dy;
}

void guest_input_wheel(struct guest *guest, int32_t notches)
{
    note(guest->slot, (uint32_t)notches, true);
}

void guest_disconnect_display(struct guest *guest)
{
    (void)guest;
}

void guest_disconnect_keyboard(struct guest *guest)
{
    (void)guest;
}

void input_resume(struct input *input)
{
    (void)input;
}

unsigned lit, lamps_told, interface_lamps;

void input_set_lamps(struct input *input, unsigned lamps)
{
    CHECK(input != NULL);
    lit = lamps;
    lamps_told++;
}

unsigned ui_lamps(const struct ui *ui)
{
    (void)ui;
    return interface_lamps;
}

void input_suspend(struct input *input)
{
    (void)input;
}

void link_send_hello(struct link *link)
{
    (void)link;
}

struct news *news_new(struct seat *s)
{
    return (struct news *)s;
}

void news_free(struct news *news)
{
    (void)news;
}

void news_focus(struct news *news)
{
    CHECK(news != NULL);
}

unsigned cuts_told;

void news_cut(struct news *news)
{
    CHECK(news != NULL);
    cuts_told++;
}

struct ports *ports_new(struct wl_event_loop *loop)
{
    return (struct ports *)loop;
}

void ports_free(struct ports *ports)
{
    (void)ports;
}

void session_set_listener(struct session *session, const struct session_listener *listener)
{
    (void)session;
    (void)listener;
}

struct rect scene_guest_area(const struct seat *s, const struct guest *guest)
{
    (void)s;
    (void)guest;
    return (struct rect){0, 0, WIDTH, HEIGHT};
}

struct rect scene_cursor_area(const struct seat *s)
{
    (void)s;
    return (struct rect){0};
}

// The picture of a slot is its number in every pixel.
void scene_paint(struct seat *s, struct canvas *canvas, struct rect area)
{
    for (int32_t y = area.y; y < area.y + area.height; y++)
        for (int32_t x = area.x; x < area.x + area.width; x++)
            ((uint32_t *)canvas->pixels)[y * WIDTH + x] = s->focus.current;
}

void ui_frame_done(struct ui *ui, uint32_t time)
{
    (void)ui;
    (void)time;
    told_presented++;
}

bool ui_layer_mapped(const struct ui *ui, enum ui_layer layer)
{
    (void)ui;
    return layer == UI_LAYER_BAR || interface_drawn;
}

struct rect ui_bar_area(const struct ui *ui)
{
    (void)ui;
    return (struct rect){0, 0, WIDTH, 8};
}

bool ui_bar_contains(const struct ui *ui, double x, double y)
{
    (void)ui;
    return x >= 0 && y < 8;
}

void ui_keyboard_enter(struct ui *ui)
{
    (void)ui;
}

void ui_keyboard_leave(struct ui *ui)
{
    (void)ui;
}

void ui_key(struct ui *ui, uint32_t time, uint32_t code, bool pressed)
{
    (void)ui;
    (void)time;
    note(FOCUS_SWITCHER, code, pressed);
}

void ui_pointer_move(struct ui *ui, uint32_t time, double x, double y)
{
    (void)ui;
    (void)time;
    (void)x;
    (void)y;
}

void ui_pointer_leave(struct ui *ui)
{
    (void)ui;
}

void ui_pointer_button(struct ui *ui, uint32_t time, uint32_t code, bool pressed)
{
    (void)ui;
    (void)time;
    note(FOCUS_SWITCHER, code, pressed);
}

void ui_pointer_wheel(struct ui *ui, uint32_t time, bool horizontal, double distance, int32_t v120)
{
    (void)ui;
    (void)time;
    (void)horizontal;
    (void)distance;
    note(FOCUS_SWITCHER, (uint32_t)v120, true);
}

void ui_focus_changed(struct ui *ui, unsigned slot)
{
    (void)ui;
    (void)slot;
}

unsigned bar_changes;

void ui_bar_changed(struct ui *ui, bool shown)
{
    (void)ui;
    (void)shown;
    bar_changes++;
}

unsigned asked_for_power;

void ui_power_button(struct ui *ui)
{
    (void)ui;
    asked_for_power++;
}

void ui_resized(struct ui *ui)
{
    (void)ui;
}

// ---- the screen ----

static bool present(struct output *output, unsigned index, const struct damage *drawn)
{
    CHECK(output == &screen && index != screen.front && drawn->count > 0);
    presented += !screen_fails;
    return !screen_fails;
}

static const struct output_ops ops = {.present = present};

// The vertical blank, or the moment to try again.
static void blank(void)
{
    wl_event_loop_dispatch(seat->loop, 0); // draws
    if (!screen.busy)
        return;
    screen.busy = false;
    screen.listener.ready(screen.listener.data);
    wl_event_loop_dispatch(seat->loop, 0);
}

unsigned on_screen(void)
{
    return pixels[screen.front][WIDTH * HEIGHT / 2];
}

void settle(void)
{
    for (int i = 0; i < 4; i++)
        blank();
}

uint32_t now = 100000;

unsigned press(uint32_t later, uint32_t code)
{
    got.slot = NOBODY;
    now += later;
    seat_key(seat, now, code, true);
    return got.slot;
}

unsigned release(uint32_t code)
{
    got.slot = NOBODY;
    seat_key(seat, now += 10, code, false);
    return got.slot;
}

unsigned type(uint32_t later, uint32_t code)
{
    unsigned pressed = press(later, code), released = release(code);
    CHECK(pressed == released);
    return pressed;
}

void hotkey(uint32_t code)
{
    seat_key(seat, now += 10, KEY_LEFTCTRL, true);
    seat_key(seat, now += 10, KEY_LEFTALT, true);
    seat_key(seat, now += 10, code, true);
    seat_key(seat, now += 10, code, false);
    seat_key(seat, now += 10, KEY_LEFTALT, false);
    seat_key(seat, now += 10, KEY_LEFTCTRL, false);
}

void hold(unsigned modifiers, bool pressed)
{
    static const struct {
        unsigned modifier;
        uint32_t code;
    } keys[] = {{HOTKEY_CTRL, KEY_LEFTCTRL},
                {HOTKEY_ALT, KEY_LEFTALT},
                {HOTKEY_SHIFT, KEY_LEFTSHIFT},
                {HOTKEY_META, KEY_RIGHTMETA}};
    for (unsigned i = 0; i < 4; i++)
        if (modifiers & keys[i].modifier)
            seat_key(seat, now += 10, keys[i].code, pressed);
}

void start_after(bool former, unsigned slot, uint32_t domid)
{
    seat = calloc(1, sizeof(*seat));
    seat->loop = wl_event_loop_create();
    seat->output = &screen;
    seat->remembered = remember_open(NULL);
    remember_focus(seat->remembered, slot, domid);
    screen = (struct output){.ops = &ops, .width = WIDTH, .height = SCREEN_HEIGHT, .former = former};
    for (unsigned i = 0; i < OUTPUT_BUFFERS; i++)
        screen.buffers[i].canvas = (struct canvas){(uint8_t *)pixels[i], WIDTH, SCREEN_HEIGHT, WIDTH * 4};
    CHECK(seat_start(seat));
    presented = 0;
}

void stop(void)
{
    struct remembered *remembered = seat->remembered;
    seat_stop(seat);
    wl_event_loop_destroy(seat->loop);
    remember_close(remembered);
    free(seat);
}

void start(void)
{
    start_after(false, FOCUS_SWITCHER, 0);
    for (unsigned slot = 1; slot <= 3; slot++)
        CHECK(seat_guest_add(seat, slot, &(struct link_guest_add){.domid = 10 + slot}));
}
