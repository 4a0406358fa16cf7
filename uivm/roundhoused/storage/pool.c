/* The pool's folders, its free space and the low-water mark. */
#include "pool.h"
#include "../errors.h"
#include "making.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB            (G_GUINT64_CONSTANT(1) << 20)
#define LOW_WATER      "low-water"
#define LOW_WATER_PART 20 /* of the pool, where nothing is written */
#define LOW_WATER_MIN  (256 * MIB)
#define LOW_WATER_MAX  (8192 * MIB)

/* ---- opening ---- */

/* A folder that is new is written to the disk. */
static int open_folder(int parent, const char *name, GError **error)
{
    int fd = -1;
    gboolean made = mkdirat(parent, name, 0700) == 0;
    if (made && !making_sync(parent, error))
        return -1;
    if (made || errno == EEXIST)
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        making_fail(error, "The folder %s of the pool cannot be used", name);
    return fd;
}

static gboolean open_folders(struct pool *pool, GError **error)
{
    int top = open(pool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0) {
        g_set_error(error, RH_ERROR, RH_ERROR_STORAGE,
                    "There is no pool of disks at %s (%s). Make an XFS file system labelled rh-pool, and restart "
                    "this machine.",
                    pool->path, g_strerror(errno));
        return FALSE;
    }
    pool->images = open_folder(top, "images", error);
    if (pool->images >= 0)
        pool->making = open_folder(top, "making", error);
    close(top);
    return pool->making >= 0;
}

struct pool *pool_open(const char *path, GError **error)
{
    struct pool *pool = g_new(struct pool, 1);
    *pool = (struct pool){g_strdup(path), -1, -1, FALSE};
    if (!open_folders(pool, error)) {
        pool_close(pool);
        return NULL;
    }
    making_clear(pool);
    return pool;
}

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    if (pool->images >= 0)
        close(pool->images);
    if (pool->making >= 0)
        close(pool->making);
    g_free(pool->path);
    g_free(pool);
}

const char *pool_path(const struct pool *pool)
{
    return pool->path;
}

/* ---- space ---- */

static guint64 low_water(const char *pool_path, guint64 size)
{
    g_autofree char *path = g_build_filename(pool_path, LOW_WATER, NULL);
    g_autofree char *text = NULL;
    guint64 mark;
    if (g_file_get_contents(path, &text, NULL, NULL) &&
        g_ascii_string_to_unsigned(g_strstrip(text), 10, 0, G_MAXUINT64, &mark, NULL))
        return MIN(mark, size);
    return CLAMP(size / LOW_WATER_PART, LOW_WATER_MIN, LOW_WATER_MAX);
}

gboolean pool_get_space(const char *path, struct pool_space *space, GError **error)
{
    struct statvfs status;
    if (statvfs(path, &status) < 0)
        return making_fail(error, "The free space of %s cannot be read", path);
    space->size = (guint64)status.f_blocks * status.f_frsize;
    space->free = (guint64)status.f_bavail * status.f_frsize;
    space->low = low_water(path, space->size);
    space->enough = space->low + space->low / 4;
    return TRUE;
}

gboolean pool_must_pause(const struct pool_space *space)
{
    return space->free < space->low;
}

gboolean pool_may_go_on(const struct pool_space *space)
{
    return space->free >= space->enough;
}

static gboolean write_mark(const struct pool *pool, const struct making *making, guint64 bytes, GError **error)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", bytes);
    int top = open(pool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = top < 0 ? -1 : openat(making->folder, LOW_WATER, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    gssize length = (gssize)strlen(text);
    gboolean good = (fd >= 0 && write(fd, text, (gsize)length) == length) ||
                    making_fail(error, "The mark could not be written down");
    good = good && making_sync(fd, error) && making_move(making->folder, LOW_WATER, top, LOW_WATER, 0, error);
    if (fd >= 0)
        close(fd);
    if (top >= 0)
        close(top);
    return good;
}

gboolean pool_set_low_water(struct pool *pool, guint64 bytes, GError **error)
{
    struct making making;
    if (!making_begin(pool, &making, error))
        return FALSE;
    gboolean good = write_mark(pool, &making, bytes, error);
    making_end(&making);
    return good;
}
