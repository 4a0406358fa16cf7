/* A log is cut in place: its writer holds it open and would go on with a renamed one. */
#include "guest_logs.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/stat.h>
#include <unistd.h>

static void cut(int fd, off_t size)
{
    g_autofree char *end = g_malloc(GUEST_LOG_KEPT);
    ssize_t got = pread(fd, end, GUEST_LOG_KEPT, size - GUEST_LOG_KEPT);
    if (got < 0 || ftruncate(fd, 0) < 0 || write(fd, end, (gsize)got) != got)
        g_warning("a guest's log could not be cut");
}

static void trim(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > GUEST_LOG_MAX)
        cut(fd, status.st_size);
    close(fd);
}

void guest_logs_trim(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_suffix(name, ".log"))
            trim(path);
    }
}
