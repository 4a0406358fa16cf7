/* Every change of the pool as a row, the pool it begins with, and what a pool is, told by its files alone. */
#ifndef RH_TEST_STEPS_H
#define RH_TEST_STEPS_H

#include "pool.h"

struct step {
    const char *name;
    gboolean (*run)(struct pool *pool, GError **error);
};

extern const struct step steps[]; /* up to one without a name */

/* Fills an empty pool: image "work" with a snapshot and two undo points, and "home". Works around calls.c. */
void steps_prepare(struct pool *pool);

/*
 * Each file and folder, its size and what is in it; the time of a point is left out, and so is what is empty. What the
 * pool lists is the same, or the test ends.
 */
char *steps_describe(struct pool *pool);

/* How many things lie below making/. */
guint steps_unfinished(const char *path);

/* Removes all that a folder holds. */
void steps_empty(const char *path);

#endif
