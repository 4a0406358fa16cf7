/* Changes of a pool, and what it is before and after. */
#include "steps.h"
#include "calls.h"
#include "image.h"
#include "point.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE     65536
#define READ_MAX (1 << 20) /* larger files are known by their size */

/* ---- the pool before ---- */

static void fill(struct pool *pool, const char *name, char byte)
{
    char bytes[SIZE / 4];
    g_autoptr(GError) error = NULL;
    g_autofree char *path = image_path(pool, name, &error);
    g_assert_no_error(error);
    memset(bytes, byte, sizeof(bytes));
    int fd = open(path, O_WRONLY);
    g_assert_cmpint(pwrite(fd, bytes, sizeof(bytes), 0), ==, sizeof(bytes));
    g_assert_cmpint(pwrite(fd, bytes, sizeof(bytes), SIZE / 2), ==, sizeof(bytes));
    close(fd);
}

static void make_point(struct pool *pool, const char *label)
{
    g_autoptr(GError) error = NULL;
    point_make(pool, "work", label, NULL, &error);
    g_assert_no_error(error);
}

void steps_prepare(struct pool *pool)
{
    g_autoptr(GError) error = NULL;
    image_create(pool, "home", SIZE, &error);
    g_assert_no_error(error);
    image_create(pool, "work", SIZE, &error);
    g_assert_no_error(error);
    fill(pool, "home", 'h');
    fill(pool, "work", 'a');
    make_point(pool, "before the update");
    fill(pool, "work", 'b');
    make_point(pool, NULL);
    fill(pool, "work", 'c');
    make_point(pool, NULL);
    fill(pool, "work", 'd');
}

/* ---- steps ---- */

static gint64 time_of(struct pool *pool, guint index)
{
    g_autoptr(GPtrArray) points = point_list(pool, "work", NULL);
    g_assert_cmpuint(points->len, >, index);
    return ((struct point *)g_ptr_array_index(points, index))->time;
}

static gboolean create(struct pool *pool, GError **error)
{
    return image_create(pool, "new", 2 * SIZE, error);
}

static gboolean clone_image(struct pool *pool, GError **error)
{
    return image_clone(pool, "work", "new", error);
}

static gboolean grow(struct pool *pool, GError **error)
{
    return image_grow(pool, "work", 4 * SIZE, error);
}

static gboolean change_name(struct pool *pool, GError **error)
{
    return image_rename(pool, "work", "new", error);
}

static gboolean delete (struct pool *pool, GError **error)
{
    return image_delete(pool, "work", error);
}

static gboolean snapshot(struct pool *pool, GError **error)
{
    return point_make(pool, "work", "a snapshot", NULL, error);
}

static gboolean undo_point(struct pool *pool, GError **error)
{
    return point_make(pool, "work", NULL, NULL, error);
}

static gboolean revert(struct pool *pool, GError **error)
{
    return point_revert(pool, "work", time_of(pool, 0), error);
}

static gboolean delete_point(struct pool *pool, GError **error)
{
    return point_delete(pool, "work", time_of(pool, 0), error);
}

static gboolean trim(struct pool *pool, GError **error)
{
    const struct point_limits limits = {1, G_MAXUINT64};
    return point_trim(pool, "work", &limits, error);
}

static gboolean mark(struct pool *pool, GError **error)
{
    return pool_set_low_water(pool, 12345, error);
}

const struct step steps[] = {
    {"create", create},
    {"clone", clone_image},
    {"grow", grow},
    {"rename", change_name},
    {"delete", delete},
    {"snapshot", snapshot},
    {"undo point", undo_point},
    {"revert", revert},
    {"delete a point", delete_point},
    {"trim", trim},
    {"low-water mark", mark},
    {NULL, NULL},
};

/* ---- what a pool is ---- */

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static GPtrArray *names_in(const char *path)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_strings);
    return names;
}

static void describe_file(GString *text, const char *name, const char *path)
{
    g_autofree char *bytes = NULL, *sum = NULL;
    GStatBuf status;
    gsize length;
    gsize time = g_str_has_suffix(name, ".img") ? strspn(name, "0123456789") : 0;
    g_assert_no_errno(g_stat(path, &status));
    if (status.st_size > READ_MAX) {
        g_string_append_printf(text, "  %s %" G_GINT64_FORMAT "\n", name + time, (gint64)status.st_size);
        return;
    }
    g_assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    sum = g_compute_checksum_for_data(G_CHECKSUM_MD5, (guchar *)bytes, length);
    g_string_append_printf(text, "  %s %zu %s\n", name + time, length, sum);
}

static void describe(GString *text, const char *path)
{
    g_autoptr(GPtrArray) names = names_in(path);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *inside = g_build_filename(path, name, NULL);
        if (!g_file_test(inside, G_FILE_TEST_IS_DIR)) {
            describe_file(text, name, inside);
            continue;
        }
        g_string_append_printf(text, "%s/\n", name);
        describe(text, inside);
    }
}

/* What is there is listed, and what is listed is there. */
static void check_lists(struct pool *pool)
{
    g_autofree char *folder = g_build_filename(pool_path(pool), "images", NULL);
    g_autoptr(GPtrArray) names = names_in(folder);
    g_autoptr(GPtrArray) images = image_list(pool, NULL);
    g_assert_nonnull(images);
    g_assert_cmpuint(images->len, ==, names->len);
    for (guint i = 0; i < images->len; i++) {
        const struct image *image = g_ptr_array_index(images, i);
        g_autofree char *inside = g_build_filename(folder, image->name, NULL);
        g_autoptr(GPtrArray) files = names_in(inside);
        g_autoptr(GPtrArray) points = point_list(pool, image->name, NULL);
        g_assert_cmpstr(image->name, ==, g_ptr_array_index(names, i));
        g_assert_cmpuint(files->len, ==, points->len + 1);
    }
}

char *steps_describe(struct pool *pool)
{
    GString *text = g_string_new(NULL);
    check_lists(pool);
    describe(text, pool_path(pool));
    return g_string_free(text, FALSE);
}

guint steps_unfinished(const char *path)
{
    g_autofree char *folder = g_build_filename(path, "making", NULL);
    g_autoptr(GPtrArray) names = names_in(folder);
    return names->len;
}

void steps_empty(const char *path)
{
    g_autoptr(GPtrArray) names = names_in(path);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *inside = g_build_filename(path, g_ptr_array_index(names, i), NULL);
        if (g_file_test(inside, G_FILE_TEST_IS_DIR))
            steps_empty(inside);
        g_assert_no_errno(g_remove(inside));
    }
}
