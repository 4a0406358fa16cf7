// Event channel dispatch.
#include "ports.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <xenevtchn.h>

enum { MAX_PORTS = 64 };

struct binding {
    int port;
    port_handler *handler; // NULL: free
    void *data;
};

struct ports {
    struct wl_event_loop *loop;
    struct wl_event_source *source;
    xenevtchn_handle *handle;
    struct binding bindings[MAX_PORTS];
};

struct ports *ports_new(struct wl_event_loop *loop)
{
    struct ports *ports = calloc(1, sizeof(*ports));
    if (ports)
        ports->loop = loop;
    return ports;
}

void ports_free(struct ports *ports)
{
    if (!ports)
        return;
    if (ports->source)
        wl_event_source_remove(ports->source);
    if (ports->handle)
        xenevtchn_close(ports->handle);
    free(ports);
}

static int on_pending(int fd, uint32_t mask, void *data)
{
    (void)fd;
    (void)mask;
    struct ports *ports = data;
    int port = xenevtchn_pending(ports->handle);
    if (port < 0)
        return 0;
    xenevtchn_unmask(ports->handle, (evtchn_port_t)port);
    for (unsigned i = 0; i < MAX_PORTS; i++) {
        struct binding *binding = &ports->bindings[i];
        if (binding->handler && binding->port == port) {
            binding->handler(binding->data);
            break;
        }
    }
    return 0;
}

static bool open_handle(struct ports *ports)
{
    if (ports->handle)
        return true;
    ports->handle = xenevtchn_open(NULL, 0);
    if (!ports->handle)
        return false;
    ports->source =
        wl_event_loop_add_fd(ports->loop, xenevtchn_fd(ports->handle), WL_EVENT_READABLE, on_pending, ports);
    return ports->source != NULL;
}

int ports_bind(struct ports *ports, uint32_t domid, uint32_t remote_port, port_handler *handler, void *data)
{
    if (!open_handle(ports))
        return -1;
    for (unsigned i = 0; i < MAX_PORTS; i++) {
        struct binding *binding = &ports->bindings[i];
        if (binding->handler)
            continue;
        int port = xenevtchn_bind_interdomain(ports->handle, domid, remote_port);
        if (port >= 0)
            *binding = (struct binding){port, handler, data};
        return port;
    }
    errno = EMFILE;
    return -1;
}

void ports_unbind(struct ports *ports, int port)
{
    for (unsigned i = 0; i < MAX_PORTS && port >= 0; i++) {
        struct binding *binding = &ports->bindings[i];
        if (binding->handler && binding->port == port) {
            xenevtchn_unbind(ports->handle, (evtchn_port_t)port);
            *binding = (struct binding){0};
        }
    }
}

void ports_notify(struct ports *ports, int port)
{
    if (ports->handle && port >= 0)
        xenevtchn_notify(ports->handle, (evtchn_port_t)port);
}
