/* A worker thread for work on the pool. */
#include "pool_work.h"

struct work {
    char *pool_path;
    pool_work_fn run;
    gpointer data;
    GDestroyNotify destroy;
    struct convert_watch watch; /* the caller's */
    GMainContext *context;      /* where progress goes */
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
    const struct work *work = data;
    struct step *step = g_new(struct step, 1);
    *step = (struct step){work->watch.progress, work->watch.user, part};
    g_main_context_invoke_full(work->context, G_PRIORITY_DEFAULT, tell, step, g_free);
}

/* ---- the work ---- */

static void work_free(gpointer data)
{
    struct work *work = data;
    if (work->destroy)
        work->destroy(work->data);
    g_main_context_unref(work->context);
    g_free(work->pool_path);
    g_free(work);
}

static void run(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    struct work *work = data;
    const struct convert_watch watch = {work->watch.progress ? pass_on : NULL, work, cancellable};
    GError *error = NULL;
    (void)source;
    struct pool *pool = pool_open(work->pool_path, &error);
    gboolean good = pool && work->run(pool, work->data, &watch, &error);
    pool_close(pool);
    if (good)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

void pool_work_start(const char *pool_path, pool_work_fn run_it, gpointer data, GDestroyNotify destroy,
                     const struct convert_watch *watch, GAsyncReadyCallback done, gpointer user)
{
    static const struct convert_watch nobody = {NULL, NULL, NULL};
    const struct convert_watch *looks = watch ? watch : &nobody;
    g_autoptr(GTask) task = g_task_new(NULL, looks->cancellable, done, user);
    struct work *work = g_new(struct work, 1);
    *work = (struct work){g_strdup(pool_path), run_it, data, destroy, *looks, g_main_context_ref_thread_default()};
    /* Work that is done is done, even if it was cancelled late. */
    g_task_set_check_cancellable(task, FALSE);
    g_task_set_task_data(task, work, work_free);
    g_task_run_in_thread(task, run);
}

gboolean pool_work_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
