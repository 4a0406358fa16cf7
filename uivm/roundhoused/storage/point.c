/* Points: files TIME[.LABEL].img beside the image's own, and TIME.png of what the guest showed. */
#include "point.h"
#include "../errors.h"
#include "extents.h"
#include "image_private.h"
#include "reflink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX         ".img"
#define PICTURE_SUFFIX ".png"

/* ---- what is there ---- */

static void point_free(gpointer data)
{
    struct point *point = data;
    g_free(point->label);
    g_free(point);
}

static char *file_of(gint64 time, const char *label)
{
    return g_strdup_printf("%" G_GINT64_FORMAT "%s%s" SUFFIX, time, label ? "." : "", label ? label : "");
}

static char *picture_of(gint64 time)
{
    return g_strdup_printf("%" G_GINT64_FORMAT PICTURE_SUFFIX, time);
}

/* NULL: the file is no point. */
static struct point *read_point(int folder, const char *file)
{
    struct stat status;
    char *end;
    gint64 time = g_ascii_strtoll(file, &end, 10);
    if (!g_ascii_isdigit(file[0]) || !g_str_has_suffix(end, SUFFIX) || *end != '.' ||
        fstatat(folder, file, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return NULL;
    struct point *point = g_new(struct point, 1);
    gsize length = strlen(end) - strlen(SUFFIX);
    g_autofree char *picture = picture_of(time);
    *point = (struct point){time, length ? g_strndup(end + 1, length - 1) : NULL, (guint64)status.st_size,
                            faccessat(folder, picture, F_OK, AT_SYMLINK_NOFOLLOW) == 0};
    return point;
}

static int compare_times(gconstpointer a, gconstpointer b)
{
    const struct point *left = *(struct point *const *)a, *right = *(struct point *const *)b;
    return left->time < right->time ? -1 : left->time > right->time;
}

static GPtrArray *list_points(const struct pool *pool, const char *image, int folder)
{
    g_autofree char *path = g_build_filename(pool->path, "images", image, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    GPtrArray *points = g_ptr_array_new_with_free_func(point_free);
    for (const char *file; dir && (file = g_dir_read_name(dir));) {
        struct point *point = read_point(folder, file);
        if (point)
            g_ptr_array_add(points, point);
    }
    g_ptr_array_sort(points, compare_times);
    return points;
}

GPtrArray *point_list(const struct pool *pool, const char *image, GError **error)
{
    int folder = image_folder(pool, image, error);
    if (folder < 0)
        return NULL;
    GPtrArray *points = list_points(pool, image, folder);
    close(folder);
    return points;
}

/* The file's name; NULL with an error when there is no such point. */
static char *find_point(GPtrArray *points, const char *image, gint64 time, GError **error)
{
    for (guint i = 0; i < points->len; i++) {
        const struct point *point = g_ptr_array_index(points, i);
        if (point->time == time)
            return file_of(time, point->label);
    }
    g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND, "The image \"%s\" has no such point any more.", image);
    return NULL;
}

/* ---- one image at work: locked, its folder open, its points read ---- */

struct work {
    const struct pool *pool;
    int disk, folder;
    GPtrArray *points;
};

static void work_end(struct work *work)
{
    g_clear_pointer(&work->points, g_ptr_array_unref);
    if (work->folder >= 0)
        close(work->folder);
    if (work->disk >= 0)
        image_unlock(work->disk);
}

static gboolean work_begin(struct work *work, const struct pool *pool, const char *image, enum image_use use,
                           GError **error)
{
    *work = (struct work){pool, image_take(pool, image, use, error), -1, NULL};
    if (work->disk >= 0)
        work->folder = image_folder(pool, image, error);
    if (work->folder >= 0)
        work->points = list_points(pool, image, work->folder);
    return work->points != NULL;
}

/* A copy of a file becomes one of the image's; flags: renameat2(2). */
static gboolean put_copy(const struct work *work, int from, const char *file, guint flags, GError **error)
{
    struct making making;
    if (!making_begin(work->pool, &making, error))
        return FALSE;
    int fd = making_file(making.folder, DISK_FILE, error);
    gboolean good = fd >= 0 && reflink(from, fd, error) && making_sync(fd, error) &&
                    making_move(making.folder, DISK_FILE, work->folder, file, flags, error);
    if (fd >= 0)
        close(fd);
    making_end(&making);
    return good;
}

/* ---- making one ---- */

static gboolean check_label(const char *label, GError **error)
{
    gboolean good =
        *label && strlen(label) <= POINT_LABEL_MAX && g_utf8_validate(label, -1, NULL) && !strchr(label, '/');
    for (const char *next = label; good && *next; next = g_utf8_next_char(next))
        good = !g_unichar_iscntrl(g_utf8_get_char(next));
    if (!good)
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                    "A snapshot's name is text of one line without \"/\", up to %d bytes long.", POINT_LABEL_MAX);
    return good;
}

/* A clock that was set back puts no point before those that are older. */
static gint64 next_time(const GPtrArray *points)
{
    gint64 now = g_get_real_time() / 1000;
    const struct point *newest = points->len ? g_ptr_array_index(points, points->len - 1) : NULL;
    return newest ? MAX(now, newest->time + 1) : now;
}

/* *time: when it is to be; 0: now. */
static gboolean make(const struct pool *pool, const char *image, const char *label, gint64 *time, GError **error)
{
    struct work work;
    if (label && !check_label(label, error))
        return FALSE;
    gboolean good = work_begin(&work, pool, image, IMAGE_COPY, error);
    if (good) {
        *time = *time ? *time : next_time(work.points);
        g_autofree char *file = file_of(*time, label);
        good = put_copy(&work, work.disk, file, RENAME_NOREPLACE, error);
    }
    work_end(&work);
    return good;
}

gboolean point_make(const struct pool *pool, const char *image, const char *label, gint64 *time, GError **error)
{
    gint64 made = 0;
    gboolean good = make(pool, image, label, &made, error);
    if (good && time)
        *time = made;
    return good;
}

gboolean point_make_at(const struct pool *pool, const char *image, const char *label, gint64 time, GError **error)
{
    return make(pool, image, label, &time, error);
}

gboolean point_next_time(const struct pool *pool, const char *image, gint64 *time, GError **error)
{
    g_autoptr(GPtrArray) points = point_list(pool, image, error);
    if (points)
        *time = next_time(points);
    return points != NULL;
}

/* ---- what the guest showed ---- */

static gboolean write_picture(int fd, GBytes *picture, GError **error)
{
    gsize size;
    const void *bytes = g_bytes_get_data(picture, &size);
    ssize_t wrote = write(fd, bytes, size);
    if (wrote >= 0 && (gsize)wrote < size)
        errno = ENOSPC;
    return (wrote >= 0 && (gsize)wrote == size) || making_fail(error, "The picture could not be kept");
}

gboolean point_put_picture(const struct pool *pool, const char *image, gint64 time, GBytes *picture, GError **error)
{
    struct making making;
    g_autofree char *name = picture_of(time);
    int folder = image_folder(pool, image, error);
    if (folder < 0)
        return FALSE;
    gboolean good = making_begin(pool, &making, error);
    int fd = good ? making_file(making.folder, name, error) : -1;
    good = fd >= 0 && write_picture(fd, picture, error) && making_sync(fd, error) &&
           making_move(making.folder, name, folder, name, 0, error);
    if (fd >= 0)
        close(fd);
    making_end(&making);
    close(folder);
    return good;
}

static GBytes *read_picture(int fd, GError **error)
{
    g_autofree guint8 *bytes = g_malloc(POINT_PICTURE_MAX);
    ssize_t size = read(fd, bytes, POINT_PICTURE_MAX);
    if (size >= 0)
        return g_bytes_new(bytes, (gsize)size);
    making_fail(error, "The picture cannot be read");
    return NULL;
}

GBytes *point_picture(const struct pool *pool, const char *image, gint64 time, GError **error)
{
    g_autofree char *name = picture_of(time);
    int folder = image_folder(pool, image, error);
    int fd = folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0 && fd < 0)
        making_fail(error, "There is no picture of this point");
    GBytes *picture = fd < 0 ? NULL : read_picture(fd, error);
    if (fd >= 0)
        close(fd);
    if (folder >= 0)
        close(folder);
    return picture;
}

/* Before the point goes: one without a picture is listed, a picture without a point would stay. */
static gboolean discard(const struct work *work, const char *file, gint64 time, GError **error)
{
    g_autofree char *picture = picture_of(time);
    if (unlinkat(work->folder, picture, 0) < 0 && errno != ENOENT)
        return making_fail(error, "The point's picture cannot be deleted");
    return making_discard(work->pool, work->folder, file, error);
}

/* ---- going back, deleting ---- */

static gboolean revert(const struct work *work, const char *file, GError **error)
{
    int from = openat(work->folder, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0)
        return making_fail(error, "The point cannot be opened");
    gboolean good = put_copy(work, from, DISK_FILE, RENAME_EXCHANGE, error);
    close(from);
    return good;
}

gboolean point_revert(const struct pool *pool, const char *image, gint64 time, GError **error)
{
    struct work work;
    g_autofree char *file = NULL;
    gboolean good = work_begin(&work, pool, image, IMAGE_CHANGE, error) &&
                    (file = find_point(work.points, image, time, error)) && revert(&work, file, error);
    work_end(&work);
    return good;
}

gboolean point_delete(const struct pool *pool, const char *image, gint64 time, GError **error)
{
    struct work work;
    g_autofree char *file = NULL;
    gboolean good = work_begin(&work, pool, image, IMAGE_COPY, error) &&
                    (file = find_point(work.points, image, time, error)) &&
                    discard(&work, file, time, error);
    work_end(&work);
    return good;
}

/* ---- the rolling set ---- */

static gboolean add_extents_of(GArray *extents, int folder, const char *file, GError **error)
{
    int fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return making_fail(error, "A point cannot be opened");
    gboolean good = extents_add(extents, fd, error);
    close(fd);
    return good;
}

/* What would come back if these and all before them were deleted. */
static gboolean bytes_of_undo(const struct work *work, guint64 *bytes, GError **error)
{
    g_autoptr(GArray) undo = g_array_new(FALSE, FALSE, sizeof(struct extent));
    g_autoptr(GArray) others = g_array_new(FALSE, FALSE, sizeof(struct extent));
    if (!extents_add(others, work->disk, error))
        return FALSE;
    for (guint i = 0; i < work->points->len; i++) {
        const struct point *point = g_ptr_array_index(work->points, i);
        g_autofree char *file = file_of(point->time, point->label);
        if (!add_extents_of(point->label ? others : undo, work->folder, file, error))
            return FALSE;
    }
    *bytes = extents_beyond(undo, others);
    return TRUE;
}

static guint oldest_undo(const GPtrArray *points, guint *count)
{
    guint oldest = points->len;
    *count = 0;
    for (guint i = points->len; i-- > 0;) {
        const struct point *point = g_ptr_array_index(points, i);
        if (!point->label) {
            oldest = i;
            (*count)++;
        }
    }
    return oldest;
}

/* Whether the oldest undo point has to go. */
static gboolean too_much(const struct work *work, const struct point_limits *limits, guint *oldest, GError **error)
{
    guint64 bytes = 0;
    guint count;
    *oldest = oldest_undo(work->points, &count);
    if (count <= 1)
        return FALSE;
    return count > limits->count || (bytes_of_undo(work, &bytes, error) && bytes > limits->bytes);
}

static gboolean trim(struct work *work, const struct point_limits *limits, GError **error)
{
    GError *cause = NULL;
    guint oldest;
    while (!cause && too_much(work, limits, &oldest, &cause)) {
        const struct point *point = g_ptr_array_index(work->points, oldest);
        g_autofree char *file = file_of(point->time, point->label);
        if (discard(work, file, point->time, &cause))
            g_ptr_array_remove_index(work->points, oldest);
    }
    if (cause)
        g_propagate_error(error, cause);
    return !cause;
}

gboolean point_trim(const struct pool *pool, const char *image, const struct point_limits *limits, GError **error)
{
    struct work work;
    gboolean good = work_begin(&work, pool, image, IMAGE_COPY, error) && trim(&work, limits, error);
    work_end(&work);
    return good;
}
