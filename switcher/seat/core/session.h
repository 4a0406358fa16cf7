// Opening of display and input devices: through libseat where a seat manager answers, directly otherwise (the
// process then needs the device nodes' groups).
#pragma once

#include <stdbool.h>
#include <wayland-server-core.h>

struct session;

enum session_kind { SESSION_AUTO, SESSION_LIBSEAT, SESSION_DIRECT };

struct session_listener {
    void (*enabled)(void *data);  // the devices are ours (again)
    void (*disabled)(void *data); // another session took them; stop using them before returning
    // The seat manager died. Devices stay open; new ones cannot be had until it is back, which enabled() says.
    void (*lost)(void *data);
    void *data;
};

// NULL after a logged reason. The session is enabled when this returns.
struct session *session_open(struct wl_event_loop *loop, enum session_kind kind);
void session_close(struct session *session);
void session_set_listener(struct session *session, const struct session_listener *listener);

// Returns a descriptor, which only session_close_device() may close, or -1 with errno.
int session_open_device(struct session *session, const char *path);
void session_close_device(struct session *session, int fd);

// The name of the seat by which udev tells devices: seatd knows no other.
#define SESSION_SEAT "seat0"
