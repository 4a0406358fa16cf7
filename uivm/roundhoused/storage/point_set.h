/*
 * Points of several images at one time: what a guest's disks were together. A set is known by its time, which its
 * points have. The first of the images has the set's label, and a point of the first is a set: it gets its point last
 * and loses it first, so a set is whole when it is listed. An image that came to the others later has no point in older
 * sets, and what is done to these leaves it alone.
 *
 * images: their names, up to NULL; at least one. Errors: image.h.
 */
#ifndef RH_POINT_SET_H
#define RH_POINT_SET_H

#include "point.h"

/* struct point, the oldest first, each with the size of all that are in the set. Free with g_ptr_array_unref. */
GPtrArray *point_set_list(const struct pool *pool, const char *const *images, GError **error);

/* Like point_make(). All or none. */
gboolean point_set_make(const struct pool *pool, const char *const *images, const char *label, gint64 *time,
                        GError **error);

/*
 * Makes an undo point first, into *undo if that is not NULL, and goes back to it if one of the images cannot go back to
 * the set. A kill in between leaves some images as they were and others as they are: a revert again mends it.
 */
gboolean point_set_revert(const struct pool *pool, const char *const *images, gint64 time, gint64 *undo,
                          GError **error);

gboolean point_set_delete(const struct pool *pool, const char *const *images, gint64 time, GError **error);

/* Like point_trim(): the limit in bytes is that of each image. A set that one image cannot keep goes from all. */
gboolean point_set_trim(const struct pool *pool, const char *const *images, const struct point_limits *limits,
                        GError **error);

#endif
