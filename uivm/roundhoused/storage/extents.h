/* Where files lie on their disk (FS_IOC_FIEMAP, Documentation/filesystems/fiemap.rst), to tell what is shared. */
#ifndef RH_EXTENTS_H
#define RH_EXTENTS_H

#include <glib.h>

struct extent {
    guint64 start, end; /* bytes on the disk */
};

/* Adds the file's extents (GArray of struct extent). */
gboolean extents_add(GArray *extents, int fd, GError **error);

/* How many bytes are in the first set and not in the other, each counted once. Sorts both. */
guint64 extents_beyond(GArray *extents, GArray *others);

#endif
