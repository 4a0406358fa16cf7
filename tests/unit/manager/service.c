/* The service under test, and what of it a test looks at. */
#include "service.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
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
                         fixture->notice, "--pool", fixture->pool, "--policy", fixture->policy, "--up-marker",
                         fixture->up, NULL);
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

void kill_service(struct fixture *fixture)
{
    g_subprocess_force_exit(fixture->service);
    g_assert_true(g_subprocess_wait(fixture->service, NULL, NULL));
    g_clear_object(&fixture->service);
    g_clear_object(&fixture->manager);
    g_clear_object(&fixture->objects);
}

void make_pool(struct fixture *fixture)
{
    g_assert_cmpint(g_mkdir(fixture->pool, 0700), ==, 0);
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
    fixture->up = g_build_filename(fixture->directory, "up", NULL);
    fixture->notice = g_build_filename(fixture->directory, "notice", NULL);
    fixture->policy = g_build_filename(fixture->directory, "policy.table", NULL);
    fixture->signs = g_build_filename(fixture->directory, "signs", NULL);
    fixture->pool = g_build_filename(fixture->directory, "pool", NULL);
    g_setenv("ROUNDHOUSE_FAKE_SIGNS", fixture->signs, TRUE);
    g_assert_cmpint(g_mkdir(fixture->guests, 0700), ==, 0);
}

void remove_files(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        if (g_unlink(file) != 0)
            remove_files(file);
    }
    g_rmdir(path);
}

static void teardown(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    if (fixture->service)
        stop_service(fixture);
    remove_files(fixture->directory);
    g_free(fixture->guests);
    g_free(fixture->saved);
    g_free(fixture->marker);
    g_free(fixture->up);
    g_free(fixture->notice);
    g_free(fixture->policy);
    g_free(fixture->signs);
    g_free(fixture->pool);
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

/* ---- jobs ---- */

RhJob1 *find_job(struct fixture *fixture, const char *path)
{
    GDBusInterface *job = g_dbus_object_manager_get_interface(fixture->objects, path, "org.roundhouse.Job1");
    return job ? RH_JOB1(job) : NULL;
}

char *call_for_job(gpointer proxy, const char *method, const char *parameters, int file, GError **error)
{
    g_autoptr(GUnixFDList) files = file < 0 ? NULL : g_unix_fd_list_new();
    char *path = NULL;
    if (files)
        g_assert_cmpint(g_unix_fd_list_append(files, file, NULL), ==, 0);
    g_autoptr(GError) cause = NULL;
    GVariant *given = g_variant_parse(NULL, parameters, NULL, NULL, &cause);
    g_assert_no_error(cause);
    g_autoptr(GVariant) answer = g_dbus_proxy_call_with_unix_fd_list_sync(
        G_DBUS_PROXY(proxy), method, given, G_DBUS_CALL_FLAGS_NONE, -1, files, NULL, NULL, error);
    if (answer && g_variant_is_of_type(answer, G_VARIANT_TYPE("(o)")))
        g_variant_get(answer, "(o)", &path);
    return path;
}

gboolean has_ended(RhJob1 *job)
{
    const char *state = rh_job1_get_state(job);
    return g_strcmp0(state, "running") != 0 && g_strcmp0(state, "cancelling") != 0;
}

RhJob1 *end_of(struct fixture *fixture, const char *path)
{
    RhJob1 *job = NULL;
    WAIT_FOR(job || (job = find_job(fixture, path)));
    WAIT_FOR(has_ended(job));
    return job;
}

void done(struct fixture *fixture, gpointer proxy, const char *method, const char *parameters, int file)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = call_for_job(proxy, method, parameters, file, &error);
    g_assert_no_error(error);
    g_autoptr(RhJob1) job = end_of(fixture, path);
    g_assert_cmpstr(rh_job1_get_error(job), ==, "");
    g_assert_cmpstr(rh_job1_get_state(job), ==, "done");
}

void refused(struct fixture *fixture, gpointer proxy, const char *method, const char *parameters, int file,
             const char *name, const char *sentence)
{
    GError *error = NULL;
    g_autofree char *path = call_for_job(proxy, method, parameters, file, &error);
    if (!path) {
        expect_error(error, name, sentence);
        return;
    }
    g_autoptr(RhJob1) job = end_of(fixture, path);
    g_assert_cmpstr(rh_job1_get_state(job), ==, "failed");
    g_assert_cmpstr(rh_job1_get_error_name(job), ==, name);
    if (!strstr(rh_job1_get_error(job), sentence))
        g_error("\"%s\" does not say \"%s\"", rh_job1_get_error(job), sentence);
}

/* ---- files ---- */

int open_file(struct fixture *fixture, const char *name, int flags)
{
    g_autofree char *path = g_build_filename(fixture->directory, name, NULL);
    int fd = open(path, flags, 0600);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

void run(struct fixture *fixture, const char *command)
{
    const char *const words[] = {"/bin/sh", "-ec", command, NULL};
    int status;
    g_assert_true(
        g_spawn_sync(fixture->directory, (char **)words, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
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
