/* Operations on images in worker threads, a row each. */
#include "image_job.h"
#include "image.h"

struct job {
    const struct pool *pool;
    struct image_request request;
    char *image, *other;   /* of the request */
    GMainContext *context; /* where progress goes */
    convert_progress_fn progress;
    gpointer progress_user;
};

/* ---- progress, from the worker to the caller ---- */

struct step {
    convert_progress_fn progress;
    gpointer user;
    double part;
};

static gboolean tell(gpointer data)
{
    const struct step *step = data;
    step->progress(step->part, step->user);
    return G_SOURCE_REMOVE;
}

/* The answer comes at the same priority and is later in line. */
static void pass_on(double part, gpointer data)
{
    const struct job *job = data;
    struct step *step = g_new(struct step, 1);
    *step = (struct step){job->progress, job->progress_user, part};
    g_main_context_invoke_full(job->context, G_PRIORITY_DEFAULT, tell, step, g_free);
}

/* ---- operations ---- */

typedef gboolean (*operation)(const struct job *job, const struct image_request *request, GCancellable *cancellable,
                              GError **error);

#define OPERATION(name, call)                                                                                          \
    static gboolean name(const struct job *job, const struct image_request *request, GCancellable *cancellable,        \
                         GError **error)                                                                               \
    {                                                                                                                  \
        (void)cancellable;                                                                                             \
        return call;                                                                                                   \
    }
OPERATION(create, image_create(job->pool, request->image, request->size, error))
OPERATION(make_clone, image_clone(job->pool, request->image, request->other, error))
OPERATION(grow, image_grow(job->pool, request->image, request->size, error))
OPERATION(change_name, image_rename(job->pool, request->image, request->other, error))
OPERATION(delete, image_delete(job->pool, request->image, error))
OPERATION(revert, point_revert(job->pool, request->image, request->time, error))
OPERATION(delete_point, point_delete(job->pool, request->image, request->time, error))

/* What is too much then does not undo the point that was made. */
static gboolean make_point(const struct job *job, const struct image_request *request, GCancellable *cancellable,
                           GError **error)
{
    (void)cancellable;
    return point_make(job->pool, request->image, request->other, NULL, error) &&
           (request->other || point_trim(job->pool, request->image, &request->limits, error));
}

static struct convert_watch watch_of(const struct job *job, GCancellable *cancellable)
{
    return (struct convert_watch){job->progress ? pass_on : NULL, (gpointer)job, cancellable};
}

static gboolean import(const struct job *job, const struct image_request *request, GCancellable *cancellable,
                       GError **error)
{
    struct convert_watch watch = watch_of(job, cancellable);
    return image_import(job->pool, request->image, request->other, &watch, error);
}

static gboolean export(const struct job *job, const struct image_request *request, GCancellable *cancellable,
                       GError **error)
{
    struct convert_watch watch = watch_of(job, cancellable);
    return image_export(job->pool, request->image, request->other, request->format, &watch, error);
}

static const operation operations[IMAGE_TASK_COUNT] = {
    [IMAGE_TASK_CREATE] = create, [IMAGE_TASK_CLONE] = make_clone,
    [IMAGE_TASK_GROW] = grow,     [IMAGE_TASK_RENAME] = change_name,
    [IMAGE_TASK_DELETE] = delete, [IMAGE_TASK_POINT] = make_point,
    [IMAGE_TASK_REVERT] = revert, [IMAGE_TASK_DELETE_POINT] = delete_point,
    [IMAGE_TASK_IMPORT] = import, [IMAGE_TASK_EXPORT] = export,
};

/* ---- the job ---- */

static void job_free(gpointer data)
{
    struct job *job = data;
    g_free(job->image);
    g_free(job->other);
    g_main_context_unref(job->context);
    g_free(job);
}

static void run(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    const struct job *job = data;
    GError *error = NULL;
    (void)source;
    if (operations[job->request.task](job, &job->request, cancellable, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

void image_job_start(const struct pool *pool, const struct image_request *request, GCancellable *cancellable,
                     convert_progress_fn progress, gpointer progress_user, GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, done, user);
    struct job *job = g_new(struct job, 1);
    *job = (struct job){
        pool,     *request,     g_strdup(request->image), g_strdup(request->other), g_main_context_ref_thread_default(),
        progress, progress_user};
    job->request.image = job->image;
    job->request.other = job->other;
    /* An operation that is done is done, even if it was cancelled late. */
    g_task_set_check_cancellable(task, FALSE);
    g_task_set_task_data(task, job, job_free);
    g_task_run_in_thread(task, run);
}

gboolean image_job_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
