/*
 * Every operation on images as one request that runs in a worker thread. A job of the API drives it so:
 *
 *     image_job_start()       when the job begins, with a cancellable and a progress function that the job has
 *     progress                comes in the caller's main context, before the answer; of import and export only
 *     g_cancellable_cancel()  ends import and export, which leave nothing; what takes a moment ends as it would have
 *     the answer              comes in the caller's main context; image_job_finish() gives the error, or TRUE
 *
 * The pool must stay open until the answer. The process may be ended at any time: pool.h says what is then.
 */
#ifndef RH_IMAGE_JOB_H
#define RH_IMAGE_JOB_H

#include "convert.h"
#include "point.h"

enum image_task {
    IMAGE_TASK_CREATE, /* size */
    IMAGE_TASK_CLONE,  /* other: the new image's name */
    IMAGE_TASK_GROW,   /* size */
    IMAGE_TASK_RENAME, /* other: its new name */
    IMAGE_TASK_DELETE,
    IMAGE_TASK_POINT,        /* other: its label, NULL: an undo point, and then limits are kept */
    IMAGE_TASK_REVERT,       /* time */
    IMAGE_TASK_DELETE_POINT, /* time */
    IMAGE_TASK_IMPORT,       /* other: the file */
    IMAGE_TASK_EXPORT,       /* other: the file; format */
    IMAGE_TASK_COUNT
};

struct image_request {
    enum image_task task;
    const char *image; /* its name */
    const char *other;
    guint64 size; /* bytes */
    gint64 time;  /* of a point */
    struct point_limits limits;
    enum convert_format format;
};

/* The request is copied. */
void image_job_start(const struct pool *pool, const struct image_request *request, GCancellable *cancellable,
                     convert_progress_fn progress, gpointer progress_user, GAsyncReadyCallback done, gpointer user);
gboolean image_job_finish(GAsyncResult *result, GError **error);

#endif
