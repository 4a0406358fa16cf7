// The seat's real focus, frames and input over a screen that fails when it is told to. Guests and interface are fakes
// that note what reaches them.
#pragma once

#include "../check.h"
#include "remember.h"
#include "roundhouse_guest.h"
#include "seat.h"
#include "strip.h"

enum { WIDTH = 64, HEIGHT = 48, SCREEN_HEIGHT = HEIGHT + STRIP_HEIGHT, NOBODY = 99 };

extern struct seat *seat;
extern struct output screen;
extern bool screen_fails, interface_drawn;
extern unsigned presented, told_presented;

// What reached somebody last, and how much did.
extern struct got {
    unsigned slot, count;
    uint32_t code;
    bool pressed;
} got;
extern unsigned reached[KEY_CNT];                 // how often a key reached anybody
extern unsigned moved;                            // how often a pointer was told to a guest
extern unsigned lit, lamps_told, interface_lamps; // sets of enum lamp, and how often the machine's were set
extern unsigned cuts_told, bar_changes, asked_for_power;

void settle(void);        // until nothing is to be drawn
unsigned on_screen(void); // whose picture: a slot
extern uint32_t now;      // of input, in milliseconds

// Whom a key pressed now, so long after the one before, reaches.
unsigned press(uint32_t later, uint32_t code);
unsigned release(uint32_t code);
unsigned type(uint32_t later, uint32_t code);
void hotkey(uint32_t code);                  // with Ctrl and Alt
void hold(unsigned modifiers, bool pressed); // a set of HOTKEY_*

// `slot` and `domid` had the focus when the former seat died.
void start_after(bool former, unsigned slot, uint32_t domid);
void start(void); // with guests in slots 1 to 3
void stop(void);
