// Display, keyboard and pointer of a guest with emulated hardware: a client of QEMU's VNC server on a connected
// socket. The picture is a copy in the seat's memory. Updates are asked for as they are shown while the guest is on
// screen, and once a second otherwise. QEMU may be in the guest's hands: what it sends is checked (rfb_protocol.h),
// and what it does not read is bounded here.
#pragma once

#include "guest.h"

// Takes the descriptor. NULL with errno.
struct rfb *rfb_connect(struct guest *guest, const struct link_rfb_connect *connect, int socket);
void rfb_disconnect(struct rfb *rfb); // NULL is ignored

// The guest came on screen.
void rfb_shown(struct rfb *rfb);

bool rfb_absolute(const struct rfb *rfb);

// As in keyboard.h. Buttons are keys.
void rfb_key(struct rfb *rfb, uint32_t code, bool pressed);
void rfb_position(struct rfb *rfb, double x, double y);
void rfb_motion(struct rfb *rfb, int32_t dx, int32_t dy);
void rfb_wheel(struct rfb *rfb, int32_t notches);
