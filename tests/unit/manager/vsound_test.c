/* Sound cards, and what else the sound process is told. */
#include "vdisplay_peers.h"
#include "xenstore_fake.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

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
    peer_send(&seat, LINK_FOCUS_CHANGED, 1, 0);
    turns(10);
    g_assert_cmpuint(sound.last[LINK_FOCUS].slot, ==, 1);
    peer_send(&seat, LINK_SOUND_READY, 1, 0); /* is not the seat's to say */
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
    peer_send(&seat, LINK_FOCUS_CHANGED, 1, 0);
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

/* Who hears is a sign that the seat is told, whatever else it shows of the guest. */
static void test_microphone_sign(void)
{
    const struct link_message *told = &seat.last[LINK_GUEST_SIGNS];
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    add(2, 8, GUEST_DISPLAY_NONE);
    vdisplay_set_signs(vd, 8, GUEST_SIGN_PAUSED);
    sound_says(100, 1);
    g_assert_true(told->slot == 1 && told->guest_signs.signs == GUEST_SIGN_MICROPHONE);
    unsigned count = seat.count[LINK_GUEST_SIGNS];
    sound_says(90, 1);
    g_assert_cmpuint(seat.count[LINK_GUEST_SIGNS], ==, count);
    sound_says(90, 2);
    linger();
    g_assert_cmpuint(seat.count[LINK_GUEST_SIGNS], ==, count + 2); /* the first one hears no more */
    g_assert_true(told->slot == 2 && told->guest_signs.signs == (GUEST_SIGN_MICROPHONE | GUEST_SIGN_PAUSED));
    vdisplay_set_signs(vd, 8, 0);
    turns(10);
    g_assert_true(told->slot == 2 && told->guest_signs.signs == GUEST_SIGN_MICROPHONE);
    peer_drop(&sound);
    linger();
    g_assert_true(told->slot == 2 && told->guest_signs.signs == 0);
    g_assert_cmpuint(seat.refused + sound.refused, ==, 0);
    teardown();
}

/* A sound process that says something else all the time does not keep the seat from its work. */
static void test_microphone_flood(void)
{
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    add(2, 8, GUEST_DISPLAY_NONE);
    unsigned count = seat.count[LINK_GUEST_SIGNS];
    gint64 begun = g_get_monotonic_time();
    for (unsigned i = 0; i < 200; i++)
        sound_says(100, 1 + i % 2);
    unsigned told = seat.count[LINK_GUEST_SIGNS] - count;
    g_assert_cmpuint(told, <=, 2 * (2 + (g_get_monotonic_time() - begun) / 50000));
    g_assert_cmpuint(told, <, 200);
    linger();
    g_assert_true(seat.last[LINK_GUEST_SIGNS].slot == 2 &&
                  seat.last[LINK_GUEST_SIGNS].guest_signs.signs == GUEST_SIGN_MICROPHONE);
    g_assert_cmpuint(seat.connections, ==, 1);
    teardown();
}

/* Whom the person cuts off is not heard, hears nothing, and is given no microphone until that ends. */
static void test_cut(void)
{
    const struct link_message *rule = &sound.last[LINK_SOUND_RULE], *machine = &sound.last[LINK_SOUND_MACHINE];
    g_autoptr(GError) error = NULL;
    setup();
    add(1, 7, GUEST_DISPLAY_FBIF);
    add_card(1, 7, GUEST_SOUND_KEPT);
    g_assert_true(vdisplay_set_volume(vd, 40, NULL) && vdisplay_set_microphone(vd, 1, NULL));
    sound_says(40, 1);
    peer_send(&seat, LINK_CUT_CHANGED, 1, 0);
    turns(10);
    g_assert_true(rule->slot == 1 && rule->sound_rule.rule == GUEST_SOUND_NONE);
    g_assert_true(machine->sound_machine.microphone == 0 && machine->sound_machine.volume == 40);
    sound_says(40, 0);
    g_assert_false(vdisplay_set_microphone(vd, 1, &error));
    g_assert_nonnull(strstr(error->message, "cut off"));
    peer_drop(&sound); /* the next one is told the same */
    turns(12);
    g_assert_true(rule->slot == 1 && rule->sound_rule.rule == GUEST_SOUND_NONE);
    peer_send(&seat, LINK_FOCUS_CHANGED, 1, 0); /* the next seat, which does not say so */
    turns(10);
    g_assert_true(rule->slot == 1 && rule->sound_rule.rule == GUEST_SOUND_KEPT);
    g_assert_true(vdisplay_set_microphone(vd, 1, NULL));
    teardown();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
    g_test_add_func("/vsound/sound-card", test_sound_card);
    g_test_add_func("/vsound/bad-sound-card", test_bad_sound_card);
    g_test_add_func("/vsound/sound-follows-the-seat", test_sound_follows_the_seat);
    g_test_add_func("/vsound/next-sound", test_next_sound);
    g_test_add_func("/vsound/microphone-sign", test_microphone_sign);
    g_test_add_func("/vsound/microphone-flood", test_microphone_flood);
    g_test_add_func("/vsound/cut", test_cut);
    return g_test_run();
}
