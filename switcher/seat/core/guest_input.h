// Input to a guest, whichever device it has for that: kbdif (keyboard.h) or QEMU's emulated ones (rfb.h).
#pragma once

#include "guest.h"

bool guest_input_present(const struct guest *guest);  // the calls below do nothing without
bool guest_input_absolute(const struct guest *guest); // it takes positions, otherwise movements

void guest_input_key(struct guest *guest, uint32_t code, bool pressed); // keys and buttons
void guest_input_position(struct guest *guest, double x, double y);     // 0 .. 1 across its screen
void guest_input_motion(struct guest *guest, int32_t dx, int32_t dy);   // pixels
void guest_input_wheel(struct guest *guest, int32_t notches);           // positive is towards the user
