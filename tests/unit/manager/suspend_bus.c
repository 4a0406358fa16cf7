/* The whole service on a private bus: guests that are suspended to the disk, by it and by others. */
#include "service.h"

#include <string.h>

static void setup_saved(struct fixture *fixture, const char *path)
{
    g_assert_cmpint(g_mkdir_with_parents(fixture->saved, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, "x", -1, NULL));
}

/* A suspended guest stays one over a restart of the service, goes on from where it was as it was, and does so once. */
static void test_suspend(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "memory_mib=256\ncmdline=save_ms=300");
    start_service(fixture);
    g_autoptr(RhGuest1) before = guest(fixture, "work");
    guint64 free_before = rh_manager1_get_free_memory(fixture->manager);
    g_assert_true(rh_guest1_call_start_sync(before, NULL, &error));
    rh_guest1_call_suspend(before, NULL, NULL, NULL);
    WAIT_FOR(is(before, "suspending"));
    g_assert_false(rh_guest1_call_start_sync(before, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "work is being suspended");
    WAIT_FOR(is(before, "suspended"));
    g_assert_cmpint(rh_guest1_get_domain_id(before), ==, -1);
    WAIT_FOR(rh_manager1_get_free_memory(fixture->manager) == free_before);
    stop_service(fixture);

    define(fixture, "work", 2, "memory_mib=512\nautostart=true");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_true(is(work, "suspended"));
    g_assert_false(rh_guest1_call_shutdown_sync(work, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.WrongState", "work is suspended. Start it first, and");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    WAIT_FOR(is(work, "running"));
    WAIT_FOR(rh_manager1_get_free_memory(fixture->manager) == free_before - 256 * 1024);
    g_assert_cmpuint(rh_guest1_get_slot(work), ==, 2);
    g_assert_true(rh_guest1_call_shutdown_sync(work, NULL, &error));
    WAIT_FOR(is(work, "off"));
    WAIT_FOR(rh_guest1_get_memory(work) == 512 * 1024);
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    WAIT_FOR(rh_manager1_get_free_memory(fixture->manager) == free_before - 512 * 1024);
    g_assert_true(rh_guest1_call_suspend_sync(work, NULL, &error));
    WAIT_FOR(is(work, "suspended"));
    g_assert_true(rh_guest1_call_destroy_sync(work, NULL, &error));
    WAIT_FOR(is(work, "off"));
    g_assert_no_error(error);
}

/* A save that fails leaves the guest running; one that is forced off meanwhile is off, or suspended if it was done. */
static void test_suspend_fails(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "cmdline=save_fails");
    define(fixture, "home", 2, "cmdline=save_ms=500");
    define(fixture, "late", 3, "cmdline=save_ms=500 save_late");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work"), home = guest(fixture, "home"), late = guest(fixture, "late");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    g_assert_false(rh_guest1_call_suspend_sync(work, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Toolstack", "work could not be suspended.");
    WAIT_FOR(is(work, "running") && strstr(rh_guest1_get_error(work), "It does not stand still"));
    g_assert_true(rh_guest1_call_shutdown_sync(work, NULL, &error));
    WAIT_FOR(is(work, "off"));

    g_assert_true(rh_guest1_call_start_sync(home, NULL, &error));
    rh_guest1_call_suspend(home, NULL, NULL, NULL);
    WAIT_FOR(is(home, "suspending"));
    g_assert_true(rh_guest1_call_destroy_sync(home, NULL, &error));
    WAIT_FOR(is(home, "off") && strstr(rh_guest1_get_error(home), "ended while it was being suspended"));
    g_assert_true(rh_guest1_call_start_sync(home, NULL, &error));
    g_assert_true(rh_guest1_call_suspend_sync(home, NULL, &error));
    WAIT_FOR(is(home, "suspended"));
    g_assert_no_error(error);

    g_autofree char *path = g_build_filename(fixture->saved, "late", NULL);
    g_assert_true(rh_guest1_call_start_sync(late, NULL, &error));
    rh_guest1_call_suspend(late, NULL, NULL, NULL);
    WAIT_FOR(is(late, "suspending"));
    g_assert_true(rh_guest1_call_destroy_sync(late, NULL, &error));
    WAIT_FOR(is(late, "off") && strstr(rh_guest1_get_error(late), "ended while it was being suspended"));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

/* What cannot be used is not lost by that, and says how to go on. */
static void test_resume_fails(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "cmdline=create_error=busy create_fails=1");
    start_service(fixture);
    g_autofree char *path = g_build_filename(fixture->saved, "work", NULL);
    g_autoptr(RhGuest1) work = guest(fixture, "work");
    g_assert_false(rh_guest1_call_start_sync(work, NULL, &error));
    g_clear_error(&error);
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    g_assert_true(rh_guest1_call_suspend_sync(work, NULL, &error));
    stop_service(fixture);
    start_service(fixture);
    g_autoptr(RhGuest1) again = guest(fixture, "work");
    g_assert_false(rh_guest1_call_start_sync(again, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Toolstack", "work could not be started.");
    WAIT_FOR(is(again, "suspended") && strstr(rh_guest1_get_error(again), "busy"));
    g_assert_true(rh_guest1_call_start_sync(again, NULL, &error));
    g_assert_true(rh_guest1_call_suspend_sync(again, NULL, &error));

    define(fixture, "work", 1, "uuid=6f0a2f5c-8a51-4f0e-9d39-3d0b6a1c7e42\nmemory_mib=64");
    WAIT_FOR(rh_guest1_get_memory(again) == 64 * 1024);
    g_assert_false(rh_guest1_call_start_sync(again, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Toolstack", "another guest that had its name");
    WAIT_FOR(is(again, "suspended"));
    define(fixture, "work", 1, "");
    WAIT_FOR(rh_guest1_get_memory(again) == 512 * 1024);
    g_assert_true(rh_guest1_call_start_sync(again, NULL, &error));
    g_assert_true(rh_guest1_call_suspend_sync(again, NULL, &error));

    g_assert_true(g_file_set_contents(path, "rubbish", -1, NULL));
    g_assert_false(rh_guest1_call_start_sync(again, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Toolstack",
                 "Force it off, which gives up what was saved");
    WAIT_FOR(is(again, "suspended"));
    g_assert_true(rh_guest1_call_destroy_sync(again, NULL, &error));
    WAIT_FOR(is(again, "off"));
    g_assert_true(rh_guest1_call_start_sync(again, NULL, &error));
    g_assert_no_error(error);
}

/* What a killed service leaves: a save that was cut, one that was done, one that was about to be used, one that was. */
static void test_suspend_cut(struct fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *domain, *file, *state;
    } cases[] = {
        {"ROUNDHOUSE_FAKE_STILL", ".work.part", "running"}, {"ROUNDHOUSE_FAKE_STILL", "work", "suspended"},
        {"ROUNDHOUSE_FAKE_STILL", "other", "suspending"},   {"ROUNDHOUSE_FAKE_UNBEGUN", ".work.used", "suspended"},
        {"ROUNDHOUSE_FAKE_UNBEGUN", "work", "suspended"},   {"ROUNDHOUSE_FAKE_RUNNING", ".work.used", "running"},
        {"ROUNDHOUSE_FAKE_NOBODY", ".work.used", "off"},    {"ROUNDHOUSE_FAKE_NOBODY", ".work.part", "off"},
        {"ROUNDHOUSE_FAKE_NOBODY", "work", "suspended"},
    };
    g_autofree char *whole = g_build_filename(fixture->saved, "work", NULL);
    (void)data;
    define(fixture, "work", 1, "");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        gboolean settled = FALSE;
        g_autofree char *path = g_build_filename(fixture->saved, cases[i].file, NULL);
        setup_saved(fixture, path);
        g_setenv(cases[i].domain, "work", TRUE);
        start_service(fixture);
        g_autoptr(RhGuest1) work = guest(fixture, "work");
        g_timeout_add(300, give_up, &settled);
        WAIT_FOR(settled);
        WAIT_FOR(is(work, cases[i].state));
        g_assert_true(cases[i].file[0] != '.' || !g_file_test(path, G_FILE_TEST_EXISTS));
        g_assert_true(g_file_test(whole, G_FILE_TEST_EXISTS) == g_str_equal(cases[i].state, "suspended"));
        stop_service(fixture);
        g_unsetenv(cases[i].domain);
        remove_files(fixture->saved);
    }
}

/* Another tool saves a guest: that is no end of it, unless the tool ends it. */
static void test_saved_by_others(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "work", 1, "cmdline=self_save_ms=100");
    define(fixture, "home", 2, "cmdline=self_save_ms=100 save_ends");
    start_service(fixture);
    g_autoptr(RhGuest1) work = guest(fixture, "work"), home = guest(fixture, "home");
    g_assert_true(rh_guest1_call_start_sync(work, NULL, &error));
    WAIT_FOR(is(work, "suspending"));
    WAIT_FOR(is(work, "running"));
    g_assert_cmpint(rh_guest1_get_domain_id(work), ==, 1);
    g_assert_true(rh_guest1_call_start_sync(home, NULL, &error));
    WAIT_FOR(is(home, "suspending"));
    WAIT_FOR(is(home, "off"));
    g_assert_cmpstr(rh_guest1_get_error(home), ==, "");
    g_assert_no_error(error);
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/suspend/life", test_suspend},
        {"/suspend/fails", test_suspend_fails},
        {"/suspend/resume-fails", test_resume_fails},
        {"/suspend/cut", test_suspend_cut},
        {"/suspend/saved-by-others", test_saved_by_others},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
