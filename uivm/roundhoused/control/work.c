/* What several commands do: wait for a job, pass files, read sizes, ask the person. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

gboolean control_usage(GError **error, const char *format, const char *what)
{
    g_autofree char *sentence = g_strdup_printf(format, what);
    g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, sentence);
    return FALSE;
}

gboolean control_sure(const char *question, const char *what)
{
    if (!isatty(STDIN_FILENO))
        return FALSE;
    g_printerr("%s %s? [y/N] ", question, what);
    int answer = getchar();
    return answer == 'y' || answer == 'Y';
}

/* ---- jobs ---- */

static gboolean has_ended(RhJob1 *job)
{
    const char *state = rh_job1_get_state(job);
    return !state || (!g_str_equal(state, "running") && !g_str_equal(state, "cancelling"));
}

static int show_progress(RhJob1 *job)
{
    int seconds = rh_job1_get_seconds_left(job);
    g_autofree char *left = seconds > 0 ? g_strdup_printf(", %d s left", seconds) : g_strdup("");
    return g_fprintf(stderr, "\r%3.0f %%%-20s", rh_job1_get_progress(job) * 100, left);
}

/* The job goes on when this program ends. */
static gboolean follow(const char *path, GError **error)
{
    g_autoptr(RhJob1) job = rh_job1_proxy_new_for_bus_sync(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START,
                                                           BUS_NAME, path, NULL, error);
    gboolean shown = FALSE;
    if (!job)
        return FALSE;
    while (!has_ended(job)) {
        if (isatty(STDERR_FILENO) && rh_job1_get_progress(job) >= 0)
            shown = show_progress(job) > 0;
        g_main_context_iteration(NULL, TRUE);
    }
    if (shown)
        g_printerr("\n");
    if (g_strcmp0(rh_job1_get_state(job), "done") == 0)
        return TRUE;
    const char *why = rh_job1_get_error(job);
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, why && *why ? why : "The service ended meanwhile.");
    return FALSE;
}

gboolean control_do(gpointer proxy, const char *method, GVariant *parameters, GUnixFDList *files, GError **error)
{
    const char *path;
    g_autoptr(GVariant) answer = control_call_with(proxy, method, parameters, files, error);
    if (!answer)
        return FALSE;
    g_variant_get(answer, "(&o)", &path);
    return follow(path, error);
}

/* ---- words ---- */

GUnixFDList *control_open(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s cannot be opened: %s.", path, g_strerror(errno));
        return NULL;
    }
    return g_unix_fd_list_new_from_array(&fd, 1);
}

GUnixFDList *control_make_file(const char *path, GError **error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0)
        return g_unix_fd_list_new_from_array(&fd, 1);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s cannot be made: %s.", path, g_strerror(errno));
    return NULL;
}

gboolean control_size(const char *text, guint64 *bytes, GError **error)
{
    static const char units[] = "KMGT";
    char *end;
    guint64 number = g_ascii_strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
    guint shift = unit ? 10 * (guint)(unit - units + 1) : 0;
    if (g_ascii_isdigit(*text) && number && number <= ((guint64)G_MAXINT64 >> shift) && (!*end || (unit && !end[1]))) {
        *bytes = number << shift;
        return TRUE;
    }
    return control_usage(error, "\"%s\" is no size; give a number with M, G or T behind it, such as 20G.", text);
}

/* GLib has a space that no line breaks at, which a terminal may not have. */
char *control_bytes(guint64 bytes)
{
    g_autofree char *text = g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
    g_auto(GStrv) words = g_strsplit(text, "\u00a0", -1);
    return g_strjoinv(" ", words);
}
