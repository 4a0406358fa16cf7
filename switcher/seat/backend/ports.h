// Event channels of the seat: one descriptor of /dev/xen/evtchn, opened when first needed, and a handler for
// each port.
#pragma once

#include <stdint.h>
#include <wayland-server-core.h>

struct ports;

typedef void port_handler(void *data);

struct ports *ports_new(struct wl_event_loop *loop);
void ports_free(struct ports *ports);

// Binds to the guest's port; returns the local port, or -1 with errno. The handler runs from the event loop.
int ports_bind(struct ports *ports, uint32_t domid, uint32_t remote_port, port_handler *handler, void *data);
void ports_unbind(struct ports *ports, int port); // -1 is ignored
void ports_notify(struct ports *ports, int port);
