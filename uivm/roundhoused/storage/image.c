/* Images: what is there, and each change as a thing that is made and moved to its place. */
#include "image.h"
#include "../errors.h"
#include "image_name.h"
#include "image_private.h"
#include "reflink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_IMAGE "image"   /* its folder below making/ */
#define CLAIM     "claimed" /* a file in an image's folder */

/* ---- what is there ---- */

static char *path_of(const struct pool *pool, const char *name)
{
    return g_build_filename(pool->path, "images", name, DISK_FILE, NULL);
}

static gboolean check_name(const char *name, GError **error)
{
    if (image_name_valid(name))
        return TRUE;
    g_set_error(
        error, RH_ERROR, RH_ERROR_BAD_CONFIG,
        "\"%s\" cannot be the name of an image. It must begin with a letter or digit, hold only letters, digits, "
        "dots, dashes and underscores, and be at most 63 long.",
        name);
    return FALSE;
}

static gboolean no_image(const char *name, GError **error)
{
    g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND, "There is no image called \"%s\".", name);
    return FALSE;
}

/* NULL: none of that name. */
static struct image *look_at(const struct pool *pool, const char *name)
{
    struct stat status;
    g_autofree char *path = path_of(pool, name);
    if (!image_name_valid(name) || lstat(path, &status) < 0 || !S_ISREG(status.st_mode))
        return NULL;
    struct image *image = g_new(struct image, 1);
    *image = (struct image){g_strdup(name), (guint64)status.st_size, (guint64)status.st_blocks * 512,
                            status.st_mtim.tv_sec, image_holders(path)};
    return image;
}

void image_free(struct image *image)
{
    if (!image)
        return;
    g_free(image->name);
    g_free(image->holders);
    g_free(image);
}

struct image *image_find(const struct pool *pool, const char *name, GError **error)
{
    struct image *image = look_at(pool, name);
    if (!image)
        no_image(name, error);
    return image;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp((*(struct image *const *)a)->name, (*(struct image *const *)b)->name);
}

static gboolean is_claimed(const struct pool *pool, const char *name)
{
    g_autofree char *path = g_build_filename(name, CLAIM, NULL);
    return image_name_valid(name) && faccessat(pool->images, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

GPtrArray *image_list(const struct pool *pool, GError **error)
{
    g_autofree char *path = g_build_filename(pool->path, "images", NULL);
    g_autoptr(GError) cause = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &cause);
    if (!dir) {
        g_set_error(error, RH_ERROR, RH_ERROR_STORAGE, "The images cannot be listed: %s.", cause->message);
        return NULL;
    }
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)image_free);
    for (const char *name; (name = g_dir_read_name(dir));) {
        struct image *image = is_claimed(pool, name) ? NULL : look_at(pool, name);
        if (image)
            g_ptr_array_add(list, image);
    }
    g_ptr_array_sort(list, compare_names);
    return list;
}

char *image_path(const struct pool *pool, const char *name, GError **error)
{
    struct image *image = image_find(pool, name, error);
    char *path = image ? path_of(pool, name) : NULL;
    image_free(image);
    return path;
}

int image_folder(const struct pool *pool, const char *name, GError **error)
{
    int fd = check_name(name, error) ? openat(pool->images, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -2;
    if (fd == -1)
        no_image(name, error);
    return MAX(fd, -1);
}

int image_take(const struct pool *pool, const char *name, enum image_use use, GError **error)
{
    g_autofree char *path = image_path(pool, name, error);
    g_autofree char *what = g_strdup_printf("The image \"%s\"", name);
    return path ? image_lock(path, what, use, NULL, error) : -1;
}

/* ---- new ones ---- */

gboolean new_image_begin(const struct pool *pool, const char *name, struct new_image *image, GError **error)
{
    struct stat status;
    image->folder = image->making.folder = -1;
    if (!check_name(name, error))
        return FALSE;
    if (fstatat(pool->images, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        g_set_error(error, RH_ERROR, RH_ERROR_EXISTS, "There is an image called \"%s\" already. Choose another name.",
                    name);
        return FALSE;
    }
    if (!making_begin(pool, &image->making, error))
        return FALSE;
    if (mkdirat(image->making.folder, NEW_IMAGE, 0700) == 0)
        image->folder = openat(image->making.folder, NEW_IMAGE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return image->folder >= 0 || making_fail(error, "The image \"%s\" cannot be made", name);
}

/* The claim is in the image's folder, so that it comes and goes with it. */
static gboolean claim(int folder, GError **error)
{
    int fd = making_file(folder, CLAIM, error);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

gboolean new_image_keep(struct new_image *image, const char *name, GError **error)
{
    return (!image->making.pool->claims || claim(image->folder, error)) && making_sync(image->folder, error) &&
           making_move(image->making.folder, NEW_IMAGE, image->making.pool->images, name, RENAME_NOREPLACE, error);
}

void new_image_end(struct new_image *image)
{
    if (image->folder >= 0)
        close(image->folder);
    making_end(&image->making);
}

static gboolean check_size(guint64 size, GError **error)
{
    if (size && size % IMAGE_SIZE_STEP == 0 && size <= IMAGE_SIZE_MAX)
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                "%" G_GUINT64_FORMAT " bytes cannot be the size of an image: it is a multiple of %d, up to 8 TiB.",
                size, IMAGE_SIZE_STEP);
    return FALSE;
}

static gboolean set_size(int fd, guint64 size, GError **error)
{
    return ftruncate(fd, (off_t)size) == 0 || making_fail(error, "The size of the image cannot be set");
}

/* A new image with this size, or, where from is a file, with what is in that. */
static gboolean make_image(const struct pool *pool, const char *name, int from, guint64 size, GError **error)
{
    struct new_image image;
    gboolean good = new_image_begin(pool, name, &image, error);
    int fd = good ? making_file(image.folder, DISK_FILE, error) : -1;
    good = fd >= 0 && (from >= 0 ? reflink(from, fd, error) : set_size(fd, size, error)) && making_sync(fd, error) &&
           new_image_keep(&image, name, error);
    if (fd >= 0)
        close(fd);
    new_image_end(&image);
    return good;
}

gboolean image_create(const struct pool *pool, const char *name, guint64 size, GError **error)
{
    return check_size(size, error) && make_image(pool, name, -1, size, error);
}

gboolean image_clone(const struct pool *pool, const char *name, const char *new_name, GError **error)
{
    int from = image_take(pool, name, IMAGE_COPY, error);
    if (from < 0)
        return FALSE;
    gboolean good = make_image(pool, new_name, from, 0, error);
    image_unlock(from);
    return good;
}

/* ---- changes ---- */

static gboolean grow(int fd, guint64 size, GError **error)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return making_fail(error, "The size of the image cannot be read");
    if (size < (guint64)status.st_size) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                    "The image has %" G_GUINT64_FORMAT
                    " bytes already. It can only be made larger: what is at its end would "
                    "be lost.",
                    (guint64)status.st_size);
        return FALSE;
    }
    if (!set_size(fd, size, error))
        return FALSE;
    if (making_sync(fd, error))
        return TRUE;
    if (ftruncate(fd, status.st_size) < 0)
        g_prefix_error(error, "What was begun could not be undone (%s). ", g_strerror(errno));
    return FALSE;
}

gboolean image_grow(const struct pool *pool, const char *name, guint64 size, GError **error)
{
    int fd = check_size(size, error) ? image_take(pool, name, IMAGE_CHANGE, error) : -1;
    if (fd < 0)
        return FALSE;
    gboolean good = grow(fd, size, error);
    image_unlock(fd);
    return good;
}

gboolean image_rename(const struct pool *pool, const char *name, const char *new_name, GError **error)
{
    int fd = check_name(new_name, error) ? image_take(pool, name, IMAGE_CHANGE, error) : -1;
    if (fd < 0)
        return FALSE;
    gboolean good = making_move(pool->images, name, pool->images, new_name, RENAME_NOREPLACE, error);
    image_unlock(fd);
    return good;
}

gboolean image_delete(const struct pool *pool, const char *name, GError **error)
{
    int fd = image_take(pool, name, IMAGE_CHANGE, error);
    if (fd < 0)
        return FALSE;
    gboolean good = making_discard(pool, pool->images, name, error);
    image_unlock(fd);
    return good;
}

/* ---- claims ---- */

void image_claim(struct pool *pool)
{
    pool->claims = TRUE;
}

gboolean image_settle(const struct pool *pool, const char *name, GError **error)
{
    int folder = image_folder(pool, name, error);
    if (folder < 0)
        return FALSE;
    gboolean good = unlinkat(folder, CLAIM, 0) == 0 || errno == ENOENT ||
                    making_fail(error, "The image \"%s\" cannot be given to its guest", name);
    good = good && making_sync(folder, error);
    close(folder);
    return good;
}

GPtrArray *image_list_claimed(const struct pool *pool)
{
    g_autofree char *path = g_build_filename(pool->path, "images", NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        if (is_claimed(pool, name))
            g_ptr_array_add(names, g_strdup(name));
    }
    return names;
}
