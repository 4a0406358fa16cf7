// What the hotkeys do.
#include "hotkey_table.h"

#include "hotkey.h"
#include "seat.h"

static bool show_guest(struct seat *seat, unsigned nth)
{
    return seat_focus(seat, 1 + nth, true);
}

static bool show_switcher(struct seat *seat, unsigned nth)
{
    (void)nth;
    return seat_focus(seat, FOCUS_SWITCHER, true);
}

static bool show_neighbour(struct seat *seat, int step)
{
    unsigned slot = focus_neighbour(&seat->focus, step);
    return slot != seat->focus.current && seat_focus(seat, slot, true);
}

static bool show_previous(struct seat *seat, unsigned nth)
{
    (void)nth;
    return show_neighbour(seat, -1);
}

static bool show_next(struct seat *seat, unsigned nth)
{
    (void)nth;
    return show_neighbour(seat, +1);
}

static bool toggle_bar(struct seat *seat, unsigned nth)
{
    (void)nth;
    return seat->focus.current != FOCUS_SWITCHER && seat_bar_show(seat, !seat->bar_shown);
}

static bool toggle_cut(struct seat *seat, unsigned nth)
{
    (void)nth;
    return seat_cut(seat, !seat->cut);
}

static bool peek_next(struct seat *seat, unsigned nth)
{
    (void)nth;
    return peek_move(seat, +1);
}

static bool peek_previous(struct seat *seat, unsigned nth)
{
    (void)nth;
    return peek_move(seat, -1);
}

#define ROW(held, from, to, function, about) {.modifiers = held, KEY_##from, KEY_##to, function},
const struct hotkey hotkey_table[] = {HOTKEYS(ROW){.act = NULL}};
