/* Sets of points; their order: point_set.h. */
#include "point_set.h"
#include "../errors.h"

static const struct point *point_at(GPtrArray *points, gint64 time)
{
    for (guint i = 0; i < points->len; i++) {
        const struct point *point = g_ptr_array_index(points, i);
        if (point->time == time)
            return point;
    }
    return NULL;
}

/* Whether the image has it, and what it is then; FALSE also when the image is not there any more. */
static gboolean has_point(const struct pool *pool, const char *image, gint64 time, guint64 *size)
{
    g_autoptr(GPtrArray) points = point_list(pool, image, NULL);
    const struct point *point = points ? point_at(points, time) : NULL;
    if (point && size)
        *size = point->size;
    return point != NULL;
}

GPtrArray *point_set_list(const struct pool *pool, const char *const *images, GError **error)
{
    GPtrArray *sets = point_list(pool, images[0], error);
    for (; sets && *++images;) {
        g_autoptr(GPtrArray) points = point_list(pool, *images, NULL);
        for (guint i = 0; points && i < sets->len; i++) {
            struct point *set = g_ptr_array_index(sets, i);
            const struct point *point = point_at(points, set->time);
            set->size += point ? point->size : 0;
        }
    }
    return sets;
}

/* ---- making ---- */

static gboolean common_time(const struct pool *pool, const char *const *images, gint64 *time, GError **error)
{
    *time = 0;
    for (; *images; images++) {
        gint64 next;
        if (!point_next_time(pool, *images, &next, error))
            return FALSE;
        *time = MAX(*time, next);
    }
    return TRUE;
}

gboolean point_set_make(const struct pool *pool, const char *const *images, const char *label, gint64 *time,
                        GError **error)
{
    guint count = g_strv_length((char **)images), i = count;
    gint64 now;
    gboolean good = common_time(pool, images, &now, error);
    while (good && i-- > 0)
        good = point_make_at(pool, images[i], label, now, error);
    if (good && time)
        *time = now;
    while (!good && ++i < count)
        point_delete(pool, images[i], now, NULL);
    return good;
}

/* ---- going back, deleting ---- */

static gboolean check_set(const struct pool *pool, const char *image, gint64 time, GError **error)
{
    if (has_point(pool, image, time, NULL))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND, "There is no such point any more. Look at the list of points.");
    return FALSE;
}

/* How many images have gone back; those without a point of the set count, and stay. */
static guint go_back(const struct pool *pool, const char *const *images, gint64 time, GError **error)
{
    guint i = 0;
    while (images[i] && (!has_point(pool, images[i], time, NULL) || point_revert(pool, images[i], time, error)))
        i++;
    return i;
}

gboolean point_set_revert(const struct pool *pool, const char *const *images, gint64 time, gint64 *undo, GError **error)
{
    gint64 before;
    if (!check_set(pool, images[0], time, error) || !point_set_make(pool, images, NULL, &before, error))
        return FALSE;
    if (undo)
        *undo = before;
    guint reverted = go_back(pool, images, time, error);
    if (!images[reverted])
        return TRUE;
    while (reverted-- > 0)
        point_revert(pool, images[reverted], before, NULL);
    point_set_delete(pool, images, before, NULL);
    return FALSE;
}

gboolean point_set_delete(const struct pool *pool, const char *const *images, gint64 time, GError **error)
{
    if (!check_set(pool, images[0], time, error))
        return FALSE;
    for (; *images; images++) {
        if (has_point(pool, *images, time, NULL) && !point_delete(pool, *images, time, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- the rolling set ---- */

/* The oldest undo point that is left; G_MAXINT64: none. */
static gint64 oldest_undo(const struct pool *pool, const char *image)
{
    g_autoptr(GPtrArray) points = point_list(pool, image, NULL);
    for (guint i = 0; points && i < points->len; i++) {
        const struct point *point = g_ptr_array_index(points, i);
        if (!point->label)
            return point->time;
    }
    return G_MAXINT64;
}

static gboolean drop_before(const struct pool *pool, const char *image, gint64 time, GError **error)
{
    gint64 oldest;
    gboolean good = TRUE;
    while (good && (oldest = oldest_undo(pool, image)) < time)
        good = point_delete(pool, image, oldest, error);
    return good;
}

gboolean point_set_trim(const struct pool *pool, const char *const *images, const struct point_limits *limits,
                        GError **error)
{
    gint64 kept = 0;
    for (guint i = 0; images[i]; i++) {
        gint64 before = oldest_undo(pool, images[i]);
        if (!point_trim(pool, images[i], limits, error))
            return FALSE;
        gint64 after = oldest_undo(pool, images[i]);
        kept = after != before ? MAX(kept, after) : kept;
    }
    for (guint i = 0; images[i]; i++) {
        if (!drop_before(pool, images[i], kept, error))
            return FALSE;
    }
    return TRUE;
}
