/*
 * Every operation on an image as one request that runs in a worker thread (pool_work.h). Progress is of import and
 * export only, and these alone can be cancelled.
 */
#ifndef RH_IMAGE_JOB_H
#define RH_IMAGE_JOB_H

#include "point.h"
#include "pool_work.h"

enum image_task {
    IMAGE_TASK_CREATE, /* size */
    IMAGE_TASK_CLONE,  /* other: the new image's name */
    IMAGE_TASK_GROW,   /* size */
    IMAGE_TASK_RENAME, /* other: its new name */
    IMAGE_TASK_DELETE,
    IMAGE_TASK_IMPORT, /* other: the file */
    IMAGE_TASK_EXPORT, /* other: the file; format */
    IMAGE_TASK_COUNT
};

struct image_request {
    enum image_task task;
    const char *image; /* its name */
    const char *other;
    guint64 size; /* bytes */
    enum convert_format format;
};

/* In a worker; the request is copied. pool_work_finish() has the answer. */
void image_job_start(const char *pool_path, const struct image_request *request, const struct convert_watch *watch,
                     GAsyncReadyCallback done, gpointer user);

#endif
