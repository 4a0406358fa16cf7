/* From names of images to paths of their files, at a guest's start. */
#include "guest_images.h"
#include "storage/image.h"

#include <string.h>

/* *name: of an image; its path afterwards. */
static gboolean find(char **name, const char *pool_path, GError **error)
{
    struct pool *pool = pool_open(pool_path, error);
    char *path = pool ? image_path(pool, *name, error) : NULL;
    pool_close(pool);
    if (!path)
        return FALSE;
    g_free(*name);
    *name = path;
    return TRUE;
}

static gboolean find_cdrom(struct guest_config *config, const char *pool_path, GError **error)
{
    if (!config->cdrom || !g_str_has_prefix(config->cdrom, GUEST_IMAGE))
        return TRUE;
    memmove(config->cdrom, config->cdrom + strlen(GUEST_IMAGE), strlen(config->cdrom) - strlen(GUEST_IMAGE) + 1);
    return find(&config->cdrom, pool_path, error);
}

gboolean guest_images_find(struct guest_config *config, const char *pool_path, GError **error)
{
    for (guint i = 0; i < config->disks->len; i++) {
        struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (disk->pooled && !find(&disk->target, pool_path, error))
            return FALSE;
        disk->pooled = FALSE;
    }
    return find_cdrom(config, pool_path, error);
}
