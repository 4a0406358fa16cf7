// The seat's end of the link to roundhoused (link_protocol.h).
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct seat;
struct link;

// Listens at the path; only processes of `uid` are heard. NULL after a logged reason.
struct link *link_new(struct seat *seat, const char *path, uid_t uid);
void link_free(struct link *link);

// News for the manager; dropped while none is connected.
void link_send_hello(struct link *link);
void link_focus_changed(struct link *link, unsigned slot);
void link_display_closed(struct link *link, unsigned slot, int error);
void link_mode(struct link *link, unsigned slot, uint32_t width, uint32_t height);
