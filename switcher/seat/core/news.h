// What the manager and the interface have yet to be told: the latest state alone, at most once a frame, however often
// a guest or the interface changes it.
#pragma once

#include <stdbool.h>

struct seat;
struct news;

struct news *news_new(struct seat *seat);
void news_free(struct news *news);

// A guest's picture has another size; somebody else has the focus.
void news_guest_size(struct news *news, unsigned slot);
void news_focus(struct news *news);
// A guest was cut off, or is no longer.
void news_cut(struct news *news);

// A manager has come: it knows nothing.
void news_repeat(struct news *news);
