// The sound process's end of the link to roundhoused (link_protocol.h): which guests there are, their rules, their
// sound cards, and who is on screen. roundhoused tells all of that, for it knows the rules, reads xenstore, and hears
// of the focus from the seat within a frame; so the sound process has one peer, the seat has none more, and a guest is
// never on screen before it is known here. While roundhoused is away, what is heard stays.
#pragma once

#include <sys/types.h>

#include "sound.h"

// Listens at the path; only `uid` is let in. NULL after a logged reason.
struct sound_link *sound_link_new(struct sound *sound, const char *path, uid_t uid);
void sound_link_free(struct sound_link *link);

void sound_link_closed(struct sound_link *link, unsigned slot, int error);
