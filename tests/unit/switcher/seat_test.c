// Who gets keys, and whose picture is on screen, when guests come and go, a screen fails, a former seat died; and what
// the hotkeys do.
#include "seat_rig.h"

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

// A guest does not end its being cut off by killing the seat; the person does, and any other guest on screen.
static void cut_by_a_former_seat(void)
{
    start_after(true, 2, 42);
    remember_cut(seat->remembered, true);
    CHECK(seat_guest_add(seat, 2, &(struct link_guest_add){.domid = 42}));
    picture_comes(2);
    CHECK(seat->cut && remember_is_cut(seat->remembered) && type(10, KEY_A) == NOBODY);
    CHECK(seat_cut(seat, false) && !remember_is_cut(seat->remembered) && type(10, KEY_A) == 2);
    CHECK(seat_cut(seat, true) && remember_is_cut(seat->remembered));
    hotkey(KEY_0);
    CHECK(!remember_is_cut(seat->remembered));
    stop();
    start_after(true, 2, 42);
    remember_cut(seat->remembered, true);
    CHECK(seat_guest_add(seat, 1, &(struct link_guest_add){.domid = 41}));
    hotkey(KEY_1);
    settle();
    CHECK(!seat->cut && !remember_is_cut(seat->remembered) && type(10, KEY_A) == 1);
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
    {KEY_SPACE, 5, true}, {KEY_TAB, 6, false},
    {KEY_TAB, 4, false},  {KEY_END, 5, false},
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
    cut_by_a_former_seat();
    former_picture_never_comes();
    interface_starts_anew();
    start();
    keys_follow_the_picture();
    screen_that_fails();
    releases_follow_presses();
    typing_when_a_guest_dies();
    hotkeys_work_at_once();
    focus_that_nobody_asked_for();
    focus_of_a_former_seat();
    every_hotkey();
    stop();
    return 0;
}
