/*
 * Points of an image: what it was at a time, as reflink copies beside it. Each takes only what has changed since.
 *
 * A point with a label is a snapshot that a person wanted, and stays until it is deleted. One without is an undo point;
 * of those the oldest go by themselves (point_trim). A point is known by its time. Images and errors: image.h.
 */
#ifndef RH_POINT_H
#define RH_POINT_H

#include "pool.h"

#define POINT_LABEL_MAX 128 /* bytes of UTF-8 without / and control characters */

struct point {
    gint64 time;  /* milliseconds since 1970; no two points of an image have the same */
    char *label;  /* NULL: an undo point */
    guint64 size; /* bytes, as the guest saw it */
    gboolean picture;
};

struct point_limits {
    guint count;   /* undo points */
    guint64 bytes; /* of the pool, that undo points alone have */
};

/* The oldest first. Free with g_ptr_array_unref. */
GPtrArray *point_list(const struct pool *pool, const char *image, GError **error);

/* Also of an image in use. Its time, into *time if that is not NULL, is now or just after the newest point. */
gboolean point_make(const struct pool *pool, const char *image, const char *label, gint64 *time, GError **error);

/* The time that a new point would have now; and one made with a time that is no other point's and after theirs. */
gboolean point_next_time(const struct pool *pool, const char *image, gint64 *time, GError **error);
gboolean point_make_at(const struct pool *pool, const char *image, const char *label, gint64 time, GError **error);

/* The image is again what it was; what it was last is lost, unless the caller has made a point of it. Points stay. */
gboolean point_revert(const struct pool *pool, const char *image, gint64 time, GError **error);

/*
 * What its guest showed then, as a file of at most POINT_PICTURE_MAX bytes, which goes with the point; a point can do
 * without.
 */
#define POINT_PICTURE_MAX (1 << 20)
gboolean point_put_picture(const struct pool *pool, const char *image, gint64 time, GBytes *picture, GError **error);
GBytes *point_picture(const struct pool *pool, const char *image, gint64 time, GError **error);

gboolean point_delete(const struct pool *pool, const char *image, gint64 time, GError **error);

/*
 * Deletes the oldest undo points until the limits hold; the newest stays in any case. Bytes are counted by where files
 * lie on the disk (FIEMAP): what the image, a labelled point or another undo point has too is not counted twice.
 */
gboolean point_trim(const struct pool *pool, const char *image, const struct point_limits *limits, GError **error);

#endif
