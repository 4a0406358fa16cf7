/* From names of images to paths of their files, at a guest's start. */
#include "guest_images.h"
#include "storage/image.h"

static gboolean find(struct guest_disk *disk, const char *pool_path, GError **error)
{
    struct pool *pool = pool_open(pool_path, error);
    char *path = pool ? image_path(pool, disk->target, error) : NULL;
    pool_close(pool);
    if (!path)
        return FALSE;
    g_free(disk->target);
    disk->target = path;
    disk->pooled = FALSE;
    return TRUE;
}

gboolean guest_images_find(struct guest_config *config, const char *pool_path, GError **error)
{
    for (guint i = 0; i < config->disks->len; i++) {
        struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (disk->pooled && !find(disk, pool_path, error))
            return FALSE;
    }
    return TRUE;
}
