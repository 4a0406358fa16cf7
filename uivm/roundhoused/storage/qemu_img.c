/* Runs qemu-img, reads its progress, ends it on request. */
#include "qemu_img.h"
#include "../errors.h"
#include "confine.h"
#include "making.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define INPUT_FD  3    /* of QEMU_IMG_INPUT */
#define OUTPUT_FD 4    /* of QEMU_IMG_OUTPUT */
#define SAID_MAX  4096 /* bytes of its standard error; the rest is read and dropped */

/* In the child. It would go on writing for a maker that is dead. The thread that starts it waits for its end. */
static void before_exec(gpointer list)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!confine_self(GPOINTER_TO_INT(list)))
        _exit(127);
}

struct opened {
    int input, output; /* -1: none */
};

static void close_opened(const struct opened *opened)
{
    if (opened->input >= 0)
        close(opened->input);
    if (opened->output >= 0)
        close(opened->output);
}

static gboolean open_files(const struct qemu_img_files *files, struct opened *opened, GError **error)
{
    *opened = (struct opened){open(files->input, O_RDONLY | O_CLOEXEC | O_NONBLOCK), -1};
    if (opened->input >= 0 && files->output)
        opened->output = open(files->output, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (opened->input >= 0 && (opened->output >= 0 || !files->output))
        return TRUE;
    making_fail(error, "A file cannot be opened");
    close_opened(opened);
    return FALSE;
}

/* A list of what it may open; -1 with an error. */
static int confine(const char *program, const struct opened *opened, GError **error)
{
    g_autofree char *path = g_find_program_in_path(program);
    g_autofree char *input = g_strdup_printf("/proc/self/fd/%d", opened->input);
    g_autofree char *output = g_strdup_printf("/proc/self/fd/%d", opened->output);
    const struct confine_place places[] = {
        {"/usr", CONFINE_RUN},
        {"/lib", CONFINE_RUN},
        {"/lib64", CONFINE_RUN},
        {"/etc/ld.so.cache", CONFINE_READ},
        {path ? path : "/usr", CONFINE_RUN},
        {input, CONFINE_READ},
        {opened->output >= 0 ? output : NULL, CONFINE_WRITE},
        {NULL, CONFINE_READ},
    };
    return confine_new(places, error);
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

/* What is opened is the child's from now on. */
static GSubprocess *spawn(const char *const *argv, const struct opened *opened, int list, GFile *said, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    g_autofree char *path = g_file_get_path(said);
    g_autoptr(GError) cause = NULL;
    g_subprocess_launcher_take_fd(launcher, opened->input, INPUT_FD);
    if (opened->output >= 0)
        g_subprocess_launcher_take_fd(launcher, opened->output, OUTPUT_FD);
    g_subprocess_launcher_setenv(launcher, "LC_ALL", "C", TRUE);
    g_subprocess_launcher_set_stderr_file_path(launcher, path);
    g_subprocess_launcher_set_child_setup(launcher, before_exec, GINT_TO_POINTER(list), NULL);
    GSubprocess *child = g_subprocess_launcher_spawnv(launcher, argv, &cause);
    if (!child)
        g_set_error(error, RH_ERROR, RH_ERROR_STORAGE, "%s could not be started: %s. Install the package qemu-utils.",
                    argv[0], cause->message);
    return child;
}

static GSubprocess *start(const char *const *argv, const struct qemu_img_files *files, GFile *said, GError **error)
{
    struct opened opened;
    if (!open_files(files, &opened, error))
        return NULL;
    int list = confine(argv[0], &opened, error);
    if (list < 0) {
        close_opened(&opened);
        return NULL;
    }
    GSubprocess *child = spawn(argv, &opened, list, said, error);
    close(list);
    return child;
}

gboolean qemu_img_run(const char *const *argv, const struct qemu_img_files *files, char **output,
                      const struct convert_watch *watch, GError **error)
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
    g_autoptr(GSubprocess) child = start(argv, files, said, error);
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
