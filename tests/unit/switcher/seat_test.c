// Who gets keys, and whose picture is on screen: the seat's real focus, frames and input over a screen that fails when
// it is told to. Guests and interface are fakes that note what reaches them.
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "guest_input.h"
#include "input.h"
#include "link.h"
#include "news.h"
#include "remember.h"
#include "roundhouse_guest.h"
#include "scene.h"
#include "seat.h"
#include "ui.h"

enum { WIDTH = 64, HEIGHT = 48, NOBODY = 99 };

static struct seat *seat;
static struct output screen;
static uint32_t pixels[OUTPUT_BUFFERS][WIDTH * HEIGHT];
static bool screen_fails, interface_drawn = true;
static unsigned presented, told_presented;

// What reached somebody last, and how much did.
static struct {
    unsigned slot, count;
    uint32_t code;
    bool pressed;
} got;

static unsigned reached[KEY_CNT]; // how often a key reached anybody

static void note(unsigned slot, uint32_t code, bool pressed)
{
    got.slot = slot;
    got.code = code;
    got.pressed = pressed;
    got.count++;
    if (code < KEY_CNT)
        reached[code]++;
}

// ---- fakes ----

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

static unsigned moved; // how often a pointer was told to a guest

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

static unsigned lit, lamps_told, interface_lamps;

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

void ui_bar_changed(struct ui *ui, bool shown)
{
    (void)ui;
    (void)shown;
}

static unsigned asked_for_power;

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

static unsigned on_screen(void)
{
    return pixels[screen.front][WIDTH * HEIGHT / 2];
}

static void settle(void)
{
    for (int i = 0; i < 4; i++)
        blank();
}

static uint32_t now = 100000;

// Whom a key pressed now, so long after the one before, reaches.
static unsigned press(uint32_t later, uint32_t code)
{
    got.slot = NOBODY;
    now += later;
    seat_key(seat, now, code, true);
    return got.slot;
}

static unsigned release(uint32_t code)
{
    got.slot = NOBODY;
    seat_key(seat, now += 10, code, false);
    return got.slot;
}

static unsigned type(uint32_t later, uint32_t code)
{
    unsigned pressed = press(later, code), released = release(code);
    CHECK(pressed == released);
    return pressed;
}

static void hotkey(uint32_t code)
{
    seat_key(seat, now += 10, KEY_LEFTCTRL, true);
    seat_key(seat, now += 10, KEY_LEFTALT, true);
    seat_key(seat, now += 10, code, true);
    seat_key(seat, now += 10, code, false);
    seat_key(seat, now += 10, KEY_LEFTALT, false);
    seat_key(seat, now += 10, KEY_LEFTCTRL, false);
}

static void hold(unsigned modifiers, bool pressed)
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

// `slot` and `domid` had the focus when the former seat died.
static void start_after(bool former, unsigned slot, uint32_t domid)
{
    seat = calloc(1, sizeof(*seat));
    seat->loop = wl_event_loop_create();
    seat->output = &screen;
    seat->remembered = remember_open(NULL);
    remember_focus(seat->remembered, slot, domid);
    screen = (struct output){.ops = &ops, .width = WIDTH, .height = HEIGHT, .former = former};
    for (unsigned i = 0; i < OUTPUT_BUFFERS; i++)
        screen.buffers[i].canvas = (struct canvas){(uint8_t *)pixels[i], WIDTH, HEIGHT, WIDTH * 4};
    CHECK(seat_start(seat));
    presented = 0;
}

static void stop(void)
{
    struct remembered *remembered = seat->remembered;
    seat_stop(seat);
    wl_event_loop_destroy(seat->loop);
    remember_close(remembered);
    free(seat);
}

static void start(void)
{
    start_after(false, FOCUS_SWITCHER, 0);
    for (unsigned slot = 1; slot <= 3; slot++)
        CHECK(seat_guest_add(seat, slot, &(struct link_guest_add){.domid = 10 + slot}));
}

// ---- tests ----

static void keys_follow_the_picture(void)
{
    CHECK(type(5000, KEY_A) == NOBODY); // nothing is on screen yet
    settle();
    CHECK(type(10, KEY_A) == FOCUS_SWITCHER);
    hotkey(KEY_2);
    CHECK(seat->focus.current == 2 && on_screen() == 0 && type(10, KEY_A) == NOBODY);
    settle();
    CHECK(on_screen() == 2 && type(10, KEY_A) == 2);
    seat_pointer_wheel(seat, now, false, 0, 120);
    CHECK(got.slot == 2 && got.code == 1);
}

static void screen_that_fails(void)
{
    hotkey(KEY_1);
    settle();
    screen_fails = true;
    hotkey(KEY_3);
    unsigned before = told_presented, frames = presented;
    settle();
    CHECK(on_screen() == 1 && presented == frames && told_presented == before);
    CHECK(type(2000, KEY_A) == NOBODY); // neither to whom is seen nor to whom is not
    seat_pointer_button(seat, now, BTN_LEFT, true);
    seat_pointer_wheel(seat, now, false, 0, 120);
    CHECK(got.slot == NOBODY);
    screen_fails = false;
    settle(); // nothing else has changed
    CHECK(on_screen() == 3 && told_presented > before && type(10, KEY_A) == 3);
    seat_pointer_button(seat, now, BTN_LEFT, false);
    CHECK(got.code == KEY_A); // its press went nowhere
}

static void releases_follow_presses(void)
{
    hotkey(KEY_1);
    settle();
    CHECK(press(10, KEY_B) == 1);
    hotkey(KEY_2);
    settle();
    CHECK(got.slot == 1 && release(KEY_B) == NOBODY);
    CHECK(press(10, KEY_C) == 2 && press(10, KEY_C) == NOBODY && release(KEY_C) == 2);
}

// Ctrl held over a switch is Ctrl for the next guest; of the chord's keys nobody sees what was only for the chord.
static void modifiers_go_along(void)
{
    hotkey(KEY_1);
    settle();
    seat_key(seat, now += 10, KEY_LEFTCTRL, true);
    seat_key(seat, now += 10, KEY_LEFTALT, true);
    CHECK(got.slot == 1 && got.code == KEY_LEFTALT);
    seat_key(seat, now += 10, KEY_2, true);
    CHECK(got.slot == 1 && !got.pressed && got.code == KEY_LEFTALT); // released where they were pressed
    settle();
    unsigned alt = reached[KEY_LEFTALT], ctrl = reached[KEY_LEFTCTRL], count = got.count;
    CHECK(release(KEY_2) == NOBODY && release(KEY_LEFTALT) == NOBODY && got.count == count);
    CHECK(press(10, KEY_C) == 2 && reached[KEY_LEFTCTRL] == ctrl + 1 && got.code == KEY_C && got.count == count + 2);
    CHECK(release(KEY_C) == 2 && release(KEY_LEFTCTRL) == 2 && reached[KEY_LEFTALT] == alt);
    CHECK(type(10, KEY_C) == 2 && reached[KEY_LEFTCTRL] == ctrl + 2);

    hold(HOTKEY_SHIFT, true);
    CHECK(seat_focus(seat, 3, true)); // by the mouse
    settle();
    count = got.count;
    seat_pointer_button(seat, now, BTN_LEFT, true);
    seat_pointer_button(seat, now, BTN_LEFT, false);
    CHECK(got.slot == 3 && got.count == count + 3);
    hold(HOTKEY_SHIFT, false);
    CHECK(got.count == count + 4);
    hold(HOTKEY_CTRL, true);
    CHECK(seat_focus(seat, 1, true));
    settle();
    count = got.count;
    seat_pointer_wheel(seat, now, false, 0, 120);
    hold(HOTKEY_CTRL, false);
    CHECK(got.slot == 1 && got.count == count + 3);
}

// Sideways it is Shift and the wheel, with a rest of its own.
static void sideways_wheel(void)
{
    hotkey(KEY_1);
    settle();
    unsigned count = got.count, shift = reached[KEY_LEFTSHIFT];
    seat_pointer_wheel(seat, now, true, 0, 60);
    seat_pointer_wheel(seat, now, false, 0, 60);
    CHECK(got.count == count);
    seat_pointer_wheel(seat, now, true, 0, 60);
    CHECK(got.count == count + 3 && reached[KEY_LEFTSHIFT] == shift + 2 && !got.pressed);
    seat_pointer_wheel(seat, now, false, 0, 60);
    CHECK(got.count == count + 4 && got.code == 1);
    hold(HOTKEY_SHIFT, true);
    seat_pointer_wheel(seat, now, true, 0, 120);
    CHECK(got.count == count + 6 && got.code == 1); // it is held already
    hold(HOTKEY_SHIFT, false);
}

// The lamps are those of whoever has the focus.
static void lamps_follow(void)
{
    seat->input = (struct input *)seat;
    seat->guests[1].lamps = LAMP_CAPS;
    hotkey(KEY_1);
    settle();
    CHECK(lit == LAMP_CAPS);
    hotkey(KEY_2);
    settle();
    CHECK(lit == 0);
    unsigned before = lamps_told;
    type(10, KEY_A);
    seat->guests[1].lamps = LAMP_NUM; // not on screen
    seat_lamps_update(seat);
    CHECK(lamps_told == before);
    seat->guests[2].lamps = LAMP_SCROLL;
    seat_lamps_update(seat);
    CHECK(lit == LAMP_SCROLL && lamps_told == before + 1);
    hotkey(KEY_0);
    settle();
    CHECK(lit == 0);
    interface_lamps = LAMP_CAPS;
    type(10, KEY_CAPSLOCK);
    CHECK(lit == LAMP_CAPS);
    interface_lamps = 0;
    seat->guests[1].lamps = seat->guests[2].lamps = 0;
    seat->input = NULL;
}

// The power button is the switcher's, which comes on screen to ask.
static void power_button(void)
{
    hotkey(KEY_1);
    settle();
    seat_power_button(seat);
    settle();
    CHECK(asked_for_power == 1 && on_screen() == FOCUS_SWITCHER && type(10, KEY_ENTER) == FOCUS_SWITCHER);
    seat_power_button(seat);
    CHECK(asked_for_power == 2);
}

// A paused guest gets nothing, neither now nor when it goes on, and holds no key meanwhile.
static void paused_guest(void)
{
    hotkey(KEY_1);
    settle();
    CHECK(press(10, KEY_A) == 1 && press(10, KEY_LEFTSHIFT) == 1);
    seat_pointer_button(seat, now, BTN_LEFT, true);
    unsigned count = got.count;
    seat_guest_signs(seat, 1, GUEST_SIGN_NETWORK);
    CHECK(got.count == count);
    seat_guest_signs(seat, 1, GUEST_SIGN_PAUSED);
    CHECK(got.count == count + 3 && !got.pressed && got.slot == 1);
    CHECK(release(KEY_A) == NOBODY && type(10, KEY_B) == NOBODY);
    unsigned before = moved;
    seat_pointer_button(seat, now, BTN_LEFT, false);
    seat_pointer_button(seat, now, BTN_LEFT, true);
    seat_pointer_motion(seat, now, 3, 3);
    seat_pointer_wheel(seat, now, false, 0, 120);
    CHECK(got.slot == NOBODY && moved == before);
    wl_event_loop_dispatch(seat->loop, 600); // held so long that it would repeat
    CHECK(got.slot == NOBODY);
    seat_guest_signs(seat, 1, 0);
    seat_pointer_button(seat, now, BTN_LEFT, false); // its press went nowhere
    CHECK(got.slot == NOBODY);
    CHECK(press(10, KEY_C) == 1 && reached[KEY_LEFTSHIFT] % 2 == 1); // Shift is held still, and is known again
    CHECK(release(KEY_C) == 1 && release(KEY_LEFTSHIFT) == 1);
    seat_pointer_motion(seat, now, -3, -3);
    CHECK(moved > before);
    seat_guest_signs(seat, 2, GUEST_SIGN_PAUSED); // it is not on screen
    CHECK(type(10, KEY_A) == 1);
    hotkey(KEY_2);
    settle();
    CHECK(type(10, KEY_A) == NOBODY);
    hotkey(KEY_0);
    settle();
    CHECK(type(10, KEY_A) == FOCUS_SWITCHER);
    seat_guest_signs(seat, 2, 0);
}

// A chord that has nothing to do here is the guest's.
static void chords_of_guests(void)
{
    hotkey(KEY_1);
    settle();
    hold(HOTKEY_CTRL | HOTKEY_ALT, true);
    CHECK(type(10, KEY_7) == 1); // nobody sits there
    hold(HOTKEY_CTRL | HOTKEY_ALT, false);
    seat_key(seat, now += 10, KEY_LEFTCTRL, true);
    seat_key(seat, now += 10, KEY_RIGHTALT, true);
    CHECK(type(10, KEY_2) == 1 && seat->focus.current == 1);
    seat_key(seat, now += 10, KEY_RIGHTALT, false);
    seat_key(seat, now += 10, KEY_LEFTCTRL, false);
    seat_guest_remove(seat, 2);
    seat_guest_remove(seat, 3);
    hold(HOTKEY_CTRL | HOTKEY_ALT, true);
    CHECK(type(10, KEY_RIGHT) == 1 && seat->focus.current == 1); // nor anywhere else
    hold(HOTKEY_CTRL | HOTKEY_ALT, false);
    for (unsigned slot = 2; slot <= 3; slot++)
        CHECK(seat_guest_add(seat, slot, &(struct link_guest_add){.domid = 10 + slot}));
}

static void typing_when_a_guest_dies(void)
{
    hotkey(KEY_2);
    settle();
    CHECK(type(10, KEY_A) == 2 && press(10, KEY_B) == 2);
    seat_guest_remove(seat, 2);
    CHECK(seat->focus.current == FOCUS_SWITCHER);
    settle();
    CHECK(on_screen() == 0 && release(KEY_B) == NOBODY);
    for (int i = 0; i < 50; i++) // typed on, for ten seconds
        CHECK(type(200, KEY_3) == NOBODY);
    got.slot = NOBODY;
    seat_pointer_button(seat, now, BTN_LEFT, true);
    seat_pointer_button(seat, now, BTN_LEFT, false);
    CHECK(got.slot == NOBODY);
    CHECK(type(1500, KEY_3) == FOCUS_SWITCHER && type(10, KEY_4) == FOCUS_SWITCHER);
}

static void hotkeys_work_at_once(void)
{
    CHECK(seat_guest_add(seat, 2, &(struct link_guest_add){.domid = 22}));
    hotkey(KEY_2);
    settle();
    CHECK(type(10, KEY_A) == 2);
    seat_guest_remove(seat, 2);
    hotkey(KEY_1);
    settle();
    CHECK(on_screen() == 1 && type(10, KEY_A) == 1); // the user has seen what happened
}

static void focus_that_nobody_asked_for(void)
{
    CHECK(type(10, KEY_A) == 1 && seat_focus(seat, 3, false));
    settle();
    CHECK(on_screen() == 3 && type(100, KEY_B) == NOBODY && type(1000, KEY_B) == 3);
    CHECK(seat_focus(seat, 1, true));
    settle();
    CHECK(type(100, KEY_B) == 1);
}

// A former seat died while this guest was on screen: it has the screen again once it is known, unless the user goes on
// with what is there or it is not the same guest.
static void focus_of_a_former_seat(void)
{
    struct link_guest_add same = {.domid = 42}, other = {.domid = 43};
    hotkey(KEY_0);
    seat_guest_remove(seat, 2);
    settle();
    seat->wanted_slot = 2;
    seat->wanted_domid = 42;
    CHECK(seat_guest_add(seat, 2, &other) && seat->focus.current == 0);
    seat_guest_remove(seat, 2);
    CHECK(seat_guest_add(seat, 2, &same) && seat->focus.current == 2);
    CHECK(type(10, KEY_A) == NOBODY); // begun before
    hotkey(KEY_0);
    seat_guest_remove(seat, 2);
    settle();
    seat->wanted_slot = 2;
    CHECK(type(2000, KEY_A) == FOCUS_SWITCHER);
    CHECK(seat_guest_add(seat, 2, &same) && seat->focus.current == 0);
    unsigned slot;
    uint32_t domid;
    CHECK(!remember_focused(seat->remembered, &slot, &domid));
    hotkey(KEY_2);
    CHECK(remember_focused(seat->remembered, &slot, &domid) && slot == 2 && domid == 42);
    seat->remembered->focus = UINT64_C(10) << 32 | 42;
    CHECK(!remember_focused(seat->remembered, &slot, &domid));
}

static void picture_comes(unsigned slot)
{
    seat->guests[slot].picture.width = WIDTH;
    seat_damage_all(seat);
    settle();
}

// What a former seat showed stays on screen until this one has the same, and the user, who saw nothing else, types on.
static void former_picture_stays(void)
{
    start_after(true, 2, 42);
    settle();
    CHECK(presented == 0 && type(10, KEY_A) == NOBODY);
    CHECK(seat_guest_add(seat, 1, &(struct link_guest_add){.domid = 41}));
    picture_comes(1);
    CHECK(seat_guest_add(seat, 2, &(struct link_guest_add){.domid = 42}));
    settle();
    CHECK(seat->focus.current == 2 && presented == 0 && type(10, KEY_A) == NOBODY);
    picture_comes(2);
    CHECK(presented > 0 && on_screen() == 2 && type(10, KEY_A) == 2);
    seat->guests[2].picture.width = 0; // later a guest without a picture is one
    unsigned before = presented;
    seat_damage_all(seat);
    settle();
    CHECK(presented > before);
    stop();
}

static int guest_comes(void *data)
{
    (void)data;
    CHECK(seat_guest_add(seat, 2, &(struct link_guest_add){.domid = 42}));
    seat->guests[2].picture.width = WIDTH;
    seat_damage_all(seat);
    return 0;
}

// What else a start takes comes after the guest that was on screen. While the screen is held no time has gone by.
static void guest_comes_first(void)
{
    enum { LONG_MS = 60000 };
    start_after(true, 2, 42);
    struct wl_event_source *timer = wl_event_loop_add_timer(seat->loop, guest_comes, NULL);
    wl_event_source_timer_update(timer, 20);
    seat_await_guest(seat, LONG_MS);
    CHECK(seat->focus.current == 2 && presented > 0);
    wl_event_source_remove(timer);
    stop();
    start_after(true, 2, 42);
    seat_await_guest(seat, 20); // it does not come
    CHECK(seat->held && presented == 0);
    seat->ending = true;
    seat_await_guest(seat, LONG_MS);
    CHECK(seat->held);
    stop();
    start_after(true, FOCUS_SWITCHER, 0);
    interface_drawn = false;
    seat_await_guest(seat, LONG_MS);
    CHECK(seat->held && presented == 0);
    interface_drawn = true;
    stop();
}

static void user_does_not_wait(void)
{
    start_after(true, 2, 42);
    CHECK(seat_guest_add(seat, 1, &(struct link_guest_add){.domid = 41}));
    hotkey(KEY_1);
    settle();
    CHECK(presented > 0 && on_screen() == 1 && type(10, KEY_A) == 1);
    stop();
}

static void former_picture_never_comes(void)
{
    start_after(true, 2, 42);
    for (int i = 0; i < 100 && presented == 0; i++)
        wl_event_loop_dispatch(seat->loop, 100);
    settle();
    CHECK(presented > 0 && on_screen() == FOCUS_SWITCHER);
    stop();
}

static void interface_starts_anew(void)
{
    start_after(true, FOCUS_SWITCHER, 0);
    interface_drawn = false;
    settle();
    CHECK(presented == 0);
    interface_drawn = true;
    seat_damage_all(seat);
    settle();
    CHECK(presented > 0 && type(10, KEY_A) == FOCUS_SWITCHER);
    unsigned before = presented;
    interface_drawn = false;
    seat_interface_gone(seat);
    seat_damage_all(seat);
    settle();
    CHECK(presented == before);
    interface_drawn = true;
    seat_damage_all(seat);
    settle();
    CHECK(presented > before);
    CHECK(seat_guest_add(seat, 1, &(struct link_guest_add){.domid = 41}));
    hotkey(KEY_1);
    settle();
    seat_interface_gone(seat); // it is not on screen
    before = presented;
    seat_damage_all(seat);
    settle();
    CHECK(presented > before);
    stop();
}

// Each key of each row of the table, in that order, and what it does from slot 5: who has the focus then, and whether
// the bar is shown.
static const struct {
    uint32_t code;
    unsigned slot;
    bool bar;
} hotkeys_do[] = {
    {KEY_1, 1, false},    {KEY_2, 2, false},
    {KEY_3, 3, false},    {KEY_4, 4, false},
    {KEY_5, 5, false},    {KEY_6, 6, false},
    {KEY_7, 7, false},    {KEY_8, 8, false},
    {KEY_9, 9, false},    {KEY_0, FOCUS_SWITCHER, false},
    {KEY_LEFT, 4, false}, {KEY_RIGHT, 6, false},
    {KEY_SPACE, 5, true},
};

enum { HOTKEYS_DO = sizeof(hotkeys_do) / sizeof(hotkeys_do[0]) };

// From slot 5 with no bar: the chord, held so long that it repeats.
static void play_hotkey(const struct hotkey *row, uint32_t code)
{
    CHECK(seat_focus(seat, 5, true));
    seat_bar_show(seat, false);
    settle();
    unsigned before = reached[code];
    hold(row->modifiers, true);
    press(10, code);
    settle();
    press(500, code);
    release(code);
    hold(row->modifiers, false);
    CHECK(reached[code] == before);
}

static void every_hotkey(void)
{
    for (unsigned slot = 1; slot <= 9; slot++)
        if (!seat->guests[slot].present)
            CHECK(seat_guest_add(seat, slot, &(struct link_guest_add){.domid = 10 + slot}));
    unsigned i = 0;
    for (const struct hotkey *row = hotkey_table; row->act; row++) {
        for (uint32_t code = row->first; code <= row->last; code++, i++) {
            CHECK(i < HOTKEYS_DO && hotkeys_do[i].code == code); // else a row that hotkeys_do does not know
            play_hotkey(row, code);
            CHECK(seat->focus.current == hotkeys_do[i].slot && seat->bar_shown == hotkeys_do[i].bar);
        }
    }
    CHECK(i == HOTKEYS_DO);
    CHECK(seat_focus(seat, 5, true));
    seat_bar_show(seat, true);
    hotkey(KEY_SPACE);
    CHECK(!seat->bar_shown);
    hotkey(KEY_0);
    hotkey(KEY_SPACE); // a bar over the switcher would be over itself
    CHECK(seat->focus.current == FOCUS_SWITCHER && !seat->bar_shown);
}

int main(void)
{
    former_picture_stays();
    guest_comes_first();
    user_does_not_wait();
    former_picture_never_comes();
    interface_starts_anew();
    start();
    keys_follow_the_picture();
    screen_that_fails();
    releases_follow_presses();
    modifiers_go_along();
    paused_guest();
    sideways_wheel();
    lamps_follow();
    power_button();
    chords_of_guests();
    typing_when_a_guest_dies();
    hotkeys_work_at_once();
    focus_that_nobody_asked_for();
    focus_of_a_former_seat();
    every_hotkey();
    stop();
    return 0;
}
