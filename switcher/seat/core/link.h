// The seat's end of the link to roundhoused (link_protocol.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct seat;
struct link;

// Listens at the path; only processes of `uid` are heard. NULL after a logged reason.
struct link *link_new(struct seat *seat, const char *path, uid_t uid);
void link_free(struct link *link);

// For the manager; dropped while none is connected.
void link_send_hello(struct link *link);
void link_display_closed(struct link *link, unsigned slot, int error);
// News (news.h). False: the manager is behind with its reading; to be told again.
bool link_focus_changed(struct link *link, unsigned slot);
bool link_cut_changed(struct link *link, unsigned slot);
bool link_mode(struct link *link, unsigned slot, uint32_t width, uint32_t height);
