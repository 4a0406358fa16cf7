/* Inside of the pool: things that are being made, and the one step that puts them in their place. For storage/ alone.
 */
#ifndef RH_MAKING_H
#define RH_MAKING_H

#include "pool.h"

#define DISK_FILE "disk.img"

struct pool {
    char *path;
    int images, making; /* its two folders */
    gboolean claims;    /* images that are made with it are claimed: image.h */
};

/*
 * A folder below making/ that is locked (flock) as long as its maker lives. Things are made in it and moved out of it,
 * it never becomes one itself: what it holds at the end is taken away.
 */
struct making {
    const struct pool *pool;
    int folder;
    char name[16];
};

gboolean making_begin(const struct pool *pool, struct making *making, GError **error);

/* Takes away what is still in it. What cannot be taken away is left to the next pool_open(). */
void making_end(struct making *making);

/* A new empty file of a folder in it, open for reading and writing; -1 with an error. */
int making_file(int folder, const char *name, GError **error);

/*
 * Takes a thing out of its place and away. It needs no space, for this has to be done when the disk is full. FALSE: it
 * is still there.
 */
gboolean making_discard(const struct pool *pool, int folder, const char *name, GError **error);

/* Takes away what lies below making/ and has no maker any more. */
void making_clear(const struct pool *pool);

/*
 * The step: renames (renameat2(2): flags) and writes both folders to the disk. If that fails the name is as it was.
 * What is moved must have been written before.
 */
gboolean making_move(int from, const char *name, int to, const char *new_name, guint flags, GError **error);

/* Writes a file or folder to the disk. */
gboolean making_sync(int fd, GError **error);

/* FALSE, with an error that says what failed and why by errno. */
gboolean making_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
