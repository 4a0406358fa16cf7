/* Screens and keyboards. */
#include "guest_value.h"
#include "link_protocol.h"
#include "vdisplay_peers.h"
#include "xenstore_fake.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void seat_send(uint32_t type, uint32_t slot, int error)
{
    peer_send(&seat, type, slot, error);
}

static void seat_drop(void)
{
    peer_drop(&seat);
}

static gboolean tick(gpointer data)
{
    (*(unsigned *)data)++;
    return G_SOURCE_CONTINUE;
}

static gint64 seconds_since(gint64 start)
{
    return (g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

static void write_keyboard(const char *channel, const char *grant, const char *state)
{
    xenstore_fake_write(FRONT "vkbd/0/event-channel", channel);
    xenstore_fake_write(FRONT "vkbd/0/page-gref", grant);
    xenstore_fake_write(FRONT "vkbd/0/state", state);
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

/* Signs are told when they change, and again to the next seat. */
static void test_signs(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    turns(10);
    unsigned told = seat.count[LINK_GUEST_SIGNS];
    g_assert_cmpuint(seat.last[LINK_GUEST_SIGNS].guest_signs.signs, ==, 0);
    vdisplay_set_signs(vd, 7, GUEST_SIGN_PAUSED);
    vdisplay_set_signs(vd, 7, GUEST_SIGN_PAUSED);
    vdisplay_set_signs(vd, 8, GUEST_SIGN_CAMERA); /* nobody */
    turns(10);
    g_assert_cmpuint(seat.count[LINK_GUEST_SIGNS], ==, told + 1);
    g_assert_cmpuint(seat.last[LINK_GUEST_SIGNS].slot, ==, 1);
    g_assert_cmpuint(seat.last[LINK_GUEST_SIGNS].guest_signs.signs, ==, GUEST_SIGN_PAUSED);
    seat_drop();
    for (unsigned i = 0; i < 100 && seat.count[LINK_GUEST_SIGNS] < told + 2; i++)
        turns(1);
    g_assert_cmpuint(seat.last[LINK_GUEST_SIGNS].guest_signs.signs, ==, GUEST_SIGN_PAUSED);
    vdisplay_set_signs(vd, 7, 0);
    turns(10);
    g_assert_cmpuint(seat.last[LINK_GUEST_SIGNS].guest_signs.signs, ==, 0);
    g_assert_cmpuint(seat.refused, ==, 0);
    teardown();
}

static struct shot {
    unsigned calls, width, height;
    gsize size;
} shot;

static void on_picture(GBytes *pixels, unsigned width, unsigned height, void *data)
{
    struct shot *to = data;
    *to = (struct shot){to->calls + 1, width, height, pixels ? g_bytes_get_size(pixels) : 0};
}

static void ask_picture(uint32_t domid, gboolean taken)
{
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(vdisplay_picture(vd, domid, 64, 48, on_picture, &shot, &error), ==, taken);
    g_assert_true(taken == !error);
}

static void answer_picture(unsigned width, unsigned height, uint32_t serial)
{
    struct link_message answer = {.type = LINK_PICTURE_DONE, .slot = 1, .picture = {width, height, serial}};
    g_assert_cmpint(send(seat.peer, &answer, sizeof(answer), MSG_NOSIGNAL), ==, sizeof(answer));
    turns(10);
}

/* Each that was asked for is answered once, with as much as the seat says at most, and by its own answer. */
static void test_pictures(void)
{
    shot = (struct shot){0};
    setup();
    ask_picture(7, FALSE); /* nobody */
    add(1, 7, GUEST_DISPLAY_FBIF);
    turns(10);
    ask_picture(7, TRUE);
    ask_picture(7, FALSE); /* one at a time */
    turns(10);
    uint32_t serial = seat.last[LINK_PICTURE].picture.serial;
    g_assert_cmpuint(seat.last[LINK_PICTURE].picture.width, ==, 64);
    answer_picture(64, 48, serial - 1);
    g_assert_cmpuint(shot.calls, ==, 0);
    answer_picture(32, 10, serial);
    g_assert_true(shot.calls == 1 && shot.width == 32 && shot.height == 10 && shot.size == 32 * 10 * 4);
    answer_picture(32, 10, serial); /* not asked for */
    g_assert_cmpuint(shot.calls, ==, 1);
    ask_picture(7, TRUE);
    answer_picture(65, 48, serial + 1); /* more than there is room for */
    g_assert_true(shot.calls == 2 && shot.width == 0 && shot.size == 0);
    ask_picture(7, TRUE);
    answer_picture(0, 0, serial + 2);
    g_assert_true(shot.calls == 3 && shot.width == 0);
    ask_picture(7, TRUE);
    seat_drop();
    for (unsigned i = 0; i < 100 && shot.calls < 4; i++)
        turns(1);
    g_assert_true(shot.calls == 4 && shot.width == 0);
    for (unsigned i = 0; i < 100 && !vdisplay_seat_present(vd); i++)
        turns(1);
    ask_picture(7, TRUE);
    vdisplay_remove_guest(vd, 7);
    g_assert_true(shot.calls == 5 && shot.width == 0);
    turns(10);
    g_assert_cmpuint(seat.refused, ==, 0);
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
    g_test_add_func("/vdisplay/signs", test_signs);
    g_test_add_func("/vdisplay/pictures", test_pictures);
    g_test_add_func("/vdisplay/seat-hangs-up", test_seat_hangs_up);
    g_test_add_func("/vdisplay/closed-meanwhile", test_closed_meanwhile);
    return g_test_run();
}
