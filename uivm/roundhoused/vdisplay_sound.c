// The link to the sound process: guests' sound cards, their rules, and who is on screen.
#include <gio/gio.h>

#include "vdisplay_private.h"

// A person's wish for the machine's volume, once there was one; a sound process that is new is told again.
enum { NO_WISH = LINK_VOLUME_MAX + 1 };

// Between two messages to the seat: a sound process that somebody has taken over could else fill the seat's link.
enum { SIGNS_MS = 50 };

static void send(struct vdisplay *vd, const struct link_message *message)
{
    vlink_send(&vd->sound, message, -1);
}

void vdisplay_sound_focus(struct vdisplay *vd)
{
    send(vd, &(struct link_message){.type = LINK_FOCUS, .slot = vd->focused});
}

// A guest that is cut off is heard no more than one without a card, whatever its own rule says.
static void tell_rule(struct vdisplay *vd, const struct vguest *guest)
{
    struct link_message rule = {.type = LINK_SOUND_RULE, .slot = guest->slot};
    rule.sound_rule.rule = guest->slot == vd->cut ? GUEST_SOUND_NONE : guest->sound;
    rule.sound_rule.volume = guest->volume;
    send(vd, &rule);
}

static void tell_of_guest(struct vdisplay *vd, const struct vguest *guest)
{
    struct link_message add = vdisplay_guest_message(guest);
    send(vd, &add);
    tell_rule(vd, guest);
}

static void on_hello(struct vdisplay *vd, const struct link_message *m, bool first)
{
    (void)m;
    for (unsigned slot = 1; first && slot < LINK_SLOTS; slot++)
        if (vd->guests[slot])
            tell_of_guest(vd, vd->guests[slot]);
    vdisplay_sound_focus(vd);
    for (unsigned slot = 1; first && slot < LINK_SLOTS; slot++)
        if (vd->guests[slot])
            vguest_connect_again(vd->guests[slot], &vd->sound);
}

static uint32_t wished_volume(const struct vdisplay *vd)
{
    return vd->volume_wish == NO_WISH ? vd->volume : vd->volume_wish;
}

static enum vdisplay_sent send_machine(struct vdisplay *vd, uint32_t volume, uint32_t microphone)
{
    struct link_message message = {.type = LINK_SOUND_MACHINE};
    message.sound_machine.volume = volume;
    message.sound_machine.microphone = microphone;
    return vlink_send(&vd->sound, &message, -1);
}

void vdisplay_sound_cut(struct vdisplay *vd, unsigned slot)
{
    const unsigned slots[] = {vd->cut, slot};
    vd->cut = slot;
    for (unsigned i = 0; i < G_N_ELEMENTS(slots); i++)
        if (vd->guests[slots[i]])
            tell_rule(vd, vd->guests[slots[i]]);
    if (slot && slot == vd->microphone)
        send_machine(vd, wished_volume(vd), 0);
}

// The seat hears of it by the signs of the two guests.
static gboolean tell_microphone(void *data)
{
    struct vdisplay *vd = data;
    const uint32_t slots[] = {vd->microphone_told, vd->microphone};
    vd->microphone_timer = 0;
    if (vd->microphone == vd->microphone_told)
        return G_SOURCE_REMOVE;
    vd->microphone_told = vd->microphone;
    vd->microphone_timer = g_timeout_add(SIGNS_MS, tell_microphone, vd);
    for (unsigned i = 0; i < G_N_ELEMENTS(slots); i++)
        if (vd->guests[slots[i]])
            vdisplay_send_guest(vd, vd->guests[slots[i]]);
    return G_SOURCE_REMOVE;
}

static void microphone_moved(struct vdisplay *vd, uint32_t slot)
{
    vd->microphone = slot;
    if (!vd->microphone_timer)
        tell_microphone(vd);
}

// What is, as the sound process says after HELLO and after each change.
static void on_machine(struct vdisplay *vd, const struct link_sound_machine *machine)
{
    microphone_moved(vd, machine->microphone);
    if (vd->volume_wish != NO_WISH && vd->volume_wish != machine->volume) {
        send_machine(vd, vd->volume_wish, machine->microphone);
        return;
    }
    vd->volume = machine->volume;
    if (vd->sound_callback)
        vd->sound_callback(vd->volume, vd->microphone, vd->sound_data);
}

static void on_message(struct vdisplay *vd, const struct link_message *m)
{
    struct vguest *guest = vd->guests[m->slot];
    struct vdevice *card = guest ? vguest_device(guest, VDEVICE_VSND) : NULL;
    if (m->type == LINK_SOUND_MACHINE)
        on_machine(vd, &m->sound_machine);
    else if (card && m->type == LINK_SOUND_READY)
        vdevice_ready(card);
    else if (card && m->type == LINK_SOUND_CLOSED)
        vdevice_closed(card, (int)m->closed.error);
}

// Nobody hears a microphone that nobody serves.
static void on_lost(struct vdisplay *vd)
{
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        if (vd->guests[slot])
            vguest_forget_connections(vd->guests[slot], &vd->sound);
    microphone_moved(vd, 0);
    if (vd->sound_callback)
        vd->sound_callback(vd->volume, 0, vd->sound_data);
}

static const struct vlink_events events = {"the sound process", LINK_TO_SOUND, LINK_SOUND_TO_MANAGER, on_hello,
                                           on_message,          on_lost};

void vdisplay_sound_start(struct vdisplay *vd, const char *socket_path)
{
    vd->volume = LINK_VOLUME_MAX;
    vd->volume_wish = NO_WISH;
    vlink_start(&vd->sound, vd, &events, socket_path);
}

void vdisplay_sound_stop(struct vdisplay *vd)
{
    g_clear_handle_id(&vd->microphone_timer, g_source_remove);
    vlink_stop(&vd->sound);
}

bool vdisplay_add_sound(struct vdisplay *vd, uint32_t domid, enum guest_sound sound, uint32_t volume, bool card,
                        GError **error)
{
    struct vguest *guest = vdisplay_find(vd, domid);
    g_return_val_if_fail(guest, false);
    guest->sound = sound;
    guest->volume = volume;
    tell_of_guest(vd, guest);
    if (!card || sound == GUEST_SOUND_NONE || vguest_device(guest, VDEVICE_VSND))
        return true;
    return vdevice_create(vguest_add_device(guest, VDEVICE_VSND), error);
}

static bool set_machine(struct vdisplay *vd, uint32_t volume, uint32_t microphone, GError **error)
{
    if (send_machine(vd, volume, microphone) == VDISPLAY_SENT)
        return true;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_CONNECTED,
                "The sound does not answer at the moment. Wait a few seconds and try again");
    return false;
}

bool vdisplay_set_volume(struct vdisplay *vd, uint32_t volume, GError **error)
{
    vd->volume_wish = volume;
    return set_machine(vd, volume, vd->microphone, error);
}

bool vdisplay_set_microphone(struct vdisplay *vd, unsigned slot, GError **error)
{
    if (slot && slot == vd->cut) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY,
                    "This guest is cut off. Press Ctrl+Alt+End in it first, and then give it the microphone");
        return false;
    }
    return set_machine(vd, wished_volume(vd), slot, error);
}

void vdisplay_set_sound_callback(struct vdisplay *vd, vdisplay_sound_fn *callback, void *data)
{
    vd->sound_callback = callback;
    vd->sound_data = data;
}
