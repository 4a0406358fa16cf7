#include "tool.h"
#include "trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The last lines are those that say why. */
static const char *end_of(const char *text)
{
    gsize length = strlen(text);
    return length > 600 ? text + length - 600 : text;
}

/* What it printed; NULL with an error. */
static char *run(GError **error, const char *tool, va_list arguments)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autofree char *said = NULL, *complained = NULL;
    g_autoptr(GError) cause = NULL;
    int status = 0;
    g_ptr_array_add(words, (gpointer)tool);
    do
        g_ptr_array_add(words, va_arg(arguments, gpointer));
    while (g_ptr_array_index(words, words->len - 1));
    if (!g_spawn_sync(NULL, (char **)words->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &said, &complained, &status,
                      &cause))
        trouble(error, "%s cannot be run: %s", tool, cause->message);
    else if (!g_spawn_check_wait_status(status, &cause))
        trouble(error, "%s failed (%s). It said: %s%s", tool, cause->message, end_of(said), end_of(complained));
    return cause ? NULL : g_steal_pointer(&said);
}

char *tool_output(GError **error, const char *tool, ...)
{
    va_list arguments;
    va_start(arguments, tool);
    char *said = run(error, tool, arguments);
    va_end(arguments);
    return said;
}

gboolean tool_run(GError **error, const char *tool, ...)
{
    va_list arguments;
    va_start(arguments, tool);
    g_autofree char *said = run(error, tool, arguments);
    va_end(arguments);
    return said != NULL;
}

gboolean write_all(int fd, const void *bytes, gsize length, gint64 at)
{
    for (gsize done = 0; done < length;) {
        ssize_t wrote = pwrite(fd, (const char *)bytes + done, length - done, at + (gint64)done);
        if (wrote == 0)
            errno = ENOSPC;
        if (wrote <= 0 && errno != EINTR)
            return FALSE;
        done += wrote > 0 ? (gsize)wrote : 0;
    }
    return TRUE;
}

gboolean read_all(int fd, void *bytes, gsize length, gint64 at)
{
    for (gsize done = 0; done < length;) {
        ssize_t got = pread(fd, (char *)bytes + done, length - done, at + (gint64)done);
        if (got == 0)
            errno = EIO;
        if (got <= 0 && errno != EINTR)
            return FALSE;
        done += got > 0 ? (gsize)got : 0;
    }
    return TRUE;
}

gboolean folder_sync(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean good = fd >= 0 && fsync(fd) == 0;
    if (!good)
        trouble_errno(error, "%s cannot be written out", path);
    if (fd >= 0)
        close(fd);
    return good;
}

gboolean file_put(const char *path, const void *bytes, gsize length, int mode, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path), *part = g_strconcat(path, ".part", NULL);
    if (g_mkdir_with_parents(folder, 0755) < 0)
        return trouble_errno(error, "The folder %s cannot be made", folder);
    g_unlink(part);
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    gboolean good = fd >= 0 && fchmod(fd, (mode_t)mode) == 0 && write_all(fd, bytes, length, 0) && fsync(fd) == 0;
    if (good)
        good = g_rename(part, path) == 0;
    if (!good) {
        trouble_errno(error, "%s cannot be written", path);
        g_unlink(part);
    }
    if (fd >= 0)
        close(fd);
    return good && folder_sync(folder, error);
}
