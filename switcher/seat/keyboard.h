// Keyboard and pointer backend for xen-kbdfront (xen/io/kbdif.h). Events that the guest has no room for wait
// in a bounded queue; when that fills, movements are merged and presses dropped, releases never.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest.h"
#include "ports.h"

// NULL with errno. The descriptor is used only here, for a page given by frame number; -1 when given by
// grant.
struct keyboard *keyboard_connect(struct guest *guest, struct ports *ports, const struct link_keyboard_connect *connect,
                                  int privcmd);
void keyboard_disconnect(struct keyboard *keyboard); // NULL is ignored

bool keyboard_absolute(const struct keyboard *keyboard);

void keyboard_key(struct keyboard *keyboard, uint32_t code, bool pressed);

// Moves the pointer to a position, each 0 .. 1 across the guest's screen; only when absolute.
void keyboard_position(struct keyboard *keyboard, double x, double y);

// Moves it by pixels; only when not absolute.
void keyboard_motion(struct keyboard *keyboard, int32_t dx, int32_t dy);

// Turns the wheel; positive is towards the user (down).
void keyboard_wheel(struct keyboard *keyboard, int32_t notches);
