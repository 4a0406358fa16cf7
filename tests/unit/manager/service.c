/* The service under test, and what of it a test looks at. */
#include "service.h"

#include <string.h>

void define(struct fixture *fixture, const char *name, guint slot, const char *more)
{
    g_autofree char *file = g_strdup_printf("%s/%s.conf", fixture->guests, name);
    g_autofree char *text = g_strdup_printf("[guest]\nslot=%u\nkernel=/boot/vmlinuz\n%s\n", slot, more);
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

void undefine(struct fixture *fixture, const char *name)
{
    g_autofree char *file = g_strdup_printf("%s/%s.conf", fixture->guests, name);
    g_assert_cmpint(g_unlink(file), ==, 0);
}

static gboolean has_owner(RhManager1 *manager)
{
    g_autofree char *owner = g_dbus_proxy_get_name_owner(G_DBUS_PROXY(manager));
    return owner != NULL;
}

void start_service(struct fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    fixture->service =
        g_subprocess_new(G_SUBPROCESS_FLAGS_NONE, &error, g_getenv("ROUNDHOUSED"), "--guests", fixture->guests,
                         "--state", fixture->directory, "--autostart-marker", fixture->marker, "--notice",
                         fixture->notice, "--policy", fixture->policy, NULL);
    g_assert_no_error(error);
    fixture->manager = rh_manager1_proxy_new_for_bus_sync(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_NONE, BUS_NAME,
                                                          MANAGER_PATH, NULL, &error);
    g_assert_no_error(error);
    WAIT_FOR(has_owner(fixture->manager) && rh_manager1_get_version(fixture->manager));
    WAIT_FOR(rh_manager1_get_total_memory(fixture->manager) > 0);
    fixture->objects = rh_object_manager_client_new_for_bus_sync(
        G_BUS_TYPE_SYSTEM, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_NONE, BUS_NAME, "/org/roundhouse", NULL, &error);
    g_assert_no_error(error);
}

void stop_service(struct fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_subprocess_send_signal(fixture->service, SIGTERM);
    g_assert_true(g_subprocess_wait_check(fixture->service, NULL, &error));
    g_assert_no_error(error);
    g_clear_object(&fixture->service);
    g_clear_object(&fixture->manager);
    g_clear_object(&fixture->objects);
}

static void setup(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_unsetenv("ROUNDHOUSE_FAKE_SEAT");
    g_unsetenv("ROUNDHOUSE_FAKE_RUNNING");
    g_unsetenv("ROUNDHOUSE_FAKE_UNBEGUN");
    g_unsetenv("ROUNDHOUSE_FAKE_STILL");
    g_unsetenv("ROUNDHOUSE_FAKE_OWNER");
    g_unsetenv("ROUNDHOUSE_FAKE_UI");
    g_unsetenv("ROUNDHOUSE_FAKE_POLICY");
    g_unsetenv("ROUNDHOUSE_FAKE_NFT");
    fixture->directory = g_dir_make_tmp("roundhouse-bus-XXXXXX", NULL);
    fixture->guests = g_build_filename(fixture->directory, "guests", NULL);
    fixture->saved = g_build_filename(fixture->directory, "saved", NULL);
    fixture->marker = g_build_filename(fixture->directory, "autostarted", NULL);
    fixture->notice = g_build_filename(fixture->directory, "notice", NULL);
    fixture->policy = g_build_filename(fixture->directory, "policy.table", NULL);
    fixture->signs = g_build_filename(fixture->directory, "signs", NULL);
    g_setenv("ROUNDHOUSE_FAKE_SIGNS", fixture->signs, TRUE);
    g_assert_cmpint(g_mkdir(fixture->guests, 0700), ==, 0);
}

void remove_files(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        g_unlink(file);
    }
    g_rmdir(path);
}

static void teardown(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    if (fixture->service)
        stop_service(fixture);
    g_autofree char *identities = g_build_filename(fixture->directory, "identities", NULL);
    remove_files(fixture->guests);
    remove_files(fixture->saved);
    remove_files(identities);
    remove_files(fixture->directory);
    g_free(fixture->guests);
    g_free(fixture->saved);
    g_free(fixture->marker);
    g_free(fixture->notice);
    g_free(fixture->policy);
    g_free(fixture->signs);
    g_free(fixture->directory);
}

RhGuest1 *guest(struct fixture *fixture, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    rh_manager1_call_get_guest_sync(fixture->manager, name, &path, NULL, &error);
    g_assert_no_error(error);
    RhGuest1 *proxy =
        rh_guest1_proxy_new_for_bus_sync(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_NONE, BUS_NAME, path, NULL, &error);
    g_assert_no_error(error);
    return proxy;
}

gboolean is(RhGuest1 *guest, const char *state)
{
    return g_strcmp0(rh_guest1_get_state(guest), state) == 0;
}

guint guest_count(struct fixture *fixture)
{
    g_autolist(GDBusObject) objects = g_dbus_object_manager_get_objects(fixture->objects);
    guint count = 0;
    for (GList *object = objects; object; object = object->next)
        count += rh_object_peek_guest1(object->data) != NULL;
    return count;
}

guint problem_count(struct fixture *fixture)
{
    const char *const *problems = rh_manager1_get_problems(fixture->manager);
    return problems ? g_strv_length((char **)problems) : 0;
}

void expect_error(GError *error, const char *name, const char *text)
{
    g_assert_nonnull(error);
    g_autofree char *remote = g_dbus_error_get_remote_error(error);
    g_assert_cmpstr(remote, ==, name);
    if (!strstr(error->message, text))
        g_error("\"%s\" does not say \"%s\"", error->message, text);
    g_error_free(error);
}

int service_run(int argc, char **argv, const struct service_test *tests)
{
    g_test_init(&argc, &argv, NULL);
    for (; tests->name; tests++)
        g_test_add(tests->name, struct fixture, NULL, setup, tests->run, teardown);
    g_autoptr(GTestDBus) bus = g_test_dbus_new(G_TEST_DBUS_NONE);
    g_test_dbus_up(bus);
    g_setenv("DBUS_SYSTEM_BUS_ADDRESS", g_test_dbus_get_bus_address(bus), TRUE);
    int status = g_test_run();
    g_test_dbus_stop(bus); /* and not _down(), which waits for the shared connection that the system bus keeps */
    return status;
}
