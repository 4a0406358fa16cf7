/*
 * Work on the pool in a thread of its own. The pool is opened for it, so one that was put in later is found, and one
 * that is not there is an error like others.
 *
 * Progress comes in the caller's main context, before the answer. The work may look at its cancellable, which ends what
 * takes long and leaves nothing; what takes a moment ends as it would have. The process may be ended at any time:
 * pool.h says what is then.
 */
#ifndef RH_POOL_WORK_H
#define RH_POOL_WORK_H

#include "convert.h"

typedef gboolean (*pool_work_fn)(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error);

/*
 * data is for run, and freed by destroy (NULL: not at all) after the answer, which comes in the caller's main context.
 * The path and the watch (NULL: nobody looks) are copied.
 */
void pool_work_start(const char *pool_path, pool_work_fn run, gpointer data, GDestroyNotify destroy,
                     const struct convert_watch *watch, GAsyncReadyCallback done, gpointer user);
gboolean pool_work_finish(GAsyncResult *result, GError **error);

#endif
