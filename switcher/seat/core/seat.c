// Focus, guests and frames. Input is in seat_input.c.
#include "seat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "clock.h"
#include "guest_input.h"
#include "input.h"
#include "link.h"
#include "log.h"
#include "news.h"
#include "remember.h"
#include "roundhouse_guest.h"
#include "scene.h"
#include "strip.h"
#include "ui.h"

// How long the screen shows what was: a guest's picture is back in a moment, or in some seconds on a machine that has
// much else to do. The interface has to start first, which takes GTK its time there, and nothing else would be on
// screen meanwhile.
enum { FRAME_MS = 16, HOLD_MS = 8000, HOLD_INTERFACE_MS = 30000 };

static bool complete(const struct seat *seat)
{
    const struct guest *guest = seat_focused_guest((struct seat *)seat);
    if (seat->wanted_slot != FOCUS_SWITCHER)
        return false; // its guest is not known yet
    return guest ? guest->picture.width > 0 : ui_layer_mapped(seat->ui, UI_LAYER_SWITCHER);
}

static void frame(struct seat *seat)
{
    seat->held = seat->held && !complete(seat);
    if (!seat->frame_wanted || seat->held)
        return;
    struct output_buffer *buffer = output_begin(seat->output);
    if (!buffer)
        return; // ready() calls again
    if (buffer->stale.count == 0) {
        seat->frame_wanted = false;
        wl_event_source_timer_update(seat->frame_timer, FRAME_MS);
        return;
    }
    for (unsigned i = 0; i < buffer->stale.count; i++)
        scene_paint(seat, &buffer->canvas, buffer->stale.rects[i]);
    seat->presenting = output_present(seat->output);
    seat->frame_wanted = !seat->presenting; // tried again when the output is ready
    if (seat->presenting)
        seat->painted_changes = seat->focus_changes;
}

static void on_frame_idle(void *data)
{
    struct seat *seat = data;
    seat->frame_idle = NULL;
    frame(seat);
}

// Those who wait for their picture to be on screen: it is.
static void tell_presented(struct seat *seat)
{
    ui_frame_done(seat->ui, now_ms());
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        if (seat->guests[slot].present && seat_shows_guest(seat, slot))
            backend_presented(seat->guests[slot].display);
}

static int on_hold_timer(void *data)
{
    struct seat *seat = data;
    if (seat->held)
        log_info("what was on screen has not come back in time");
    seat->held = false;
    frame(seat);
    return 0;
}

static void hold(struct seat *seat, int ms)
{
    seat->held = true;
    wl_event_source_timer_update(seat->hold_timer, ms);
}

void seat_interface_gone(struct seat *seat)
{
    if (!seat_focused_guest(seat) && seat_shows_focus(seat))
        hold(seat, HOLD_INTERFACE_MS);
}

static int on_frame_timer(void *data)
{
    tell_presented(data);
    return 0;
}

static void on_output_ready(void *data)
{
    struct seat *seat = data;
    if (seat->presenting) {
        seat->presenting = false;
        seat->shown_changes = seat->painted_changes;
        tell_presented(seat);
    }
    frame(seat);
}

static void on_output_resized(void *data)
{
    struct seat *seat = data;
    log_info("screen is now %ux%u", seat->output->width, seat->output->height);
    ui_resized(seat->ui);
    link_send_hello(seat->link);
    seat_damage_all(seat);
}

void seat_want_frame(struct seat *seat)
{
    seat->frame_wanted = true;
    if (!seat->frame_idle && output_begin(seat->output))
        seat->frame_idle = wl_event_loop_add_idle(seat->loop, on_frame_idle, seat);
}

void seat_damage(struct seat *seat, struct rect area)
{
    output_damage(seat->output, area);
    seat_want_frame(seat);
}

void seat_damage_all(struct seat *seat)
{
    seat_damage(seat, (struct rect){0, 0, (int32_t)seat->output->width, (int32_t)seat->output->height});
}

bool seat_shows_focus(const struct seat *seat)
{
    return seat->shown_changes == seat->focus_changes;
}

struct guest *seat_focused_guest(struct seat *seat)
{
    return seat->focus.current == FOCUS_SWITCHER ? NULL : &seat->guests[seat->focus.current];
}

bool seat_bar_show(struct seat *seat, bool show)
{
    if (show == seat->bar_shown || (show && !ui_layer_mapped(seat->ui, UI_LAYER_BAR)))
        return false;
    seat->bar_shown = show;
    seat->bar_pushed = false;
    if (!show) {
        seat->interface_buttons = (struct key_set){0};
        if (seat_focused_guest(seat))
            ui_pointer_leave(seat->ui);
    }
    ui_bar_changed(seat->ui, show);
    seat_damage(seat, ui_bar_area(seat->ui));
    seat_cursor_update(seat);
    return true;
}

static void deliver_release(void *data, unsigned slot, uint32_t code)
{
    struct seat *seat = data;
    if (slot != FOCUS_SWITCHER) {
        guest_input_key(&seat->guests[slot], code, false);
    } else if (is_button(code)) {
        ui_pointer_button(seat->ui, now_ms(), code, false);
    } else {
        ui_key(seat->ui, now_ms(), code, false);
    }
}

bool seat_guest_listens(const struct seat *seat, const struct guest *guest)
{
    return !(guest->signs & GUEST_SIGN_PAUSED) && !(seat->cut && guest->slot == seat->focus.current);
}

// The guest on screen hears no more: for it all keys are up.
static void guest_deaf(struct seat *seat)
{
    focus_release(&seat->focus, deliver_release, seat);
    seat->repeat_code = 0;
}

bool seat_cut(struct seat *seat, bool cut)
{
    if (cut == seat->cut || (cut && !seat_focused_guest(seat)))
        return false;
    seat->cut = cut;
    remember_cut(seat->remembered, cut);
    if (cut)
        guest_deaf(seat);
    seat_damage(seat, strip_area(seat->output));
    news_cut(seat->news);
    return true;
}

// After seat->focus changed, for whatever reason.
static void focus_moved(struct seat *seat, unsigned before)
{
    unsigned now = seat->focus.current;
    seat_cut(seat, false);
    peek_end(seat, false);
    seat->focus_changes++;
    seat->startled = true;
    seat->wanted_slot = FOCUS_SWITCHER;
    remember_focus(seat->remembered, now, now ? seat->guests[now].domid : 0);
    seat->repeat_code = 0;
    seat->interface_buttons = (struct key_set){0};
    seat->wheel_rest[0] = seat->wheel_rest[1] = 0;
    if (before == FOCUS_SWITCHER)
        ui_keyboard_leave(seat->ui);
    ui_pointer_leave(seat->ui);
    if (now == FOCUS_SWITCHER) {
        seat_bar_show(seat, false);
        ui_keyboard_enter(seat->ui);
    }
    struct guest *guest = seat_focused_guest(seat);
    if (guest)
        backend_shown(guest->display);
    seat_damage_all(seat);
    seat_cursor_update(seat);
    seat_pointer_motion(seat, now_ms(), 0, 0);
    ui_focus_changed(seat->ui, now);
    seat_lamps_update(seat);
    news_focus(seat->news);
}

bool seat_focus(struct seat *seat, unsigned slot, bool user_asked)
{
    unsigned before = seat->focus.current;
    if (!focus_switch(&seat->focus, slot, deliver_release, seat))
        return false;
    if (seat->focus.current != before)
        focus_moved(seat, before);
    if (user_asked) {
        seat->startled = seat->held = false;
        seat->wanted_slot = FOCUS_SWITCHER;
    }
    return true;
}

bool seat_guest_add(struct seat *seat, unsigned slot, const struct link_guest_add *add)
{
    struct guest *guest = &seat->guests[slot];
    if (guest->present && guest->domid != add->domid)
        seat_guest_remove(seat, slot);
    if (!guest->present && !focus_add(&seat->focus, slot))
        return false;
    guest->seat = seat;
    guest->slot = slot;
    guest->present = true;
    guest->domid = add->domid;
    guest->rgb = add->rgb;
    memcpy(guest->name, add->name, sizeof(guest->name));
    log_info("slot %u: domain %u, %s", slot, guest->domid, guest->name);
    if (seat_shows_guest(seat, slot))
        seat_damage_all(seat);
    if (slot == seat->wanted_slot && add->domid == seat->wanted_domid) {
        bool cut = remember_is_cut(seat->remembered);
        seat_focus(seat, slot, false); // as it was before the seat died
        seat_cut(seat, cut);
        seat->startled = !seat->held;  // while it is held, the user has seen nothing else
    }
    return true;
}

void seat_guest_remove(struct seat *seat, unsigned slot)
{
    struct guest *guest = &seat->guests[slot];
    if (!guest->present)
        return;
    guest_disconnect_display(guest);
    guest_disconnect_keyboard(guest);
    *guest = (struct guest){0};
    seat->display_errors[slot] = 0;
    unsigned before = seat->focus.current;
    focus_remove(&seat->focus, slot);
    log_info("slot %u: gone", slot);
    if (before == slot)
        focus_moved(seat, before);
    else
        peek_guest_gone(seat, slot);
}

void seat_guest_signs(struct seat *seat, unsigned slot, uint32_t signs)
{
    struct guest *guest = &seat->guests[slot];
    guest->signs = signs;
    if (seat_focused_guest(seat) != guest)
        return;
    seat_damage(seat, strip_area(seat->output));
    if (!seat_guest_listens(seat, guest))
        guest_deaf(seat);
}

// A seat manager that is killed leaves us what we have, one that ends in good order does not.
static bool holds_screen(struct seat *seat)
{
    if (!seat->output->ops->holds || seat->output->ops->holds(seat->output))
        return true;
    log_error("the right to the screen is gone");
    seat->failed = seat->ending = true;
    wl_display_terminate(seat->display);
    return false;
}

static void on_session_lost(void *data)
{
    holds_screen(data);
}

static void on_session_enabled(void *data)
{
    struct seat *seat = data;
    if (!holds_screen(seat))
        return;
    seat->output->ops->resume(seat->output);
    if (seat->input)
        input_resume(seat->input);
}

static void on_session_disabled(void *data)
{
    struct seat *seat = data;
    seat->output->ops->pause(seat->output);
    if (seat->input)
        input_suspend(seat->input);
}

static bool awaits_guest(struct seat *seat)
{
    return seat->held && (seat->wanted_slot != FOCUS_SWITCHER || seat_focused_guest(seat));
}

void seat_await_guest(struct seat *seat, uint32_t ms)
{
    int64_t begin = now_ms(), spent = 0;
    for (; awaits_guest(seat) && !seat->ending && spent < ms; spent = now_ms() - begin)
        wl_event_loop_dispatch(seat->loop, (int)(ms - spent));
}

int seat_repeat(void *data); // seat_input.c

bool seat_start(struct seat *seat)
{
    seat->output->listener = (struct output_listener){on_output_ready, on_output_resized, seat};
    seat->ports = ports_new(seat->loop);
    seat->news = news_new(seat);
    seat->frame_timer = wl_event_loop_add_timer(seat->loop, on_frame_timer, seat);
    seat->repeat_timer = wl_event_loop_add_timer(seat->loop, seat_repeat, seat);
    seat->hold_timer = wl_event_loop_add_timer(seat->loop, on_hold_timer, seat);
    if (!seat->ports || !seat->news || !seat->frame_timer || !seat->repeat_timer || !seat->hold_timer) {
        log_error("out of memory");
        return false;
    }
    if (seat->session) {
        struct session_listener listener = {on_session_enabled, on_session_disabled, on_session_lost, seat};
        session_set_listener(seat->session, &listener);
    }
    seat->focus_changes = 1; // nothing is on screen yet
    if (!remember_focused(seat->remembered, &seat->wanted_slot, &seat->wanted_domid))
        seat->wanted_slot = FOCUS_SWITCHER;
    if (seat->output->former)
        hold(seat, seat->wanted_slot == FOCUS_SWITCHER ? HOLD_INTERFACE_MS : HOLD_MS);
    seat->pointer_x = seat->output->width / 2.0;
    seat->pointer_y = seat->output->height / 2.0;
    ui_keyboard_enter(seat->ui);
    seat_cursor_update(seat);
    seat_damage_all(seat);
    return true;
}

void seat_stop(struct seat *seat)
{
    seat->remembered = NULL;     // what happens from here on is no news for the next seat
    seat->output->paused = true; // nor worth a frame
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        seat_guest_remove(seat, slot);
    ports_free(seat->ports);
    news_free(seat->news);
    struct wl_event_source *sources[] = {seat->frame_timer, seat->repeat_timer, seat->hold_timer, seat->frame_idle,
                                         seat->failure_idle};
    for (unsigned i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
        if (sources[i])
            wl_event_source_remove(sources[i]);
}
