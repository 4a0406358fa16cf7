// The link to the seat: connecting, repeating what the seat missed, taking its news. A lost connection is tried again
// at once, for the seat's socket outlives it, and then ten times a second.
#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "send_fds.h"
#include "vdisplay_private.h"

enum { RETRY_MS = 100 };

static void lost(struct vdisplay *vd);
static gboolean on_first_try(void *data);
static gboolean on_retry(void *data);

static bool send_packet(int link, const struct link_message *message, int fd)
{
    struct iovec part = {(void *)message, sizeof(*message)};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    return send_with_fds(link, &header, &fd, fd >= 0, MSG_DONTWAIT) == (ssize_t)sizeof(*message);
}

// What can be asked again: a seat that has no time for it is not to be started over for it.
static bool is_wish(const struct link_message *message)
{
    return message->type == LINK_FOCUS;
}

enum vdisplay_sent vdisplay_send(struct vdisplay *vd, const struct link_message *message, int fd)
{
    if (vd->link < 0 || (!vd->greeted && message->type != LINK_HELLO))
        return VDISPLAY_NO_SEAT;
    if (!link_message_valid(message, sizeof(*message), fd >= 0, LINK_TO_SEAT))
        return VDISPLAY_REFUSED;
    if (send_packet(vd->link, message, fd))
        return VDISPLAY_SENT;
    if (errno == EAGAIN && is_wish(message))
        return VDISPLAY_NO_SEAT;
    g_warning("the seat does not take messages: %s", g_strerror(errno));
    lost(vd);
    return VDISPLAY_NO_SEAT;
}

void vdisplay_send_guest(struct vdisplay *vd, const struct vguest *guest)
{
    struct link_message add = {.type = LINK_GUEST_ADD, .slot = guest->slot};
    add.guest_add.domid = guest->domid;
    add.guest_add.rgb = guest->rgb;
    memcpy(add.guest_add.name, guest->name, sizeof(add.guest_add.name));
    vdisplay_send(vd, &add, -1);
    struct link_message signs = {.type = LINK_GUEST_SIGNS, .slot = guest->slot};
    signs.guest_signs.signs = guest->signs;
    vdisplay_send(vd, &signs, -1);
}

static void send_hello(struct vdisplay *vd)
{
    struct link_message message = {.type = LINK_HELLO};
    message.hello.version = LINK_VERSION;
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        message.hello.domid[slot] = vd->guests[slot] ? vd->guests[slot]->domid : LINK_NO_DOMAIN;
    vdisplay_send(vd, &message, -1);
}

static void lost(struct vdisplay *vd)
{
    if (vd->link < 0)
        return;
    bool was_a_seat = vd->greeted; // or else one that hangs up at once would be asked without end
    g_clear_handle_id(&vd->link_source, g_source_remove);
    close(vd->link);
    vd->link = -1;
    vd->greeted = false;
    // What was connected stays so for the guest; the next seat is asked to connect it again.
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++) {
        if (vd->guests[slot])
            vdisplay_vga_stop(vd->guests[slot]);
        for (unsigned i = 0; vd->guests[slot] && i < vd->guests[slot]->device_count; i++)
            vd->guests[slot]->devices[i].phase = VDEVICE_WAITING;
    }
    if (!vd->retry_source)
        vd->retry_source = was_a_seat ? g_timeout_add(0, on_first_try, vd) : g_timeout_add(RETRY_MS, on_retry, vd);
}

static void tell_of_guest(struct vdisplay *vd, struct vguest *guest)
{
    if (!guest || !vd->greeted)
        return;
    vdisplay_send_guest(vd, guest);
    vdisplay_vga_connect(guest);
    for (unsigned i = 0; i < guest->device_count; i++)
        vdevice_connect_again(&guest->devices[i]);
}

static void on_hello(struct vdisplay *vd, const struct link_message *m)
{
    if (m->hello.version != LINK_VERSION) {
        g_warning("the seat speaks version %u of the link, not %u: install matching versions", m->hello.version,
                  LINK_VERSION);
        lost(vd);
        return;
    }
    if (m->hello.width > 0 && m->hello.height > 0) {
        vd->screen_width = m->hello.width;
        vd->screen_height = m->hello.height;
    }
    if (vd->greeted)
        return; // only the screen's size is new
    vd->greeted = true;
    unsigned first = vd->focused; // whom the user looks at
    tell_of_guest(vd, vd->guests[first]);
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        if (slot != first)
            tell_of_guest(vd, vd->guests[slot]);
}

static void on_device_message(struct vdisplay *vd, const struct link_message *m)
{
    struct vguest *guest = vd->guests[m->slot];
    if (guest && m->type == LINK_DISPLAY_CLOSED)
        vdisplay_vga_closed(guest, (int)m->closed.error);
    if (!guest || guest->device_count == 0)
        return;
    switch (m->type) {
    case LINK_DISPLAY_READY:
        vdevice_ready(&guest->devices[0]);
        break;
    case LINK_DISPLAY_CLOSED:
        vdevice_closed(&guest->devices[0], (int)m->closed.error);
        break;
    case LINK_KEYBOARD_READY:
        vdevice_ready(&guest->devices[1]);
        break;
    case LINK_KEYBOARD_CLOSED:
        vdevice_closed(&guest->devices[1], (int)m->closed.error);
        break;
    }
}

static void dispatch(struct vdisplay *vd, const struct link_message *m)
{
    switch (m->type) {
    case LINK_HELLO:
        on_hello(vd, m);
        break;
    case LINK_FOCUS_CHANGED:
        vd->focused = m->slot;
        if (vd->focus_callback)
            vd->focus_callback(m->slot, vd->focus_data);
        break;
    default:
        on_device_message(vd, m);
        break;
    }
}

static gboolean on_readable(int fd, GIOCondition condition, void *data)
{
    (void)condition;
    struct vdisplay *vd = data;
    struct link_message message = {0};
    ssize_t size = recv(fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (size > 0 && link_message_valid(&message, (size_t)size, 0, LINK_TO_MANAGER)) {
        dispatch(vd, &message);
        return vd->link == fd ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
    }
    g_warning(size > 0 ? "the seat sent a malformed message" : "the seat is gone; waiting for it to come back");
    vd->link_source = 0;
    lost(vd);
    return G_SOURCE_REMOVE;
}

static bool try_connect(struct vdisplay *vd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, vd->socket_path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    vd->link = fd;
    vd->link_source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, vd);
    send_hello(vd);
    return true;
}

static gboolean on_retry(void *data)
{
    struct vdisplay *vd = data;
    if (vd->link < 0 && !try_connect(vd))
        return G_SOURCE_CONTINUE;
    vd->retry_source = 0;
    return G_SOURCE_REMOVE;
}

static gboolean on_first_try(void *data)
{
    struct vdisplay *vd = data;
    vd->retry_source = try_connect(vd) ? 0 : g_timeout_add(RETRY_MS, on_retry, vd);
    return G_SOURCE_REMOVE;
}

// The first try is made by the main loop, so that guests added before it runs are in the first HELLO.
void vdisplay_link_start(struct vdisplay *vd)
{
    vd->retry_source = g_idle_add(on_first_try, vd);
}

void vdisplay_link_stop(struct vdisplay *vd)
{
    lost(vd);
    g_clear_handle_id(&vd->retry_source, g_source_remove);
}
