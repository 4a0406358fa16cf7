/*
 * Import and export by the real qemu-img, what it must not be asked for, and jobs: progress, cancel, and an answer in
 * the caller's loop. Where its speed would matter a script is in its place.
 */
#include "calls.h"
#include "errors.h"
#include "image.h"
#include "image_job.h"
#include "lock.h"
#include "making.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB    1048576
#define IMPORT "--import"

struct fixture {
    char *folder, *files, *path; /* the pool's, the test's, and $PATH */
    struct pool *pool;
    GMainLoop *loop;
    GCancellable *cancellable;
    GError *error;
    gboolean good;
    guint told;
    double last;
};

static void setup(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    calls_reset(FALSE);
    *fixture = (struct fixture){.folder = g_dir_make_tmp("roundhouse-pool-XXXXXX", NULL),
                                .files = g_dir_make_tmp("roundhouse-files-XXXXXX", NULL),
                                .path = g_strdup(g_getenv("PATH")),
                                .loop = g_main_loop_new(NULL, FALSE),
                                .cancellable = g_cancellable_new()};
    fixture->pool = pool_open(fixture->folder, NULL);
    g_assert_nonnull(fixture->pool);
    steps_prepare(fixture->pool);
}

static void teardown(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    g_assert_no_error(fixture->error);
    g_assert_cmpuint(steps_unfinished(fixture->folder), ==, 0);
    g_setenv("PATH", fixture->path, TRUE);
    pool_close(fixture->pool);
    steps_empty(fixture->folder);
    steps_empty(fixture->files);
    g_rmdir(fixture->folder);
    g_rmdir(fixture->files);
    g_free(fixture->folder);
    g_free(fixture->files);
    g_free(fixture->path);
    g_main_loop_unref(fixture->loop);
    g_object_unref(fixture->cancellable);
}

/* ---- jobs ---- */

static void tell(double part, gpointer data)
{
    struct fixture *fixture = data;
    g_assert_true(g_main_context_is_owner(NULL));
    g_assert_cmpfloat(part, >=, fixture->last);
    g_assert_cmpfloat(part, <=, 1);
    fixture->last = part;
    fixture->told++;
    if (part == 0.25)
        g_cancellable_cancel(fixture->cancellable);
}

static void answered(GObject *source, GAsyncResult *result, gpointer data)
{
    struct fixture *fixture = data;
    (void)source;
    fixture->good = pool_work_finish(result, &fixture->error);
    g_main_loop_quit(fixture->loop);
}

static gboolean do_job(struct fixture *fixture, struct image_request request)
{
    fixture->told = 0;
    fixture->last = 0;
    const struct convert_watch watch = {tell, fixture, fixture->cancellable};
    image_job_start(fixture->folder, &request, &watch, answered, fixture);
    g_main_loop_run(fixture->loop);
    return fixture->good;
}

static void done(struct fixture *fixture, struct image_request request)
{
    gboolean good = do_job(fixture, request);
    g_assert_no_error(fixture->error);
    g_assert_true(good);
}

static void refused(struct fixture *fixture, struct image_request request, enum rh_error code, const char *sentence)
{
    g_autofree char *before = steps_describe(fixture->pool);
    g_assert_false(do_job(fixture, request));
    g_autofree char *after = steps_describe(fixture->pool);
    g_assert_error(fixture->error, RH_ERROR, (int)code);
    if (!strstr(fixture->error->message, sentence))
        g_assert_cmpstr(fixture->error->message, ==, sentence);
    g_clear_error(&fixture->error);
    g_assert_cmpstr(before, ==, after);
}

/* Every task does what it says: the pool is then what the functions make of it. */
static void each_task_is_done(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    done(fixture, (struct image_request){IMAGE_TASK_CREATE, .image = "new", .size = MIB});
    done(fixture, (struct image_request){IMAGE_TASK_GROW, .image = "new", .size = 2 * MIB});
    done(fixture, (struct image_request){IMAGE_TASK_RENAME, .image = "new", .other = "renamed"});
    done(fixture, (struct image_request){IMAGE_TASK_CLONE, .image = "work", .other = "cloned"});
    struct image *image = image_find(fixture->pool, "cloned", NULL);
    g_assert_cmpuint(image->size, ==, 65536);
    image_free(image);
    done(fixture, (struct image_request){IMAGE_TASK_DELETE, .image = "cloned"});
    image = image_find(fixture->pool, "renamed", NULL);
    g_assert_cmpuint(image->size, ==, 2 * MIB);
    image_free(image);
    g_assert_null(image_find(fixture->pool, "cloned", NULL));
    refused(fixture, (struct image_request){IMAGE_TASK_DELETE, .image = "cloned"}, RH_ERROR_NOT_FOUND,
            "There is no image");
}

/* ---- qemu-img ---- */

static char *file_of(struct fixture *fixture, const char *name)
{
    return g_build_filename(fixture->files, name, NULL);
}

/* An empty file to export to. */
static char *empty_file(struct fixture *fixture, const char *name)
{
    char *file = file_of(fixture, name);
    g_assert_true(g_file_set_contents(file, "", 0, NULL));
    return file;
}

static void qemu_img(struct fixture *fixture, const char *arguments)
{
    g_autofree char *command = g_strdup_printf("sh -c 'cd %s && qemu-img %s'", fixture->files, arguments);
    int status;
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
}

static char *sum_of(const char *path)
{
    g_autofree char *bytes = NULL;
    gsize length;
    g_assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *)bytes, length);
}

/* A script in its place. */
static void stand_in(struct fixture *fixture, const char *convert)
{
    g_autofree char *script = file_of(fixture, "qemu-img");
    g_autofree char *path = g_strdup_printf("%s:%s", fixture->files, fixture->path);
    g_autofree char *text = g_strdup_printf("#!/bin/sh\ncd %s\nif [ $1 = info ]; then echo file format: raw; exit; fi\n"
                                            "eval to=\\${$#}\n%s\n",
                                            fixture->files, convert);
    g_assert_true(g_file_set_contents_full(script, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    g_setenv("PATH", path, TRUE);
}

static struct image_request import(const char *file)
{
    return (struct image_request){IMAGE_TASK_IMPORT, .image = "new", .other = file};
}

/* Out in each format and in again, it is the same. The VHD's size is a multiple of its geometry. */
static void there_and_back(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *path = image_path(fixture->pool, "work", NULL);
    g_autofree char *sum = sum_of(path);
    (void)data;
    for (enum convert_format format = 0; format < CONVERT_FORMAT_COUNT; format++) {
        g_autofree char *name = g_strdup_printf("out-%d", format);
        g_autofree char *file = empty_file(fixture, name);
        done(fixture, (struct image_request){IMAGE_TASK_EXPORT, .image = "work", .other = file, .format = format});
        g_assert_cmpfloat(fixture->last, ==, 1);
        done(fixture, (struct image_request){IMAGE_TASK_IMPORT, .image = name, .other = file});
        g_assert_cmpuint(fixture->told, >, 0);
        struct image *image = image_find(fixture->pool, name, NULL);
        g_assert_cmpuint(image->size, >=, 65536);
        image_free(image);
        g_autofree char *again = image_path(fixture->pool, name, NULL);
        if (format == CONVERT_VHD || format == CONVERT_VHDX)
            g_assert_no_errno(truncate(again, 65536));
        g_autofree char *sum_again = sum_of(again);
        g_assert_cmpstr(sum, ==, sum_again);
    }
}

static void what_names_other_files_is_refused(struct fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *make, *file, *sentence;
    } rows[] = {
        {"create -q -f qcow2 ground.qcow2 1M && qemu-img create -q -f qcow2 -b ground.qcow2 -F qcow2 over.qcow2",
         "over.qcow2", "It is only a part"},
        {"create -q -f qcow2 -o data_file=data.raw outside.qcow2 1M", "outside.qcow2", "It is only a part"},
        {"create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 1M && sed -i s,flat-flat.vmdk,/usr/bin/env, "
         "flat.vmdk",
         "flat.vmdk", "It has parts in other files"},
        {"create -q -f qcow2 huge.qcow2 8193G", "huge.qcow2", "more than 8 TiB"},
        {"create -q -f qed kind.qed 1M", "kind.qed", "of a kind that is not known here"},
        {"--version >/dev/null && : >empty", "empty", "empty or no ordinary file"},
        {"--version >/dev/null && mkfifo fifo", "fifo", "empty or no ordinary file"},
        {"--version >/dev/null", "missing", "No such file"},
    };
    (void)data;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        qemu_img(fixture, rows[i].make);
        g_autofree char *file = file_of(fixture, rows[i].file);
        refused(fixture, (struct image_request){IMAGE_TASK_IMPORT, .image = "new", .other = file}, RH_ERROR_BAD_CONFIG,
                rows[i].sentence);
    }
    refused(fixture, (struct image_request){IMAGE_TASK_IMPORT, .image = "new", .other = "relative"},
            RH_ERROR_BAD_CONFIG, "Give its whole path");
    g_autofree char *whole = file_of(fixture, "over.qcow2");
    refused(fixture, (struct image_request){IMAGE_TASK_IMPORT, .image = "work", .other = whole}, RH_ERROR_EXISTS,
            "already");
    refused(fixture, (struct image_request){IMAGE_TASK_EXPORT, .image = "work", .other = whole}, RH_ERROR_BAD_CONFIG,
            "must be an empty ordinary file");
    g_autofree char *missing = file_of(fixture, "missing");
    refused(fixture, (struct image_request){IMAGE_TASK_EXPORT, .image = "work", .other = missing}, RH_ERROR_BAD_CONFIG,
            "must be an empty ordinary file");
}

/* What an image names, or becomes while it is copied, is not read: it is not there for qemu-img. */
static void nothing_else_is_read(struct fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *make, *file, *sentence;
    } rows[] = {
        {"create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 1M", "flat.vmdk", "flat-flat.vmdk"},
        {"create -q -f vmdk -o subformat=twoGbMaxExtentFlat split.vmdk 3M", "split.vmdk", "split-f001.vmdk"},
    };
    g_autofree char *secret = file_of(fixture, "secret"), *script = file_of(fixture, "qemu-img");
    (void)data;
    g_assert_true(g_file_set_contents(secret, "secret", -1, NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        qemu_img(fixture, rows[i].make);
        g_autofree char *file = file_of(fixture, rows[i].file);
        refused(fixture, import(file), RH_ERROR_STORAGE, rows[i].sentence);
    }
    stand_in(fixture, "cat secret >$to");
    refused(fixture, import(script), RH_ERROR_STORAGE, "Permission denied");
    stand_in(fixture, "echo mine >$to; echo more >>secret");
    refused(fixture, import(script), RH_ERROR_STORAGE, "Permission denied");
}

/* The guest that has it goes on, and what is exported is what it was at the beginning. */
static void an_image_in_use_is_exported(struct fixture *fixture, gconstpointer data)
{
    g_autofree char *path = image_path(fixture->pool, "work", NULL);
    g_autofree char *file = empty_file(fixture, "out.qcow2");
    (void)data;
    int guest = image_lock(path, "It", IMAGE_WRITE, "office", NULL);
    g_assert_cmpint(guest, >=, 0);
    done(fixture, (struct image_request){IMAGE_TASK_EXPORT, .image = "work", .other = file, .format = CONVERT_QCOW2});
    close(guest);
}

static void cancel_leaves_nothing(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    stand_in(fixture, "echo half >$to; printf '    (10.00/100%%%%)\\r    (25.00/100%%%%)\\r'; exec sleep 100");
    g_autofree char *script = file_of(fixture, "qemu-img");
    gint64 begun = g_get_monotonic_time();
    g_assert_false(do_job(fixture, import(script)));
    g_assert_error(fixture->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&fixture->error);
    g_assert_cmpint(g_get_monotonic_time() - begun, <, 50 * G_USEC_PER_SEC);
    g_assert_null(image_find(fixture->pool, "new", NULL));
    g_cancellable_reset(fixture->cancellable);
    g_autofree char *file = empty_file(fixture, "out");
    const struct image_request request = {IMAGE_TASK_EXPORT, .image = "work", .other = file};
    g_assert_false(do_job(fixture, request));
    g_assert_error(fixture->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_clear_error(&fixture->error);
    struct stat status;
    g_assert_no_errno(stat(file, &status));
    g_assert_cmpint(status.st_size, ==, 0);
}

static void failures_are_told(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    stand_in(fixture, "echo half >$to; echo Warning: one >&2; echo qemu-img: the disc is scratched >&2; exit 1");
    g_autofree char *script = file_of(fixture, "qemu-img");
    refused(fixture, import(script), RH_ERROR_STORAGE, "could not be converted: qemu-img: the disc is scratched.");
    stand_in(fixture, "echo half >$to; echo error while writing: No space left on device >&2; exit 1");
    refused(fixture, import(script), RH_ERROR_NO_SPACE, "Delete what is not needed");
    stand_in(fixture, "echo half >$to; kill -9 $$");
    refused(fixture, import(script), RH_ERROR_STORAGE, "could not be converted.");
    stand_in(fixture, "yes | head -c 1000000 >&2; exit 1");
    refused(fixture, import(script), RH_ERROR_STORAGE, "could not be converted: y.");
    g_setenv("PATH", fixture->files, TRUE);
    g_autofree char *other = file_of(fixture, "other");
    g_assert_no_errno(g_rename(script, other));
    refused(fixture, import(other), RH_ERROR_STORAGE, "Install the package qemu-utils");
}

/* The disk is full once qemu-img is done: what was to be is not there. */
static void a_full_pool_takes_nothing(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    qemu_img(fixture, "create -q -f raw whole.img 1M");
    g_autofree char *file = file_of(fixture, "whole.img");
    for (guint at = 1; at <= 8; at++) {
        calls_reset(FALSE);
        calls.full_from = at;
        refused(fixture, import(file), RH_ERROR_NO_SPACE, "The disk is full.");
    }
    calls_reset(FALSE);
    done(fixture, import(file));
}

/* This program as one that imports, for the test below: a fork of one with threads has none. */
static int import_alone(const char *folder, const char *file)
{
    const struct convert_watch watch = {NULL, NULL, NULL};
    struct pool *pool = pool_open(folder, NULL);
    return pool && image_import(pool, "new", file, &watch, NULL);
}

/* A dead one that nobody has waited for has no command line. */
static gboolean is_alive(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
    g_autofree char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) && *text;
}

/* What is in the image that is being made; NULL: none is. */
static char *half_made(struct fixture *fixture)
{
    g_autofree char *folder = g_build_filename(fixture->folder, "making", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name = g_dir_read_name(dir);
    g_autofree char *path = g_build_filename(folder, name ? name : "none", "image", DISK_FILE, NULL);
    char *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

/* The service is killed while qemu-img runs: that dies too, and the next start takes back the space. */
static void a_kill_takes_qemu_img_along(struct fixture *fixture, gconstpointer data)
{
    (void)data;
    stand_in(fixture, "echo $$ >$to; exec sleep 100");
    g_autofree char *script = file_of(fixture, "qemu-img"), *text = NULL;
    char *arguments[] = {"/proc/self/exe", IMPORT, fixture->folder, script, NULL};
    pid_t child;
    g_assert_true(g_spawn_async(NULL, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &child, NULL));
    while (!(text = half_made(fixture)) || !strchr(text, '\n')) {
        g_clear_pointer(&text, g_free);
        g_usleep(10000);
    }
    kill(child, SIGKILL);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    pid_t qemu = (pid_t)g_ascii_strtoll(text, NULL, 10);
    for (int i = 0; i < 1000 && is_alive(qemu); i++)
        g_usleep(10000);
    g_assert_false(is_alive(qemu));
    g_assert_cmpuint(steps_unfinished(fixture->folder), ==, 1);
    pool_close(pool_open(fixture->folder, NULL));
    g_assert_cmpuint(steps_unfinished(fixture->folder), ==, 0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct fixture *, gconstpointer);
    } tests[] = {
        {"/storage/job/tasks", each_task_is_done},
        {"/storage/convert/there-and-back", there_and_back},
        {"/storage/convert/refused", what_names_other_files_is_refused},
        {"/storage/convert/nothing-else", nothing_else_is_read},
        {"/storage/convert/in-use", an_image_in_use_is_exported},
        {"/storage/convert/cancel", cancel_leaves_nothing},
        {"/storage/convert/failures", failures_are_told},
        {"/storage/convert/full", a_full_pool_takes_nothing},
        {"/storage/convert/killed", a_kill_takes_qemu_img_along},
    };
    if (argc == 4 && g_str_equal(argv[1], IMPORT))
        return import_alone(argv[2], argv[3]);
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, struct fixture, NULL, setup, tests[i].run, teardown);
    return g_test_run();
}
