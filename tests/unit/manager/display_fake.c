/*
 * Screens without a seat, for tests: the seat comes at once (unless ROUNDHOUSE_FAKE_SEAT=absent), the focus
 * follows every wish, and a guest's end puts the switcher back on screen.
 */
#include "display.h"
#include "errors.h"

struct display {
    struct display_callbacks callbacks;
    gpointer user;
    gboolean present;
    guint focused;
    int domids[GUEST_SLOT_MAX + 1]; /* 0: no guest */
    guint volume, microphone;
};

static gboolean arrive(gpointer data)
{
    struct display *display = data;
    display->present = TRUE;
    display->callbacks.seat_changed(TRUE, display->user);
    return G_SOURCE_REMOVE;
}

struct display *display_new(const char *seat_socket, const char *sound_socket,
                            const struct display_callbacks *callbacks, gpointer user, GError **error)
{
    struct display *display = g_new0(struct display, 1);
    (void)seat_socket;
    (void)sound_socket;
    (void)error;
    display->callbacks = *callbacks;
    display->volume = 100;
    display->user = user;
    if (g_strcmp0(g_getenv("ROUNDHOUSE_FAKE_SEAT"), "absent") != 0)
        g_idle_add(arrive, display);
    return display;
}

void display_free(struct display *display)
{
    g_free(display);
}

gboolean display_seat_present(struct display *display)
{
    return display->present;
}

struct guest_screen display_screen(struct display *display)
{
    (void)display;
    return (struct guest_screen){1280, 800};
}

gboolean display_add_guest(struct display *display, const struct guest_config *config, guint slot, int domid,
                           GError **error)
{
    (void)config;
    g_assert_cmpuint(slot, >, 0);
    if (display->domids[slot]) {
        g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY, "Slot %u is taken.", slot);
        return FALSE;
    }
    display->domids[slot] = domid;
    return TRUE;
}

static void set_focus(struct display *display, guint slot)
{
    display->focused = slot;
    display->callbacks.focus_changed(slot, display->user);
}

void display_remove_guest(struct display *display, int domid)
{
    for (guint slot = 1; slot <= GUEST_SLOT_MAX; slot++) {
        if (display->domids[slot] != domid)
            continue;
        display->domids[slot] = 0;
        if (display->microphone == slot)
            display_set_microphone(display, 0, NULL);
        if (display->focused == slot)
            set_focus(display, 0);
    }
}

/* The last ones of all guests are in a file, where the test finds them. */
void display_set_signs(struct display *display, int domid, guint signs)
{
    const char *path = g_getenv("ROUNDHOUSE_FAKE_SIGNS");
    g_autofree char *text = g_strdup_printf("%d %u", domid, signs);
    (void)display;
    if (path)
        g_file_set_contents(path, text, -1, NULL);
}

/* Four colours, as small as it goes where a large one is asked for; a guest in slot 9 shows nothing. */
static GBytes *make_picture(guint width, guint height)
{
    static const guint32 colours[] = {0xff0000, 0x00ff00, 0x0000ff, 0x123456};
    guint32 *pixels = g_new(guint32, width * height);
    for (guint i = 0; i < width * height; i++)
        pixels[i] = colours[(i / width >= height / 2 ? 2 : 0) + (i % width >= width / 2)];
    return g_bytes_new_take(pixels, sizeof(*pixels) * width * height);
}

gboolean display_picture(struct display *display, int domid, guint width, guint height, display_picture_fn done,
                         gpointer data, GError **error)
{
    gboolean large = width > 1000;
    guint wide = large ? 2 : width, high = large ? 2 : height;
    g_autoptr(GBytes) picture = make_picture(wide, high);
    for (guint slot = 1; slot <= GUEST_SLOT_MAX; slot++) {
        if (display->domids[slot] != domid)
            continue;
        done(slot == 9 ? NULL : picture, slot == 9 ? 0 : wide, slot == 9 ? 0 : high, data);
        return TRUE;
    }
    g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY, "It has no screen now.");
    return FALSE;
}

gboolean display_focus(struct display *display, guint slot, GError **error)
{
    if (slot && !display->domids[slot]) {
        g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY, "No guest sits in slot %u.", slot);
        return FALSE;
    }
    set_focus(display, slot);
    return TRUE;
}

gboolean display_set_volume(struct display *display, guint percent, GError **error)
{
    (void)error;
    display->volume = percent;
    display->callbacks.sound_changed(percent, display->microphone, display->user);
    return TRUE;
}

gboolean display_set_microphone(struct display *display, guint slot, GError **error)
{
    (void)error;
    display->microphone = slot;
    display->callbacks.sound_changed(display->volume, slot, display->user);
    return TRUE;
}
