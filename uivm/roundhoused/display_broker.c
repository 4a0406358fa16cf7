/* Screens through the display broker. */
#include "display.h"
#include "errors.h"
#include "link_protocol.h"
#include "vdisplay.h"

/* Until the seat answers for the first time it is asked this often. */
#define PROBE_MILLISECONDS 250

struct display {
    struct vdisplay *broker;
    struct display_callbacks callbacks;
    gpointer user;
    gboolean present;
    guint probe;
};

static void focus_changed(unsigned slot, void *data)
{
    struct display *display = data;
    display->callbacks.focus_changed(slot, display->user);
}

static void sound_changed(unsigned volume, unsigned microphone, void *data)
{
    struct display *display = data;
    display->callbacks.sound_changed(volume, microphone, display->user);
}

static void devices_lost(uint32_t domid, void *data)
{
    struct display *display = data;
    display->callbacks.devices_lost((int)domid, display->user);
}

/* Nothing is sent: what is on screen is not known yet when the seat has just answered, and is not to be changed. */
static gboolean probe(gpointer data)
{
    struct display *display = data;
    if (!vdisplay_seat_present(display->broker))
        return G_SOURCE_CONTINUE;
    display->probe = 0;
    display->present = TRUE;
    display->callbacks.seat_changed(TRUE, display->user);
    return G_SOURCE_REMOVE;
}

struct display *display_new(const char *seat_socket, const char *sound_socket,
                            const struct display_callbacks *callbacks, gpointer user, GError **error)
{
    struct vdisplay *broker = vdisplay_new(seat_socket, sound_socket, error);
    if (!broker)
        return NULL;
    struct display *display = g_new0(struct display, 1);
    *display = (struct display){.broker = broker, .callbacks = *callbacks, .user = user};
    vdisplay_set_focus_callback(broker, focus_changed, display);
    vdisplay_set_lost_callback(broker, devices_lost, display);
    vdisplay_set_sound_callback(broker, sound_changed, display);
    display->probe = g_timeout_add(PROBE_MILLISECONDS, probe, display);
    return display;
}

void display_free(struct display *display)
{
    g_clear_handle_id(&display->probe, g_source_remove);
    vdisplay_free(display->broker);
    g_free(display);
}

gboolean display_seat_present(struct display *display)
{
    return display->present;
}

struct guest_screen display_screen(struct display *display)
{
    struct guest_screen screen;
    vdisplay_screen(display->broker, &screen.width, &screen.height);
    return screen;
}

static gboolean refuse(GError **error, const char *what, const GError *cause)
{
    g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY,
                "It could not be given a %s: %s. Try again; if it fails each time, restart this machine.", what,
                cause->message);
    return FALSE;
}

gboolean display_add_guest(struct display *display, const struct guest_config *config, guint slot, int domid,
                           GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (!vdisplay_add_guest(display->broker, slot, (guint32)domid, config->name, config->colour, config->display,
                            &cause))
        return refuse(error, "screen", cause);
    if (vdisplay_add_sound(display->broker, (guint32)domid, config->sound, config->volume, config->type != GUEST_HVM,
                           &cause))
        return TRUE;
    vdisplay_remove_guest(display->broker, (guint32)domid);
    return refuse(error, "sound card", cause);
}

void display_remove_guest(struct display *display, int domid)
{
    vdisplay_remove_guest(display->broker, (guint32)domid);
}

void display_set_signs(struct display *display, int domid, guint signs)
{
    vdisplay_set_signs(display->broker, (guint32)domid, signs);
}

G_STATIC_ASSERT(DISPLAY_PICTURE_MAX == LINK_PICTURE_MAX);

gboolean display_picture(struct display *display, int domid, guint width, guint height, display_picture_fn done,
                         gpointer data, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (vdisplay_picture(display->broker, (guint32)domid, width, height, done, data, &cause))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY, "Its picture cannot be had: %s. Try again in a moment.",
                cause->message);
    return FALSE;
}

gboolean display_focus(struct display *display, guint slot, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (vdisplay_focus(display->broker, slot, &cause))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY, "%s", cause->message);
    return FALSE;
}

gboolean display_set_volume(struct display *display, guint percent, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (vdisplay_set_volume(display->broker, percent, &cause))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY, "%s", cause->message);
    return FALSE;
}

gboolean display_set_microphone(struct display *display, guint slot, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (vdisplay_set_microphone(display->broker, slot, &cause))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY, "%s", cause->message);
    return FALSE;
}
