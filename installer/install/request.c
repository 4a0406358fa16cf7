#include "request.h"
#include "trouble.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = {"check", "disks", "plan", "install", NULL};

static const char the_end[] = "\nend\n";

static gboolean is_whole(const char *text)
{
    gsize length = strlen(text);
    return length >= strlen(the_end) && strcmp(text + length - strlen(the_end), the_end) == 0;
}

/* What there is to read within the time that is left; 0: nothing will come. */
static gssize read_some(int fd, char *into, gsize room, gint64 until)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    gint64 left = (until - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
    if (left <= 0 || poll(&waiting, 1, (int)left) <= 0)
        return 0;
    return read(fd, into, room);
}

/* The kind's line is taken off, and the end's. */
static gboolean split(char *text, enum request_kind *kind, char **answers, GError **error)
{
    text[strlen(text) - strlen(the_end) + 1] = '\0';
    char *line_end = strchr(text, '\n');
    *line_end = '\0';
    for (int i = 0; kinds[i]; i++)
        if (strcmp(kinds[i], text) == 0) {
            *kind = i;
            *answers = g_strdup(line_end + 1);
            return TRUE;
        }
    return trouble(error, "That is no request. Nothing was done.");
}

gboolean request_read(int fd, enum request_kind *kind, char **answers, GError **error)
{
    char *text = g_malloc0(REQUEST_MAX + 1);
    gint64 until = g_get_monotonic_time() + REQUEST_SECONDS * G_TIME_SPAN_SECOND;
    gsize length = 0;
    gssize got;
    gboolean good = FALSE;
    while (length < REQUEST_MAX && (got = read_some(fd, text + length, REQUEST_MAX - length, until)) > 0) {
        length += (gsize)got;
        if (strlen(text) < length || is_whole(text))
            break;
    }
    if (strlen(text) == length && is_whole(text))
        good = split(text, kind, answers, error);
    else
        trouble(error, "The request did not come whole. Nothing was done.");
    explicit_bzero(text, REQUEST_MAX);
    g_free(text);
    return good;
}

gboolean request_stopped(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, 0) > 0;
}

gboolean request_allows(const struct answers *answers, const char *const *disks, GError **error)
{
    if (!g_strv_contains(disks, answers->disk))
        return trouble(error, "%s is no disk of this machine. Nothing was done.", answers->disk);
    if (answers->recovery_key_file)
        return trouble(error, "The recovery key cannot be written to a file from here. Nothing was done.");
    return TRUE;
}
