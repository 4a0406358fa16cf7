/*
 * The display broker's real files between a xenstore in memory, in which guests write what they like, and a seat that
 * checks every message as the real one does.
 */
#include "vdisplay_private.h"
#include "guest_value.h"
#include "link_protocol.h"
#include "xenstore_fake.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FRONT "/local/domain/7/device/"
#define BACK  "/local/domain/0/backend/"

/* Restricting a privcmd is all that is asked of ioctl. */
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    (void)fd;
    (void)request;
    return 0;
}

/* ---- the seat, and the sound process ---- */

static struct peer {
    enum link_direction takes;
    char *folder, *path;
    int listener, peer;
    unsigned connections, refused; /* accepted so far; messages that ended one */
    unsigned count[64];            /* messages by type */
    struct link_message last[64];
    unsigned order[64], total; /* the n-th message was of this type */
    gboolean answers;          /* connections with READY, the end of one with CLOSED */
} seat, sound;

static void peer_send(struct peer *peer, uint32_t type, uint32_t slot, int error)
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

static void seat_send(uint32_t type, uint32_t slot, int error)
{
    peer_send(&seat, type, slot, error);
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

static void peer_drop(struct peer *peer)
{
    if (peer->peer >= 0)
        close(peer->peer);
    peer->peer = -1;
}

static void seat_drop(void)
{
    peer_drop(&seat);
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

static struct vdisplay *vd;
static unsigned warnings;

static void count_warning(const char *domain, GLogLevelFlags level, const char *message, gpointer data)
{
    (void)domain;
    (void)level;
    (void)data;
    g_test_message("%s", message);
    warnings++;
}

static gboolean tick(gpointer data)
{
    (*(unsigned *)data)++;
    return G_SOURCE_CONTINUE;
}

/* Lets everybody go on for a number of turns of the main loop, each followed by what the seat does. */
static void turns(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        g_main_context_iteration(NULL, FALSE);
        while (seat_step())
            ;
    }
}

static gint64 seconds_since(gint64 start)
{
    return (g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

/* Longer than a look at a device can be put off. */
static void linger(void)
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
static gboolean comes(const char *path, const char *value)
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

static void add(unsigned slot, uint32_t domid, enum guest_display kind)
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

static void setup(void)
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

static void teardown(void)
{
    vdisplay_free(vd);
    peer_end(&seat);
    peer_end(&sound);
}

static void write_keyboard(const char *channel, const char *grant, const char *state)
{
    xenstore_fake_write(FRONT "vkbd/0/event-channel", channel);
    xenstore_fake_write(FRONT "vkbd/0/page-gref", grant);
    xenstore_fake_write(FRONT "vkbd/0/state", state);
}

static void write_screen(const char *channel, const char *page, const char *state)
{
    xenstore_fake_write(FRONT "vfb/0/event-channel", channel);
    xenstore_fake_write(FRONT "vfb/0/page-ref", page);
    xenstore_fake_write(FRONT "vfb/0/state", state);
}

/* ---- tests ---- */

static void test_handshake(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    g_assert_cmpstr(xenstore_fake_read(BACK "vkbd/7/0/state"), ==, "2");
    g_assert_cmpstr(xenstore_fake_read(BACK "vfb/7/0/width"), ==, "1280");
    write_screen("6", "1234567", "3");
    xenstore_fake_write(FRONT "vkbd/0/request-abs-pointer", "1");
    write_keyboard("5", "9", "4");
    g_assert_true(comes(BACK "vfb/7/0/state", "4"));
    g_assert_true(comes(BACK "vkbd/7/0/state", "4"));
    const struct link_keyboard_connect *keyboard = &seat.last[LINK_KEYBOARD_CONNECT].keyboard;
    g_assert_cmpuint(keyboard->event_channel, ==, 5);
    g_assert_cmpuint(keyboard->page, ==, 9);
    g_assert_true(keyboard->by_grant && keyboard->absolute && keyboard->width == 1280 && keyboard->height == 800);
    g_assert_cmpuint(seat.last[LINK_FBIF_CONNECT].fbif.page_frame, ==, 1234567);
    g_assert_cmpuint(seat.last[LINK_FBIF_CONNECT].fbif.event_channel, ==, 6);

    /* The driver leaves and comes back. */
    xenstore_fake_write(FRONT "vkbd/0/state", "6");
    g_assert_true(comes(BACK "vkbd/7/0/state", "6"));
    xenstore_fake_write(FRONT "vkbd/0/state", "1");
    g_assert_true(comes(BACK "vkbd/7/0/state", "2"));
    xenstore_fake_write(FRONT "vkbd/0/state", "4");
    g_assert_true(comes(BACK "vkbd/7/0/state", "4"));
    g_assert_cmpuint(warnings, ==, 0);
    g_assert_cmpuint(seat.refused, ==, 0);
    teardown();
}

/* A driver that leaves and comes back before the seat has answered: the answer to its leaving is not one to its coming.
 */
static void test_late_answer(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    write_keyboard("5", "9", "4");
    g_assert_true(comes(BACK "vkbd/7/0/state", "4"));
    seat.answers = FALSE;
    xenstore_fake_write(FRONT "vkbd/0/state", "6");
    g_assert_true(comes(BACK "vkbd/7/0/state", "6"));
    xenstore_fake_write(FRONT "vkbd/0/state", "1");
    g_assert_true(comes(BACK "vkbd/7/0/state", "2"));
    xenstore_fake_write(FRONT "vkbd/0/state", "4");
    while (seat.count[LINK_KEYBOARD_CONNECT] < 2)
        turns(1);
    seat_send(LINK_KEYBOARD_CLOSED, 1, 0);
    seat_send(LINK_KEYBOARD_READY, 1, 0);
    g_assert_true(comes(BACK "vkbd/7/0/state", "4"));
    teardown();
}

/* Every bad value closes the device it was written for, is told in one line, and harms neither the link nor a device.
 */
static void test_bad_values(void)
{
    static const struct {
        const char *channel, *grant, *state;
    } bad[] = {
        {"5", "5000000000", "4"},
        {"5", "4294967295", "4"},
        {"5", "0", "4"},
        {"5", "-1", "4"},
        {"5", "", "4"},
        {"5", "9x", "4"},
        {"5", " 9", "4"},
        {"0", "9", "4"},
        {"131072", "9", "4"},
        {"4294967301", "9", "4"},
        {NULL, "9", "4"},
        {"5", NULL, "4"},
        {"5", "18446744073709551625", "4"},
        {"0x5", "9", "4"},
        {"5", "9", "9"},
        {"5", "9", "4444444444444444444444"},
        {"5", "9", "running"},
        {"5", "9", ""},
        {"5", "9", "-1"},
    };
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    write_screen("6", "77", "4");
    g_assert_true(comes(BACK "vfb/7/0/state", "4"));
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        unsigned connects = seat.count[LINK_KEYBOARD_CONNECT];
        g_test_message("channel %s, grant %s, state %s", bad[i].channel, bad[i].grant, bad[i].state);
        warnings = 0;
        write_keyboard(bad[i].channel, bad[i].grant, bad[i].state);
        g_assert_true(comes(BACK "vkbd/7/0/state", "6"));
        write_keyboard(bad[i].channel, bad[i].grant, bad[i].state); /* insists */
        linger();
        write_keyboard("5", "9", "4"); /* comes to reason, but has not begun anew */
        linger();
        g_assert_cmpstr(xenstore_fake_read(BACK "vkbd/7/0/state"), ==, "6");
        g_assert_cmpuint(seat.count[LINK_KEYBOARD_CONNECT], ==, connects);
        g_assert_cmpuint(warnings, <=, 2);              /* one, and perhaps one about those that were left out */
        xenstore_fake_write(FRONT "vkbd/0/state", "1"); /* begins anew */
        g_assert_true(comes(BACK "vkbd/7/0/state", "2"));
    }
    write_keyboard("5", "9", "4");
    g_assert_true(comes(BACK "vkbd/7/0/state", "4"));
    g_assert_cmpstr(xenstore_fake_read(BACK "vfb/7/0/state"), ==, "4");
    g_assert_cmpuint(seat.connections, ==, 1);
    g_assert_cmpuint(seat.refused, ==, 0);
    teardown();
}

/* A frame serves where no grant is offered, and not in the place of a bad one. */
static void test_keyboard_by_frame(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    xenstore_fake_write(FRONT "vkbd/0/page-ref", "1099511627775");
    write_keyboard("5", NULL, "4");
    g_assert_true(comes(BACK "vkbd/7/0/state", "4"));
    g_assert_false(seat.last[LINK_KEYBOARD_CONNECT].keyboard.by_grant);
    g_assert_false(seat.last[LINK_KEYBOARD_CONNECT].keyboard.absolute);
    g_assert_cmpuint(seat.last[LINK_KEYBOARD_CONNECT].keyboard.page, ==, 1099511627775);
    xenstore_fake_write(FRONT "vkbd/0/state", "1");
    g_assert_true(comes(BACK "vkbd/7/0/state", "2"));
    write_keyboard("5", "5000000000", "4");
    g_assert_true(comes(BACK "vkbd/7/0/state", "6"));
    xenstore_fake_write(FRONT "vkbd/0/state", "1");
    g_assert_true(comes(BACK "vkbd/7/0/state", "2"));
    xenstore_fake_write(FRONT "vkbd/0/page-ref", "1099511627776");
    write_keyboard("5", NULL, "4");
    g_assert_true(comes(BACK "vkbd/7/0/state", "6"));
    g_assert_cmpuint(seat.connections, ==, 1);
    teardown();
}

/* The shared page of a 32-bit guest has another layout. */
static void test_layout(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    xenstore_fake_write(FRONT "vfb/0/protocol", "x86_32-abi");
    write_screen("6", "77", "4");
    g_assert_true(comes(BACK "vfb/7/0/state", "6"));
    xenstore_fake_write(FRONT "vfb/0/state", "1");
    g_assert_true(comes(BACK "vfb/7/0/state", "2"));
    xenstore_fake_write(FRONT "vfb/0/protocol", "x86_64-abi");
    xenstore_fake_write(FRONT "vfb/0/state", "4");
    g_assert_true(comes(BACK "vfb/7/0/state", "4"));
    teardown();
}

/* Whatever a caller puts into a message: what the seat would end the connection for does not leave. */
static void test_refused_message(void)
{
    struct link_message message = {.type = LINK_GUEST_ADD, .slot = 1};
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    message.guest_add = (struct link_guest_add){.domid = 7, .rgb = 0x1000000, .name = "other"};
    g_assert_cmpint(vdisplay_send(vd, &message, -1), ==, VDISPLAY_REFUSED);
    message.guest_add.rgb = 0x123456;
    g_assert_cmpint(vdisplay_send(vd, &message, STDIN_FILENO), ==, VDISPLAY_REFUSED);
    g_assert_cmpint(vdisplay_send(vd, &message, -1), ==, VDISPLAY_SENT);
    turns(10);
    g_assert_cmpuint(seat.last[LINK_GUEST_ADD].guest_add.rgb, ==, 0x123456);
    g_assert_cmpuint(seat.refused, ==, 0);
    g_assert_cmpuint(seat.connections, ==, 1);
    teardown();
}

static void test_bad_screen(void)
{
    static const struct {
        const char *node, *value;
    } bad[] = {
        {"0/resolution", "0x0"},      {"0/resolution", "1280x0"},         {"0/resolution", "16385x800"},
        {"0/resolution", "1280"},     {"0/resolution", "4294968576x800"}, {"0/resolution", "1280x800x"},
        {"0/resolution", "x800"},     {"0/resolution", "-1x800"},         {"0/req-ring-ref", "4294967305"},
        {"0/req-event-channel", "0"}, {"0/evt-ring-ref", "9 "},           {"0/evt-event-channel", "131072"},
    };
    setup();
    add(1, 7, GUEST_DISPLAY_DISPLIF);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *path = g_strdup_printf(FRONT "vdispl/0/%s", bad[i].node);
        xenstore_fake_write(FRONT "vdispl/0/0/resolution", "1280x800");
        xenstore_fake_write(FRONT "vdispl/0/0/req-ring-ref", "8");
        xenstore_fake_write(FRONT "vdispl/0/0/req-event-channel", "9");
        xenstore_fake_write(FRONT "vdispl/0/0/evt-ring-ref", "10");
        xenstore_fake_write(FRONT "vdispl/0/0/evt-event-channel", "11");
        xenstore_fake_write(path, bad[i].value);
        g_test_message("%s = %s", path, bad[i].value);
        xenstore_fake_write(FRONT "vdispl/0/state", "4");
        g_assert_true(comes(BACK "vdispl/7/0/state", "6"));
        g_assert_cmpuint(seat.count[LINK_DISPLIF_CONNECT], ==, 0);
        xenstore_fake_write(FRONT "vdispl/0/state", "1");
        g_assert_true(comes(BACK "vdispl/7/0/state", "2"));
        xenstore_fake_write(path, "1");
    }
    xenstore_fake_write(FRONT "vdispl/0/0/resolution", "16384x1");
    xenstore_fake_write(FRONT "vdispl/0/0/req-event-channel", "131071");
    xenstore_fake_write(FRONT "vdispl/0/0/req-ring-ref", "4294967294");
    xenstore_fake_write(FRONT "vdispl/0/state", "4");
    g_assert_true(comes(BACK "vdispl/7/0/state", "4"));
    g_assert_cmpuint(seat.last[LINK_DISPLIF_CONNECT].displif.request_gref, ==, 4294967294);
    g_assert_cmpuint(seat.last[LINK_DISPLIF_CONNECT].displif.width, ==, 16384);
    g_assert_cmpuint(seat.connections, ==, 1);
    teardown();
}

/* A guest that writes its state without end: the main loop goes on, questions to xenstored stay few, and another
 * guest's devices, and its own other one, come up meanwhile. */
static void test_flood(void)
{
    unsigned ticks = 0, calls, fewest = 4;
    gint64 start = g_get_monotonic_time();
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    add(2, 8, GUEST_DISPLAY_FBIF);
    turns(10);
    guint source = g_timeout_add(1, tick, &ticks);
    xenstore_fake_flood(FRONT "vkbd/0/state");
    calls = xenstore_fake_calls;
    for (unsigned i = 0; i < 300; i++) {
        turns(1);
        g_usleep(1000);
        fewest = MIN(fewest, xenstore_fake_watches);
    }
    g_assert_cmpuint(fewest, ==, 3); /* else its events would heap up in memory */
    g_assert_cmpuint(ticks, >, 30);
    g_assert_cmpuint(xenstore_fake_calls - calls, <, 100 + 20 * seconds_since(start));

    write_screen("6", "77", "4");
    g_assert_true(comes(BACK "vfb/7/0/state", "4"));
    xenstore_fake_write("/local/domain/8/device/vkbd/0/event-channel", "5");
    xenstore_fake_write("/local/domain/8/device/vkbd/0/page-gref", "9");
    xenstore_fake_write("/local/domain/8/device/vkbd/0/state", "4");
    g_assert_true(comes(BACK "vkbd/8/0/state", "4"));

    /* What was written last counts, although the watch was gone when it was written. */
    xenstore_fake_write(FRONT "vkbd/0/event-channel", "5");
    xenstore_fake_write(FRONT "vkbd/0/page-gref", "9");
    xenstore_fake_write(FRONT "vkbd/0/state", "4");
    g_assert_true(comes(BACK "vkbd/7/0/state", "4"));
    xenstore_fake_flood(NULL);
    xenstore_fake_write(FRONT "vkbd/0/state", "6");
    g_assert_true(comes(BACK "vkbd/7/0/state", "6"));
    while (xenstore_fake_watches < 4)
        turns(1);
    g_source_remove(source);
    teardown();
}

/* A guest that opens and closes its device without end: what it costs the seat and the log is bounded. */
static void test_flapping(void)
{
    gint64 start = g_get_monotonic_time();
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    for (unsigned i = 0; i < 2000; i++) {
        write_keyboard("5", i % 3 ? "9" : "0", i % 2 ? "4" : "1");
        turns(1);
    }
    g_assert_cmpuint(seat.count[LINK_KEYBOARD_CONNECT] + seat.count[LINK_KEYBOARD_DISCONNECT], <,
                     50 + 20 * seconds_since(start));
    g_assert_cmpuint(warnings, <=, 11 + 11 * seconds_since(start) / 60);
    xenstore_fake_write(FRONT "vkbd/0/state", "1");
    g_assert_true(comes(BACK "vkbd/7/0/state", "2"));
    write_keyboard("5", "9", "4");
    g_assert_true(comes(BACK "vkbd/7/0/state", "4"));
    g_assert_cmpuint(seat.connections, ==, 1);
    teardown();
}

/* Lines in the log are bounded for each guest, and one guest's do not use up another's. */
static void test_log_lines(void)
{
    gint64 start = g_get_monotonic_time();
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    add(2, 8, GUEST_DISPLAY_FBIF);
    for (unsigned i = 0; i < 25; i++) {
        write_keyboard("5", "0", "4");
        g_assert_true(comes(BACK "vkbd/7/0/state", "6"));
        xenstore_fake_write(FRONT "vkbd/0/state", "1");
        g_assert_true(comes(BACK "vkbd/7/0/state", "2"));
    }
    unsigned before = warnings;
    g_assert_cmpuint(before, >=, 10);
    g_assert_cmpuint(before, <=, 10 + 11 * seconds_since(start) / 60);
    xenstore_fake_write("/local/domain/8/device/vkbd/0/state", "99");
    g_assert_true(comes(BACK "vkbd/8/0/state", "6"));
    g_assert_cmpuint(warnings, ==, before + 1);
    teardown();
}

/* A seat that has no time is not given up for a wish that can be made again. */
static void test_busy_seat(void)
{
    g_autoptr(GError) error = NULL;
    unsigned sent = 0;
    setup();
    while (sent < 100000 && vdisplay_focus(vd, 0, &error))
        sent++;
    g_assert_nonnull(error);
    turns(20);
    g_assert_cmpuint(seat.connections, ==, 1);
    g_assert_cmpuint(seat.count[LINK_FOCUS], ==, sent);
    g_assert_true(vdisplay_focus(vd, 0, NULL));
    teardown();
}

/* Another guest that changes xenstore all the time cannot keep the service in one transaction. */
static void test_conflicts(void)
{
    g_autoptr(GError) error = NULL;
    setup();
    xenstore_fake_conflicts(TRUE);
    g_assert_false(vdisplay_add_guest(vd, 1, 7, "guest7", 0, GUEST_DISPLAY_FBIF, &error));
    g_assert_nonnull(error);
    xenstore_fake_conflicts(FALSE);
    add(1, 7, GUEST_DISPLAY_FBIF);
    teardown();
}

/*
 * After the seat's death everything is asked of the next one, whose socket is there already: at once, and before
 * xenstored is asked anything. What was refused stays so.
 */
static void test_next_seat(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    write_screen("6", "77", "4");
    g_assert_true(comes(BACK "vfb/7/0/state", "4"));
    write_keyboard("0", "9", "4");
    g_assert_true(comes(BACK "vkbd/7/0/state", "6"));
    linger();
    unsigned asked = xenstore_fake_calls;
    seat_drop();
    for (unsigned i = 0; i < 6 && seat.count[LINK_FBIF_CONNECT] < 2; i++)
        turns(1);
    g_assert_cmpuint(seat.count[LINK_FBIF_CONNECT], ==, 2);
    g_assert_cmpuint(seat.last[LINK_FBIF_CONNECT].fbif.page_frame, ==, 77);
    g_assert_cmpuint(xenstore_fake_calls, ==, asked);
    linger();
    g_assert_cmpuint(xenstore_fake_calls, >, asked);
    g_assert_cmpuint(seat.connections, ==, 2);
    g_assert_cmpuint(seat.count[LINK_FBIF_CONNECT], ==, 2);
    g_assert_cmpuint(seat.count[LINK_KEYBOARD_CONNECT], ==, 0);
    teardown();
}

/* A seat that hangs up before it has said anything is not asked without a pause. */
static void test_seat_hangs_up(void)
{
    setup();
    seat.answers = FALSE;
    seat_drop();
    for (unsigned i = 0; i < 50; i++) {
        turns(1);
        seat_drop();
    }
    g_assert_cmpuint(seat.connections, <, 5);
    teardown();
}

/* What a guest closed while no seat was there is not connected to the next one. */
static void test_closed_meanwhile(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    write_screen("6", "77", "4");
    g_assert_true(comes(BACK "vfb/7/0/state", "4"));
    seat.answers = FALSE;
    seat_drop();
    turns(6);
    write_screen("6", "77", "6");
    g_assert_true(comes(BACK "vfb/7/0/state", "6"));
    seat.answers = TRUE;
    seat_drop();
    linger();
    linger();
    g_assert_cmpuint(seat.count[LINK_HELLO], ==, 3);
    g_assert_cmpuint(seat.count[LINK_FBIF_CONNECT], ==, 1);
    teardown();
}

/* ---- sound ---- */

static void add_card(unsigned slot, uint32_t domid, enum guest_sound rule)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(vdisplay_add_sound(vd, domid, rule, 10 * slot, true, &error));
    g_assert_no_error(error);
}

static void write_card(const char *capture_events, const char *state)
{
    static const char *const nodes[][2] = {{"0/0/ring-ref", "11"},     {"0/0/event-channel", "21"},
                                           {"0/0/evt-ring-ref", "12"}, {"0/0/evt-event-channel", "22"},
                                           {"0/1/ring-ref", "13"},     {"0/1/event-channel", "23"},
                                           {"0/1/evt-ring-ref", "14"}};
    for (unsigned i = 0; i < G_N_ELEMENTS(nodes); i++) {
        g_autofree char *path = g_strconcat(FRONT "vsnd/0/", nodes[i][0], NULL);
        xenstore_fake_write(path, nodes[i][1]);
    }
    xenstore_fake_write(FRONT "vsnd/0/0/1/evt-event-channel", capture_events);
    xenstore_fake_write(FRONT "vsnd/0/state", state);
}

static void test_sound_card(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    add_card(1, 7, GUEST_SOUND_DUCKED);
    g_assert_cmpstr(xenstore_fake_read(BACK "vsnd/7/0/state"), ==, "2");
    g_assert_cmpstr(xenstore_fake_read(FRONT "vsnd/0/0/0/type"), ==, "p");
    g_assert_cmpstr(xenstore_fake_read(FRONT "vsnd/0/0/1/type"), ==, "c");
    g_assert_cmpstr(xenstore_fake_read(FRONT "vsnd/0/sample-formats"), ==, "s16_le");
    turns(10);
    g_assert_cmpuint(sound.last[LINK_GUEST_ADD].guest_add.domid, ==, 7);
    g_assert_cmpuint(sound.last[LINK_SOUND_RULE].sound_rule.rule, ==, GUEST_SOUND_DUCKED);
    g_assert_cmpuint(sound.last[LINK_SOUND_RULE].sound_rule.volume, ==, 10);
    write_card("24", "3");
    g_assert_true(comes(BACK "vsnd/7/0/state", "4"));
    const struct link_sndif_connect *card = &sound.last[LINK_SNDIF_CONNECT].sndif;
    const struct link_sndif_connect wanted = {{11, 21, 12, 22}, {13, 23, 14, 24}};
    g_assert_cmpmem(card, sizeof(*card), &wanted, sizeof(wanted));
    xenstore_fake_write(FRONT "vsnd/0/state", "5"); /* the driver is unloaded, and waits for this */
    g_assert_true(comes(BACK "vsnd/7/0/state", "2"));
    g_assert_cmpuint(sound.count[LINK_SOUND_DISCONNECT], ==, 1);
    g_assert_cmpuint(seat.refused + sound.refused + warnings, ==, 0);
    vdisplay_remove_guest(vd, 7);
    turns(2);
    g_assert_cmpuint(sound.count[LINK_GUEST_REMOVE], ==, 1);
    g_assert_null(xenstore_fake_read(BACK "vsnd/7/0/state"));
    teardown();
}

/* A bad value of one stream closes the card, and nothing else; so does what the sound process finds. */
static void test_bad_sound_card(void)
{
    static const char *const bad[] = {"0", "131072", "-1", "", "24x", NULL};
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    add_card(1, 7, GUEST_SOUND_MUTED);
    write_screen("6", "77", "4");
    g_assert_true(comes(BACK "vfb/7/0/state", "4"));
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        write_card(bad[i], "4");
        g_assert_true(comes(BACK "vsnd/7/0/state", "6"));
        xenstore_fake_write(FRONT "vsnd/0/state", "1");
        g_assert_true(comes(BACK "vsnd/7/0/state", "2"));
    }
    g_assert_cmpuint(sound.count[LINK_SNDIF_CONNECT], ==, 0);
    write_card("24", "4");
    g_assert_true(comes(BACK "vsnd/7/0/state", "4"));
    peer_send(&sound, LINK_SOUND_CLOSED, 1, EPROTO);
    g_assert_true(comes(BACK "vsnd/7/0/state", "6"));
    g_assert_cmpstr(xenstore_fake_read(BACK "vfb/7/0/state"), ==, "4");
    g_assert_cmpuint(seat.refused + sound.refused, ==, 0);
    teardown();
}

static unsigned heard_volume, heard_microphone;

static void on_sound(unsigned volume, unsigned microphone, void *data)
{
    (void)data;
    heard_volume = volume;
    heard_microphone = microphone;
}

static void sound_says(unsigned volume, unsigned microphone)
{
    struct link_message message = {.type = LINK_SOUND_MACHINE};
    message.sound_machine.volume = volume;
    message.sound_machine.microphone = microphone;
    g_assert_cmpint(send(sound.peer, &message, sizeof(message), MSG_NOSIGNAL), ==, sizeof(message));
    turns(10);
}

/* Who is on screen goes from the one to the other, and no further than that. */
static void test_sound_follows_the_seat(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    seat_send(LINK_FOCUS_CHANGED, 1, 0);
    turns(10);
    g_assert_cmpuint(sound.last[LINK_FOCUS].slot, ==, 1);
    seat_send(LINK_SOUND_READY, 1, 0); /* is not the seat's to say */
    turns(10);
    g_assert_cmpuint(warnings, ==, 1);
    teardown();
}

/* The next sound process is told all, in an order in which nobody is heard before his rule is known. */
static void test_next_sound(void)
{
    setup();
    vdisplay_set_sound_callback(vd, on_sound, NULL);
    add(1, 7, GUEST_DISPLAY_FBIF);
    add_card(1, 7, GUEST_SOUND_KEPT);
    add(2, 8, GUEST_DISPLAY_NONE);
    add_card(2, 8, GUEST_SOUND_NONE);
    g_assert_null(xenstore_fake_read(BACK "vsnd/8/0/state"));
    seat_send(LINK_FOCUS_CHANGED, 1, 0);
    write_card("24", "4");
    g_assert_true(comes(BACK "vsnd/7/0/state", "4"));
    sound_says(100, 0);
    g_assert_true(vdisplay_set_volume(vd, 40, NULL) && vdisplay_set_microphone(vd, 1, NULL));
    turns(2);
    g_assert_cmpuint(sound.last[LINK_SOUND_MACHINE].sound_machine.volume, ==, 40);
    g_assert_cmpuint(sound.last[LINK_SOUND_MACHINE].sound_machine.microphone, ==, 1);
    sound_says(40, 1);
    g_assert_true(heard_volume == 40 && heard_microphone == 1);
    sound.total = 0;
    peer_drop(&sound);
    turns(12);
    static const unsigned order[] = {LINK_HELLO,      LINK_GUEST_ADD, LINK_SOUND_RULE,   LINK_GUEST_ADD,
                                     LINK_SOUND_RULE, LINK_FOCUS,     LINK_SNDIF_CONNECT};
    g_assert_cmpmem(sound.order, sound.total * sizeof(order[0]), order, sizeof(order));
    g_assert_cmpuint(heard_microphone, ==, 0); /* nobody is given it but by a person */
    sound_says(100, 0);
    g_assert_cmpuint(sound.last[LINK_SOUND_MACHINE].sound_machine.volume, ==, 40);
    g_assert_cmpuint(sound.last[LINK_SOUND_MACHINE].sound_machine.microphone, ==, 0);
    g_assert_cmpuint(sound.refused, ==, 0);
    peer_drop(&sound);
    close(sound.listener);
    turns(3);
    g_assert_false(vdisplay_set_microphone(vd, 1, NULL));
    sound.listener = -1;
    teardown();
}

/* The NUL ends no number: what stands behind it counts too. */
static void test_bytes(void)
{
    struct event_port port;
    struct screen_size size;
    enum xenbus_state state;
    bool flag;
    g_assert_false(guest_value_port((struct guest_text){"5\0x", 3}, &port));
    g_assert_true(guest_value_port((struct guest_text){"5\0x", 1}, &port));
    g_assert_false(guest_value_size((struct guest_text){"12x\0", 4}, &size));
    g_assert_false(guest_value_size((struct guest_text){NULL, 0}, &size));
    g_assert_true(guest_value_state((struct guest_text){NULL, 0}, &state) && state == XenbusStateUnknown);
    g_assert_true(guest_value_state((struct guest_text){"8", 1}, &state) && state == XenbusStateReconfigured);
    g_assert_true(guest_value_flag((struct guest_text){"1", 1}, &flag) && flag);
    g_assert_false(guest_value_flag((struct guest_text){"2", 1}, &flag));
    g_assert_true(guest_value_flag((struct guest_text){NULL, 0}, &flag) && !flag);
    g_assert_true(guest_value_is((struct guest_text){"abc", 3}, "abc"));
    g_assert_false(guest_value_is((struct guest_text){"abc\0d", 5}, "abc"));
    g_assert_false(guest_value_is((struct guest_text){"ab", 2}, "abc"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
    g_test_add_func("/vdisplay/bytes", test_bytes);
    g_test_add_func("/vdisplay/handshake", test_handshake);
    g_test_add_func("/vdisplay/late-answer", test_late_answer);
    g_test_add_func("/vdisplay/bad-values", test_bad_values);
    g_test_add_func("/vdisplay/bad-screen", test_bad_screen);
    g_test_add_func("/vdisplay/keyboard-by-frame", test_keyboard_by_frame);
    g_test_add_func("/vdisplay/layout", test_layout);
    g_test_add_func("/vdisplay/refused-message", test_refused_message);
    g_test_add_func("/vdisplay/flood", test_flood);
    g_test_add_func("/vdisplay/flapping", test_flapping);
    g_test_add_func("/vdisplay/log-lines", test_log_lines);
    g_test_add_func("/vdisplay/busy-seat", test_busy_seat);
    g_test_add_func("/vdisplay/conflicts", test_conflicts);
    g_test_add_func("/vdisplay/next-seat", test_next_seat);
    g_test_add_func("/vdisplay/seat-hangs-up", test_seat_hangs_up);
    g_test_add_func("/vdisplay/closed-meanwhile", test_closed_meanwhile);
    g_test_add_func("/vdisplay/sound-card", test_sound_card);
    g_test_add_func("/vdisplay/bad-sound-card", test_bad_sound_card);
    g_test_add_func("/vdisplay/sound-follows-the-seat", test_sound_follows_the_seat);
    g_test_add_func("/vdisplay/next-sound", test_next_sound);
    return g_test_run();
}
