// From input events to whoever has the focus.
#include <math.h>

#include "guest_input.h"
#include "input.h"
#include "scene.h"
#include "seat.h"
#include "strip.h"
#include "ui.h"

// A push against the upper edge that is no overshooting and no drag: so far, for so long, and without such a pause.
enum { PUSH_PIXELS = 150, PUSH_MS = 250, PUSH_PAUSE_MS = 300 };
enum { REPEAT_DELAY_MS = 500, REPEAT_PERIOD_MS = 40, NOTCH = 120, CALM_MS = 1000 };

int seat_repeat(void *data);

void seat_cursor_update(struct seat *seat)
{
    struct rect area = scene_cursor_area(seat);
    seat_damage(seat, seat->cursor_area);
    seat_damage(seat, area);
    seat->cursor_area = area;
}

void seat_lamps_update(struct seat *seat)
{
    const struct guest *guest = seat_focused_guest(seat);
    unsigned lamps = guest ? guest->lamps : ui_lamps(seat->ui);
    if (seat->input && lamps != seat->lamps)
        input_set_lamps(seat->input, lamps);
    seat->lamps = lamps;
}

// xen-kbdfront has no autorepeat of its own: a further press of a held key is one repeat.
int seat_repeat(void *data)
{
    struct seat *seat = data;
    struct guest *guest = seat_focused_guest(seat);
    if (!guest || !guest_input_present(guest) || !seat->repeat_code)
        return 0;
    guest_input_key(guest, seat->repeat_code, true);
    wl_event_source_timer_update(seat->repeat_timer, REPEAT_PERIOD_MS);
    return 0;
}

static bool repeats(uint32_t code)
{
    bool lock = code == KEY_CAPSLOCK || code == KEY_NUMLOCK || code == KEY_SCROLLLOCK;
    return !lock && !hotkey_is_modifier(code) && !is_button(code);
}

static void guest_key(struct seat *seat, struct guest *guest, uint32_t code, bool pressed)
{
    if (!guest_input_present(guest))
        return;
    guest_input_key(guest, code, pressed);
    if (pressed && repeats(code)) {
        seat->repeat_code = code;
        wl_event_source_timer_update(seat->repeat_timer, REPEAT_DELAY_MS);
    } else if (!pressed && code == seat->repeat_code) {
        seat->repeat_code = 0;
    }
}

// Whether a press is meant for whom has the focus: only if that is what is on screen, and, when the focus moved without
// the user's doing, only after a pause. What is typed for a desktop that just died must not act on the switcher.
static bool meant_for_focus(struct seat *seat, uint32_t time)
{
    bool calm = time - seat->last_press >= CALM_MS;
    seat->last_press = time;
    seat->startled = seat->startled && !calm;
    if (seat_shows_focus(seat))
        seat->wanted_slot = FOCUS_SWITCHER; // the user goes on with what is there
    return !seat->startled && seat_shows_focus(seat);
}

// A key or button to whom has the focus, who was sent the press of what is released.
static void focused_key(struct seat *seat, uint32_t time, uint32_t code, bool pressed)
{
    struct guest *guest = seat_focused_guest(seat);
    if (pressed && guest && !seat_guest_listens(seat, guest))
        return;
    if (!focus_key(&seat->focus, code, pressed))
        return;
    if (guest)
        guest_key(seat, guest, code, pressed);
    else if (is_button(code))
        ui_pointer_button(seat->ui, time, code, pressed);
    else
        ui_key(seat->ui, time, code, pressed);
    seat_lamps_update(seat);
}

// Modifiers that were pressed for somebody else and are still held: they are told together with what they modify. So
// Ctrl held over a switch makes Ctrl+C of a C, and of a chord whose keys are let go nobody sees half.
static void held_modifiers(struct seat *seat, uint32_t time)
{
    for (uint32_t code = 0; code < KEY_CNT; code++)
        if (key_set_has(&seat->hotkeys.modifiers, code))
            focused_key(seat, time, code, true);
}

void seat_key(struct seat *seat, uint32_t time, uint32_t code, bool pressed)
{
    bool ours = !hotkey_feed(&seat->hotkeys, seat, code, pressed), peeking = seat->peek.shown;
    if (peeking)
        peek_key(seat, code, pressed);
    if (ours || (peeking && pressed))
        return;
    if (pressed && !meant_for_focus(seat, time))
        return;
    if (pressed && !hotkey_is_modifier(code))
        held_modifiers(seat, time);
    focused_key(seat, time, code, pressed);
}

// Never a guest's, and never an accident: the switcher asks.
void seat_power_button(struct seat *seat)
{
    seat_focus(seat, FOCUS_SWITCHER, true);
    ui_power_button(seat->ui);
}

static bool any_button(const struct key_set *set)
{
    for (uint32_t code = 0; code < KEY_CNT; code++)
        if (is_button(code) && key_set_has(set, code))
            return true;
    return false;
}

// Whether the pointer is the interface's: always in the switcher; over the bar, unless a drag began in the
// guest.
static bool interface_has_pointer(struct seat *seat)
{
    if (!seat_focused_guest(seat) || !key_set_empty(&seat->interface_buttons))
        return true;
    return seat->bar_shown && !any_button(&seat->focus.held) &&
           ui_bar_contains(seat->ui, seat->pointer_x, seat->pointer_y);
}

static void guest_position(struct seat *seat, struct guest *guest)
{
    struct rect area = scene_guest_area(seat, guest);
    if (!guest_input_present(guest) || !guest_input_absolute(guest) || rect_empty(area))
        return;
    guest_input_position(guest, (seat->pointer_x - area.x) / area.width, (seat->pointer_y - area.y) / area.height);
}

static void guest_motion(struct seat *seat, struct guest *guest, double dx, double dy)
{
    seat->motion_rest_x += dx;
    seat->motion_rest_y += dy;
    int32_t x = (int32_t)trunc(seat->motion_rest_x), y = (int32_t)trunc(seat->motion_rest_y);
    seat->motion_rest_x -= x;
    seat->motion_rest_y -= y;
    if (x || y)
        guest_input_motion(guest, x, y);
}

static void guest_pointer(struct seat *seat, struct guest *guest, double dx, double dy)
{
    if (!seat_guest_listens(seat, guest))
        return;
    if (guest_input_absolute(guest))
        guest_position(seat, guest);
    else
        guest_motion(seat, guest, dx, dy);
}

// The pointer is at its new place; (dx, dy) is how far the hand moved, which may be further than the screen
// reaches.
static void pointer_moved(struct seat *seat, uint32_t time, double dx, double dy)
{
    struct guest *guest = seat_focused_guest(seat);
    if (seat->bar_pushed && !interface_has_pointer(seat))
        seat_bar_show(seat, false);
    if (seat->peek.shown) {
        ui_pointer_leave(seat->ui);
    } else if (interface_has_pointer(seat)) {
        ui_pointer_move(seat->ui, time, seat->pointer_x, seat->pointer_y);
    } else {
        ui_pointer_leave(seat->ui);
        guest_pointer(seat, guest, dx, dy);
    }
    seat_cursor_update(seat);
}

static double clamped(double value, int32_t size)
{
    return value < 0 ? 0 : value > size - 1.0 ? size - 1.0 : value;
}

// The way out of a guest by the mouse: pushing against the upper edge for a moment brings the bar.
static void push(struct seat *seat, uint32_t time, double beyond)
{
    if (beyond <= 0 || time - seat->push_last > PUSH_PAUSE_MS || any_button(&seat->focus.held)) {
        seat->push = 0;
        seat->push_begin = time;
    }
    seat->push_last = time;
    seat->push += beyond > 0 ? beyond : 0;
    if (seat->push < PUSH_PIXELS || time - seat->push_begin < PUSH_MS || !seat_focused_guest(seat))
        return;
    seat->push = 0;
    if (seat_bar_show(seat, true))
        seat->bar_pushed = true;
}

// There is nothing to point at on the strip, so that the lowest line of a guest is an edge to push against.
static void pointer_to(struct seat *seat, double x, double y)
{
    struct rect stage = strip_stage(seat->output);
    seat->pointer_x = clamped(x, stage.width);
    seat->pointer_y = clamped(y, stage.height);
}

void seat_pointer_motion(struct seat *seat, uint32_t time, double dx, double dy)
{
    push(seat, time, -(seat->pointer_y + dy));
    pointer_to(seat, seat->pointer_x + dx, seat->pointer_y + dy);
    pointer_moved(seat, time, dx, dy);
}

void seat_pointer_absolute(struct seat *seat, uint32_t time, double x, double y)
{
    double old_x = seat->pointer_x, old_y = seat->pointer_y;
    pointer_to(seat, x * seat->output->width, y * seat->output->height);
    pointer_moved(seat, time, seat->pointer_x - old_x, seat->pointer_y - old_y);
}

static void interface_button(struct seat *seat, uint32_t time, uint32_t code, bool pressed)
{
    bool changed =
        pressed ? key_set_add(&seat->interface_buttons, code) : key_set_remove(&seat->interface_buttons, code);
    if (changed)
        ui_pointer_button(seat->ui, time, code, pressed);
}

void seat_pointer_button(struct seat *seat, uint32_t time, uint32_t code, bool pressed)
{
    struct guest *guest = seat_focused_guest(seat);
    if (pressed && (seat->peek.shown || !meant_for_focus(seat, time)))
        return;
    if (guest && interface_has_pointer(seat)) {
        interface_button(seat, time, code, pressed);
        return;
    }
    if (pressed)
        held_modifiers(seat, time);
    focused_key(seat, time, code, pressed);
}

// Neither kbdif nor RFB has a wheel that turns sideways. With Shift most programs take the other one for it.
static void guest_wheel(struct seat *seat, struct guest *guest, bool horizontal, int32_t notches)
{
    bool shift = horizontal && !key_set_has(&seat->focus.held, KEY_LEFTSHIFT);
    if (shift)
        guest_input_key(guest, KEY_LEFTSHIFT, true);
    guest_input_wheel(guest, notches);
    if (shift)
        guest_input_key(guest, KEY_LEFTSHIFT, false);
}

void seat_pointer_wheel(struct seat *seat, uint32_t time, bool horizontal, double pixels, int32_t v120)
{
    struct guest *guest = seat_focused_guest(seat);
    if (!seat_shows_focus(seat) || seat->peek.shown)
        return;
    if (interface_has_pointer(seat)) {
        ui_pointer_wheel(seat->ui, time, horizontal, pixels, v120);
        return;
    }
    if (!guest_input_present(guest) || !seat_guest_listens(seat, guest))
        return;
    int32_t *rest = &seat->wheel_rest[horizontal];
    *rest += v120 ? v120 : (int32_t)(pixels * NOTCH / 15);
    int32_t notches = *rest / NOTCH;
    *rest -= notches * NOTCH;
    if (notches == 0)
        return;
    held_modifiers(seat, time);
    guest_wheel(seat, guest, horizontal, notches);
}
