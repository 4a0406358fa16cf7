/* Both peers of the display broker, and its life in a test. */
#include "vdisplay_peers.h"
#include "xenstore_fake.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Restricting a privcmd is all that is asked of ioctl. */
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    (void)fd;
    (void)request;
    return 0;
}

/* ---- the seat, and the sound process ---- */

struct peer seat, sound;

void peer_send(struct peer *peer, uint32_t type, uint32_t slot, int error)
{
    struct link_message message = {.type = type, .slot = slot};
    message.closed.error = (uint32_t)error;
    if (type == LINK_HELLO) {
        message.hello.version = LINK_VERSION;
        message.hello.width = 1280;
        message.hello.height = 800;
        for (unsigned i = 0; i < LINK_SLOTS; i++)
            message.hello.domid[i] = LINK_NO_DOMAIN;
    }
    g_assert_cmpint(send(peer->peer, &message, sizeof(message), MSG_NOSIGNAL), ==, sizeof(message));
}

static void peer_answer(struct peer *peer, const struct link_message *message)
{
    static const uint32_t answers[64] = {[LINK_HELLO] = LINK_HELLO,
                                         [LINK_FBIF_CONNECT] = LINK_DISPLAY_READY,
                                         [LINK_DISPLIF_CONNECT] = LINK_DISPLAY_READY,
                                         [LINK_KEYBOARD_CONNECT] = LINK_KEYBOARD_READY,
                                         [LINK_DISPLAY_DISCONNECT] = LINK_DISPLAY_CLOSED,
                                         [LINK_KEYBOARD_DISCONNECT] = LINK_KEYBOARD_CLOSED,
                                         [LINK_SNDIF_CONNECT] = LINK_SOUND_READY,
                                         [LINK_SOUND_DISCONNECT] = LINK_SOUND_CLOSED};
    if (answers[message->type])
        peer_send(peer, answers[message->type], message->slot, 0);
}

void peer_drop(struct peer *peer)
{
    if (peer->peer >= 0)
        close(peer->peer);
    peer->peer = -1;
}

/* One message, if there is one. A message that the real one would refuse ends the connection, as there. */
static gboolean peer_step(struct peer *peer)
{
    struct link_message message = {0};
    char control[256];
    struct iovec part = {&message, sizeof(message)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    if (peer->peer < 0) {
        peer->peer = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
        peer->connections += peer->peer >= 0;
    }
    if (peer->peer < 0)
        return FALSE;
    ssize_t size = recvmsg(peer->peer, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return FALSE;
    unsigned fds = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c), fds++)
        close(*(int *)CMSG_DATA(c));
    if (!link_message_valid(&message, (size_t)size, fds, peer->takes)) {
        peer->refused += size > 0;
        peer_drop(peer);
        return FALSE;
    }
    g_assert_cmpuint(message.type, <, G_N_ELEMENTS(peer->count));
    peer->count[message.type]++;
    peer->last[message.type] = message;
    if (peer->total < G_N_ELEMENTS(peer->order))
        peer->order[peer->total++] = message.type;
    if (peer->answers)
        peer_answer(peer, &message);
    return TRUE;
}

static gboolean seat_step(void)
{
    return peer_step(&seat) | peer_step(&sound);
}

/* ---- the whole ---- */

struct vdisplay *vd;
unsigned warnings;

static void count_warning(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
    (void)domain;
    (void)level;
    (void)data;
    g_test_message("%s", message);
    warnings++;
}

/* Lets everybody go on for a number of turns of the main loop, each followed by what the seat does. */
void turns(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        g_main_context_iteration(NULL, FALSE);
        while (seat_step())
            ;
    }
}

/* Longer than a look at a device can be put off. */
void linger(void)
{
    for (unsigned i = 0; i < 150; i++) {
        turns(1);
        g_usleep(1000);
    }
}

static gboolean on_patience(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Waits until a node has a value; FALSE after a time in which it should have come many times over. */
gboolean comes(const char *path, const char *value)
{
    gboolean late = FALSE;
    guint source = g_timeout_add_seconds(20, on_patience, &late);
    while (!late && g_strcmp0(xenstore_fake_read(path), value) != 0) {
        g_main_context_iteration(NULL, FALSE);
        while (seat_step())
            ;
        g_usleep(200);
    }
    if (!late)
        g_source_remove(source);
    return !late;
}

void add(unsigned slot, uint32_t domid, enum guest_display kind)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strdup_printf("guest%u", domid);
    g_assert_true(vdisplay_add_guest(vd, slot, domid, name, 0x112233, kind, &error));
    g_assert_no_error(error);
}

static void peer_listen(struct peer *peer, enum link_direction takes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *peer = (struct peer){.takes = takes, .peer = -1, .answers = TRUE};
    peer->folder = g_dir_make_tmp("roundhouse-seat-XXXXXX", NULL);
    peer->path = g_build_filename(peer->folder, "link.sock", NULL);
    peer->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_strlcpy(address.sun_path, peer->path, sizeof(address.sun_path));
    g_assert_cmpint(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(peer->listener, 8), ==, 0);
}

static void peer_end(struct peer *peer)
{
    peer_drop(peer);
    close(peer->listener);
    g_unlink(peer->path);
    g_rmdir(peer->folder);
    g_free(peer->path);
    g_free(peer->folder);
}

void setup(void)
{
    peer_listen(&seat, LINK_TO_SEAT);
    peer_listen(&sound, LINK_TO_SOUND);
    xenstore_fake_reset();
    warnings = 0;
    g_log_set_handler(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, count_warning, NULL);
    vd = vdisplay_new(seat.path, sound.path, NULL);
    g_assert_nonnull(vd);
    turns(10);
    g_assert_cmpuint(seat.count[LINK_HELLO], ==, 1);
}

void teardown(void)
{
    vdisplay_free(vd);
    peer_end(&seat);
    peer_end(&sound);
}

void write_screen(const char *channel, const char *page, const char *state)
{
    xenstore_fake_write(FRONT "vfb/0/event-channel", channel);
    xenstore_fake_write(FRONT "vfb/0/page-ref", page);
    xenstore_fake_write(FRONT "vfb/0/state", state);
}
