// Stands in for switcher/seat/backend/foreign.c and ports.c.
#include "fake_xen.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "foreign.h"
#include "ports.h"

struct binding {
    struct ports *ports;
    struct wl_event_source *source;
    port_handler *handler;
    void *data;
};

struct ports {
    struct wl_event_loop *loop;
    struct binding bindings[FAKE_PORT_COUNT];
};

void foreign_guard_install(void)
{
}

static void *map(const uint64_t *frames, size_t count, int protection)
{
    uint8_t *address = mmap(NULL, count * FAKE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (frames[i] < FAKE_PAGES && mmap(address + i * FAKE_PAGE, FAKE_PAGE, protection, MAP_SHARED | MAP_FIXED,
                                           FAKE_MEMORY, (off_t)frames[i] * FAKE_PAGE) != MAP_FAILED)
            continue;
        munmap(address, count * FAKE_PAGE);
        errno = EFAULT;
        return NULL;
    }
    return address;
}

void *foreign_map_frames(int privcmd, uint32_t domid, const uint64_t *frames, size_t count, int protection)
{
    (void)privcmd;
    (void)domid;
    return map(frames, count, protection);
}

void foreign_unmap_frames(void *address, size_t count)
{
    if (address)
        munmap(address, count * FAKE_PAGE);
}

void *foreign_map_grants(uint32_t domid, uint32_t *references, size_t count, int protection)
{
    (void)domid;
    uint64_t *frames = calloc(count, sizeof(*frames));
    for (size_t i = 0; i < count; i++)
        frames[i] = references[i];
    void *address = map(frames, count, protection);
    free(frames);
    return address;
}

void foreign_unmap_grants(void *address, size_t count)
{
    foreign_unmap_frames(address, count);
}

struct ports *ports_new(struct wl_event_loop *loop)
{
    struct ports *ports = calloc(1, sizeof(*ports));
    ports->loop = loop;
    return ports;
}

void ports_free(struct ports *ports)
{
    free(ports);
}

static int on_kick(int fd, uint32_t mask, void *data)
{
    (void)mask;
    struct binding *binding = data;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) == sizeof(count) && binding->handler)
        binding->handler(binding->data);
    return 0;
}

int ports_bind(struct ports *ports, uint32_t domid, uint32_t remote_port, port_handler *handler, void *data)
{
    (void)domid;
    if (remote_port >= FAKE_PORT_COUNT || ports->bindings[remote_port].handler) {
        errno = EINVAL;
        return -1;
    }
    struct binding *binding = &ports->bindings[remote_port];
    *binding = (struct binding){ports, NULL, handler, data};
    binding->source =
        wl_event_loop_add_fd(ports->loop, FAKE_PORTS + (int)remote_port, WL_EVENT_READABLE, on_kick, binding);
    return (int)remote_port;
}

void ports_unbind(struct ports *ports, int port)
{
    if (port < 0)
        return;
    wl_event_source_remove(ports->bindings[port].source);
    ports->bindings[port] = (struct binding){0};
}

void ports_notify(struct ports *ports, int port)
{
    (void)ports;
    (void)port;
}
