/* What each image alone takes of the pool: the difference of where its files lie and where those of all others do. */
#include "extents.h"
#include "image.h"
#include "image_private.h"
#include "point.h"

#include <fcntl.h>
#include <unistd.h>

static gboolean add_file(GArray *extents, int folder, const char *file, GError **error)
{
    int fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return TRUE; /* it has gone meanwhile */
    gboolean good = extents_add(extents, fd, error);
    close(fd);
    return good;
}

/* Of the image and its points. */
static gboolean add_image(GArray *extents, const struct pool *pool, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(pool_path(pool), "images", name, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    int folder = dir ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    gboolean good = TRUE;
    for (const char *file; good && folder >= 0 && (file = g_dir_read_name(dir));)
        good = !g_str_has_suffix(file, ".img") || add_file(extents, folder, file, error);
    if (folder >= 0)
        close(folder);
    return good;
}

static void extents_free(gpointer extents)
{
    g_array_unref(extents);
}

static guint64 alone(GPtrArray *sets, guint index)
{
    g_autoptr(GArray) others = g_array_new(FALSE, FALSE, sizeof(struct extent));
    for (guint i = 0; i < sets->len; i++) {
        const GArray *set = g_ptr_array_index(sets, i);
        if (i != index && set->len)
            g_array_append_vals(others, set->data, set->len);
    }
    return extents_beyond(g_ptr_array_index(sets, index), others);
}

gboolean image_list_measure(const struct pool *pool, GPtrArray *list, GError **error)
{
    g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func(extents_free);
    for (guint i = 0; i < list->len; i++) {
        const struct image *image = g_ptr_array_index(list, i);
        g_ptr_array_add(sets, g_array_new(FALSE, FALSE, sizeof(struct extent)));
        if (!add_image(g_ptr_array_index(sets, i), pool, image->name, error))
            return FALSE;
    }
    for (guint i = 0; i < list->len; i++)
        ((struct image *)g_ptr_array_index(list, i))->used = alone(sets, i);
    return TRUE;
}
