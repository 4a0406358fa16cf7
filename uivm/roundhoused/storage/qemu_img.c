/* Runs qemu-img, reads its progress, ends it on request. */
#include "qemu_img.h"
#include "../errors.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#define SAID_MAX 4096 /* bytes of its standard error; the rest is read and dropped */

/* In the child. It would go on writing for a maker that is dead. The thread that starts it waits for its end. */
static void die_with_parent(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void end(GCancellable *cancellable, gpointer child)
{
    (void)cancellable;
    g_subprocess_force_exit(child);
}

/* "    (12.34/100%)" and a carriage return, again and again. */
static void tell_progress(const char *text, const struct convert_watch *watch)
{
    const char *last = strrchr(text, '(');
    if (last && strchr(last, '/') && watch->progress)
        watch->progress(CLAMP(g_ascii_strtod(last + 1, NULL) / 100, 0, 1), watch->user);
}

static void read_output(GSubprocess *child, GString *output, const struct convert_watch *watch)
{
    char text[1024];
    GInputStream *stream = g_subprocess_get_stdout_pipe(child);
    for (gssize got; (got = g_input_stream_read(stream, text, sizeof(text) - 1, NULL, NULL)) > 0;) {
        text[got] = '\0';
        if (output)
            g_string_append_len(output, text, got);
        else
            tell_progress(text, watch);
    }
}

/* It says little there, but a pipe that is full would stop it, so a file takes it. */
static char *last_line(GFile *said)
{
    g_autofree char *text = NULL;
    g_autofree char *path = g_file_get_path(said);
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return g_strdup("");
    g_strchomp(text);
    const char *line = strrchr(text, '\n');
    return g_strndup(line ? line + 1 : text, SAID_MAX);
}

static gboolean judge(GSubprocess *child, GFile *said, const struct convert_watch *watch, GError **error)
{
    if (g_cancellable_set_error_if_cancelled(watch->cancellable, error))
        return FALSE;
    if (g_subprocess_get_successful(child))
        return TRUE;
    g_autofree char *line = last_line(said);
    gboolean full = strstr(line, "No space left on device") != NULL;
    g_set_error(error, RH_ERROR, full ? RH_ERROR_NO_SPACE : RH_ERROR_STORAGE, "The disk could not be converted%s%s.%s",
                *line ? ": " : "", line, full ? " Delete what is not needed, then try again." : "");
    return FALSE;
}

static GSubprocess *start(const char *const *argv, GFile *said, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    g_autofree char *path = g_file_get_path(said);
    g_autoptr(GError) cause = NULL;
    g_subprocess_launcher_setenv(launcher, "LC_ALL", "C", TRUE);
    g_subprocess_launcher_set_stderr_file_path(launcher, path);
    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    GSubprocess *child = g_subprocess_launcher_spawnv(launcher, argv, &cause);
    if (!child)
        g_set_error(error, RH_ERROR, RH_ERROR_STORAGE, "%s could not be started: %s. Install the package qemu-utils.",
                    argv[0], cause->message);
    return child;
}

gboolean qemu_img_run(const char *const *argv, char **output, const struct convert_watch *watch, GError **error)
{
    g_autoptr(GFileIOStream) stream = NULL;
    g_autoptr(GError) cause = NULL;
    g_autoptr(GFile) said = g_file_new_tmp("roundhouse-XXXXXX", &stream, &cause);
    g_autoptr(GString) text = output ? g_string_new(NULL) : NULL;
    gulong handler = 0;
    if (!said) {
        g_set_error(error, RH_ERROR, RH_ERROR_STORAGE, "No file can be made for what qemu-img says: %s.",
                    cause->message);
        return FALSE;
    }
    g_autoptr(GSubprocess) child = start(argv, said, error);
    if (child && watch->cancellable)
        handler = g_cancellable_connect(watch->cancellable, G_CALLBACK(end), child, NULL);
    if (child) {
        read_output(child, text, watch);
        g_subprocess_wait(child, NULL, NULL);
    }
    if (handler)
        g_cancellable_disconnect(watch->cancellable, handler);
    gboolean good = child && judge(child, said, watch, error);
    g_file_delete(said, NULL, NULL);
    if (good && output)
        *output = g_string_free(g_steal_pointer(&text), FALSE);
    return good;
}
