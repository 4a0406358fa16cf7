/* The seat is noticed without a word to it. vdisplay is a fake whose seat comes late. */
#include "display.h"
#include "errors.h"
#include "vdisplay.h"

#include <gio/gio.h>
#include <string.h>

static gboolean present, carded, sound_refused;
static guint sent, told;

struct vdisplay *vdisplay_new(const char *seat_socket_path, const char *sound_socket_path, GError **error)
{
    (void)error;
    g_assert_cmpstr(seat_socket_path, ==, "/nowhere");
    g_assert_cmpstr(sound_socket_path, ==, "/silent");
    return (struct vdisplay *)&present;
}

void vdisplay_free(struct vdisplay *vd)
{
    (void)vd;
}

void vdisplay_set_focus_callback(struct vdisplay *vd, vdisplay_focus_fn *callback, void *data)
{
    (void)vd;
    (void)callback;
    (void)data;
}

void vdisplay_set_lost_callback(struct vdisplay *vd, vdisplay_lost_fn *callback, void *data)
{
    (void)vd;
    (void)callback;
    (void)data;
}

void vdisplay_set_sound_callback(struct vdisplay *vd, vdisplay_sound_fn *callback, void *data)
{
    (void)vd;
    (void)callback;
    (void)data;
}

bool vdisplay_add_sound(struct vdisplay *vd, uint32_t domid, enum guest_sound sound, uint32_t volume, bool card,
                        GError **error)
{
    (void)vd;
    if (sound_refused)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "full");
    sent += domid && sound == GUEST_SOUND_DUCKED && volume == 70;
    carded = card;
    return !sound_refused;
}

bool vdisplay_set_volume(struct vdisplay *vd, uint32_t volume, GError **error)
{
    (void)vd;
    (void)error;
    sent += volume == 40;
    return present;
}

bool vdisplay_set_microphone(struct vdisplay *vd, unsigned slot, GError **error)
{
    (void)vd;
    (void)error;
    sent += slot == 3;
    return present;
}

bool vdisplay_add_guest(struct vdisplay *vd, unsigned slot, uint32_t domid, const char *name, uint32_t rgb,
                        enum guest_display kind, GError **error)
{
    (void)vd;
    (void)error;
    sent += slot && domid && name && rgb && kind;
    return true;
}

void vdisplay_remove_guest(struct vdisplay *vd, uint32_t domid)
{
    (void)vd;
    sent += domid != 0;
}

void vdisplay_set_signs(struct vdisplay *vd, uint32_t domid, uint32_t signs)
{
    (void)vd;
    sent += domid == 3 && signs == GUEST_SIGN_CAMERA;
}

bool vdisplay_picture(struct vdisplay *vd, uint32_t domid, unsigned width, unsigned height, vdisplay_picture_fn *done,
                      void *data, GError **error)
{
    (void)vd;
    (void)done;
    (void)data;
    sent += domid == 3 && width == 20 && height == 10;
    if (!present)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_BUSY, "It is busy");
    return present;
}

bool vdisplay_focus(struct vdisplay *vd, unsigned slot, GError **error)
{
    (void)vd;
    (void)slot;
    (void)error;
    sent++;
    return present;
}

bool vdisplay_seat_present(const struct vdisplay *vd)
{
    (void)vd;
    return present;
}

void vdisplay_screen(const struct vdisplay *vd, uint32_t *width, uint32_t *height)
{
    (void)vd;
    *width = *height = 100;
}

static void seat_changed(gboolean there, gpointer user)
{
    g_assert_true(there && present && user == &told);
    told++;
}

static gboolean seat_comes(gpointer data)
{
    (void)data;
    g_assert_cmpuint(told, ==, 0);
    present = TRUE;
    return G_SOURCE_REMOVE;
}

static gboolean over(gpointer data)
{
    g_main_loop_quit(data);
    return G_SOURCE_REMOVE;
}

static void no_picture(GBytes *pixels, guint width, guint height, gpointer data)
{
    (void)pixels;
    (void)width;
    (void)height;
    (void)data;
}

/* A roundhoused that starts anew knows nothing of the focus: what it asked for would take the guest from the screen. */
static void seat_is_noticed(void)
{
    const struct display_callbacks callbacks = {.seat_changed = seat_changed};
    struct display *display = display_new("/nowhere", "/silent", &callbacks, &told, NULL);
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_assert_false(display_seat_present(display));
    g_timeout_add(300, seat_comes, NULL);
    g_timeout_add(1200, over, loop);
    g_main_loop_run(loop);
    g_assert_cmpuint(told, ==, 1);
    g_assert_cmpuint(sent, ==, 0);
    g_assert_true(display_seat_present(display));
    g_assert_true(display_focus(display, 2, NULL) && sent == 1);
    display_set_signs(display, 3, GUEST_SIGN_CAMERA);
    g_assert_cmpuint(sent, ==, 2);
    g_assert_true(display_picture(display, 3, 20, 10, no_picture, NULL, NULL) && sent == 3);
    present = FALSE;
    g_autoptr(GError) error = NULL;
    g_assert_false(display_picture(display, 3, 20, 10, no_picture, NULL, &error));
    g_assert_true(g_error_matches(error, RH_ERROR, RH_ERROR_DISPLAY));
    g_assert_cmpstr(error->message, ==, "Its picture cannot be had: It is busy. Try again in a moment.");
    display_free(display);
}

/* A guest has a screen and a sound card, or neither; an HVM guest's card is not Xen's. */
static void sound_comes_with_the_screen(void)
{
    struct guest_config config = {.slot = 3, .name = (char *)"work", .colour = 1, .type = GUEST_PVH};
    const struct display_callbacks callbacks = {.seat_changed = seat_changed};
    g_autoptr(GError) error = NULL;
    config.display = GUEST_DISPLAY_FBIF;
    config.sound = GUEST_SOUND_DUCKED;
    config.volume = 70;
    present = TRUE;
    sent = 0;
    struct display *display = display_new("/nowhere", "/silent", &callbacks, &told, NULL);
    g_assert_true(display_add_guest(display, &config, 3, 5, NULL) && sent == 2 && carded);
    config.type = GUEST_HVM;
    g_assert_true(display_add_guest(display, &config, 4, 6, NULL) && sent == 4 && !carded);
    sound_refused = TRUE;
    sent = 0;
    g_assert_false(display_add_guest(display, &config, 4, 7, &error));
    g_assert_true(strstr(error->message, "It could not be given a sound card: full") != NULL);
    g_assert_cmpuint(sent, ==, 3); /* it was taken away again */
    g_assert_true(display_set_volume(display, 40, NULL) && display_set_microphone(display, 3, NULL) && sent == 5);
    display_free(display);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/display/seat-is-noticed", seat_is_noticed);
    g_test_add_func("/display/sound-comes-with-the-screen", sound_comes_with_the_screen);
    return g_test_run();
}
