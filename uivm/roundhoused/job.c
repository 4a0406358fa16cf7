/* Jobs on the bus, from their beginning to some time after their end. */
#include "job.h"
#include "errors.h"
#include "roundhouse_dbus.h"

#include <math.h>

#ifndef KEEP_SECONDS
#define KEEP_SECONDS 60 /* after its end */
#endif
#define KEEP_MAX       32  /* jobs that have ended */
#define SILENCE_MILLIS 200 /* between two reports of progress */

struct jobs {
    GDBusObjectManagerServer *objects;
    struct authority *authority;
    GQueue running, ended; /* struct long_job; the first is the oldest */
    guint64 last_number;
};

struct long_job {
    struct jobs *jobs; /* NULL: they are gone, and the job is its work's alone */
    RhJob1 *skeleton;
    char *path;
    GCancellable *cancellable;
    gint64 begun, told; /* monotonic microseconds */
    guint removal;      /* source; 0: it has not ended */
};

static void job_free(struct long_job *job)
{
    g_clear_handle_id(&job->removal, g_source_remove);
    g_object_unref(job->skeleton);
    g_object_unref(job->cancellable);
    g_free(job->path);
    g_free(job);
}

static void take_off_bus(struct long_job *job)
{
    g_dbus_object_manager_server_unexport(job->jobs->objects, job->path);
}

static gboolean remove_ended(gpointer data)
{
    struct long_job *job = data;
    job->removal = 0;
    g_queue_remove(&job->jobs->ended, job);
    take_off_bus(job);
    job_free(job);
    return G_SOURCE_REMOVE;
}

static void cancel(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct long_job *job = user;
    (void)argument;
    if (job->removal) {
        g_dbus_method_invocation_return_error(invocation, RH_ERROR, RH_ERROR_WRONG_STATE, "This has ended already.");
        return;
    }
    rh_job1_set_state(job->skeleton, "cancelling");
    g_dbus_method_invocation_return_value(invocation, NULL);
    g_cancellable_cancel(job->cancellable); /* which may end the work at once */
}

static void put_on_bus(struct long_job *job)
{
    static const struct authority_method methods[] = {{"handle-cancel", cancel, 0}, {NULL, NULL, 0}};
    g_autoptr(RhObjectSkeleton) object = rh_object_skeleton_new(job->path);
    authority_serve(job->jobs->authority, job->skeleton, methods, job);
    rh_object_skeleton_set_job1(object, job->skeleton);
    g_dbus_object_manager_server_export(job->jobs->objects, G_DBUS_OBJECT_SKELETON(object));
}

struct long_job *long_job_begin(struct jobs *jobs, const char *kind, const char *guest)
{
    struct long_job *job = g_new0(struct long_job, 1);
    job->jobs = jobs;
    job->skeleton = rh_job1_skeleton_new();
    job->path = g_strdup_printf("/org/roundhouse/jobs/%" G_GUINT64_FORMAT, ++jobs->last_number);
    job->cancellable = g_cancellable_new();
    job->begun = g_get_monotonic_time();
    rh_job1_set_kind(job->skeleton, kind);
    rh_job1_set_guest(job->skeleton, guest);
    rh_job1_set_progress(job->skeleton, -1);
    rh_job1_set_seconds_left(job->skeleton, -1);
    rh_job1_set_state(job->skeleton, "running");
    rh_job1_set_result(job->skeleton, "/");
    rh_job1_set_error(job->skeleton, "");
    rh_job1_set_error_name(job->skeleton, "");
    put_on_bus(job);
    g_queue_push_tail(&jobs->running, job);
    return job;
}

GCancellable *long_job_cancellable(struct long_job *job)
{
    return job->cancellable;
}

const char *long_job_path(const struct long_job *job)
{
    return job->path;
}

static int seconds_left(const struct long_job *job, double done)
{
    double elapsed = (double)(g_get_monotonic_time() - job->begun) / G_USEC_PER_SEC;
    return done > 0 ? (int)MIN(ceil(elapsed * (1 - done) / done), G_MAXINT / 2) : -1;
}

void long_job_progress(struct long_job *job, double done)
{
    gint64 now = g_get_monotonic_time();
    if (job->told && now - job->told < SILENCE_MILLIS * 1000)
        return;
    job->told = now;
    done = done < 0 ? -1 : MIN(done, 1);
    rh_job1_set_progress(job->skeleton, done);
    rh_job1_set_seconds_left(job->skeleton, seconds_left(job, done));
}

static const char *end_state(const GError *error)
{
    if (!error)
        return "done";
    return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? "cancelled" : "failed";
}

static void publish_end(struct long_job *job, const char *result, const GError *error)
{
    if (error) {
        g_autofree char *name = g_dbus_error_encode_gerror(error);
        rh_job1_set_error(job->skeleton, error->message);
        rh_job1_set_error_name(job->skeleton, name);
    } else {
        rh_job1_set_progress(job->skeleton, 1);
        rh_job1_set_result(job->skeleton, result ? result : "/");
    }
    rh_job1_set_seconds_left(job->skeleton, error ? -1 : 0);
    rh_job1_set_state(job->skeleton, end_state(error));
}

void long_job_end(struct long_job *job, const char *result, const GError *error)
{
    struct jobs *jobs = job->jobs;
    if (!jobs) {
        job_free(job);
        return;
    }
    publish_end(job, result, error);
    g_queue_remove(&jobs->running, job);
    g_queue_push_tail(&jobs->ended, job);
    job->removal = g_timeout_add_seconds(KEEP_SECONDS, remove_ended, job);
    if (jobs->ended.length > KEEP_MAX) {
        struct long_job *oldest = g_queue_peek_head(&jobs->ended);
        g_clear_handle_id(&oldest->removal, g_source_remove);
        remove_ended(oldest);
    }
}

struct jobs *jobs_new(GDBusObjectManagerServer *objects, struct authority *authority)
{
    struct jobs *jobs = g_new0(struct jobs, 1);
    jobs->objects = objects;
    jobs->authority = authority;
    return jobs;
}

void jobs_free(struct jobs *jobs)
{
    struct long_job *job;
    while ((job = g_queue_pop_head(&jobs->ended))) {
        take_off_bus(job);
        job_free(job);
    }
    while ((job = g_queue_pop_head(&jobs->running))) {
        take_off_bus(job);
        job->jobs = NULL;
        g_cancellable_cancel(job->cancellable);
    }
    g_free(jobs);
}
