/*
 * Images of the pool: disks of guests, as raw sparse files. What a guest has not written takes no space.
 *
 * Every change is done or not done, whatever ends it (pool.h). An error leaves all as it was. What changes an image
 * that is there is refused while a guest uses it (lock.h), and what copies one is not: the copy is then as after a
 * power cut.
 *
 * A clone is a reflink copy: at once, whatever the size, and it costs only what changes afterwards. It has no points.
 */
#ifndef RH_IMAGE_H
#define RH_IMAGE_H

#include "pool.h"

#define IMAGE_SIZE_STEP 512                           /* bytes; sizes are multiples of a sector */
#define IMAGE_SIZE_MAX  (G_GUINT64_CONSTANT(1) << 43) /* bytes: 8 TiB */

struct image {
    char *name;
    guint64 size;   /* bytes, as the guest sees it */
    guint64 used;   /* bytes of the pool; what it shares with others counts here too */
    gint64 changed; /* seconds since 1970 */
    char *holders;  /* who uses it, for people; NULL: nobody */
};

/* All images, by name. Free with g_ptr_array_unref. */
GPtrArray *image_list(const struct pool *pool, GError **error);
struct image *image_find(const struct pool *pool, const char *name, GError **error);
void image_free(struct image *image);

/* The file that a guest's disk is opened from; NULL with an error when there is none. Free with g_free. */
char *image_path(const struct pool *pool, const char *name, GError **error);

/* used of each in the list: bytes that would be free without it and its points. Waits for what was not written yet. */
gboolean image_list_measure(const struct pool *pool, GPtrArray *list, GError **error);

/*
 * Images for a guest that is not there yet are claimed: all that are made with this pool after image_claim(). They are
 * not listed. The maker settles them when the guest is there, or deletes them; if it was killed, the next one finds
 * them by image_list_claimed(), their names.
 */
void image_claim(struct pool *pool);
gboolean image_settle(const struct pool *pool, const char *name, GError **error);
GPtrArray *image_list_claimed(const struct pool *pool);

gboolean image_create(const struct pool *pool, const char *name, guint64 size, GError **error);
gboolean image_clone(const struct pool *pool, const char *name, const char *new_name, GError **error);

/* Never smaller. What the guest makes of the new room is its affair. */
gboolean image_grow(const struct pool *pool, const char *name, guint64 size, GError **error);

/* With its points. Definitions that name it are the caller's affair, and so they are when it is deleted. */
gboolean image_rename(const struct pool *pool, const char *name, const char *new_name, GError **error);
gboolean image_delete(const struct pool *pool, const char *name, GError **error);

#endif
