// The seat's hotkeys, a row each: hotkey.c recognises them by it, and roundhouse-seat(8) is made of it.
#pragma once

// The modifiers that are held, and no others; the first and the last of the trigger keys, KEY_* of
// linux/input-event-codes.h; what is done, a function of hotkey_table.c; and the same for people.
#define HOTKEYS(HOTKEY)                                                                                                \
    HOTKEY(HOTKEY_CTRL | HOTKEY_ALT, 1, 9, show_guest, "show the guest in that slot")                                  \
    HOTKEY(HOTKEY_CTRL | HOTKEY_ALT, 0, 0, show_switcher, "show the switcher")                                         \
    HOTKEY(HOTKEY_CTRL | HOTKEY_ALT, LEFT, LEFT, show_previous, "show the previous guest")                             \
    HOTKEY(HOTKEY_CTRL | HOTKEY_ALT, RIGHT, RIGHT, show_next, "show the next guest")                                   \
    HOTKEY(HOTKEY_CTRL | HOTKEY_ALT, SPACE, SPACE, toggle_bar, "show or hide the bar over a guest")                    \
    HOTKEY(HOTKEY_CTRL | HOTKEY_ALT, TAB, TAB, peek_next,                                                              \
           "show live pictures of all guests while Ctrl and Alt are held: Tab chooses the next one, letting go shows " \
           "it, "                                                                                                      \
           "Escape leaves all as it was")                                                                              \
    HOTKEY(HOTKEY_CTRL | HOTKEY_ALT | HOTKEY_SHIFT, TAB, TAB, peek_previous, "the same, backwards")                    \
    HOTKEY(HOTKEY_CTRL | HOTKEY_ALT, END, END, toggle_cut,                                                             \
           "cut the guest on screen off from keyboard and pointer, or end that")
