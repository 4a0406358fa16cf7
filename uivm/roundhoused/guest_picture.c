/* From a call with a file to a picture in it. */
#include "guest_picture.h"
#include "errors.h"
#include "passed_file.h"
#include "picture_png.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct shot {
    GDBusMethodInvocation *invocation;
    int file;
    GBytes *pixels;
    guint width, height;
};

static void shot_free(gpointer data)
{
    struct shot *shot = data;
    close(shot->file);
    if (shot->pixels)
        g_bytes_unref(shot->pixels);
    g_free(shot);
}

/* ---- in the worker ---- */

static gboolean write_file(int fd, GBytes *bytes, GError **error)
{
    gsize left;
    const char *at = g_bytes_get_data(bytes, &left);
    gboolean good = ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0;
    while (good && left) {
        ssize_t wrote = write(fd, at, left);
        good = wrote > 0 || (wrote < 0 && errno == EINTR);
        at += MAX(wrote, 0);
        left -= (gsize)MAX(wrote, 0);
    }
    if (!good)
        g_set_error(error, RH_ERROR, RH_ERROR_STORAGE, "The picture cannot be written: %s.", g_strerror(errno));
    return good;
}

static void encode(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    const struct shot *shot = data;
    GError *error = NULL;
    (void)source, (void)cancellable;
    g_autoptr(GBytes) png = picture_png(shot->pixels, shot->width, shot->height, &error);
    if (png && write_file(shot->file, png, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

/* ---- around it ---- */

static void encoded(GObject *source, GAsyncResult *result, gpointer data)
{
    struct shot *shot = data;
    GError *error = NULL;
    (void)source;
    if (g_task_propagate_boolean(G_TASK(result), &error))
        g_dbus_method_invocation_return_value(shot->invocation, NULL);
    else
        g_dbus_method_invocation_take_error(shot->invocation, error);
}

static void taken(GBytes *pixels, guint width, guint height, gpointer data)
{
    struct shot *shot = data;
    if (!pixels) {
        g_dbus_method_invocation_return_error(shot->invocation, RH_ERROR, RH_ERROR_DISPLAY,
                                              "It shows nothing just now. Try again when it has drawn something.");
        shot_free(shot);
        return;
    }
    g_autoptr(GTask) task = g_task_new(NULL, NULL, encoded, shot);
    shot->pixels = g_bytes_ref(pixels);
    shot->width = width;
    shot->height = height;
    g_task_set_task_data(task, shot, shot_free);
    g_task_run_in_thread(task, encode);
}

static void screenshot(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct guest *guest = user;
    GError *error = NULL;
    gint32 handle;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(h)", &handle);
    int file = passed_file_take(invocation, handle, TRUE, &error);
    if (file < 0) {
        g_dbus_method_invocation_take_error(invocation, error);
        return;
    }
    struct shot *shot = g_new(struct shot, 1);
    *shot = (struct shot){.invocation = invocation, .file = file};
    if (guest_show(guest, DISPLAY_PICTURE_MAX, DISPLAY_PICTURE_MAX, taken, shot, &error))
        return;
    g_dbus_method_invocation_take_error(invocation, error);
    shot_free(shot);
}

void guest_picture_serve(struct authority *authority, struct guest *guest)
{
    static const struct authority_method methods[] = {{"handle-screenshot", screenshot, 0}, {NULL, NULL, 0}};
    authority_serve(authority, guest_skeleton(guest), methods, guest);
}
