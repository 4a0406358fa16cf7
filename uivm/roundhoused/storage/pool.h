/*
 * The pool: one folder, on a file system of its own, with all that guests' disks are made of.
 *
 *     images/NAME/disk.img             an image: a raw sparse file (image.h)
 *     images/NAME/TIME[.LABEL].img     its points: what it was then (point.h)
 *     making/XXXXXX/                   what is being made, and what is being deleted
 *     low-water                        the low-water mark in bytes, if one was set
 *
 * One rule makes every step safe against a kill, a power cut and a full disk: what stands below images/ is whole. A new
 * thing is made below making/ and written to the disk (fsync) there; then one rename puts it in its place, or takes
 * what is to be deleted out of it, and the two folders are written. Before that rename all is as it was, after it all
 * is done. What is found below making/ when nobody works on it any more is taken away by pool_open(). So a half-made
 * image is never listed, and a deleted one leaves the list first and gives its space back next, or at the next start.
 *
 * The file system must have reflinks (FICLONE, ioctl_ficlonerange(2)): XFS. Without them the pool works, but for what
 * is a copy: clone, point, revert and export are refused with a sentence. Sources: rename(2), fsync(2), statvfs(3).
 *
 * All functions of this folder may be called from any thread, several at once, and by several processes; they may wait
 * for the disk. Errors are RH_ERROR sentences: NO_SPACE when the pool is full (all is as it was), IN_USE, EXISTS,
 * NOT_FOUND, BAD_CONFIG for a name or size that cannot be, else STORAGE.
 */
#ifndef RH_POOL_H
#define RH_POOL_H

#include <glib.h>

#define POOL_PATH "/var/lib/roundhouse"

struct pool;

/* Opens the pool of a folder that is there, and takes back the space of what was half made. NULL with an error. */
struct pool *pool_open(const char *path, GError **error);
void pool_close(struct pool *pool); /* not while an operation is under way; NULL is none */

const char *pool_path(const struct pool *pool);

/* In bytes. */
struct pool_space {
    guint64 size, free;
    guint64 low;    /* the low-water mark */
    guint64 enough; /* a quarter above it */
};

/* Of the pool at this path, that need not be open. */
gboolean pool_get_space(const char *path, struct pool_space *space, GError **error);

/*
 * A guest's write that finds no space is an error to its system, so guests that write to the pool are paused before.
 * The caller asks at each turn of a timer: below the mark they must be paused, at or above "enough" they may go on, and
 * between the two what was decided last stays.
 */
gboolean pool_must_pause(const struct pool_space *space);
gboolean pool_may_go_on(const struct pool_space *space);

/* Writes the mark down for this pool. Until then it is a twentieth of the pool, at least 256 MiB and at most 8 GiB. */
gboolean pool_set_low_water(struct pool *pool, guint64 bytes, GError **error);

#endif
