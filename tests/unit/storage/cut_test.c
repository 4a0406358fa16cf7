/*
 * Every change of the pool is cut at every call that changes the disk: by a kill, by a disk that is full for one call,
 * and by one that is full from then on. Afterwards all is as it was or as it was to be, and nothing is half made. And a
 * thing is written to the disk before it is put in its place, and its place before the change is said to be done.
 *
 * On any file system: FICLONE is a copy of bytes here. xfs_test.c has the real one and cuts the power.
 */
#include "calls.h"
#include "errors.h"
#include "steps.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define CALLS_MAX 100

static char *folder;

static struct pool *open_pool(void)
{
    g_autoptr(GError) error = NULL;
    struct pool *pool = pool_open(folder, &error);
    g_assert_no_error(error);
    return pool;
}

static struct pool *new_pool(void)
{
    calls_reset(FALSE);
    steps_empty(folder);
    struct pool *pool = open_pool();
    steps_prepare(pool);
    calls_reset(FALSE);
    return pool;
}

/* What a start of the service finds. */
static char *describe_again(void)
{
    calls_reset(FALSE);
    struct pool *pool = open_pool();
    char *text = steps_describe(pool);
    g_assert_cmpuint(steps_unfinished(folder), ==, 0);
    pool_close(pool);
    return text;
}

/* What the pool is before and after a step, and how many calls that takes. */
struct course {
    char *before, *after;
    guint calls;
};

static struct course take_course(const struct step *step)
{
    struct course course;
    g_autoptr(GError) error = NULL;
    struct pool *pool = new_pool();
    course.before = steps_describe(pool);
    g_assert_true(step->run(pool, &error));
    g_assert_no_error(error);
    course.calls = calls.count;
    pool_close(pool);
    g_assert_cmpuint(steps_unfinished(folder), ==, 0);
    course.after = describe_again();
    g_assert_cmpstr(course.before, !=, course.after);
    g_assert_cmpuint(course.calls, >, 1);
    g_assert_cmpuint(course.calls, <, CALLS_MAX);
    return course;
}

static void course_free(struct course *course)
{
    g_free(course->before);
    g_free(course->after);
}

static void killed_at(const struct step *step, guint at)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct pool *pool = pool_open(folder, NULL);
        calls_reset(FALSE);
        calls.kill_at = at;
        step->run(pool, NULL);
        _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void kill_at_each_call(gconstpointer data)
{
    const struct step *step = data;
    struct course course = take_course(step);
    guint old = 0, new = 0;
    for (guint at = 1; at <= course.calls; at++) {
        pool_close(new_pool());
        killed_at(step, at);
        g_autofree char *found = describe_again();
        if (g_str_equal(found, course.before))
            old++;
        else if (g_str_equal(found, course.after))
            new ++;
        else
            g_error("killed at call %u of %u, \"%s\" leaves\n%s", at, course.calls, step->name, found);
    }
    g_assert_cmpuint(old, >, 0);
    g_assert_cmpuint(new, >, 0);
    course_free(&course);
}

/* Fails at one call: what the step says is what there is. */
static void try_full(const struct step *step, const struct course *course, guint fail_at, guint full_from)
{
    g_autoptr(GError) error = NULL;
    struct pool *pool = new_pool();
    calls.fail_at = fail_at;
    calls.full_from = full_from;
    gboolean good = step->run(pool, &error);
    guint left = steps_unfinished(folder);
    pool_close(pool);
    g_autofree char *found = describe_again();
    g_assert_cmpstr(found, ==, good ? course->after : course->before);
    if (good)
        return;
    g_assert_error(error, RH_ERROR, RH_ERROR_NO_SPACE);
    g_assert_nonnull(strstr(error->message, "The disk is full."));
    g_assert_null(strstr(error->message, "could not be undone"));
    g_assert_cmpuint(left, ==, 0);
}

static void full_at_each_call(gconstpointer data)
{
    const struct step *step = data;
    struct course course = take_course(step);
    for (guint at = 1; at <= course.calls; at++) {
        try_full(step, &course, at, 0);
        try_full(step, &course, 0, at);
    }
    course_free(&course);
}

static void check_unwritten(const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        g_assert_false(calls_is_unwritten(path));
}

static void written_in_order(gconstpointer data)
{
    static const char *const places[] = {
        "images", "images/work", "images/work/disk.img", "images/new", "images/new/disk.img", "low-water", "."};
    const struct step *step = data;
    g_autoptr(GError) error = NULL;
    struct pool *pool = new_pool();
    calls_watch_order();
    g_assert_true(step->run(pool, &error));
    g_assert_cmpstr(calls.too_soon, ==, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
        check_unwritten(places[i]);
    pool_close(pool);
}

static void add(const char *what, const struct step *step, GTestDataFunc function)
{
    g_autofree char *path = g_strdup_printf("/storage/%s/%s", what, step->name);
    g_test_add_data_func(path, step, function);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
    folder = g_dir_make_tmp("roundhouse-storage-XXXXXX", NULL);
    for (const struct step *step = steps; step->name; step++) {
        add("killed", step, kill_at_each_call);
        add("full", step, full_at_each_call);
        add("order", step, written_in_order);
    }
    int result = g_test_run();
    calls_reset(FALSE);
    steps_empty(folder);
    g_rmdir(folder);
    g_free(folder);
    return result;
}
