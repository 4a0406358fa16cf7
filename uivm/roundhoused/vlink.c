// Seqpacket sockets of the seat and of the sound process.
#include "vlink.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "send_fds.h"
#include "vdisplay_private.h"

enum { RETRY_MS = 100 };

static gboolean on_retry(void *data);
static gboolean on_first_try(void *data);

static bool send_packet(int link, const struct link_message *message, int fd)
{
    struct iovec part = {(void *)message, sizeof(*message)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    return send_with_fds(link, &header, &fd, fd >= 0, MSG_DONTWAIT) == (ssize_t)sizeof(*message);
}

static void lost(struct vlink *link)
{
    if (link->fd < 0)
        return;
    bool had_greeted = link->greeted; // or else one that hangs up at once would be asked without end
    g_clear_handle_id(&link->source, g_source_remove);
    close(link->fd);
    link->fd = -1;
    link->greeted = false;
    link->events->lost(link->vd);
    if (!link->retry)
        link->retry = had_greeted ? g_timeout_add(0, on_first_try, link) : g_timeout_add(RETRY_MS, on_retry, link);
}

// What can be asked again: a seat that has no time for it is not to be started over for it.
static bool is_wish(const struct link_message *message)
{
    return message->type == LINK_FOCUS;
}

enum vdisplay_sent vlink_send(struct vlink *link, const struct link_message *message, int fd)
{
    if (link->fd < 0 || (!link->greeted && message->type != LINK_HELLO))
        return VDISPLAY_NO_SEAT;
    if (!link_message_valid(message, sizeof(*message), fd >= 0, link->events->to))
        return VDISPLAY_REFUSED;
    if (send_packet(link->fd, message, fd))
        return VDISPLAY_SENT;
    if (errno == EAGAIN && is_wish(message))
        return VDISPLAY_NO_SEAT;
    g_warning("%s does not take messages: %s", link->events->who, g_strerror(errno));
    lost(link);
    return VDISPLAY_NO_SEAT;
}

static void send_hello(struct vlink *link)
{
    struct link_message message = {.type = LINK_HELLO};
    message.hello.version = LINK_VERSION;
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        message.hello.domid[slot] = link->vd->guests[slot] ? link->vd->guests[slot]->domid : LINK_NO_DOMAIN;
    vlink_send(link, &message, -1);
}

static void on_hello(struct vlink *link, const struct link_message *m)
{
    bool first = !link->greeted;
    if (m->hello.version != LINK_VERSION) {
        g_warning("%s speaks version %u of the link, not %u: install matching versions", link->events->who,
                  m->hello.version, LINK_VERSION);
        lost(link);
        return;
    }
    link->greeted = true;
    link->events->hello(link->vd, m, first);
}

static gboolean on_readable(int fd, GIOCondition condition, void *data)
{
    (void)condition;
    struct vlink *link = data;
    struct link_message message = {0};
    ssize_t size = recv(fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (size > 0 && link_message_valid(&message, (size_t)size, 0, link->events->from)) {
        if (message.type == LINK_HELLO)
            on_hello(link, &message);
        else
            link->events->message(link->vd, &message);
        return link->fd == fd ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
    }
    g_warning(size > 0 ? "%s sent a malformed message" : "%s is gone; waiting for it to come back", link->events->who);
    link->source = 0;
    lost(link);
    return G_SOURCE_REMOVE;
}

static bool try_connect(struct vlink *link)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, link->path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    link->fd = fd;
    link->source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, link);
    send_hello(link);
    return true;
}

static gboolean on_retry(void *data)
{
    struct vlink *link = data;
    if (link->fd < 0 && !try_connect(link))
        return G_SOURCE_CONTINUE;
    link->retry = 0;
    return G_SOURCE_REMOVE;
}

static gboolean on_first_try(void *data)
{
    struct vlink *link = data;
    link->retry = try_connect(link) ? 0 : g_timeout_add(RETRY_MS, on_retry, link);
    return G_SOURCE_REMOVE;
}

void vlink_start(struct vlink *link, struct vdisplay *vd, const struct vlink_events *events, const char *path)
{
    *link = (struct vlink){.vd = vd, .events = events, .path = g_strdup(path), .fd = -1};
    link->retry = g_idle_add(on_first_try, link);
}

void vlink_stop(struct vlink *link)
{
    if (!link->vd)
        return; // it was never started
    g_clear_handle_id(&link->source, g_source_remove);
    g_clear_handle_id(&link->retry, g_source_remove);
    if (link->fd >= 0)
        close(link->fd);
    g_free(link->path);
}
