/* Who may do what: the service with a polkit of the test's own, and with none. */
#include "polkit_fake.h"

#include <string.h>
#include <unistd.h>

#define WORK  "/org/roundhouse/guests/work"
#define GUEST "org.roundhouse.Guest1"

static void test_actions(struct fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *path, *interface, *method, *parameters, *action;
    } rows[] = {
        {WORK, GUEST, "Start", "()", "use "},
        {WORK, GUEST, "Shutdown", "()", "use "},
        {WORK, GUEST, "Reboot", "()", "use "},
        {WORK, GUEST, "Destroy", "()", "use "},
        {WORK, GUEST, "Pause", "()", "use "},
        {WORK, GUEST, "Unpause", "()", "use "},
        {WORK, GUEST, "Switch", "()", "use "},
        {WORK, GUEST, "GetSettings", "()", "use "},
        {WORK, GUEST, "SetSettings", "(@a{sv} {},)", "administer "},
        {WORK, GUEST, "Rename", "('x',)", "administer "},
        {WORK, GUEST, "Delete", "()", "administer "},
        {WORK, GUEST, "DeleteWithImages", "()", "administer "},
        {WORK, GUEST, "Snapshot", "('x',)", "use "},
        {WORK, GUEST, "ListPoints", "()", "use "},
        {WORK, GUEST, "Revert", "(int64 1,)", "use "},
        {WORK, GUEST, "DeletePoint", "(int64 1,)", "administer "},
        {WORK, GUEST, "ChangeDisc", "('hdc', handle 0)", "use "},
        {WORK, GUEST, "EjectDisc", "('hdc',)", "use "},
        {MANAGER_PATH, BUS_NAME, "Switch", "(uint32 0,)", "use "},
        {MANAGER_PATH, BUS_NAME, "CreateGuest", "({'name': <'x'>, 'kernel': <'/k'>}, @aa{sv} [])", "administer "},
        {MANAGER_PATH, BUS_NAME, "ListImages", "()", "use "},
        {MANAGER_PATH, BUS_NAME, "CreateImage", "('x', uint64 512)", "administer "},
        {MANAGER_PATH, BUS_NAME, "CloneImage", "('x', 'y')", "administer "},
        {MANAGER_PATH, BUS_NAME, "ImportImage", "('x', handle 0)", "administer "},
        {MANAGER_PATH, BUS_NAME, "ExportImage", "('x', handle 0, 'raw')", "administer "},
        {MANAGER_PATH, BUS_NAME, "GrowImage", "('x', uint64 512)", "administer "},
        {MANAGER_PATH, BUS_NAME, "RenameImage", "('x', 'y')", "administer "},
        {MANAGER_PATH, BUS_NAME, "DeleteImage", "('x',)", "administer "},
        {MANAGER_PATH, BUS_NAME, "Shutdown", "()", "administer "},
        {MANAGER_PATH, BUS_NAME, "Reboot", "()", "administer "},
    };
    struct polkit polkit;
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    g_setenv("ROUNDHOUSE_FAKE_UI", "0", TRUE); /* polkit has the word, whoever asks */
    polkit_start(&polkit, REFUSE);
    start_service(fixture);
    g_autoptr(GDBusConnection) caller = caller_new();
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_string_truncate(polkit.asked, 0);
        GError *error = try_to(caller, rows[i].path, rows[i].interface, rows[i].method,
                               g_variant_parse(NULL, rows[i].parameters, NULL, NULL, NULL));
        expect_error(error, "org.roundhouse.Error.NotAllowed", "You may not do this (org.roundhouse.");
        g_assert_cmpstr(polkit.asked->str, ==, rows[i].action);
        g_assert_cmpstr(polkit.subject, ==, g_dbus_connection_get_unique_name(caller));
        g_assert_cmpuint(polkit.flags, ==, 0);
    }
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(is(work, "off"));
    g_assert_cmpuint(guest_count(fixture), ==, 1);
    polkit.verdict = ALLOW;
    g_assert_no_error(try_to(caller, WORK, GUEST, "Start", NULL));
    WAIT_FOR(is(work, "running"));
    polkit_stop(&polkit);
}

/* Whoever can be asked for a password says so in the call; then, and only then, polkit may ask. */
static void test_challenge(struct fixture *fixture, gconstpointer data)
{
    struct polkit polkit;
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    polkit_start(&polkit, CHALLENGE);
    start_service(fixture);
    g_autoptr(GDBusConnection) caller = caller_new();
    expect_error(try_to(caller, WORK, GUEST, "Delete", NULL), "org.roundhouse.Error.NotAllowed",
                 "administrator's password");
    call(caller, WORK, GUEST, "Delete", NULL, G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, &reply);
    WAIT_FOR(reply.there);
    g_assert_cmpuint(polkit.flags, ==, 1);
    g_error_free(reply.error);
    polkit_stop(&polkit);
}

/* While polkit thinks, others are served; its answer still counts. */
static void test_slow(struct fixture *fixture, gconstpointer data)
{
    struct polkit polkit;
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    polkit_start(&polkit, LATER);
    start_service(fixture);
    g_autoptr(GDBusConnection) caller = caller_new(), other = caller_new();
    call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    WAIT_FOR(polkit.waiting);
    GDBusMethodInvocation *first = polkit.waiting;
    polkit.verdict = REFUSE;
    expect_error(try_to(other, WORK, GUEST, "Pause", NULL), "org.roundhouse.Error.NotAllowed",
                 "looks after this machine");
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(is(work, "off"));
    g_assert_false(reply.there);
    polkit_answer(first, TRUE, FALSE);
    WAIT_FOR(reply.there);
    g_assert_no_error(reply.error);
    WAIT_FOR(is(work, "running"));
    polkit_stop(&polkit);
}

/* Nothing is done for a caller that has gone, whatever polkit says afterwards, and polkit is told to forget it. */
static void test_vanished(struct fixture *fixture, gconstpointer data)
{
    struct polkit polkit;
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    polkit_start(&polkit, LATER);
    start_service(fixture);
    GDBusConnection *caller = caller_new();
    call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    WAIT_FOR(polkit.waiting);
    g_dbus_connection_close_sync(caller, NULL, NULL);
    WAIT_FOR(reply.there);
    g_clear_error(&reply.error);
    g_object_unref(caller);
    WAIT_FOR(strstr(polkit.asked->str, "forget"));
    polkit_answer(polkit.waiting, TRUE, FALSE);
    pass_time(300);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(is(work, "off"));
    polkit_stop(&polkit);
}

/* The guest that a question is about goes while it waits. */
static void test_object_gone(struct fixture *fixture, gconstpointer data)
{
    struct polkit polkit;
    struct reply reply;
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    polkit_start(&polkit, LATER);
    start_service(fixture);
    g_autoptr(GDBusConnection) caller = caller_new();
    call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &reply);
    WAIT_FOR(polkit.waiting);
    undefine(fixture, "work");
    WAIT_FOR(guest_count(fixture) == 0);
    polkit_answer(polkit.waiting, TRUE, FALSE);
    WAIT_FOR(reply.there);
    expect_error(reply.error, "org.roundhouse.Error.NotFound", "not there any more");
    polkit_stop(&polkit);
}

struct wish {
    const char *settings, *refused; /* NULL: it is done */
};

static void wish(GDBusConnection *caller, const char *path, const char *interface, const char *method,
                 const char *arguments, const char *refused)
{
    GError *error = try_to(caller, path, interface, method, g_variant_parse(NULL, arguments, NULL, NULL, NULL));
    if (refused)
        expect_error(error, "org.roundhouse.Error.NotAllowed", refused);
    else
        g_assert_no_error(error);
}

static void create(GDBusConnection *caller, const char *settings, const char *refused)
{
    static guint number;
    g_autofree char *arguments = g_strdup_printf("({'name': <'g%u'>, %s}, @aa{sv} [])", number++, settings);
    wish(caller, MANAGER_PATH, BUS_NAME, "CreateGuest", arguments, refused);
}

static void change(GDBusConnection *caller, const char *settings, const char *refused)
{
    g_autofree char *arguments = g_strdup_printf("({%s},)", settings);
    wish(caller, WORK, GUEST, "SetSettings", arguments, refused);
}

/* What somebody who may administer guests, and is not root, can make a guest of, and of a definition of root's. */
static void test_files(struct fixture *fixture, gconstpointer data)
{
    static const struct wish created[] = {
        {"'kernel': <'/usr/bin/env'>, 'ramdisk': <'/usr/bin/env'>, 'disk': <'image:a; /usr/bin/env,ro'>", NULL},
        {"'type': <'hvm'>, 'cdrom': <'/usr/bin/env'>", NULL},
        {"'type': <'hvm'>, 'cdrom': <'empty'>", NULL},
        {"'kernel': <'/etc/shadow'>", "kernel: root alone may give a guest /etc/shadow"},
        {"'kernel': <'/usr/bin/../bin/env'>", "kernel: root alone"},
        {"'kernel': <'/proc/self/exe'>", "kernel: root alone"},
        {"'kernel': <'/usr/bin/env'>, 'ramdisk': <'/etc/shadow'>", "ramdisk: root alone"},
        {"'kernel': <'/usr/bin/env'>, 'disk': <'/usr/bin/env'>", "disk: root alone may let a guest write to"},
        {"'kernel': <'/usr/bin/env'>, 'disk': <'/dev/zero,ro'>", "disk: root alone"},
        {"'type': <'hvm'>, 'disk': <'/etc/shadow,hdd,cdrom'>", "disk: root alone"},
        {"'type': <'hvm'>, 'cdrom': <'/etc/shadow'>", "cdrom: root alone"},
    };
    static const struct wish changed[] = {
        {"'memory_mib': <uint32 64>", NULL},
        {"'disk': <'/dev/sda,rw'>", "disk: root alone may let a guest write to /dev/sda"},
        {"'disk': <'/dev/sdb,ro; image:a'>", NULL},
        {"'kernel': <'/etc/gshadow'>", "kernel: root alone"},
    };
    struct polkit polkit;
    (void)data;
    define(fixture, "work", 1, "kernel=/etc/shadow\nramdisk=/etc/shadow\ndisk=/dev/sda,ro; /dev/sdb,rw\n");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    polkit_start(&polkit, ALLOW);
    start_service(fixture);
    g_autoptr(GDBusConnection) caller = caller_new();
    g_autofree char *open_to_all = g_build_filename(fixture->directory, "kernel", NULL);
    g_autofree char *kernel = g_strdup_printf("'kernel': <'%s'>", open_to_all);
    g_assert_true(g_file_set_contents_full(open_to_all, "kernel", -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
    create(caller, kernel, "folders that root alone can change");
    for (gsize i = 0; i < G_N_ELEMENTS(created); i++)
        create(caller, created[i].settings, created[i].refused);
    for (gsize i = 0; i < G_N_ELEMENTS(changed); i++)
        change(caller, changed[i].settings, changed[i].refused);
    polkit_stop(&polkit);
}

/* What polkit does not answer is bounded: the bus would refuse more, and then everybody's. It is forgotten with its
 * caller. */
static void test_flood(struct fixture *fixture, gconstpointer data)
{
    enum { WAIT = 16 };
    struct polkit polkit;
    struct reply replies[WAIT], extra;
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    polkit_start(&polkit, LATER);
    start_service(fixture);
    GDBusConnection *caller = caller_new();
    g_autoptr(GDBusConnection) other = caller_new();
    for (guint i = 0; i < WAIT; i++)
        call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, &replies[i]);
    call(caller, WORK, GUEST, "Start", NULL, G_DBUS_CALL_FLAGS_NONE, &extra);
    WAIT_FOR(extra.there);
    expect_error(extra.error, "org.roundhouse.Error.NotAllowed", "Too many of your requests");
    WAIT_FOR(polkit.asked->len == WAIT * strlen("use "));
    g_dbus_connection_close_sync(caller, NULL, NULL);
    for (guint i = 0; i < WAIT; i++) {
        WAIT_FOR(replies[i].there);
        g_error_free(replies[i].error);
    }
    g_object_unref(caller);
    WAIT_FOR(strstr(polkit.asked->str, "forget"));
    polkit.verdict = ALLOW;
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    WAIT_FOR(polkit.asked->len == WAIT * strlen("use forget "));
    g_assert_no_error(try_to(other, WORK, GUEST, "Start", NULL));
    polkit_stop(&polkit);
}

/* Without polkit: the service's own user and the switcher's. */
static void test_without(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *me = g_strdup_printf("%u", (unsigned)getuid());
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    g_setenv("ROUNDHOUSE_FAKE_UI", "4243", TRUE);
    start_service(fixture);
    g_autoptr(GDBusConnection) caller = caller_new();
    expect_error(try_to(caller, WORK, GUEST, "Start", NULL), "org.roundhouse.Error.NotAllowed", "Become root");
    g_assert_no_error(try_to(caller, MANAGER_PATH, BUS_NAME, "GetGuest", g_variant_new("(s)", "work")));
    stop_service(fixture);
    g_setenv("ROUNDHOUSE_FAKE_UI", me, TRUE);
    start_service(fixture);
    g_assert_no_error(try_to(caller, WORK, GUEST, "Start", NULL));
    stop_service(fixture);
    g_unsetenv("ROUNDHOUSE_FAKE_UI");
    g_unsetenv("ROUNDHOUSE_FAKE_OWNER");
    start_service(fixture);
    g_assert_no_error(try_to(caller, WORK, GUEST, "Start", NULL));
}

/* A polkit that is there and gives no answer is no reason that the person at the switcher cannot go on. */
static void test_broken(struct fixture *fixture, gconstpointer data)
{
    struct polkit polkit;
    g_autofree char *me = g_strdup_printf("%u", (unsigned)getuid());
    (void)data;
    define(fixture, "work", 1, "");
    g_setenv("ROUNDHOUSE_FAKE_OWNER", OTHER_UID, TRUE);
    g_setenv("ROUNDHOUSE_FAKE_UI", "4243", TRUE);
    polkit_start(&polkit, BREAK);
    start_service(fixture);
    g_autoptr(GDBusConnection) caller = caller_new();
    expect_error(try_to(caller, WORK, GUEST, "Start", NULL), "org.roundhouse.Error.NotAllowed", "It is broken");
    stop_service(fixture);
    g_setenv("ROUNDHOUSE_FAKE_UI", me, TRUE);
    start_service(fixture);
    g_assert_no_error(try_to(caller, WORK, GUEST, "Start", NULL));
    polkit_stop(&polkit);
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/authority/actions", test_actions},
        {"/authority/challenge", test_challenge},
        {"/authority/slow", test_slow},
        {"/authority/vanished", test_vanished},
        {"/authority/object-gone", test_object_gone},
        {"/authority/files", test_files},
        {"/authority/flood", test_flood},
        {"/authority/without-polkit", test_without},
        {"/authority/broken-polkit", test_broken},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
