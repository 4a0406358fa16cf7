/* The whole service on a private bus: lives of guests, autostart, definitions that come and go, the machine's end. */
#include "service.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The fake toolstack tells it in its version. */
static gboolean goes_first(struct fixture *fixture, int domid)
{
    g_autofree char *version = g_strdup_printf("4.17-test, domain %d first", domid);
    return g_strcmp0(rh_manager1_get_hypervisor_version(fixture->manager), version) == 0;
}

/* What the seat was told last: a domain and its signs. */
static gboolean signs_are(struct fixture *fixture, const char *wanted)
{
    g_autofree char *text = NULL;
    return g_file_get_contents(fixture->signs, &text, NULL, NULL) && g_strcmp0(text, wanted) == 0;
}

static void test_life(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "colour=#102030\nmemory_mib=256\nvcpus=2");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(is(work, "off"));
    g_assert_cmpuint(rh_guest1_get_slot(work), ==, 1);
    g_assert_cmpstr(rh_guest1_get_colour(work), ==, "#102030");
    g_assert_cmpuint(rh_guest1_get_memory(work), ==, 256 * 1024);
    g_assert_cmpuint(rh_guest1_get_vcpus(work), ==, 2);
    g_assert_cmpint(rh_guest1_get_domain_id(work), ==, -1);
    guint64 free_before = rh_manager1_get_free_memory(fixture->manager);

    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    WAIT_FOR(is(work, "running"));
    g_assert_cmpint(rh_guest1_get_domain_id(work), ==, 1);
    WAIT_FOR(rh_manager1_get_free_memory(fixture->manager) == free_before - 256 * 1024);

    g_assert_true(rh_guest1_call_switch_sync(work, NULL, &error));
    WAIT_FOR(rh_manager1_get_focused_slot(fixture->manager) == 1);
    WAIT_FOR(signs_are(fixture, "1 0"));
    g_assert_true(rh_guest1_call_pause_sync(work, NULL, &error));
    WAIT_FOR(is(work, "paused"));
    WAIT_FOR(signs_are(fixture, "1 1"));
    WAIT_FOR(goes_first(fixture, 1));
    g_assert_false(rh_guest1_call_shutdown_sync(work, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "work is paused. Unpause it first.");
    g_assert_true(rh_guest1_call_unpause_sync(work, NULL, &error));
    WAIT_FOR(is(work, "running"));
    WAIT_FOR(signs_are(fixture, "1 0"));

    g_assert_true(rh_guest1_call_shutdown_sync(work, NULL, &error));
    WAIT_FOR(is(work, "off"));
    g_assert_cmpint(rh_guest1_get_domain_id(work), ==, -1);
    g_assert_cmpstr(rh_guest1_get_error(work), ==, "");
    WAIT_FOR(rh_manager1_get_focused_slot(fixture->manager) == 0);
    WAIT_FOR(rh_manager1_get_free_memory(fixture->manager) == free_before);
    WAIT_FOR(goes_first(fixture, -1));
}

static void test_refusals(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    g_autofree char *path = NULL;
    (void)data;
    define(fixture, "work", 1, "create_ms=1");
    undefine(fixture, "work");
    define(fixture, "work", 1, "cmdline=create_ms=1");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_false(rh_manager1_call_get_guest_sync(fixture->manager, "nobody", &path, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.NotFound", "no guest called \"nobody\"");
    g_assert_false(rh_manager1_call_switch_sync(fixture->manager, 7, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.NotFound", "no guest in slot 7");
    g_assert_false(rh_manager1_call_switch_sync(fixture->manager, 1, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "work is off. Start it first.");
    g_assert_false(rh_guest1_call_destroy_sync(work, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "work is off");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    g_assert_false(rh_guest1_call_start_sync(work, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "already running");
    g_assert_true(rh_manager1_call_switch_sync(fixture->manager, 0, NULL, &error));
}

static void test_failed_start(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "broken", 1, "cmdline=create_error=no-kernel");
    define(fixture, "huge", 2, "memory_mib=8192");
    start_service(fixture);
    g_autoptr(RhGuest1) broken = guest(fixture, "broken"), huge = guest(fixture, "huge");
    g_assert_false(rh_guest1_call_start_sync(broken, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Toolstack", "broken could not be started");
    WAIT_FOR(is(broken, "off") && strstr(rh_guest1_get_error(broken), "no-kernel"));
    g_assert_false(rh_guest1_call_start_sync(huge, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.NoMemory", "It needs 8192 MiB of memory");
    WAIT_FOR(is(huge, "off") && *rh_guest1_get_error(huge));
}

static void test_ends(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "crash", 1, "cmdline=crash_ms=50");
    define(fixture, "poweroff", 2, "cmdline=poweroff_ms=50");
    define(fixture, "vanish", 3, "cmdline=vanish_ms=50");
    define(fixture, "loop", 4, "cmdline=reboot_ms=20");
    define(fixture, "early", 5, "cmdline=crash_ms=0");
    start_service(fixture);
    g_autoptr(RhGuest1) crash = guest(fixture, "crash"), poweroff = guest(fixture, "poweroff"),
                        vanish = guest(fixture, "vanish"), loop = guest(fixture, "loop"),
                        early = guest(fixture, "early");
    rh_guest1_call_start_sync(crash, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(crash, "crashed"));
    WAIT_FOR(rh_guest1_get_domain_id(crash) == -1);
    WAIT_FOR(strstr(rh_guest1_get_error(crash), "crash has crashed"));
    g_assert_null(strstr(rh_guest1_get_error(crash), "/var/log")); /* who reads it cannot go there */
    rh_guest1_call_start_sync(crash, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(crash, "crashed"));

    rh_guest1_call_start_sync(poweroff, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(poweroff, "running"));
    WAIT_FOR(is(poweroff, "off"));
    rh_guest1_call_start_sync(vanish, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(vanish, "running"));
    WAIT_FOR(is(vanish, "off"));

    rh_guest1_call_start_sync(loop, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(loop, "crashed"));
    WAIT_FOR(strstr(rh_guest1_get_error(loop), "3 times in a row"));

    rh_guest1_call_start_sync(early, NULL, NULL);
    WAIT_FOR(is(early, "crashed"));
}

static void test_reboot_and_destroy(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "");
    define(fixture, "deaf", 2, "cmdline=deaf");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work"), deaf = guest(fixture, "deaf");
    rh_guest1_call_start_sync(work, NULL, &error);
    g_assert_no_error(error);
    rh_guest1_call_reboot_sync(work, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(work, "running") && rh_guest1_get_domain_id(work) == 2);

    rh_guest1_call_start_sync(deaf, NULL, &error);
    g_assert_no_error(error);
    rh_guest1_call_shutdown_sync(deaf, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(deaf, "stopping"));
    rh_guest1_call_destroy_sync(deaf, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(deaf, "off"));
    WAIT_FOR(is(work, "running"));
}

/* Where there is a power button only, a restart is a shutdown and a start. */
static void test_power_button(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "cmdline=button");
    define(fixture, "home", 2, "cmdline=button poweroff_ms=700");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    g_assert_true(rh_guest1_call_reboot_sync(work, NULL, &error));
    WAIT_FOR(is(work, "running") && rh_guest1_get_domain_id(work) == 2);
    g_assert_true(rh_guest1_call_shutdown_sync(work, NULL, &error));
    WAIT_FOR(is(work, "off"));
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    g_assert_no_error(error);

    /* The next end is none that anybody asked for. */
    g_autoptr(RhGuest1) home = guest(fixture, "home");
    g_assert_true(rh_guest1_call_start_sync(home, NULL, &error));
    g_assert_true(rh_guest1_call_reboot_sync(home, NULL, &error));
    WAIT_FOR(is(home, "running") && rh_guest1_get_domain_id(home) == 5);
    WAIT_FOR(rh_guest1_get_domain_id(home) == -1);
    g_assert_false(rh_guest1_call_shutdown_sync(home, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "home is off");
}

/* A guest that does not shut down is said not to answer, runs on, and is forced by nobody but the person. */
static void test_unresponsive(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "deaf", 1, "cmdline=deaf");
    define(fixture, "slow", 2, "cmdline=shutdown_ms=5000");
    start_service(fixture);
    g_autoptr(RhGuest1) deaf = guest(fixture, "deaf"), slow = guest(fixture, "slow");
    g_assert_true(rh_guest1_call_start_sync(deaf, NULL, &error));
    g_assert_true(rh_guest1_call_start_sync(slow, NULL, &error));
    g_assert_true(rh_guest1_call_reboot_sync(deaf, NULL, &error));
    g_assert_true(rh_guest1_call_shutdown_sync(slow, NULL, &error));
    WAIT_FOR(is(deaf, "unresponsive") && is(slow, "unresponsive"));
    g_assert_nonnull(strstr(rh_guest1_get_error(deaf), "Shut it down once more, or force it off"));
    WAIT_FOR(is(slow, "off"));
    g_assert_true(rh_guest1_call_shutdown_sync(deaf, NULL, &error));
    WAIT_FOR(is(deaf, "stopping"));
    g_assert_cmpstr(rh_guest1_get_error(deaf), ==, "");
    WAIT_FOR(is(deaf, "unresponsive"));
    g_assert_true(rh_guest1_call_destroy_sync(deaf, NULL, &error));
    WAIT_FOR(is(deaf, "off"));
    g_assert_no_error(error);
}

/* A crash is called one at once, however long it takes to clean up behind it; a start meanwhile waits for that. */
static void test_crash_cleanup(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "cmdline=crash_ms=50 operate_ms=1000");
    define(fixture, "stuck", 2, "cmdline=crash_ms=50 destroy_fails=2");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work"), stuck = guest(fixture, "stuck");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    WAIT_FOR(is(work, "running"));
    WAIT_FOR(!is(work, "running"));
    g_assert_true(is(work, "crashed"));
    g_assert_cmpint(rh_guest1_get_domain_id(work), ==, 1);
    rh_guest1_call_start(work, NULL, NULL, NULL);
    g_assert_false(rh_guest1_call_start_sync(work, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "going to be started already");
    WAIT_FOR(is(work, "running"));
    g_assert_cmpint(rh_guest1_get_domain_id(work), ==, 2);

    /* What could not be taken away is tried again before the start. */
    g_assert_true(rh_guest1_call_start_sync(stuck, NULL, &error));
    WAIT_FOR(is(stuck, "crashed") && strstr(rh_guest1_get_error(stuck), "could not be taken away"));
    g_assert_false(rh_guest1_call_start_sync(stuck, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Toolstack", "stuck could not be started");
    g_assert_true(rh_guest1_call_start_sync(stuck, NULL, &error));
    g_assert_no_error(error);
}

/* Callers cannot heap up work: while one thing is done to a guest a second one is refused, but for its end. */
static void test_one_at_a_time(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "cmdline=operate_ms=1500");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    rh_guest1_call_pause(work, NULL, NULL, NULL);
    for (unsigned i = 0; i < 20; i++) {
        g_assert_false(i % 2 ? rh_guest1_call_pause_sync(work, NULL, &error)
                             : rh_guest1_call_shutdown_sync(work, NULL, &error));
        expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "busy");
    }
    rh_guest1_call_destroy(work, NULL, NULL, NULL);
    g_assert_false(rh_guest1_call_destroy_sync(work, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "being taken away already");
    WAIT_FOR(is(work, "stopping"));
    WAIT_FOR(is(work, "off"));
    rh_guest1_call_start_sync(work, NULL, &error);
    g_assert_no_error(error);
    rh_guest1_call_pause_sync(work, NULL, &error);
    g_assert_no_error(error);
}

struct order {
    GString *slots;
};

static void note_start(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                       const char *signal, GVariant *parameters, gpointer data)
{
    struct order *order = data;
    g_autoptr(GVariant) changed = g_variant_get_child_value(parameters, 1);
    const char *state = NULL;
    (void)bus;
    (void)sender;
    (void)interface;
    (void)signal;
    if (g_variant_lookup(changed, "State", "&s", &state) && !g_str_equal(state, "stopping"))
        g_string_append_printf(order->slots, "%c%s ", strrchr(path, '/')[1], state);
}

/*
 * After the picture, smallest slot first, the next one only when the one before runs or has failed twice; and once
 * per boot.
 */
static void test_autostart(struct fixture *fixture, gconstpointer data)
{
    struct order order = {g_string_new("")};
    GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, NULL);
    guint subscription =
        g_dbus_connection_signal_subscribe(bus, BUS_NAME, "org.freedesktop.DBus.Properties", "PropertiesChanged", NULL,
                                           "org.roundhouse.Guest1", G_DBUS_SIGNAL_FLAGS_NONE, note_start, &order, NULL);
    (void)data;
    define(fixture, "zebra", 1, "autostart=true\ncmdline=create_ms=200");
    define(fixture, "broken", 2, "autostart=true\ncmdline=create_error=x");
    define(fixture, "idle", 3, "");
    define(fixture, "late", 4, "autostart=true\ncmdline=create_error=x create_fails=3");
    define(fixture, "apple", 9, "autostart=true");
    define(fixture, "1-without-slot", 0, "autostart=true");
    define(fixture, "0-without-slot", 0, "autostart=true");
    start_service(fixture);
    g_autoptr(GError) error = NULL;
    pass_time(500);
    g_assert_cmpstr(order.slots->str, ==, "");
    g_assert_false(g_file_test(fixture->up, G_FILE_TEST_EXISTS));
    g_assert_true(rh_manager1_call_switcher_shown_sync(fixture->manager, NULL, &error));
    g_assert_true(g_file_test(fixture->up, G_FILE_TEST_EXISTS));
    g_autoptr(RhGuest1) zebra = guest(fixture, "zebra"), idle = guest(fixture, "idle"), apple = guest(fixture, "apple");
    WAIT_FOR(is(apple, "running"));
    g_assert_true(is(zebra, "running"));
    g_assert_true(is(idle, "off"));
    WAIT_FOR(strstr(order.slots->str, "1running"));
    g_assert_cmpstr(order.slots->str, ==,
                    "zstarting zrunning bstarting boff bstarting boff lstarting loff lstarting lrunning "
                    "astarting arunning 0starting 0running 1starting 1running ");
    g_dbus_connection_signal_unsubscribe(bus, subscription);
    g_object_unref(bus);
    g_string_free(order.slots, TRUE);

    stop_service(fixture);
    start_service(fixture);
    g_assert_true(rh_manager1_call_switcher_shown_sync(fixture->manager, NULL, &error));
    g_autoptr(RhGuest1) again = guest(fixture, "zebra");
    g_usleep(G_USEC_PER_SEC / 2);
    g_autoptr(RhGuest1) fresh = guest(fixture, "zebra");
    g_assert_true(is(fresh, "off"));
}

/* The marker's folder is the seat's too: what is put there in its place is neither read nor waited for. */
static void test_autostart_marker(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *other = g_build_filename(fixture->directory, "other", NULL);
    g_autoptr(GError) error = NULL;
    (void)data;
    define(fixture, "work", 1, "autostart=true");
    g_assert_true(g_file_set_contents(other, "9 ~", -1, NULL));
    for (int link = 0; link < 2; link++) {
        g_unlink(fixture->marker);
        g_assert_cmpint(link ? symlink(other, fixture->marker) : mkfifo(fixture->marker, 0600), ==, 0);
        start_service(fixture);
        g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(fixture->manager), 5000);
        gboolean shown = rh_manager1_call_switcher_shown_sync(fixture->manager, NULL, &error);
        int other_end = open(fixture->marker, O_RDWR | O_CLOEXEC); /* whoever waits for it waits no longer */
        g_assert_true(shown);
        g_autoptr(RhGuest1) work = guest(fixture, "work");
        WAIT_FOR(is(work, "running"));
        stop_service(fixture);
        close(other_end);
    }
}

/* A service that is killed amid autostart goes on where it was, and brings nothing back that had its turn. */
static void test_autostart_killed(struct fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    (void)data;
    define(fixture, "first", 1, "autostart=true");
    define(fixture, "slow", 2, "autostart=true\ncmdline=create_ms=1500");
    define(fixture, "last", 3, "autostart=true");
    start_service(fixture);
    g_assert_true(rh_manager1_call_switcher_shown_sync(fixture->manager, NULL, &error));
    g_autoptr(RhGuest1) before = guest(fixture, "slow");
    WAIT_FOR(is(before, "starting"));
    g_subprocess_force_exit(fixture->service);
    g_subprocess_wait(fixture->service, NULL, NULL);
    g_clear_object(&fixture->service);
    g_clear_object(&fixture->manager);
    g_clear_object(&fixture->objects);

    start_service(fixture);
    g_assert_true(rh_manager1_call_switcher_shown_sync(fixture->manager, NULL, &error));
    g_assert_true(rh_manager1_call_switcher_shown_sync(fixture->manager, NULL, &error));
    g_autoptr(RhGuest1) first = guest(fixture, "first"), slow = guest(fixture, "slow"), last = guest(fixture, "last");
    WAIT_FOR(is(last, "running"));
    g_assert_true(is(slow, "running"));
    g_assert_true(is(first, "off"));
}

static void test_no_seat(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    g_setenv("ROUNDHOUSE_FAKE_SEAT", "absent", TRUE);
    define(fixture, "work", 1, "autostart=true");
    start_service(fixture);
    g_usleep(G_USEC_PER_SEC / 2);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(is(work, "off"));
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    WAIT_FOR(is(work, "running"));
}

static void test_taken_over(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    g_setenv("ROUNDHOUSE_FAKE_RUNNING", "work", TRUE);
    define(fixture, "work", 1, "");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(is(work, "running"));
    g_assert_cmpint(rh_guest1_get_domain_id(work), ==, 1);
    g_assert_true(rh_guest1_call_shutdown_sync(work, NULL, &error));
    WAIT_FOR(is(work, "off"));
}

/* A domain that was being made when the service ended is taken away, and its guest can be started. */
static void test_half_made(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    g_setenv("ROUNDHOUSE_FAKE_UNBEGUN", "work", TRUE);
    define(fixture, "work", 1, "");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    WAIT_FOR(rh_guest1_get_domain_id(work) == -1);
    g_assert_true(is(work, "off"));
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    WAIT_FOR(is(work, "running"));
    g_assert_cmpint(rh_guest1_get_domain_id(work), ==, 2);
}

static int notify_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

static unsigned told(int fd)
{
    char text[64] = "";
    unsigned count = 0;
    while (recv(fd, text, sizeof(text) - 1, 0) > 0)
        count += g_str_equal(text, "WATCHDOG=1");
    return count;
}

/* The main loop tells that it turns, and nothing else does: a stopped service is silent. */
static void test_watchdog(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "notify", NULL);
    unsigned count = 0;
    int fd = notify_socket(path);
    (void)data;
    g_setenv("NOTIFY_SOCKET", path, TRUE);
    g_setenv("WATCHDOG_USEC", "30000", TRUE);
    start_service(fixture);
    WAIT_FOR((g_usleep(1000), g_main_context_wakeup(NULL), (count += told(fd)) >= 5));
    g_subprocess_send_signal(fixture->service, SIGSTOP);
    g_usleep(200000);
    told(fd);
    g_usleep(200000);
    g_assert_cmpuint(told(fd), ==, 0);
    g_subprocess_send_signal(fixture->service, SIGCONT);
    count = 0;
    WAIT_FOR((g_usleep(1000), g_main_context_wakeup(NULL), (count += told(fd)) >= 1));
    g_unsetenv("NOTIFY_SOCKET");
    g_unsetenv("WATCHDOG_USEC");
    close(fd);
}

static void test_definitions_change(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "memory_mib=256");
    start_service(fixture);
    g_assert_cmpuint(guest_count(fixture), ==, 1);
    define(fixture, "home", 2, "");
    WAIT_FOR(guest_count(fixture) == 2);
    define(fixture, "bad", 2, "");
    WAIT_FOR(problem_count(fixture) == 1);
    undefine(fixture, "bad");
    WAIT_FOR(problem_count(fixture) == 0);

    g_autoptr(RhGuest1) work = guest(fixture, "work");
    define(fixture, "work", 1, "memory_mib=300");
    WAIT_FOR(rh_guest1_get_memory(work) == 300 * 1024);
    rh_guest1_call_start_sync(work, NULL, &error);
    g_assert_no_error(error);
    undefine(fixture, "work");
    WAIT_FOR(problem_count(fixture) == 1);
    g_assert_cmpuint(guest_count(fixture), ==, 2);
    rh_guest1_call_destroy_sync(work, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(guest_count(fixture) == 1 && problem_count(fixture) == 0);
}

/* The guest is removed while an operation on it is under way: the sanitizers watch. */
static void test_removed_while_busy(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "cmdline=create_ms=1500");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    rh_guest1_call_start(work, NULL, NULL, NULL);
    WAIT_FOR(is(work, "starting"));
    undefine(fixture, "work");
    WAIT_FOR(is(work, "running"));
    rh_guest1_call_destroy_sync(work, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(guest_count(fixture) == 0);
}

/* A systemd of our own notes what the machine's end asks of it. */
static void note_unit(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                      const char *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer data)
{
    const char *unit;
    (void)bus;
    (void)sender;
    (void)path;
    (void)interface;
    g_assert_cmpstr(method, ==, "StartUnit");
    g_variant_get(parameters, "(&s&s)", &unit, NULL);
    g_string_append(data, unit);
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", "/job"));
}

static void note_state(GObject *guest, GParamSpec *property, gpointer user)
{
    (void)property;
    g_string_append_printf(user, "%s ", rh_guest1_get_state(RH_GUEST1(guest)));
}

static void test_machine_end(struct fixture *fixture, gconstpointer data)
{
    static const char xml[] = "<node><interface name='org.freedesktop.systemd1.Manager'><method name='StartUnit'>"
                              "<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='o' "
                              "direction='out'/></method></interface></node>";
    static const GDBusInterfaceVTable table = {.method_call = note_unit};
    GError *error = NULL;
    g_autoptr(GString) units = g_string_new(""), states = g_string_new("");
    g_autoptr(GDBusNodeInfo) info = g_dbus_node_info_new_for_xml(xml, NULL);
    GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, NULL);
    (void)data;
    guint object = g_dbus_connection_register_object(bus, "/org/freedesktop/systemd1", info->interfaces[0], &table,
                                                     units, NULL, &error);
    g_assert_no_error(error);
    guint name = g_bus_own_name_on_connection(bus, "org.freedesktop.systemd1", G_BUS_NAME_OWNER_FLAGS_NONE, NULL, NULL,
                                              NULL, NULL);
    define(fixture, "work", 1, "cmdline=shutdown_ms=400");
    define(fixture, "home", 2, "cmdline=shutdown_ms=400");
    define(fixture, "deaf", 3, "cmdline=deaf");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work"), home = guest(fixture, "home"), deaf = guest(fixture, "deaf");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    g_assert_true(rh_guest1_call_start_sync(home, NULL, &error));
    g_assert_true(rh_guest1_call_start_sync(deaf, NULL, &error));
    g_assert_true(rh_guest1_call_pause_sync(home, NULL, &error));
    WAIT_FOR(is(home, "paused"));
    gulong noting = g_signal_connect(home, "notify::state", G_CALLBACK(note_state), states);
    g_assert_true(rh_manager1_call_shutdown_sync(fixture->manager, NULL, &error));
    WAIT_FOR(is(home, "off") && is(work, "off"));
    /* The paused one goes on and is asked like the other: nothing of it is lost. */
    g_assert_cmpstr(states->str, ==, "running stopping off ");
    g_signal_handler_disconnect(home, noting);
    g_assert_cmpuint(units->len, ==, 0);
    WAIT_FOR(is(deaf, "off"));
    WAIT_FOR(units->len > 0);
    g_assert_cmpstr(units->str, ==, "poweroff.target");
    g_bus_unown_name(name);
    g_dbus_connection_unregister_object(bus, object);
    g_object_unref(bus);
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/bus/life", test_life},
        {"/bus/refusals", test_refusals},
        {"/bus/failed-start", test_failed_start},
        {"/bus/ends", test_ends},
        {"/bus/reboot-and-destroy", test_reboot_and_destroy},
        {"/bus/power-button", test_power_button},
        {"/bus/unresponsive", test_unresponsive},
        {"/bus/autostart", test_autostart},
        {"/bus/autostart-marker", test_autostart_marker},
        {"/bus/autostart-killed", test_autostart_killed},
        {"/bus/crash-cleanup", test_crash_cleanup},
        {"/bus/one-at-a-time", test_one_at_a_time},
        {"/bus/half-made", test_half_made},
        {"/bus/watchdog", test_watchdog},
        {"/bus/no-seat", test_no_seat},
        {"/bus/taken-over", test_taken_over},
        {"/bus/definitions-change", test_definitions_change},
        {"/bus/removed-while-busy", test_removed_while_busy},
        {"/bus/machine-end", test_machine_end},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
