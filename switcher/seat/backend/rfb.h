// Display, keyboard and pointer of a guest with emulated hardware: a client of QEMU's VNC server on a connected
// socket. The picture is a copy in the seat's memory. Updates are asked for as they are shown while the guest is on
// screen, and once a second otherwise. QEMU may be in the guest's hands: what it sends is checked (rfb_protocol.h),
// and what it does not read is bounded here.
#pragma once

#include "backend.h"
#include "guest.h"

// Takes the descriptor. NULL with errno.
struct backend *rfb_connect(struct guest *guest, const struct link_rfb_connect *connect, int socket);
