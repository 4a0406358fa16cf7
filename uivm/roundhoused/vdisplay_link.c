// The link to the seat: repeating what the seat missed, taking its news.
#include <string.h>

#include "vdisplay_private.h"

struct link_message vdisplay_guest_message(const struct vguest *guest)
{
    struct link_message add = {.type = LINK_GUEST_ADD, .slot = guest->slot};
    add.guest_add.domid = guest->domid;
    add.guest_add.rgb = guest->rgb;
    memcpy(add.guest_add.name, guest->name, sizeof(add.guest_add.name));
    return add;
}

enum vdisplay_sent vdisplay_send(struct vdisplay *vd, const struct link_message *message, int fd)
{
    return vlink_send(&vd->seat, message, fd);
}

void vdisplay_send_guest(struct vdisplay *vd, const struct vguest *guest)
{
    struct link_message add = vdisplay_guest_message(guest);
    vdisplay_send(vd, &add, -1);
    struct link_message signs = {.type = LINK_GUEST_SIGNS, .slot = guest->slot};
    signs.guest_signs.signs = guest->signs | (guest->slot == vd->microphone ? GUEST_SIGN_MICROPHONE : 0);
    vdisplay_send(vd, &signs, -1);
}

// What was connected stays so for the guest; the next seat is asked to connect it again.
static void on_lost(struct vdisplay *vd)
{
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++) {
        if (!vd->guests[slot])
            continue;
        vdisplay_vga_stop(vd->guests[slot]);
        vdisplay_picture_lost(vd->guests[slot]);
        vguest_forget_connections(vd->guests[slot], &vd->seat);
    }
}

static void tell_of_guest(struct vdisplay *vd, struct vguest *guest)
{
    if (!guest || !vd->seat.greeted)
        return;
    vdisplay_send_guest(vd, guest);
    vdisplay_vga_connect(guest);
    vguest_connect_again(guest, &vd->seat);
}

static void on_hello(struct vdisplay *vd, const struct link_message *m, bool first)
{
    if (m->hello.width > 0 && m->hello.height > 0) {
        vd->screen_width = m->hello.width;
        vd->screen_height = m->hello.height;
    }
    if (!first)
        return;                       // only the screen's size is new
    unsigned looked_at = vd->focused; // by the user
    tell_of_guest(vd, vd->guests[looked_at]);
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        if (slot != looked_at)
            tell_of_guest(vd, vd->guests[slot]);
}

static void on_device_message(struct vdisplay *vd, const struct link_message *m)
{
    struct vguest *guest = vd->guests[m->slot];
    if (guest && m->type == LINK_PICTURE_DONE)
        vdisplay_picture_done(guest, &m->picture);
    if (guest && m->type == LINK_DISPLAY_CLOSED)
        vdisplay_vga_closed(guest, (int)m->closed.error);
    if (!guest || !guest->has_screen)
        return;
    switch (m->type) {
    case LINK_DISPLAY_READY:
        vdevice_ready(&guest->devices[0]);
        break;
    case LINK_DISPLAY_CLOSED:
        vdevice_closed(&guest->devices[0], (int)m->closed.error);
        break;
    case LINK_KEYBOARD_READY:
        vdevice_ready(&guest->devices[1]);
        break;
    case LINK_KEYBOARD_CLOSED:
        vdevice_closed(&guest->devices[1], (int)m->closed.error);
        break;
    }
}

static void on_message(struct vdisplay *vd, const struct link_message *m)
{
    if (m->type == LINK_CUT_CHANGED) {
        vdisplay_sound_cut(vd, m->slot);
        return;
    }
    if (m->type != LINK_FOCUS_CHANGED) {
        on_device_message(vd, m);
        return;
    }
    vd->focused = m->slot;
    vdisplay_sound_cut(vd, 0); // a seat that keeps somebody cut off says so next
    vdisplay_sound_focus(vd);
    if (vd->focus_callback)
        vd->focus_callback(m->slot, vd->focus_data);
}

const struct vlink_events vdisplay_seat_events = {"the seat", LINK_TO_SEAT, LINK_TO_MANAGER,
                                                  on_hello,   on_message,   on_lost};
