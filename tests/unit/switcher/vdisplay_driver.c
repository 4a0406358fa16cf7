// Stands in for roundhoused: gives running domains a place on the seat, and obeys lines on standard input.
//   vdisplay_driver SOCKET SLOT:DOMID:NAME:RRGGBB:fbif|displif|none...
//   commands: focus SLOT | capture SLOT FILE | remove DOMID | state DOMID N | quit
// Prints "focus SLOT", "captured ERROR", "connected DOMID WxH" and "failed TEXT" lines. Ends with the input.
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vdisplay.h"

static struct vdisplay *vd;
static GMainLoop *loop;

static void say(const char *format, ...) G_GNUC_PRINTF(1, 2);

static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

static void on_focus(unsigned slot, void *data)
{
    (void)data;
    say("focus %u", slot);
}

static void on_capture(int error, void *data)
{
    (void)data;
    say("captured %d", error);
}

static bool add(const char *text, GError **error)
{
    g_auto(GStrv) part = g_strsplit(text, ":", 5);
    if (g_strv_length(part) != 5) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "want SLOT:DOMID:NAME:RRGGBB:KIND");
        return false;
    }
    enum vdisplay_kind kind = strcmp(part[4], "fbif") == 0      ? VDISPLAY_FBIF
                              : strcmp(part[4], "displif") == 0 ? VDISPLAY_DISPLIF
                                                                : VDISPLAY_NONE;
    return vdisplay_add_guest(vd, (unsigned)atoi(part[0]), (uint32_t)atoi(part[1]), part[2],
                              (uint32_t)strtoul(part[3], NULL, 16), kind, error);
}

static bool capture(unsigned slot, const char *file, GError **error)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool sent = fd >= 0 && vdisplay_capture(vd, slot, fd, on_capture, NULL, error);
    if (fd >= 0)
        close(fd);
    return sent;
}

static bool obey(const char *line, GError **error)
{
    unsigned a, b, width, height;
    char text[256];
    if (sscanf(line, "focus %u", &a) == 1)
        return vdisplay_focus(vd, a, error);
    if (sscanf(line, "capture %u %255s", &a, text) == 2)
        return capture(a, text, error);
    if (sscanf(line, "add %255s", text) == 1)
        return add(text, error);
    if (sscanf(line, "remove %u", &a) == 1)
        vdisplay_remove_guest(vd, a);
    else if (sscanf(line, "state %u %u", &a, &b) == 2)
        vdisplay_set_state(vd, a, b);
    else if (sscanf(line, "status %u", &a) == 1)
        say("%s %u %ux%u", vdisplay_guest_connected(vd, a, &width, &height) ? "connected" : "waiting", a,
            width, height);
    else if (strcmp(line, "quit") == 0)
        g_main_loop_quit(loop);
    else
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "no such command: %s", line);
    return !error || !*error;
}

static gboolean on_input(int fd, GIOCondition condition, void *data)
{
    (void)condition;
    (void)data;
    char buffer[1024];
    ssize_t size = read(fd, buffer, sizeof(buffer) - 1);
    if (size <= 0) {
        g_main_loop_quit(loop);
        return G_SOURCE_REMOVE;
    }
    buffer[size] = '\0';
    g_auto(GStrv) lines = g_strsplit(buffer, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_autoptr(GError) error = NULL;
        if (**line && !obey(*line, &error))
            say("failed %s", error->message);
    }
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    loop = g_main_loop_new(NULL, FALSE);
    vd = argc >= 2 ? vdisplay_new(argv[1], &error) : NULL;
    if (!vd) {
        say("failed %s", error ? error->message : "want a socket");
        return 1;
    }
    vdisplay_set_focus_callback(vd, on_focus, NULL);
    for (int i = 2; i < argc; i++) {
        if (!add(argv[i], &error)) {
            say("failed %s", error->message);
            return 1;
        }
    }
    g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_input, NULL);
    g_main_loop_run(loop);
    vdisplay_free(vd);
    return 0;
}
