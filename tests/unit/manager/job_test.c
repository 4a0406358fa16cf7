/* Jobs on a private bus, seen by a client: progress, ends, cancelling, clients that go away. */
#include "job.h"
#include "errors.h"
#include "roundhouse_dbus.h"
#include "wait_for.h"

#include <gio/gio.h>
#include <string.h>

struct fixture {
    GDBusConnection *bus, *client;
    GDBusObjectManagerServer *server;
    GDBusObjectManager *objects;
    struct authority *authority;
    struct jobs *jobs;
};

static GDBusConnection *connect_to_bus(void)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *bus = g_dbus_connection_new_for_address_sync(g_getenv("DBUS_SYSTEM_BUS_ADDRESS"),
                                                                  G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                                      G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                                                  NULL, NULL, &error);
    g_assert_no_error(error);
    return bus;
}

static void opened(GObject *source, GAsyncResult *result, gpointer data)
{
    struct fixture *fixture = data;
    g_autoptr(GError) error = NULL;
    (void)source;
    fixture->objects = rh_object_manager_client_new_finish(result, &error);
    g_assert_no_error(error);
}

static void setup(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    fixture->bus = connect_to_bus();
    fixture->client = connect_to_bus();
    fixture->server = g_dbus_object_manager_server_new("/org/roundhouse");
    fixture->authority = authority_new(fixture->bus);
    fixture->jobs = jobs_new(fixture->server, fixture->authority);
    g_dbus_object_manager_server_set_connection(fixture->server, fixture->bus);
    rh_object_manager_client_new(fixture->client, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_NONE,
                                 g_dbus_connection_get_unique_name(fixture->bus), "/org/roundhouse", NULL, opened,
                                 fixture);
    WAIT_FOR(fixture->objects);
}

static void teardown(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    if (fixture->jobs)
        jobs_free(fixture->jobs);
    authority_free(fixture->authority);
    g_object_unref(fixture->server);
    g_object_unref(fixture->objects);
    g_object_unref(fixture->client);
    g_object_unref(fixture->bus);
}

static RhJob1 *seen(struct fixture *fixture, const char *path)
{
    GDBusInterface *job = NULL;
    WAIT_FOR((job = g_dbus_object_manager_get_interface(fixture->objects, path, "org.roundhouse.Job1")));
    return RH_JOB1(job);
}

static gboolean is(RhJob1 *job, const char *state)
{
    return g_str_equal(rh_job1_get_state(job), state);
}

static gboolean is_there(struct fixture *fixture, const char *path)
{
    g_autoptr(GDBusObject) object = g_dbus_object_manager_get_object(fixture->objects, path);
    return object != NULL;
}

static void test_progress(struct fixture *fixture, gconstpointer data)
{
    struct long_job *job = long_job_begin(fixture->jobs, "copy", "work");
    g_autofree char *path = g_strdup(long_job_path(job));
    g_autoptr(RhJob1) client = seen(fixture, path);
    (void)data;
    g_assert_cmpstr(rh_job1_get_kind(client), ==, "copy");
    g_assert_cmpstr(rh_job1_get_guest(client), ==, "work");
    g_assert_true(is(client, "running"));
    g_assert_cmpfloat(rh_job1_get_progress(client), ==, -1);
    g_assert_cmpint(rh_job1_get_seconds_left(client), ==, -1);
    pass_time(1100);
    long_job_progress(job, 0.25);
    long_job_progress(job, 0.5); /* too soon after the one before to be told */
    WAIT_FOR(rh_job1_get_progress(client) == 0.25);
    g_assert_cmpint(rh_job1_get_seconds_left(client), >=, 4);
    g_assert_cmpint(rh_job1_get_seconds_left(client), <=, 10);
    pass_time(300);
    g_assert_cmpfloat(rh_job1_get_progress(client), ==, 0.25);
    long_job_progress(job, 7);
    WAIT_FOR(rh_job1_get_progress(client) == 1);
    pass_time(300);
    long_job_progress(job, -3);
    WAIT_FOR(rh_job1_get_progress(client) == -1);
    long_job_end(job, "/org/roundhouse/guests/work", NULL);
    WAIT_FOR(is(client, "done"));
    g_assert_cmpfloat(rh_job1_get_progress(client), ==, 1);
    g_assert_cmpint(rh_job1_get_seconds_left(client), ==, 0);
    g_assert_cmpstr(rh_job1_get_result(client), ==, "/org/roundhouse/guests/work");
    pass_time(300);
    g_assert_true(is_there(fixture, path));
    WAIT_FOR(!is_there(fixture, path));
}

static void test_failure(struct fixture *fixture, gconstpointer data)
{
    struct long_job *job = long_job_begin(fixture->jobs, "copy", "");
    g_autoptr(RhJob1) client = seen(fixture, long_job_path(job));
    g_autoptr(GError) error = g_error_new(RH_ERROR, RH_ERROR_NO_MEMORY, "It is full.");
    (void)data;
    long_job_end(job, "/x", error);
    WAIT_FOR(is(client, "failed"));
    g_assert_cmpstr(rh_job1_get_error(client), ==, "It is full.");
    g_assert_cmpstr(rh_job1_get_error_name(client), ==, "org.roundhouse.Error.NoMemory");
    g_assert_cmpstr(rh_job1_get_result(client), ==, "/");
}

struct reply {
    gboolean there;
    GError *error;
};

static void cancelled(GObject *source, GAsyncResult *result, gpointer data)
{
    struct reply *reply = data;
    rh_job1_call_cancel_finish(RH_JOB1(source), result, &reply->error);
    reply->there = TRUE;
}

static void test_cancel(struct fixture *fixture, gconstpointer data)
{
    struct long_job *job = long_job_begin(fixture->jobs, "copy", "work");
    g_autoptr(RhJob1) client = seen(fixture, long_job_path(job));
    g_autoptr(GError) error = NULL;
    struct reply reply = {FALSE, NULL};
    (void)data;
    rh_job1_call_cancel(client, NULL, cancelled, &reply);
    WAIT_FOR(reply.there && is(client, "cancelling"));
    g_assert_no_error(reply.error);
    g_assert_true(g_cancellable_set_error_if_cancelled(long_job_cancellable(job), &error));
    long_job_end(job, NULL, error);
    WAIT_FOR(is(client, "cancelled"));
    reply.there = FALSE;
    rh_job1_call_cancel(client, NULL, cancelled, &reply);
    WAIT_FOR(reply.there);
    g_autofree char *name = g_dbus_error_get_remote_error(reply.error);
    g_assert_cmpstr(name, ==, "org.roundhouse.Error.WrongState");
    g_clear_error(&reply.error);
}

/* The client that watches it goes; another one finds it, and finds it done. */
static void test_client_goes(struct fixture *fixture, gconstpointer data)
{
    struct long_job *job = long_job_begin(fixture->jobs, "copy", "work");
    g_autofree char *path = g_strdup(long_job_path(job));
    g_object_unref(seen(fixture, path));
    (void)data;
    g_clear_object(&fixture->objects);
    g_dbus_connection_set_exit_on_close(fixture->client, FALSE);
    g_dbus_connection_close_sync(fixture->client, NULL, NULL);
    g_object_unref(fixture->client);
    pass_time(100);
    g_assert_false(g_cancellable_is_cancelled(long_job_cancellable(job)));
    fixture->client = connect_to_bus();
    rh_object_manager_client_new(fixture->client, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_NONE,
                                 g_dbus_connection_get_unique_name(fixture->bus), "/org/roundhouse", NULL, opened,
                                 fixture);
    WAIT_FOR(fixture->objects);
    g_autoptr(RhJob1) client = seen(fixture, path);
    g_assert_true(is(client, "running"));
    long_job_end(job, NULL, NULL);
    WAIT_FOR(is(client, "done"));
}

/* However many end in a minute, only the last of them are kept. */
static void test_many(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    for (unsigned i = 0; i < 40; i++)
        long_job_end(long_job_begin(fixture->jobs, "copy", "work"), NULL, NULL);
    WAIT_FOR(is_there(fixture, "/org/roundhouse/jobs/40"));
    WAIT_FOR(!is_there(fixture, "/org/roundhouse/jobs/8"));
    g_assert_true(is_there(fixture, "/org/roundhouse/jobs/9"));
}

/* The service ends before the work does. */
static void test_orphan(struct fixture *fixture, gconstpointer data)
{
    struct long_job *job = long_job_begin(fixture->jobs, "copy", "work");
    GCancellable *cancellable = g_object_ref(long_job_cancellable(job));
    (void)data;
    long_job_end(long_job_begin(fixture->jobs, "copy", "home"), NULL, NULL);
    g_clear_pointer(&fixture->jobs, jobs_free);
    g_assert_true(g_cancellable_is_cancelled(cancellable));
    long_job_progress(job, 0.5);
    long_job_end(job, NULL, NULL);
    g_object_unref(cancellable);
    pass_time(1200);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct fixture *, gconstpointer);
    } tests[] = {
        {"/job/progress", test_progress},       {"/job/failure", test_failure}, {"/job/cancel", test_cancel},
        {"/job/client-goes", test_client_goes}, {"/job/many", test_many},       {"/job/orphan", test_orphan},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, struct fixture, NULL, setup, tests[i].run, teardown);
    g_autoptr(GTestDBus) bus = g_test_dbus_new(G_TEST_DBUS_NONE);
    g_test_dbus_up(bus);
    g_setenv("DBUS_SYSTEM_BUS_ADDRESS", g_test_dbus_get_bus_address(bus), TRUE);
    int status = g_test_run();
    g_test_dbus_stop(bus);
    return status;
}
