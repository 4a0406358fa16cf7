/* One datagram at a third of the time systemd allows. */
#include "watchdog.h"

#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct watchdog {
    int socket;
    struct sockaddr_un address;
    socklen_t length;
};

static gboolean tell(gpointer data)
{
    static const char alive[] = "WATCHDOG=1";
    const struct watchdog *watchdog = data;
    sendto(watchdog->socket, alive, strlen(alive), MSG_NOSIGNAL | MSG_DONTWAIT,
           (const struct sockaddr *)&watchdog->address, watchdog->length);
    return G_SOURCE_CONTINUE;
}

static void tell_to(const char *path, guint64 microseconds)
{
    static struct watchdog watchdog = {.address.sun_family = AF_UNIX};
    gsize length = strlen(path);
    if (length >= sizeof(watchdog.address.sun_path))
        return;
    memcpy(watchdog.address.sun_path, path, length);
    if (*path == '@') /* an abstract name */
        watchdog.address.sun_path[0] = '\0';
    watchdog.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    watchdog.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (watchdog.socket >= 0)
        g_timeout_add((guint)MAX(microseconds / 3000, 1), tell, &watchdog);
}

void watchdog_start(void)
{
    g_autofree char *path = g_strdup(g_getenv("NOTIFY_SOCKET"));
    const char *time = g_getenv("WATCHDOG_USEC"), *pid = g_getenv("WATCHDOG_PID");
    guint64 microseconds = time ? g_ascii_strtoull(time, NULL, 10) : 0;
    gboolean ours = !pid || g_ascii_strtoull(pid, NULL, 10) == (guint64)getpid();
    g_unsetenv("NOTIFY_SOCKET");
    g_unsetenv("WATCHDOG_USEC");
    g_unsetenv("WATCHDOG_PID");
    if (path && microseconds && ours)
        tell_to(path, microseconds);
}
