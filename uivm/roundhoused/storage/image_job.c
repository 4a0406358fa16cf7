/* Operations on images, a row each. */
#include "image_job.h"
#include "image.h"

typedef gboolean (*operation)(struct pool *pool, const struct image_request *request, const struct convert_watch *watch,
                              GError **error);

#define OPERATION(name, call)                                                                                          \
    static gboolean name(struct pool *pool, const struct image_request *request, const struct convert_watch *watch,    \
                         GError **error)                                                                               \
    {                                                                                                                  \
        (void)watch;                                                                                                   \
        return call;                                                                                                   \
    }
OPERATION(create, image_create(pool, request->image, request->size, error))
OPERATION(make_clone, image_clone(pool, request->image, request->other, error))
OPERATION(grow, image_grow(pool, request->image, request->size, error))
OPERATION(change_name, image_rename(pool, request->image, request->other, error))
OPERATION(delete, image_delete(pool, request->image, error))
OPERATION(import, image_import(pool, request->image, request->other, watch, error))
OPERATION(export, image_export(pool, request->image, request->other, request->format, watch, error))

static const operation operations[IMAGE_TASK_COUNT] = {
    [IMAGE_TASK_CREATE] = create,      [IMAGE_TASK_CLONE] = make_clone, [IMAGE_TASK_GROW] = grow,
    [IMAGE_TASK_RENAME] = change_name, [IMAGE_TASK_DELETE] = delete,    [IMAGE_TASK_IMPORT] = import,
    [IMAGE_TASK_EXPORT] = export,
};

/* ---- in a worker ---- */

struct job {
    struct image_request request;
    char *image, *other; /* of the request */
};

static void job_free(gpointer data)
{
    struct job *job = data;
    g_free(job->image);
    g_free(job->other);
    g_free(job);
}

static gboolean run(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    const struct job *job = data;
    return operations[job->request.task](pool, &job->request, watch, error);
}

void image_job_start(const char *pool_path, const struct image_request *request, const struct convert_watch *watch,
                     GAsyncReadyCallback done, gpointer user)
{
    struct job *job = g_new(struct job, 1);
    *job = (struct job){*request, g_strdup(request->image), g_strdup(request->other)};
    job->request.image = job->image;
    job->request.other = job->other;
    pool_work_start(pool_path, run, job, job_free, watch, done, user);
}
