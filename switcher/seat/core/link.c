// The link's socket and the dispatch of the manager's messages.
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "kept.h"
#include "link_protocol.h"
#include "listen.h"
#include "log.h"
#include "news.h"
#include "output.h"
#include "seat.h"
#include "strip.h"

enum { MAX_FDS = 4 };

struct link {
    struct seat *seat;
    uid_t uid;
    int listener, peer; // peer is -1 while no manager is connected
    bool greeted;
    struct wl_event_source *listener_source, *peer_source;
};

static void drop_peer(struct link *link)
{
    if (link->peer < 0)
        return;
    wl_event_source_remove(link->peer_source);
    close(link->peer);
    link->peer = -1;
    link->greeted = false;
}

// False: there is no room now.
static bool try_message(struct link *link, const struct link_message *message)
{
    if (link->peer < 0 || !link->greeted)
        return true;
    if (send(link->peer, message, sizeof(*message), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*message))
        return true;
    if (errno == EAGAIN)
        return false;
    log_error("the manager does not take messages (%s): dropping the connection", strerror(errno));
    drop_peer(link);
    return true;
}

// For answers, of which there are no more than the manager asked for.
static void send_message(struct link *link, const struct link_message *message)
{
    if (try_message(link, message))
        return;
    log_error("the manager does not read what it asked for: dropping the connection");
    drop_peer(link);
}

void link_send_hello(struct link *link)
{
    struct link_message m = {.type = LINK_HELLO};
    m.hello.version = LINK_VERSION;
    struct rect stage = strip_stage(link->seat->output);
    m.hello.width = (uint32_t)stage.width;
    m.hello.height = (uint32_t)stage.height;
    for (unsigned slot = 0; slot < LINK_SLOTS; slot++)
        m.hello.domid[slot] = LINK_NO_DOMAIN;
    send_message(link, &m);
}

bool link_focus_changed(struct link *link, unsigned slot)
{
    return try_message(link, &(struct link_message){.type = LINK_FOCUS_CHANGED, .slot = slot});
}

bool link_cut_changed(struct link *link, unsigned slot)
{
    return try_message(link, &(struct link_message){.type = LINK_CUT_CHANGED, .slot = slot});
}

static void send_result(struct link *link, uint32_t type, unsigned slot, int error)
{
    struct link_message m = {.type = type, .slot = slot};
    m.closed.error = (uint32_t)error;
    send_message(link, &m);
}

void link_display_closed(struct link *link, unsigned slot, int error)
{
    send_result(link, LINK_DISPLAY_CLOSED, slot, error);
}

bool link_mode(struct link *link, unsigned slot, uint32_t width, uint32_t height)
{
    struct link_message m = {.type = LINK_MODE, .slot = slot};
    m.mode.width = width;
    m.mode.height = height;
    return try_message(link, &m);
}

static void on_hello(struct link *link, const struct link_message *m, int fd)
{
    (void)fd;
    struct seat *seat = link->seat;
    if (m->hello.version != LINK_VERSION) {
        log_error("the manager speaks version %u of the link, the seat %u", m->hello.version, LINK_VERSION);
        drop_peer(link);
        return;
    }
    link->greeted = true;
    link_send_hello(link);
    for (unsigned slot = 1; slot < LINK_SLOTS; slot++)
        if (seat->guests[slot].present && seat->guests[slot].domid != m->hello.domid[slot])
            seat_guest_remove(seat, slot);
    news_repeat(seat->news);
}

static void on_guest_add(struct link *link, const struct link_message *m, int fd)
{
    (void)fd;
    seat_guest_add(link->seat, m->slot, &m->guest_add);
}

static void on_guest_signs(struct link *link, const struct link_message *m, int fd)
{
    (void)fd;
    seat_guest_signs(link->seat, m->slot, m->guest_signs.signs);
}

static void on_guest_remove(struct link *link, const struct link_message *m, int fd)
{
    (void)fd;
    seat_guest_remove(link->seat, m->slot);
}

static void report(struct link *link, const char *what, unsigned slot, int error, uint32_t ready, uint32_t closed)
{
    if (error)
        log_guest(slot, "cannot connect the %s: %s", what, strerror(error));
    else
        log_guest(slot, "%s connected", what);
    send_result(link, error ? closed : ready, slot, error);
}

static void on_display(struct link *link, const struct link_message *m, int fd)
{
    int error = guest_connect_display(&link->seat->guests[m->slot], m, fd);
    const char *what = m->type == LINK_RFB_CONNECT ? "emulated screen" : "screen";
    report(link, what, m->slot, error, LINK_DISPLAY_READY, LINK_DISPLAY_CLOSED);
}

static void on_keyboard(struct link *link, const struct link_message *m, int fd)
{
    int error = guest_connect_keyboard(&link->seat->guests[m->slot], &m->keyboard, fd);
    report(link, "keyboard", m->slot, error, LINK_KEYBOARD_READY, LINK_KEYBOARD_CLOSED);
}

static void on_display_disconnect(struct link *link, const struct link_message *m, int fd)
{
    (void)fd;
    guest_disconnect_display(&link->seat->guests[m->slot]);
    link_display_closed(link, m->slot, 0);
}

static void on_keyboard_disconnect(struct link *link, const struct link_message *m, int fd)
{
    (void)fd;
    guest_disconnect_keyboard(&link->seat->guests[m->slot]);
    send_result(link, LINK_KEYBOARD_CLOSED, m->slot, 0);
}

// Small enough for one turn of the loop: it costs what drawing the guest once costs.
static void on_picture(struct link *link, const struct link_message *m, int fd)
{
    struct link_message answer = {.type = LINK_PICTURE_DONE, .slot = m->slot, .picture = m->picture};
    int error =
        capture_picture(&link->seat->guests[m->slot].picture, fd, &answer.picture.width, &answer.picture.height);
    close(fd);
    if (error) {
        log_guest(m->slot, "cannot give its picture away: %s", strerror(error));
        answer.picture.width = answer.picture.height = 0;
    }
    send_message(link, &answer);
}

static void on_focus(struct link *link, const struct link_message *m, int fd)
{
    (void)fd;
    seat_focus(link->seat, m->slot, false);
}

struct handler {
    uint32_t type;
    bool needs_guest; // ignored when the slot is empty
    void (*handle)(struct link *link, const struct link_message *m, int fd);
};

static const struct handler handlers[] = {
    {LINK_HELLO, false, on_hello},
    {LINK_GUEST_ADD, false, on_guest_add},
    {LINK_GUEST_SIGNS, true, on_guest_signs},
    {LINK_GUEST_REMOVE, true, on_guest_remove},
    {LINK_PICTURE, true, on_picture},
    {LINK_FBIF_CONNECT, true, on_display},
    {LINK_DISPLIF_CONNECT, true, on_display},
    {LINK_RFB_CONNECT, true, on_display},
    {LINK_DISPLAY_DISCONNECT, true, on_display_disconnect},
    {LINK_KEYBOARD_CONNECT, true, on_keyboard},
    {LINK_KEYBOARD_DISCONNECT, true, on_keyboard_disconnect},
    {LINK_FOCUS, false, on_focus},
};

// Takes the descriptor.
static void handle(struct link *link, const struct link_message *m, int fd)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        const struct handler *h = &handlers[i];
        if (h->type != m->type)
            continue;
        if (h->needs_guest && !link->seat->guests[m->slot].present) {
            log_guest(m->slot, "the manager speaks of it, and it is empty");
            break;
        }
        h->handle(link, m, fd);
        return;
    }
    if (fd >= 0)
        close(fd);
}

static unsigned take_fds(struct msghdr *header, int *fds)
{
    unsigned count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here && count < MAX_FDS; i++)
            memcpy(&fds[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    return count;
}

static int on_peer(int fd, uint32_t mask, void *data)
{
    (void)mask;
    struct link *link = data;
    struct link_message message = {0};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
    } control;
    struct iovec part = {&message, sizeof(message)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    int fds[MAX_FDS];
    unsigned count = size > 0 ? take_fds(&header, fds) : 0;
    bool whole = size > 0 && !(header.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    bool first_is_hello = link->greeted || message.type == LINK_HELLO;
    if (whole && first_is_hello && link_message_valid(&message, (size_t)size, count, LINK_TO_SEAT)) {
        handle(link, &message, count ? fds[0] : -1);
        return 0;
    }
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
    log_info(size > 0 ? "the manager sent a malformed message (type %u): dropping it" : "the manager is gone",
             message.type);
    drop_peer(link);
    return 0;
}

static int on_listener(int fd, uint32_t mask, void *data)
{
    (void)mask;
    struct link *link = data;
    int peer = listen_accept(fd, link->uid);
    if (peer < 0)
        return 0;
    drop_peer(link);
    link->peer = peer;
    link->peer_source = wl_event_loop_add_fd(link->seat->loop, peer, WL_EVENT_READABLE, on_peer, link);
    if (!link->peer_source) {
        close(peer);
        link->peer = -1;
    }
    return 0;
}

struct link *link_new(struct seat *seat, const char *path, uid_t uid)
{
    struct link *link = calloc(1, sizeof(*link));
    if (!link)
        return NULL;
    link->seat = seat;
    link->uid = uid;
    link->peer = -1;
    link->listener = kept_listen("link", path, SOCK_SEQPACKET, 0600);
    if (link->listener >= 0)
        link->listener_source = wl_event_loop_add_fd(seat->loop, link->listener, WL_EVENT_READABLE, on_listener, link);
    if (link->listener_source)
        return link;
    link_free(link);
    return NULL;
}

void link_free(struct link *link)
{
    if (!link)
        return;
    drop_peer(link);
    if (link->listener_source)
        wl_event_source_remove(link->listener_source);
    if (link->listener >= 0)
        close(link->listener);
    free(link);
}
