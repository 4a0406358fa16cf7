/*
 * The system calls by which the storage code changes a disk, counted, and cut or failed at any of them (--wrap in
 * meson.build): making a file or folder, write, ftruncate, FICLONE, rename, fsync, unlink.
 */
#ifndef RH_TEST_CALLS_H
#define RH_TEST_CALLS_H

#include <glib.h>

struct calls {
    guint count; /* so far; the first is 1 */

    /* 0: none. What copies bytes is cut in the midst. */
    guint kill_at;   /* the process is killed before this one */
    guint fail_at;   /* this one fails with ENOSPC */
    guint full_from; /* from here on all fail so that take space: not rename, unlink, and ftruncate to less */

    gboolean reflinks; /* the file system is asked for them; otherwise FICLONE is a copy of bytes */
    gboolean no_sync;  /* fsync does nothing: what a kill leaves is there without it */
    int reflink_error; /* what FICLONE fails with; 0: it does not */

    /* What a power cut would lose: what was changed and not yet written. */
    GHashTable *unwritten; /* inode numbers; NULL: not looked at */
    char *too_soon;        /* a thing was put in its place before it was written: which; NULL: none */
};

extern struct calls calls;

/* reflinks: the real ones, and the real fsync. */
void calls_reset(gboolean reflinks);

/* Looks at the order of writing from now on. */
void calls_watch_order(void);
gboolean calls_is_unwritten(const char *path);

#endif
