/* The seat is noticed without a word to it. vdisplay is a fake whose seat comes late. */
#include "display.h"
#include "vdisplay.h"

static gboolean present;
static guint sent, told;

struct vdisplay *vdisplay_new(const char *seat_socket_path, GError **error)
{
    (void)error;
    g_assert_cmpstr(seat_socket_path, ==, "/nowhere");
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

/* A roundhoused that starts anew knows nothing of the focus: what it asked for would take the guest from the screen. */
static void seat_is_noticed(void)
{
    const struct display_callbacks callbacks = {.seat_changed = seat_changed};
    struct display *display = display_new("/nowhere", &callbacks, &told, NULL);
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
    display_free(display);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/display/seat-is-noticed", seat_is_noticed);
    return g_test_run();
}
