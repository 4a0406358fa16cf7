/*
 * What a guest's disks were, and what they are: snapshots and undo points, disks and images, as roundhoused tells them,
 * in words for people. Without GTK.
 */
#ifndef RH_GUEST_POINTS_LIST_H
#define RH_GUEST_POINTS_LIST_H

#include <gio/gio.h>

#define POINTS_MAX 200 /* shown; older ones are counted */

struct point {
    gint64 time;  /* milliseconds since 1970, by which roundhoused knows it */
    char *label;  /* plain; empty: an undo point */
    guint64 size; /* bytes */
    gboolean picture;
};

/* Those of ListPoints' aa{sv}, the newest first; what is no point is left out. Free with g_ptr_array_unref. */
GPtrArray *points_read(GVariant *points);

/* "10:40 today", "18:02 yesterday", "18:02 on Tue 24 November"; the year where it is another one. The caller frees it.
 */
char *points_time_words(gint64 time, GDateTime *now);

struct disk_words {
    char *name;  /* in the guest: "xvda" */
    char *what;  /* "Image work-2, 20 GiB, takes 3.2 GiB" */
    char *image; /* of the pool; NULL: it is no image */
    gboolean writes;
    guint64 size; /* of the image; 0: not known */
};

/* What disk= says, with what ListImages' aa{sv} knows of it (NULL: nothing). Free with g_ptr_array_unref. */
GPtrArray *disks_read(const char *setting, GVariant *images);

/* The size in bytes that somebody typed in GiB for a disk that has size now; 0, and a sentence: it cannot be that. */
guint64 disk_size_typed(const char *text, guint64 size, char **sentence);

/*
 * What deleting the guest with its images takes away, as a sentence: images that it writes, and that no other guest
 * has. The caller frees it.
 */
char *disks_loss_words(const char *guest, GPtrArray *disks, GVariant *images);

#endif
