// One datagram for each thing to say.
#include "notify.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

struct notify {
    struct wl_event_source *timer;
    int period_ms; // 0: no watchdog
};

static bool send_with(int socket, const struct sockaddr_un *address, socklen_t size, const char *what, int fd)
{
    struct iovec part = {(void *)what, strlen(what)};
    struct msghdr header = {.msg_name = (void *)address, .msg_namelen = size, .msg_iov = &part, .msg_iovlen = 1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    if (fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL) >= 0;
}

void notify_say(const char *what, int fd)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    if (length < 2 || length >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; // an abstract name
    int link = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (link < 0 || !send_with(link, &address, size, what, fd))
        log_error("the service manager cannot be told \"%s\"", what);
    if (link >= 0)
        close(link);
}

static int on_timer(void *data)
{
    struct notify *notify = data;
    notify_say("WATCHDOG=1", -1);
    wl_event_source_timer_update(notify->timer, notify->period_ms);
    return 0;
}

struct notify *notify_start(struct wl_event_loop *loop)
{
    struct notify *notify = calloc(1, sizeof(*notify));
    if (!notify)
        return NULL;
    const char *watchdog = getenv("WATCHDOG_USEC");
    unsigned long long period = watchdog ? strtoull(watchdog, NULL, 10) / 3000 : 0;
    notify->period_ms = period > 60000 ? 60000 : (int)period;
    notify->timer = wl_event_loop_add_timer(loop, on_timer, notify);
    if (!notify->timer) {
        free(notify);
        return NULL;
    }
    notify_say("READY=1", -1);
    if (notify->period_ms)
        wl_event_source_timer_update(notify->timer, notify->period_ms);
    return notify;
}

void notify_stop(struct notify *notify)
{
    if (!notify)
        return;
    wl_event_source_remove(notify->timer);
    free(notify);
}
