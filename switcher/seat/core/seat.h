// The seat: one screen, one keyboard, one pointer, and who has them. Everything runs on one event loop, so
// nothing here locks.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "damage.h"
#include "focus.h"
#include "guest.h"
#include "hotkey.h"
#include "output.h"
#include "peek.h"
#include "ports.h"
#include "session.h"

struct link;
struct news;
struct remembered;
struct ui;
struct input;

struct seat {
    struct wl_display *display;
    struct wl_event_loop *loop;
    struct session *session; // NULL when headless
    struct output *output;
    struct input *input; // NULL when headless
    struct ports *ports;
    struct link *link;
    struct news *news;
    struct remembered *remembered; // NULL: nobody remembers
    unsigned wanted_slot;          // had the focus when a former seat died; 0: nobody, or the user has moved on
    uint32_t wanted_domid;
    bool failed; // the seat ends because it cannot go on
    bool ending;
    struct ui *ui;

    struct guest guests[LINK_SLOTS]; // [0] is not used
    struct focus focus;
    struct hotkeys hotkeys;

    bool bar_shown, bar_pushed; // pushed: it goes when the pointer leaves it
    bool cut;                   // the guest on screen is sent nothing
    struct peek peek;
    double push;                    // how far the pointer was pushed against the upper edge, in pixels, without a pause
    uint32_t push_begin, push_last; // time of the first and the last movement of that
    double pointer_x, pointer_y;    // on the screen, in pixels
    struct key_set interface_buttons;    // pressed over the bar while a guest has the focus
    double motion_rest_x, motion_rest_y; // parts of pixels not yet told to a guest with a relative pointer
    int32_t wheel_rest[2];               // parts of a notch, in 1/120: downwards, to the right
    struct rect cursor_area;             // where the cursor was drawn last; empty when hidden

    unsigned lamps; // that are lit, of enum lamp

    uint32_t repeat_code; // key that repeats in the focused guest; 0 none
    struct wl_event_source *repeat_timer, *frame_timer, *frame_idle, *failure_idle; // idle: NULL when not scheduled
    bool frame_wanted, presenting; // presenting: a frame is on its way to the screen
    bool held; // the last frame stays on screen until there is a whole one to follow it, or until hold_timer
    struct wl_event_source *hold_timer;
    // Which focus the picture is of: changes of focus so far, and how many of them the frame on its way and the one on
    // screen know.
    uint32_t focus_changes, painted_changes, shown_changes;
    bool startled;       // the focus moved without the user's doing, who may still be typing for the one before
    uint32_t last_press; // when a key or button was pressed last, whoever it was for
    int display_errors[LINK_SLOTS]; // displays to be closed at the next turn
};

// Starts everything that needs the output; seat->display, loop, output and session are set. False after a
// logged reason.
bool seat_start(struct seat *seat);
void seat_stop(struct seat *seat);

// After seat_start(): serves until the guest that a former seat had on screen is there again, but no longer than this.
// The interface is not waited for, which takes longer to start.
void seat_await_guest(struct seat *seat, uint32_t ms);

// Shows a slot: false when no guest sits there. Whoever loses the focus gets its held keys released first. Unless the
// user asked for it, what is typed without a pause afterwards goes nowhere.
bool seat_focus(struct seat *seat, unsigned slot, bool user_asked);

// Whether what is on screen is what has the focus. For a frame or two after a change it is not, and for longer when
// the screen fails; nobody is sent what the user does meanwhile.
bool seat_shows_focus(const struct seat *seat);

// Cuts the guest on screen off from keyboard and pointer, or ends that, as does whatever moves the focus. False: it is
// so already, or no guest has the focus.
bool seat_cut(struct seat *seat, bool cut);

// Whether anything of the guest is on screen.
static inline bool seat_shows_guest(const struct seat *seat, unsigned slot)
{
    return seat->peek.shown || seat->focus.current == slot;
}

// Whether the guest is sent what is typed and pointed for it. Nothing is kept for later.
bool seat_guest_listens(const struct seat *seat, const struct guest *guest);

// The guest that has the focus; NULL when the switcher has it.
struct guest *seat_focused_guest(struct seat *seat);

// False: it is so already, or there is no bar.
bool seat_bar_show(struct seat *seat, bool show);

// A part of the screen must be drawn again; it is, with the next frame.
void seat_damage(struct seat *seat, struct rect area);
void seat_damage_all(struct seat *seat);

// A frame is wanted even though nothing is damaged (somebody waits for it).
void seat_want_frame(struct seat *seat);

// The interface died: what it drew stays on screen until the next one has drawn, for a while.
void seat_interface_gone(struct seat *seat);

// Guests come and go.
bool seat_guest_add(struct seat *seat, unsigned slot, const struct link_guest_add *add);
void seat_guest_signs(struct seat *seat, unsigned slot, uint32_t signs);
void seat_guest_remove(struct seat *seat, unsigned slot);

// Input, in the order it happens. Codes: linux/input-event-codes.h; time in milliseconds.
void seat_key(struct seat *seat, uint32_t time, uint32_t code, bool pressed);
void seat_power_button(struct seat *seat); // it was pressed
void seat_pointer_motion(struct seat *seat, uint32_t time, double dx, double dy);
void seat_pointer_absolute(struct seat *seat, uint32_t time, double x, double y); // 0 .. 1 across the screen
void seat_pointer_button(struct seat *seat, uint32_t time, uint32_t code, bool pressed);
void seat_pointer_wheel(struct seat *seat, uint32_t time, bool horizontal, double pixels, int32_t v120);

// Somebody else has the focus, or the lamps of somebody's keyboard may have changed: the machine's are as whose has the
// focus.
void seat_lamps_update(struct seat *seat);

// The pointer's image or place may have changed: draws it again where needed.
void seat_cursor_update(struct seat *seat);
