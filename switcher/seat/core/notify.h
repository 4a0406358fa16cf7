// What the service manager is told (sd_notify(3)): that the seat is ready, and, by its watchdog, that the main loop
// goes round. Without $NOTIFY_SOCKET nothing is said.
#pragma once

#include <wayland-server-core.h>

struct notify;

// One message; `fd` goes along and stays the caller's, -1: none.
void notify_say(const char *what, int fd);

// Says that the seat is ready; from then on the loop itself says every third of $WATCHDOG_USEC that it is alive. NULL
// when out of memory.
struct notify *notify_start(struct wl_event_loop *loop);
void notify_stop(struct notify *notify);
