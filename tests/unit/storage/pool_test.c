/* The pool as its users see it: what is refused and in what words, locks of several processes, import and export. */
#include "calls.h"
#include "errors.h"
#include "extents.h"
#include "image.h"
#include "lock.h"
#include "making.h"
#include "point.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char *folder;
    struct pool *pool;
    GError *error;
};

static void setup(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    calls_reset(FALSE);
    *fixture = (struct fixture){.folder = g_dir_make_tmp("roundhouse-storage-XXXXXX", NULL)};
    fixture->pool = pool_open(fixture->folder, &fixture->error);
    g_assert_no_error(fixture->error);
    steps_prepare(fixture->pool);
}

static void teardown(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_assert_no_error(fixture->error);
    pool_close(fixture->pool);
    steps_empty(fixture->folder);
    g_rmdir(fixture->folder);
    g_free(fixture->folder);
    calls_reset(FALSE);
}

/* The last call was refused so, and nothing has changed. */
static void refused(struct fixture *fixture, gboolean good, enum rh_error code, const char *sentence)
{
    g_assert_false(good);
    g_assert_error(fixture->error, RH_ERROR, (int)code);
    if (!strstr(fixture->error->message, sentence))
        g_assert_cmpstr(fixture->error->message, ==, sentence);
    g_clear_error(&fixture->error);
    g_assert_cmpuint(steps_unfinished(fixture->folder), ==, 0);
}

static void done(struct fixture *fixture, gboolean good)
{
    g_assert_no_error(fixture->error);
    g_assert_true(good);
    g_assert_cmpuint(steps_unfinished(fixture->folder), ==, 0);
}

static char *disk_of(struct fixture *fixture, const char *name)
{
    char *path = image_path(fixture->pool, name, &fixture->error);
    g_assert_no_error(fixture->error);
    return path;
}

static char first_byte(struct fixture *fixture, const char *name)
{
    g_autofree char *path = disk_of(fixture, name);
    char byte;
    int fd = open(path, O_RDONLY);
    g_assert_cmpint(read(fd, &byte, 1), ==, 1);
    close(fd);
    return byte;
}

/* ---- images ---- */

static void images_are_listed(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_autoptr(GPtrArray) images = image_list(fixture->pool, &fixture->error);
    const struct image *image = g_ptr_array_index(images, 1);
    g_assert_cmpuint(images->len, ==, 2);
    g_assert_cmpstr(image->name, ==, "work");
    g_assert_cmpuint(image->size, ==, 65536);
    g_assert_cmpuint(image->used, >, 0);
    g_assert_cmpuint(image->used, <, 65536); /* sparse */
    g_assert_null(image->holders);
    g_assert_null(image_find(fixture->pool, "nobody", &fixture->error));
    refused(fixture, FALSE, RH_ERROR_NOT_FOUND, "There is no image called \"nobody\".");
}

static void bad_names_are_refused(struct fixture *fixture, gconstpointer data)
{
    static const char *const names[] = {"", ".", "..", "../work", "a/b", ".hidden", "a b", "a\nb", "-a", "\xc3\xa4"};
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *name = names[i];
        refused(fixture, image_create(fixture->pool, name, 4096, &fixture->error), RH_ERROR_BAD_CONFIG,
                "cannot be the name");
        refused(fixture, image_clone(fixture->pool, "work", name, &fixture->error), RH_ERROR_BAD_CONFIG,
                "cannot be the name");
        refused(fixture, image_rename(fixture->pool, "work", name, &fixture->error), RH_ERROR_BAD_CONFIG,
                "cannot be the name");
        refused(fixture, image_delete(fixture->pool, name, &fixture->error), RH_ERROR_NOT_FOUND, "There is no image");
        refused(fixture, point_make(fixture->pool, name, NULL, NULL, &fixture->error), RH_ERROR_NOT_FOUND,
                "There is no image");
    }
    g_autofree char *longest = g_strnfill(63, 'x'), *longer = g_strnfill(64, 'x');
    done(fixture, image_create(fixture->pool, longest, 4096, &fixture->error));
    refused(fixture, image_create(fixture->pool, longer, 4096, &fixture->error), RH_ERROR_BAD_CONFIG,
            "cannot be the name");
}

static void taken_names_are_refused(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    refused(fixture, image_create(fixture->pool, "home", 4096, &fixture->error), RH_ERROR_EXISTS,
            "already. Choose another");
    refused(fixture, image_clone(fixture->pool, "work", "home", &fixture->error), RH_ERROR_EXISTS,
            "already. Choose another");
    refused(fixture, image_rename(fixture->pool, "work", "home", &fixture->error), RH_ERROR_EXISTS,
            "The name is taken.");
    g_assert_cmpint(first_byte(fixture, "home"), ==, 'h');
    g_assert_cmpint(first_byte(fixture, "work"), ==, 'd');
}

static void bad_sizes_are_refused(struct fixture *fixture, gconstpointer data)
{
    static const guint64 sizes[] = {0, 1, 511, 513, IMAGE_SIZE_MAX + 512, G_MAXUINT64, G_MAXUINT64 - 511};
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        refused(fixture, image_create(fixture->pool, "new", sizes[i], &fixture->error), RH_ERROR_BAD_CONFIG,
                "cannot be the size");
        refused(fixture, image_grow(fixture->pool, "work", sizes[i], &fixture->error), RH_ERROR_BAD_CONFIG,
                "cannot be the size");
    }
    refused(fixture, image_grow(fixture->pool, "work", 65536 - 512, &fixture->error), RH_ERROR_BAD_CONFIG,
            "has 65536 bytes already");
    done(fixture, image_grow(fixture->pool, "work", 65536, &fixture->error));
}

static void without_reflinks_nothing_is_copied(struct fixture *fixture, gconstpointer data)
{
    static const int errors[] = {EOPNOTSUPP, ENOTTY, EINVAL, EXDEV};
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(errors); i++) {
        calls.reflink_error = errors[i];
        refused(fixture, image_clone(fixture->pool, "work", "new", &fixture->error), RH_ERROR_STORAGE,
                "Put the pool on XFS");
        refused(fixture, point_make(fixture->pool, "work", NULL, NULL, &fixture->error), RH_ERROR_STORAGE,
                "Put the pool on XFS");
    }
    calls.reflink_error = EIO;
    refused(fixture, image_clone(fixture->pool, "work", "new", &fixture->error), RH_ERROR_STORAGE,
            "Input/output error");
    g_assert_null(image_find(fixture->pool, "new", NULL));
}

/* ---- points ---- */

static const struct point *point_at(GPtrArray *points, guint index)
{
    g_assert_cmpuint(index, <, points->len);
    return g_ptr_array_index(points, index);
}

static void points_bring_back(struct fixture *fixture, gconstpointer data)
{
    static const char was[] = "abc";
    (void)data;
    g_autoptr(GPtrArray) points = point_list(fixture->pool, "work", &fixture->error);
    g_assert_cmpuint(points->len, ==, 3);
    g_assert_cmpstr(point_at(points, 0)->label, ==, "before the update");
    for (guint i = 0; i < points->len; i++) {
        g_assert_cmpuint(point_at(points, i)->size, ==, 65536);
        done(fixture, point_revert(fixture->pool, "work", point_at(points, i)->time, &fixture->error));
        g_assert_cmpint(first_byte(fixture, "work"), ==, was[i]);
    }
    g_autoptr(GPtrArray) after = point_list(fixture->pool, "work", &fixture->error);
    g_assert_cmpuint(after->len, ==, 3);
    refused(fixture, point_revert(fixture->pool, "work", 1, &fixture->error), RH_ERROR_NOT_FOUND, "no such point");
    refused(fixture, point_delete(fixture->pool, "work", 1, &fixture->error), RH_ERROR_NOT_FOUND, "no such point");
}

/* Ten at once have ten times, in order, whatever the clock says. */
static void times_are_their_own(struct fixture *fixture, gconstpointer data)
{
    gint64 last = 0, time;
    (void)data;
    for (int i = 0; i < 10; i++) {
        done(fixture, point_make(fixture->pool, "work", i % 2 ? "odd" : NULL, &time, &fixture->error));
        g_assert_cmpint(time, >, last);
        last = time;
    }
    g_assert_cmpint(ABS(last - g_get_real_time() / 1000), <, 60000);
}

static void labels_are_checked(struct fixture *fixture, gconstpointer data)
{
    static const char *const labels[] = {"", "a/b", "../x", "two\nlines", "\xff", "\x7f"};
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(labels); i++)
        refused(fixture, point_make(fixture->pool, "work", labels[i], NULL, &fixture->error), RH_ERROR_BAD_CONFIG,
                "text of one line");
    done(fixture, point_make(fixture->pool, "work", "1. f\xc3\xbcr .img", NULL, &fixture->error));
    g_autoptr(GPtrArray) points = point_list(fixture->pool, "work", &fixture->error);
    g_assert_cmpstr(point_at(points, 3)->label, ==, "1. f\xc3\xbcr .img");
}

/* The oldest undo points go; snapshots and the newest stay. */
static void undo_points_roll(struct fixture *fixture, gconstpointer data)
{
    const struct point_limits two = {2, G_MAXUINT64}, none = {0, 0};
    gint64 newest;
    (void)data;
    done(fixture, point_make(fixture->pool, "work", NULL, NULL, &fixture->error));
    done(fixture, point_make(fixture->pool, "work", NULL, &newest, &fixture->error));
    done(fixture, point_trim(fixture->pool, "work", &two, &fixture->error));
    g_autoptr(GPtrArray) points = point_list(fixture->pool, "work", &fixture->error);
    g_assert_cmpuint(points->len, ==, 3);
    g_assert_cmpstr(point_at(points, 0)->label, ==, "before the update");
    g_assert_cmpint(point_at(points, 2)->time, ==, newest);
    done(fixture, point_trim(fixture->pool, "work", &none, &fixture->error));
    g_autoptr(GPtrArray) rest = point_list(fixture->pool, "work", &fixture->error);
    g_assert_cmpuint(rest->len, ==, 2);
    g_assert_cmpint(point_at(rest, 1)->time, ==, newest);
}

static GArray *extents_of(const char *text)
{
    GArray *extents = g_array_new(FALSE, FALSE, sizeof(struct extent));
    g_auto(GStrv) parts = g_strsplit(text, " ", -1);
    for (gsize i = 0; parts[i] && *parts[i]; i++) {
        struct extent extent;
        g_assert_cmpint(sscanf(parts[i], "%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, &extent.start, &extent.end), ==,
                        2);
        g_array_append_val(extents, extent);
    }
    return extents;
}

static void space_is_counted_once(void)
{
    static const struct {
        const char *extents, *others;
        guint64 bytes;
    } rows[] = {
        {"", "", 0},
        {"0-10", "", 10},
        {"0-10 0-10", "", 10},
        {"0-10", "0-10", 0},
        {"0-10", "5-20", 5},
        {"5-20", "0-10", 10},
        {"0-100", "10-20 30-40", 80},
        {"0-100", "30-40 10-20 15-35", 70},
        {"20-30 0-10", "5-25", 10},
        {"0-50 40-60", "45-55", 50},
        {"0-10", "20-30", 10},
        {"20-30", "0-10", 10},
        {"0-100", "0-100 10-20", 0},
        {"0-10 5-7 8-20", "0-1 19-30", 18},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GArray) extents = extents_of(rows[i].extents);
        g_autoptr(GArray) others = extents_of(rows[i].others);
        guint64 bytes = extents_beyond(extents, others);
        if (bytes != rows[i].bytes)
            g_error("%s beyond %s: %" G_GUINT64_FORMAT, rows[i].extents, rows[i].others, bytes);
    }
}

/* ---- locks ---- */

static int lock(struct fixture *fixture, const char *name, enum image_use use, const char *holder)
{
    g_autofree char *path = disk_of(fixture, name);
    return image_lock(path, "The image", use, holder, &fixture->error);
}

static int locked(struct fixture *fixture, const char *name, enum image_use use, const char *holder)
{
    int fd = lock(fixture, name, use, holder);
    g_assert_no_error(fixture->error);
    return fd;
}

/* Each use beside each other one, and who is named. */
static void uses_beside_each_other(struct fixture *fixture, gconstpointer data)
{
    static const gboolean beside[IMAGE_USE_COUNT][IMAGE_USE_COUNT] = {
        [IMAGE_READ] = {[IMAGE_READ] = TRUE, [IMAGE_COPY] = TRUE},
        [IMAGE_WRITE] = {[IMAGE_COPY] = TRUE},
        [IMAGE_COPY] = {[IMAGE_READ] = TRUE, [IMAGE_WRITE] = TRUE, [IMAGE_COPY] = TRUE},
    };
    (void)data;
    for (enum image_use first = 0; first < IMAGE_USE_COUNT; first++) {
        for (enum image_use second = 0; second < IMAGE_USE_COUNT; second++) {
            gboolean guest = first == IMAGE_READ || first == IMAGE_WRITE;
            int one = locked(fixture, "work", first, guest ? "holder-1" : NULL);
            int other = lock(fixture, "work", second, NULL);
            g_assert_cmpint(other >= 0, ==, beside[first][second]);
            if (other < 0)
                refused(fixture, FALSE, RH_ERROR_IN_USE, guest ? "in use by holder-1." : "in use by another program");
            else
                close(other);
            close(one);
        }
    }
}

static void an_image_in_use_stays_as_it_is(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *before = NULL, *after = NULL;
    (void)data;
    g_autoptr(GPtrArray) points = point_list(fixture->pool, "work", &fixture->error);
    int guest = locked(fixture, "work", IMAGE_WRITE, "office");
    before = steps_describe(fixture->pool);
    refused(fixture, image_grow(fixture->pool, "work", 131072, &fixture->error), RH_ERROR_IN_USE, "in use by office");
    refused(fixture, image_rename(fixture->pool, "work", "new", &fixture->error), RH_ERROR_IN_USE, "in use by office");
    refused(fixture, image_delete(fixture->pool, "work", &fixture->error), RH_ERROR_IN_USE, "in use by office");
    refused(fixture, point_revert(fixture->pool, "work", point_at(points, 0)->time, &fixture->error), RH_ERROR_IN_USE,
            "The image \"work\" is in use by office. Shut that down first");
    after = steps_describe(fixture->pool);
    g_assert_cmpstr(before, ==, after);
    struct image *image = image_find(fixture->pool, "work", NULL);
    g_assert_cmpstr(image->holders, ==, "office");
    image_free(image);
    done(fixture, image_clone(fixture->pool, "work", "copy", &fixture->error));
    done(fixture, point_make(fixture->pool, "work", NULL, NULL, &fixture->error));
    close(guest);
    image = image_find(fixture->pool, "work", NULL);
    g_assert_null(image->holders);
    image_free(image);
    done(fixture, image_delete(fixture->pool, "work", &fixture->error));
}

/* Those before are not named, and those beside are. */
static void all_readers_are_named(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    close(locked(fixture, "work", IMAGE_WRITE, "before"));
    int one = locked(fixture, "work", IMAGE_READ, "one"), two = locked(fixture, "work", IMAGE_READ, "two");
    g_autofree char *path = disk_of(fixture, "work");
    g_autofree char *holders = image_holders(path);
    g_assert_nonnull(strstr(holders, "one"));
    g_assert_nonnull(strstr(holders, "two"));
    g_assert_null(strstr(holders, "before"));
    refused(fixture, lock(fixture, "work", IMAGE_WRITE, "three") >= 0, RH_ERROR_IN_USE, "in use by");
    close(one);
    refused(fixture, lock(fixture, "work", IMAGE_WRITE, "three") >= 0, RH_ERROR_IN_USE, "in use by");
    close(two);
    close(locked(fixture, "work", IMAGE_WRITE, "three"));
}

/* Another process has it until it dies, however it dies. */
static void a_lock_dies_with_its_process(struct fixture *fixture, gconstpointer data)
{
    int ready[2];
    char byte;
    (void)data;
    g_assert_no_errno(pipe(ready));
    pid_t child = fork();
    if (child == 0) {
        lock(fixture, "work", IMAGE_WRITE, "other");
        g_assert_cmpint(write(ready[1], "", 1), ==, 1);
        pause();
    }
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
    refused(fixture, image_delete(fixture->pool, "work", &fixture->error), RH_ERROR_IN_USE, "in use by other");
    refused(fixture, lock(fixture, "work", IMAGE_READ, "reader") >= 0, RH_ERROR_IN_USE, "in use by other");
    kill(child, SIGKILL);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    close(locked(fixture, "work", IMAGE_WRITE, "reader"));
    close(ready[0]);
    close(ready[1]);
}

static gpointer let_go(gpointer data)
{
    g_usleep(300000);
    close(GPOINTER_TO_INT(data));
    return NULL;
}

/* A guest that is started again meets its own disk, which the backend of its former self still has. */
static void a_guest_waits_for_itself(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    int before = locked(fixture, "work", IMAGE_WRITE, "office");
    refused(fixture, lock(fixture, "work", IMAGE_WRITE, "other") >= 0, RH_ERROR_IN_USE, "in use by office");
    GThread *thread = g_thread_new("former", let_go, GINT_TO_POINTER(before));
    close(locked(fixture, "work", IMAGE_WRITE, "office"));
    g_thread_join(thread);
}

/* What is being made by somebody who lives is no orphan. */
static void what_is_being_made_stays(struct fixture *fixture, gconstpointer data)
{
    struct making making;
    (void)data;
    g_assert_true(making_begin(fixture->pool, &making, &fixture->error));
    pool_close(pool_open(fixture->folder, NULL));
    g_assert_cmpuint(steps_unfinished(fixture->folder), ==, 1);
    making_end(&making);
    g_assert_cmpuint(steps_unfinished(fixture->folder), ==, 0);
}

/* ---- space ---- */

static void guests_pause_and_go_on(struct fixture *fixture, gconstpointer data)
{
    struct pool_space space;
    (void)data;
    done(fixture, pool_get_space(fixture->folder, &space, &fixture->error));
    g_assert_cmpuint(space.free, <=, space.size);
    g_assert_cmpuint(space.low, >=, G_GUINT64_CONSTANT(256) << 20);
    g_assert_cmpuint(space.low, <=, G_GUINT64_CONSTANT(8) << 30);
    done(fixture, pool_set_low_water(fixture->pool, 4000, &fixture->error));
    done(fixture, pool_get_space(fixture->folder, &space, &fixture->error));
    g_assert_cmpuint(space.low, ==, 4000);
    static const struct {
        guint64 free;
        gboolean pause, go_on;
    } rows[] = {{0, TRUE, FALSE}, {3999, TRUE, FALSE}, {4000, FALSE, FALSE}, {4999, FALSE, FALSE}, {5000, FALSE, TRUE}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        space.free = rows[i].free;
        g_assert_cmpint(pool_must_pause(&space), ==, rows[i].pause);
        g_assert_cmpint(pool_may_go_on(&space), ==, rows[i].go_on);
    }
    g_autofree char *path = g_build_filename(fixture->folder, "low-water", NULL);
    g_assert_true(g_file_set_contents(path, "much\n", -1, NULL));
    done(fixture, pool_get_space(fixture->folder, &space, &fixture->error));
    g_assert_cmpuint(space.low, >, 4000);
}

static void a_pool_that_is_not_there(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(pool_open("/nowhere/at/all", &error));
    g_assert_error(error, RH_ERROR, RH_ERROR_STORAGE);
    g_assert_nonnull(strstr(error->message, "There is no pool of disks at /nowhere/at/all"));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct fixture *, gconstpointer);
    } tests[] = {
        {"/storage/images/list", images_are_listed},
        {"/storage/images/bad-names", bad_names_are_refused},
        {"/storage/images/taken-names", taken_names_are_refused},
        {"/storage/images/sizes", bad_sizes_are_refused},
        {"/storage/images/no-reflinks", without_reflinks_nothing_is_copied},
        {"/storage/points/revert", points_bring_back},
        {"/storage/points/times", times_are_their_own},
        {"/storage/points/labels", labels_are_checked},
        {"/storage/points/rolling", undo_points_roll},
        {"/storage/locks/uses", uses_beside_each_other},
        {"/storage/locks/in-use", an_image_in_use_stays_as_it_is},
        {"/storage/locks/readers", all_readers_are_named},
        {"/storage/locks/death", a_lock_dies_with_its_process},
        {"/storage/locks/restart", a_guest_waits_for_itself},
        {"/storage/pool/orphans", what_is_being_made_stays},
        {"/storage/pool/space", guests_pause_and_go_on},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, struct fixture, NULL, setup, tests[i].run, teardown);
    g_test_add_func("/storage/points/space", space_is_counted_once);
    g_test_add_func("/storage/pool/missing", a_pool_that_is_not_there);
    return g_test_run();
}
