/* Extents of files, and the difference of two sets of them. */
#include "extents.h"
#include "making.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stddef.h>
#include <sys/ioctl.h>

#define AT_ONCE 256

/* Returns where to go on; 0: that was all; G_MAXUINT64: the system refused. */
static guint64 add_some(GArray *extents, int fd, guint64 from, struct fiemap *map)
{
    *map = (struct fiemap){.fm_start = from,
                           .fm_length = FIEMAP_MAX_OFFSET - from,
                           .fm_flags = FIEMAP_FLAG_SYNC,
                           .fm_extent_count = AT_ONCE};
    if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
        return G_MAXUINT64;
    for (guint i = 0; i < map->fm_mapped_extents; i++) {
        const struct fiemap_extent *found = &map->fm_extents[i];
        struct extent extent = {found->fe_physical, found->fe_physical + found->fe_length};
        if (!(found->fe_flags & (FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DATA_INLINE)))
            g_array_append_val(extents, extent);
        if (found->fe_flags & FIEMAP_EXTENT_LAST)
            return 0;
        from = found->fe_logical + found->fe_length;
    }
    return map->fm_mapped_extents ? from : 0;
}

gboolean extents_add(GArray *extents, int fd, GError **error)
{
    g_autofree struct fiemap *map =
        g_malloc0(offsetof(struct fiemap, fm_extents) + AT_ONCE * sizeof(struct fiemap_extent));
    guint64 from = 0;
    do
        from = add_some(extents, fd, from, map);
    while (from && from != G_MAXUINT64);
    return from == 0 || making_fail(error, "It cannot be told what space a disk takes");
}

static int compare(gconstpointer a, gconstpointer b)
{
    const struct extent *left = a, *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

guint64 extents_beyond(GArray *extents, GArray *others)
{
    guint64 bytes = 0, reached = 0;
    guint next = 0;
    g_array_sort(extents, compare);
    g_array_sort(others, compare);
    for (guint i = 0; i < extents->len; i++) {
        const struct extent *extent = &g_array_index(extents, struct extent, i);
        guint64 start = MAX(extent->start, reached);
        /* Others that end before this one are behind all that follow. */
        while (next < others->len && g_array_index(others, struct extent, next).end <= start)
            next++;
        for (guint j = next; start < extent->end && j < others->len; j++) {
            const struct extent *other = &g_array_index(others, struct extent, j);
            if (other->start >= extent->end)
                break;
            bytes += other->start > start ? other->start - start : 0;
            start = MAX(start, other->end);
        }
        bytes += start < extent->end ? extent->end - start : 0;
        reached = MAX(reached, extent->end);
    }
    return bytes;
}
