// What the hotkeys do.
#include "hotkey_table.h"

#include "hotkey.h"
#include "seat.h"

static void show_guest(struct seat *seat, unsigned nth)
{
    seat_focus(seat, 1 + nth, true);
}

static void show_switcher(struct seat *seat, unsigned nth)
{
    (void)nth;
    seat_focus(seat, FOCUS_SWITCHER, true);
}

static void show_previous(struct seat *seat, unsigned nth)
{
    (void)nth;
    seat_focus(seat, focus_neighbour(&seat->focus, -1), true);
}

static void show_next(struct seat *seat, unsigned nth)
{
    (void)nth;
    seat_focus(seat, focus_neighbour(&seat->focus, +1), true);
}

static void toggle_bar(struct seat *seat, unsigned nth)
{
    (void)nth;
    if (seat->focus.current != FOCUS_SWITCHER)
        seat_bar_show(seat, !seat->bar_shown);
}

#define ROW(held, from, to, function, about) {.modifiers = held, KEY_##from, KEY_##to, function},
const struct hotkey hotkey_table[] = {HOTKEYS(ROW){.act = NULL}};
