// Keyboard and pointer backend for xen-kbdfront (xen/io/kbdif.h). Events that the guest has no room for wait
// in a bounded queue; when that fills, movements are merged and presses dropped, releases never.
#pragma once

#include "backend.h"
#include "guest.h"
#include "ports.h"

// NULL with errno. The descriptor is used only here, for a page given by frame number; -1 when given by
// grant.
struct backend *keyboard_connect(struct guest *guest, struct ports *ports, const struct link_keyboard_connect *connect,
                                 int privcmd);
