// When the devices' front ends are looked at: not whenever a watch fires, for that is the guest's choice.
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>

#include "vdisplay_private.h"

enum {
    EVENTS_PER_TURN = 256, // taken in one turn of the main loop, from all guests together
    EVENTS_PER_LOOK = 16,  // more than that, and the watch is taken away
    LOOK_MS = 50,          // between two looks at a device
    CALM_MS = 500,         // the same, once its watch was taken away
};

static void schedule(struct vdisplay *vd);

static char *state_path(const struct vdevice *device)
{
    return g_strdup_printf("%s/state", device->front);
}

bool vdevice_watch(struct vdevice *device)
{
    g_autofree char *path = state_path(device);
    device->watched = xs_watch(device->guest->vd->store, path, device->token);
    return device->watched;
}

void vdevice_unwatch(struct vdevice *device)
{
    g_autofree char *path = state_path(device);
    if (device->watched)
        xs_unwatch(device->guest->vd->store, path, device->token);
    device->watched = false;
}

// Without its watch the device is looked at in any case, and the new watch, set before the look, misses nothing.
static void look(struct vdevice *device, gint64 now)
{
    int pause = device->watched ? LOOK_MS : CALM_MS;
    device->look = !device->watched && !vdevice_watch(device);
    device->events = 0;
    device->next_look = now + pause * (gint64)1000;
    vdevice_update(device);
}

static gboolean on_due(void *data)
{
    struct vdisplay *vd = data;
    vd->look_source = 0;
    schedule(vd);
    return G_SOURCE_REMOVE;
}

// Looks at what is due, and sees to it that the rest has its turn.
static void schedule(struct vdisplay *vd)
{
    gint64 now = g_get_monotonic_time(), next = G_MAXINT64;
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++) {
        struct vguest *guest = vd->guests[slot];
        for (unsigned i = 0; guest && i < guest->device_count; i++) {
            struct vdevice *device = &guest->devices[i];
            if (device->look && device->next_look <= now)
                look(device, now);
            if (device->look)
                next = MIN(next, device->next_look);
        }
    }
    g_clear_handle_id(&vd->look_source, g_source_remove);
    if (next != G_MAXINT64)
        vd->look_source = g_timeout_add((guint)((next - now) / 1000 + 1), on_due, vd);
}

void vdisplay_look_at(struct vdevice *device)
{
    struct vdisplay *vd = device->guest->vd;
    device->look = true;
    g_clear_handle_id(&vd->look_source, g_source_remove);
    vd->look_source = g_timeout_add(0, on_due, vd);
}

static void take_event(struct vdisplay *vd, const char *token)
{
    unsigned domid, index;
    if (sscanf(token, "%u %u", &domid, &index) != 2)
        return;
    struct vguest *guest = vdisplay_find(vd, domid);
    if (!guest || index >= guest->device_count)
        return;
    struct vdevice *device = &guest->devices[index];
    device->look = true;
    if (++device->events > EVENTS_PER_LOOK)
        vdevice_unwatch(device);
}

static gboolean on_event(int fd, GIOCondition condition, void *data)
{
    (void)fd;
    (void)condition;
    struct vdisplay *vd = data;
    char **event;
    for (unsigned i = 0; i < EVENTS_PER_TURN && (event = xs_check_watch(vd->store)) != NULL; i++) {
        take_event(vd, event[XS_WATCH_TOKEN]);
        free(event);
    }
    schedule(vd);
    return G_SOURCE_CONTINUE;
}

void vdisplay_watch_start(struct vdisplay *vd)
{
    vd->store_source = g_unix_fd_add(xs_fileno(vd->store), G_IO_IN, on_event, vd);
}

void vdisplay_watch_stop(struct vdisplay *vd)
{
    g_clear_handle_id(&vd->store_source, g_source_remove);
    g_clear_handle_id(&vd->look_source, g_source_remove);
}
