/* Images and the definitions that name them. */
#include "image_users.h"
#include "errors.h"

#include <string.h>

static gboolean has_image(const struct guest_config *config, const char *image)
{
    if (config->cdrom && g_str_has_prefix(config->cdrom, GUEST_IMAGE) &&
        g_str_equal(config->cdrom + strlen(GUEST_IMAGE), image))
        return TRUE;
    for (guint i = 0; i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (disk->pooled && g_str_equal(disk->target, image))
            return TRUE;
    }
    return FALSE;
}

/* A guest that was resumed runs by what its definition was then. */
gboolean image_users_is_one(const struct guest *guest, const char *image)
{
    return has_image(guest_config(guest), image) || has_image(guest_definition(guest), image);
}

char *image_users(const GPtrArray *guests, const char *image, const struct guest *but)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < guests->len; i++) {
        const struct guest *guest = g_ptr_array_index(guests, i);
        if (guest != but && image_users_is_one(guest, image))
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", guest_config(guest)->name);
    }
    return names->len ? g_strdup(names->str) : NULL;
}

gboolean image_users_check_none(const GPtrArray *guests, const char *image, GError **error)
{
    g_autofree char *users = image_users(guests, image, NULL);
    if (users)
        g_set_error(error, RH_ERROR, RH_ERROR_IN_USE,
                    "The image \"%s\" is a disk of %s. Delete that guest first, or take the image out of its disk=.",
                    image, users);
    return !users;
}
