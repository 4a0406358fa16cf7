// Display backend for drm_xen_front (xen/io/displif.h), connector 0: the guest's buffers, mapped read-only by
// grant, and its page flips.
#pragma once

#include "backend.h"
#include "guest.h"
#include "ports.h"

// NULL with errno.
struct backend *displif_connect(struct guest *guest, struct ports *ports, const struct link_displif_connect *connect);
