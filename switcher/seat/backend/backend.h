// A device of a guest that the seat serves, whichever protocol it speaks: a display (fbif.h, displif.h), keyboard and
// pointer (keyboard.h), or both in one (rfb.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct backend;

struct backend_ops {
    void (*disconnect)(struct backend *backend);
    // Of a display; NULL: it has nothing to do then.
    void (*shown)(struct backend *backend);     // the guest came on screen
    void (*presented)(struct backend *backend); // its last picture is on screen
    // Of keyboard and pointer: all of them or none.
    bool (*absolute)(const struct backend *backend);                   // takes positions, otherwise movements
    void (*key)(struct backend *backend, uint32_t code, bool pressed); // keys and buttons
    void (*position)(struct backend *backend, double x, double y);     // 0 .. 1 across its screen
    void (*motion)(struct backend *backend, int32_t dx, int32_t dy);   // pixels
    void (*wheel)(struct backend *backend, int32_t notches);           // positive is towards the user (down)
};

// The first member of what a protocol keeps of a device. NULL is a device that is not there.
struct backend {
    const struct backend_ops *ops;
};

static inline void backend_disconnect(struct backend *backend)
{
    if (backend)
        backend->ops->disconnect(backend);
}

static inline void backend_shown(struct backend *backend)
{
    if (backend && backend->ops->shown)
        backend->ops->shown(backend);
}

static inline void backend_presented(struct backend *backend)
{
    if (backend && backend->ops->presented)
        backend->ops->presented(backend);
}

static inline bool backend_takes_input(const struct backend *backend)
{
    return backend && backend->ops->key;
}
