// What of the user's typing and pointing reaches whom: over a switch, while a guest is paused or cut off, while all are
// looked at.
#include "seat_rig.h"

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

// Cut off, the guest on screen is sent nothing, until the chord again or another guest.
static void cutting_off(void)
{
    hotkey(KEY_1);
    settle();
    unsigned told = cuts_told;
    CHECK(press(10, KEY_A) == 1);
    hotkey(KEY_END);
    CHECK(seat->cut && cuts_told == told + 1 && !got.pressed);
    unsigned count = got.count, before = moved;
    CHECK(release(KEY_A) == NOBODY && type(10, KEY_B) == NOBODY);
    seat_pointer_button(seat, now, BTN_LEFT, true);
    seat_pointer_button(seat, now, BTN_LEFT, false);
    seat_pointer_motion(seat, now, 2, 2);
    CHECK(got.count == count && moved == before);
    hotkey(KEY_END);
    CHECK(!seat->cut && cuts_told == told + 2 && type(10, KEY_B) == 1);
    hotkey(KEY_END);
    hotkey(KEY_2);
    settle();
    CHECK(!seat->cut && cuts_told == told + 4 && type(10, KEY_B) == 2);
    hotkey(KEY_1);
    settle();
    CHECK(type(10, KEY_B) == 1); // it was until another one was chosen
    hotkey(KEY_0);
    settle();
    hold(HOTKEY_CTRL | HOTKEY_ALT, true);
    CHECK(type(10, KEY_END) == FOCUS_SWITCHER && !seat->cut && cuts_told == told + 4);
    hold(HOTKEY_CTRL | HOTKEY_ALT, false);
}

static void push_up(double by, uint32_t later)
{
    seat_pointer_motion(seat, now += later, 0, -by);
}

// A push against the upper edge brings the bar; a bump, a glide along it and a drag do not.
static void pushing_at_the_edge(void)
{
    hotkey(KEY_1);
    settle();
    push_up(10000, 1000);
    CHECK(!seat->bar_shown); // hard, but not for a moment
    for (int i = 0; i < 20; i++)
        push_up(50, 400);
    CHECK(!seat->bar_shown); // with pauses
    for (int i = 0; i < 20; i++)
        push_up(0.5, 50);
    CHECK(!seat->bar_shown); // hardly
    seat_pointer_motion(seat, now += 1000, 0, 20);
    push_up(10, 10);
    CHECK(seat->pointer_y == 10 && seat->push == 0); // not at the edge yet
    seat_pointer_button(seat, now, BTN_LEFT, true);
    unsigned before = bar_changes;
    for (int i = 0; i < 20; i++)
        push_up(50, 50);
    seat_pointer_button(seat, now, BTN_LEFT, false);
    CHECK(bar_changes == before);
    now += 1000;
    for (int i = 0; i < 8; i++)
        push_up(30, 50);
    CHECK(seat->bar_shown && seat->bar_pushed);
    seat_pointer_motion(seat, now += 10, 5, 3);
    CHECK(seat->bar_shown); // over it
    seat_pointer_motion(seat, now += 10, 0, 10);
    CHECK(!seat->bar_shown);
    hotkey(KEY_SPACE);
    seat_pointer_motion(seat, now += 10, 0, 10);
    CHECK(seat->bar_shown && !seat->bar_pushed); // the chord's stays
    hotkey(KEY_0);
    settle();
    for (int i = 0; i < 20; i++)
        push_up(50, 50);
    CHECK(!seat->bar_shown);
}

// While the chord is held: pictures of all, nobody is sent anything, and letting go shows the one that was chosen.
static void peeking(void)
{
    hotkey(KEY_1);
    settle();
    hold(HOTKEY_CTRL | HOTKEY_ALT, true);
    unsigned count = got.count, before = moved;
    CHECK(type(10, KEY_TAB) == NOBODY && seat->peek.shown && seat->peek.chosen == 2 && seat->focus.current == 1);
    CHECK(type(10, KEY_A) == NOBODY && type(10, KEY_TAB) == NOBODY && seat->peek.chosen == 3);
    seat_pointer_motion(seat, now, 2, 2);
    seat_pointer_button(seat, now, BTN_LEFT, true);
    seat_pointer_button(seat, now, BTN_LEFT, false);
    seat_pointer_wheel(seat, now, false, 0, 120);
    CHECK(got.count == count && moved == before);
    seat_key(seat, now += 10, KEY_LEFTSHIFT, true);
    CHECK(type(10, KEY_TAB) == NOBODY && seat->peek.chosen == 2);
    seat_key(seat, now += 10, KEY_LEFTSHIFT, false);
    seat_key(seat, now += 10, KEY_LEFTALT, false); // one of the two will do
    CHECK(!seat->peek.shown && seat->focus.current == 2);
    seat_key(seat, now += 10, KEY_LEFTCTRL, false);
    settle();
    CHECK(on_screen() == 2 && type(10, KEY_A) == 2);

    hold(HOTKEY_CTRL | HOTKEY_ALT, true); // Escape stays, and the guest sees nothing of it
    type(10, KEY_TAB);
    count = got.count;
    CHECK(type(10, KEY_ESC) == NOBODY && !seat->peek.shown && got.count == count);
    hold(HOTKEY_CTRL | HOTKEY_ALT, false);
    CHECK(seat->focus.current == 2 && got.slot == 2 && !got.pressed); // what it was told is held is let go
    settle();
    CHECK(type(10, KEY_ESC) == 2);

    hold(HOTKEY_CTRL | HOTKEY_ALT, true); // another chord goes where it says
    type(10, KEY_TAB);
    press(10, KEY_1);
    release(KEY_1);
    CHECK(!seat->peek.shown && seat->focus.current == 1);
    hold(HOTKEY_CTRL | HOTKEY_ALT, false);
    CHECK(seat->focus.current == 1);
}

// Guests go while they are looked at.
static void peeking_at_what_goes(void)
{
    hotkey(KEY_0);
    settle();
    hold(HOTKEY_CTRL | HOTKEY_ALT, true);
    type(10, KEY_TAB);
    CHECK(seat->peek.shown && seat->peek.chosen == 1);
    seat_guest_remove(seat, 1);
    CHECK(seat->peek.shown && seat->peek.chosen == 2);
    seat_guest_remove(seat, 3);
    CHECK(seat->peek.shown && seat->peek.chosen == 2);
    seat_guest_remove(seat, 2);
    CHECK(!seat->peek.shown);
    CHECK(type(10, KEY_TAB) == FOCUS_SWITCHER && !seat->peek.shown); // nothing to look at: not ours
    hold(HOTKEY_CTRL | HOTKEY_ALT, false);
    CHECK(seat->focus.current == FOCUS_SWITCHER);
    for (unsigned slot = 1; slot <= 3; slot++)
        CHECK(seat_guest_add(seat, slot, &(struct link_guest_add){.domid = 10 + slot}));
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

int main(void)
{
    start();
    settle();
    modifiers_go_along();
    paused_guest();
    sideways_wheel();
    cutting_off();
    peeking();
    peeking_at_what_goes();
    pushing_at_the_edge();
    lamps_follow();
    power_button();
    chords_of_guests();
    stop();
    return 0;
}
