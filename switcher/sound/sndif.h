// Xen's sound protocol (xen/io/sndif.h): one card with a stream of playback and one of capture.
#pragma once

#include "link_protocol.h"
#include "sound.h"
#include "source.h"

// What a guest may open; roundhoused says so in xenstore.
enum { SNDIF_BUFFER_MAX = 65536 };

// Maps the rings and binds to the ports of the slot's guest; NULL with errno. What the guest's rings say that cannot be
// ends it by sound_source_failed().
struct source *sndif_connect(struct sound *sound, unsigned slot, const struct link_sndif_connect *connect);
