/* The objects on the bus: their paths, the object manager, guests made and changed on request. */
#include "service.h"

#include <string.h>

/* Names that differ make paths that differ, whatever they hold, and a new slot leaves the object where it is. */
static void test_paths(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *path = NULL, *other = NULL;
    g_autoptr(GError) error = NULL;
    (void)data;
    define(fixture, "a-b.c_d", 1, "");
    define(fixture, "a_2db_2ec_5fd", 2, "");
    start_service(fixture);
    rh_manager1_call_get_guest_sync(fixture->manager, "a-b.c_d", &path, NULL, &error);
    g_assert_cmpstr(path, ==, "/org/roundhouse/guests/a_2db_2ec_5fd");
    rh_manager1_call_get_guest_sync(fixture->manager, "a_2db_2ec_5fd", &other, NULL, &error);
    g_assert_cmpstr(other, ==, "/org/roundhouse/guests/a_5f2db_5f2ec_5f5fd");
    g_autoptr(RhGuest1) moved = guest(fixture, "a-b.c_d");
    define(fixture, "a-b.c_d", 5, "");
    WAIT_FOR(rh_guest1_get_slot(moved) == 5);
    g_assert_cmpuint(guest_count(fixture), ==, 2);
}

/* Guests come and go as objects, with all their properties. */
static void test_object_manager(struct fixture *fixture, gconstpointer data)
{
    GDBusObjectManager *objects;
    g_autoptr(GError) error = NULL;
    (void)data;
    define(fixture, "work", 1, "type=hvm");
    start_service(fixture);
    objects = fixture->objects;
    g_autoptr(GDBusInterface) manager = g_dbus_object_manager_get_interface(objects, MANAGER_PATH, BUS_NAME);
    g_assert_nonnull(manager);
    g_autoptr(GDBusInterface) work =
        g_dbus_object_manager_get_interface(objects, "/org/roundhouse/guests/work", "org.roundhouse.Guest1");
    g_assert_cmpstr(rh_guest1_get_guest_type(RH_GUEST1(work)), ==, "hvm");
    define(fixture, "home", 0, "");
    GDBusInterface *home = NULL;
    WAIT_FOR(
        (home = g_dbus_object_manager_get_interface(objects, "/org/roundhouse/guests/home", "org.roundhouse.Guest1")));
    rh_guest1_call_start_sync(RH_GUEST1(home), NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(is(RH_GUEST1(home), "running") && rh_guest1_get_screen(RH_GUEST1(home)) > 1);
    rh_guest1_call_destroy_sync(RH_GUEST1(home), NULL, &error);
    undefine(fixture, "home");
    g_object_unref(home);
    GDBusObject *gone = NULL;
    WAIT_FOR(!(gone = g_dbus_object_manager_get_object(objects, "/org/roundhouse/guests/home")) ||
             (g_object_unref(gone), FALSE));
}

/* Guests without a slot run on screens that are free, nine at a time, and keep off those that others are going to want.
 */
static void test_without_slot(struct fixture *fixture, gconstpointer data)
{
    GError *error = NULL;
    (void)data;
    define(fixture, "nine", 9, "");
    for (unsigned i = 0; i < 10; i++) {
        g_autofree char *name = g_strdup_printf("extra%u", i);
        define(fixture, name, 0, "memory_mib=64");
    }
    define(fixture, "blind", 0, "memory_mib=64\ndisplay=none");
    start_service(fixture);
    g_assert_cmpuint(guest_count(fixture), ==, 12);
    for (unsigned i = 0; i < 9; i++) {
        g_autofree char *name = g_strdup_printf("extra%u", i);
        g_autoptr(RhGuest1) extra = guest(fixture, name);
        g_assert_true(rh_guest1_call_start_sync(extra, NULL, &error));
        WAIT_FOR(rh_guest1_get_screen(extra) == (i < 8 ? 8 - i : 9));
    }
    g_autoptr(RhGuest1) last = guest(fixture, "extra9"), blind = guest(fixture, "blind"),
                        first = guest(fixture, "extra0");
    g_assert_false(rh_guest1_call_start_sync(last, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Display", "All 9 screens are taken");
    g_assert_true(rh_guest1_call_start_sync(blind, NULL, &error));
    g_assert_false(rh_guest1_call_switch_sync(blind, NULL, &error));
    expect_error(g_steal_pointer(&error), "org.roundhouse.Error.Display", "has no screen");
    g_assert_true(rh_guest1_call_switch_sync(first, NULL, &error));
    WAIT_FOR(g_strcmp0(rh_manager1_get_focused_guest(fixture->manager), "/org/roundhouse/guests/extra0") == 0);
    g_assert_cmpuint(rh_manager1_get_focused_slot(fixture->manager), ==, 8);
    g_assert_true(rh_guest1_call_destroy_sync(first, NULL, &error));
    WAIT_FOR(is(first, "off") && rh_guest1_get_screen(first) == 0);
    WAIT_FOR(g_strcmp0(rh_manager1_get_focused_guest(fixture->manager), "/") == 0);
}

int main(int argc, char **argv)
{
    static const struct service_test tests[] = {
        {"/api/paths", test_paths},
        {"/api/object-manager", test_object_manager},
        {"/api/without-slot", test_without_slot},
        {NULL, NULL},
    };
    return service_run(argc, argv, tests);
}
