// The guests that have a place on the seat, and the calls of the rest of roundhoused.
#include "vdisplay.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

#include "vdisplay_private.h"
#include "vga_socket.h"

struct vdisplay *vdisplay_new(const char *seat_socket_path, const char *sound_socket_path, GError **error)
{
    struct vdisplay *vd = g_new0(struct vdisplay, 1);
    vd->screen_width = 1280;
    vd->screen_height = 800;
    if (!vdisplay_store_start(vd, error)) {
        vdisplay_free(vd);
        return NULL;
    }
    vlink_start(&vd->seat, vd, &vdisplay_seat_events, seat_socket_path);
    vdisplay_sound_start(vd, sound_socket_path);
    return vd;
}

static void guest_free(struct vguest *guest)
{
    vdisplay_vga_stop(guest);
    vdisplay_picture_lost(guest);
    g_free(guest->vga_socket);
    for (unsigned i = 0; i < guest->device_count; i++) {
        g_free(guest->devices[i].front);
        g_free(guest->devices[i].back);
        g_free(guest->devices[i].token);
    }
    g_free(guest);
}

// Leaves the guests' devices alone: they run on.
void vdisplay_free(struct vdisplay *vd)
{
    if (!vd)
        return;
    vlink_stop(&vd->seat);
    vdisplay_sound_stop(vd);
    vdisplay_store_stop(vd);
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        if (vd->guests[slot])
            guest_free(vd->guests[slot]);
    g_free(vd);
}

void vdisplay_set_focus_callback(struct vdisplay *vd, vdisplay_focus_fn *callback, void *data)
{
    vd->focus_callback = callback;
    vd->focus_data = data;
}

void vdisplay_set_lost_callback(struct vdisplay *vd, vdisplay_lost_fn *callback, void *data)
{
    vd->lost_callback = callback;
    vd->lost_data = data;
}

struct vguest *vdisplay_find(const struct vdisplay *vd, uint32_t domid)
{
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        if (vd->guests[slot] && vd->guests[slot]->domid == domid)
            return vd->guests[slot];
    return NULL;
}

// The bound is per guest, so that one that makes lines without end hides nobody else's.
void vguest_warn(struct vguest *guest, const char *format, ...)
{
    enum { LINES_PER_MINUTE = 10 };
    gint64 now = g_get_monotonic_time();
    if (guest->log_lines == 0 || now - guest->log_since > 60 * G_USEC_PER_SEC) {
        if (guest->log_lines > LINES_PER_MINUTE)
            g_warning("%s: %u more messages about it were left out", guest->name, guest->log_lines - LINES_PER_MINUTE);
        guest->log_since = now;
        guest->log_lines = 0;
    }
    if (++guest->log_lines > LINES_PER_MINUTE)
        return;
    va_list arguments;
    va_start(arguments, format);
    g_logv(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, format, arguments);
    va_end(arguments);
}

struct vdevice *vguest_add_device(struct vguest *guest, enum vdevice_type type)
{
    static const char *const names[] = {"vfb", "vdispl", "vkbd", "vsnd"};
    g_assert(guest->device_count < G_N_ELEMENTS(guest->devices));
    unsigned index = guest->device_count++;
    struct vdevice *device = &guest->devices[index];
    device->type = type;
    device->guest = guest;
    device->front = g_strdup_printf("/local/domain/%u/device/%s/0", guest->domid, names[type]);
    device->back = g_strdup_printf("/local/domain/0/backend/%s/%u/0", names[type], guest->domid);
    device->token = g_strdup_printf("%u %u", guest->domid, index);
    return device;
}

struct vdevice *vguest_device(struct vguest *guest, enum vdevice_type type)
{
    for (unsigned i = 0; i < guest->device_count; i++)
        if (guest->devices[i].type == type)
            return &guest->devices[i];
    return NULL;
}

struct vlink *vdevice_link(const struct vdevice *device)
{
    struct vdisplay *vd = device->guest->vd;
    return device->type == VDEVICE_VSND ? &vd->sound : &vd->seat;
}

void vguest_forget_connections(struct vguest *guest, const struct vlink *link)
{
    for (unsigned i = 0; i < guest->device_count; i++)
        if (vdevice_link(&guest->devices[i]) == link)
            guest->devices[i].phase = VDEVICE_WAITING;
}

void vguest_connect_again(struct vguest *guest, const struct vlink *link)
{
    for (unsigned i = 0; i < guest->device_count; i++)
        if (vdevice_link(&guest->devices[i]) == link)
            vdevice_connect_again(&guest->devices[i]);
}

static struct vguest *guest_new(struct vdisplay *vd, unsigned slot, uint32_t domid, enum guest_display kind)
{
    struct vguest *guest = g_new0(struct vguest, 1);
    guest->vd = vd;
    guest->slot = slot;
    guest->domid = domid;
    guest->has_screen = kind == GUEST_DISPLAY_FBIF || kind == GUEST_DISPLAY_DISPLIF;
    if (guest->has_screen) {
        vguest_add_device(guest, kind == GUEST_DISPLAY_FBIF ? VDEVICE_VFB : VDEVICE_VDISPL);
        vguest_add_device(guest, VDEVICE_VKBD);
    }
    return guest;
}

static void set_appearance(struct vguest *guest, const char *name, uint32_t rgb)
{
    const char *end = name + MIN(strlen(name), LINK_NAME_SIZE - 1);
    g_utf8_validate(name, end - name, &end); // not through the middle of a character
    memset(guest->name, 0, sizeof(guest->name));
    memcpy(guest->name, name, (size_t)(end - name));
    guest->rgb = rgb & 0xffffff;
}

bool vdisplay_add_guest(struct vdisplay *vd, unsigned slot, uint32_t domid, const char *name, uint32_t rgb,
                        enum guest_display kind, GError **error)
{
    if (slot < 1 || slot >= LINK_SLOTS) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "There is no slot %u: slots are 1 to 9", slot);
        return false;
    }
    struct vguest *guest = vd->guests[slot];
    if (guest && guest->domid != domid) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS, "Slot %u is taken by %s", slot, guest->name);
        return false;
    }
    if (guest) {
        set_appearance(guest, name, rgb);
        vdisplay_send_guest(vd, guest);
        return true;
    }
    if (vdisplay_find(vd, domid)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS, "%s has a slot already", name);
        return false;
    }
    guest = guest_new(vd, slot, domid, kind);
    set_appearance(guest, name, rgb);
    vd->guests[slot] = guest;
    guest->vga_socket = kind == GUEST_DISPLAY_VGA ? vga_socket_path(name) : NULL;
    vdisplay_send_guest(vd, guest);
    vdisplay_vga_connect(guest);
    for (unsigned i = 0; i < guest->device_count; i++) {
        if (vdevice_create(&guest->devices[i], error))
            continue;
        vdisplay_remove_guest(vd, domid);
        return false;
    }
    return true;
}

void vdisplay_remove_guest(struct vdisplay *vd, uint32_t domid)
{
    struct vguest *guest = vdisplay_find(vd, domid);
    if (!guest)
        return;
    vd->guests[guest->slot] = NULL;
    vdisplay_send(vd, &(struct link_message){.type = LINK_GUEST_REMOVE, .slot = guest->slot}, -1);
    vlink_send(&vd->sound, &(struct link_message){.type = LINK_GUEST_REMOVE, .slot = guest->slot}, -1);
    for (unsigned i = 0; i < guest->device_count; i++)
        vdevice_destroy(&guest->devices[i]);
    guest_free(guest);
}

void vdisplay_set_signs(struct vdisplay *vd, uint32_t domid, uint32_t signs)
{
    struct vguest *guest = vdisplay_find(vd, domid);
    if (!guest || guest->signs == signs)
        return;
    guest->signs = signs;
    vdisplay_send_guest(vd, guest);
}

bool vdisplay_focus(struct vdisplay *vd, unsigned slot, GError **error)
{
    if (slot >= LINK_SLOTS || (slot > 0 && !vd->guests[slot])) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "No running guest sits in slot %u", slot);
        return false;
    }
    if (vdisplay_send(vd, &(struct link_message){.type = LINK_FOCUS, .slot = slot}, -1) == VDISPLAY_SENT)
        return true;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED,
                "The screen does not answer at the moment. Wait a few seconds and try again");
    return false;
}

bool vdisplay_seat_present(const struct vdisplay *vd)
{
    return vd->seat.greeted;
}

void vdisplay_screen(const struct vdisplay *vd, uint32_t *width, uint32_t *height)
{
    *width = vd->screen_width;
    *height = vd->screen_height;
}
