// Display backend for xen-fbfront (xen/io/fbif.h): the guest's framebuffer pages, mapped read-only, and its
// update events.
#pragma once

#include "backend.h"
#include "guest.h"
#include "ports.h"

// NULL with errno: EPROTO when the guest's numbers make no sense. The descriptor stays the caller's and is
// not used afterwards.
struct backend *fbif_connect(struct guest *guest, struct ports *ports, const struct link_fbif_connect *connect,
                             int privcmd);
