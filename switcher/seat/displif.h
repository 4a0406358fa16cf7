// Display backend for drm_xen_front (xen/io/displif.h), connector 0: the guest's buffers, mapped read-only by
// grant, and its page flips.
#pragma once

#include "guest.h"
#include "ports.h"

// NULL with errno.
struct displif *displif_connect(struct guest *guest, struct ports *ports, const struct link_displif_connect *connect);
void displif_disconnect(struct displif *displif); // NULL is ignored

// The guest's last flip is on screen.
void displif_presented(struct displif *displif);
