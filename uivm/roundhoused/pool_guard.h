/*
 * Guests that write to the pool are paused while it is almost full: a write that finds no space would be an error to
 * their systems. They go on by themselves when there is enough again (storage/pool.h: the marks). Main thread only.
 */
#ifndef RH_POOL_GUARD_H
#define RH_POOL_GUARD_H

#include <glib.h>

struct pool_guard;

struct pool_guard *pool_guard_new(const char *pool_path);
void pool_guard_free(struct pool_guard *guard); /* what it has paused stays paused; NULL is none */

/*
 * Looks at the pool, if a guest has an image of it to write, and pauses or unpauses these of struct guest. A guest that
 * somebody else has paused is left alone. Called at each turn of a timer of seconds. TRUE: what pool_guard_problem()
 * says is another thing now.
 */
gboolean pool_guard_check(struct pool_guard *guard, GPtrArray *guests);

/* For people: that guests are paused and what to do. NULL: all is well. */
const char *pool_guard_problem(const struct pool_guard *guard);

#endif
