/* Descriptors out of messages. */
#include "passed_file.h"
#include "errors.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean is_open_for(int fd, gboolean writing)
{
    int flags = fcntl(fd, F_GETFL);
    int other = writing ? O_RDONLY : O_WRONLY;
    return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != other;
}

static gboolean check(int fd, gboolean writing, GError **error)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "What was given is no ordinary file.");
    else if (!is_open_for(fd, writing))
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "The file is not open for %s.",
                    writing ? "writing" : "reading");
    else
        return TRUE;
    return FALSE;
}

int passed_file_take(GDBusMethodInvocation *invocation, gint32 handle, gboolean writing, GError **error)
{
    GUnixFDList *list = g_dbus_message_get_unix_fd_list(g_dbus_method_invocation_get_message(invocation));
    int fd = -1;
    if (list && handle >= 0 && handle < g_unix_fd_list_get_length(list))
        fd = g_unix_fd_list_get(list, handle, NULL);
    if (fd < 0) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "No file was given.");
    } else if (!check(fd, writing, error)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

char *passed_file_path(int fd)
{
    return g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
}
