/*
 * The pool on XFS behind a loop device, as it is on a machine: copies share their blocks, and every change is cut at
 * every call by a loss of power: the process is killed, what the file system has not written is gone (FS_IOC_SHUTDOWN
 * without its log), and the file system is mounted anew. A full disk is a full disk here.
 *
 * Needs root, loop devices and mkfs.xfs; without them the whole is skipped and says so. The mount is in a namespace of
 * its own and goes with this process.
 */
#include "calls.h"
#include "errors.h"
#include "extents.h"
#include "image.h"
#include "lock.h"
#include "loop_disk.h"
#include "point.h"
#include "steps.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB         G_GINT64_CONSTANT(1048576)
#define SHM         "/dev/shm" /* a disk there waits for no other */
#define DISK_SIZE   (400 * MIB)
#define SHUTDOWN    _IOR('X', 125, guint32) /* XFS_IOC_GOINGDOWN, xfs_fs.h */
#define WITHOUT_LOG 2                       /* XFS_FSOP_GOING_FLAGS_NOLOGFLUSH */

static char *folder, *mountpoint, *disk, *device;
static int hold;

/* ---- the file system ---- */

static gboolean run(const char *format, ...) G_GNUC_PRINTF(1, 2);

static gboolean run(const char *format, ...)
{
    va_list arguments;
    int status;
    va_start(arguments, format);
    g_autofree char *command = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return g_spawn_command_line_sync(command, NULL, NULL, &status, NULL) && status == 0;
}

static void mount_pool(void)
{
    g_assert_no_errno(mount(device, mountpoint, "xfs", 0, NULL));
}

static void unmount_pool(void)
{
    g_assert_no_errno(umount2(mountpoint, 0));
}

static void cut_power(void)
{
    guint32 how = WITHOUT_LOG;
    int fd = open(mountpoint, O_RDONLY | O_DIRECTORY);
    g_assert_no_errno(ioctl(fd, SHUTDOWN, &how));
    close(fd);
    unmount_pool();
    mount_pool();
}

/* NULL: all is there; otherwise what is missing. */
static const char *prepare(void)
{
    g_autoptr(GError) error = NULL;
    if (geteuid() != 0)
        return "needs root";
    folder =
        g_mkdtemp(g_build_filename(g_access(SHM, W_OK) == 0 ? SHM : g_get_tmp_dir(), "roundhouse-xfs-XXXXXX", NULL));
    g_assert_nonnull(folder);
    mountpoint = g_build_filename(folder, "pool", NULL);
    disk = g_build_filename(folder, "disk", NULL);
    int fd = open(disk, O_RDWR | O_CREAT | O_EXCL, 0600);
    g_assert_no_errno(g_mkdir(mountpoint, 0700));
    g_assert_no_errno(ftruncate(fd, (off_t)DISK_SIZE));
    close(fd);
    if (!run("mkfs.xfs -q -m reflink=1 %s", disk))
        return "needs mkfs.xfs (package xfsprogs)";
    hold = loop_disk_attach(disk, FALSE, NULL, &device, &error);
    g_remove(disk); /* the loop device has it until the end of this process, however that comes */
    if (hold < 0)
        return "needs loop devices";
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(device, mountpoint, "xfs", 0, NULL) < 0)
        return "needs the right to mount XFS";
    return NULL;
}

static void clean_up(void)
{
    umount2(mountpoint, MNT_DETACH);
    close(hold);
    g_rmdir(mountpoint);
    g_rmdir(folder);
}

/* ---- a pool on it ---- */

static struct pool *open_pool(void)
{
    g_autoptr(GError) error = NULL;
    struct pool *pool = pool_open(mountpoint, &error);
    g_assert_no_error(error);
    return pool;
}

static void sync_pool(void)
{
    int fd = open(mountpoint, O_RDONLY | O_DIRECTORY);
    g_assert_no_errno(syncfs(fd));
    close(fd);
}

static struct pool *new_pool(void)
{
    calls_reset(TRUE);
    steps_empty(mountpoint);
    struct pool *pool = open_pool();
    calls.no_sync = TRUE;
    steps_prepare(pool);
    sync_pool();
    calls_reset(TRUE);
    return pool;
}

static char *describe_again(void)
{
    calls_reset(TRUE);
    struct pool *pool = open_pool();
    char *text = steps_describe(pool);
    g_assert_cmpuint(steps_unfinished(mountpoint), ==, 0);
    pool_close(pool);
    return text;
}

/* The step in a process of its own, so that nothing of it keeps the file system busy. Killed at a call, or at its end.
 */
static void run_and_die(const struct step *step, guint at)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct pool *pool = pool_open(mountpoint, NULL);
        calls_reset(TRUE);
        calls.kill_at = at;
        if (!step->run(pool, NULL))
            _exit(1);
        raise(SIGKILL);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void power_cut_at_each_call(gconstpointer data)
{
    const struct step *step = data;
    struct pool *pool = new_pool();
    g_autofree char *before = steps_describe(pool);
    g_assert_true(step->run(pool, NULL));
    guint count = calls.count;
    g_autofree char *after = steps_describe(pool);
    pool_close(pool);
    g_assert_cmpuint(count, >, 1);
    g_assert_cmpstr(before, !=, after);
    for (guint at = 1; at <= count + 1; at++) {
        pool_close(new_pool());
        run_and_die(step, at);
        cut_power();
        g_autofree char *found = describe_again();
        gboolean old = g_str_equal(found, before), new = g_str_equal(found, after);
        if (at > count ? !new : !old && !new)
            g_error("power cut at call %u of %u, \"%s\" leaves\n%s", at, count, step->name, found);
    }
}

/* ---- space ---- */

/* Once it stays the same: XFS gives back what was deleted a moment later. */
static gint64 free_space(struct pool *pool)
{
    struct pool_space before = {0}, space;
    sync_pool();
    g_assert_true(pool_get_space(pool_path(pool), &space, NULL));
    for (int same = 0; same < 3; same = space.free == before.free ? same + 1 : 0) {
        before = space;
        g_usleep(100000);
        g_assert_true(pool_get_space(pool_path(pool), &space, NULL));
    }
    return (gint64)space.free;
}

static void write_image(struct pool *pool, const char *name, gint64 from, gint64 bytes)
{
    g_autofree char *path = image_path(pool, name, NULL);
    g_autofree char *data = g_malloc(MIB);
    int fd = open(path, O_WRONLY);
    memset(data, (int)g_test_rand_int() | 1, MIB);
    for (gint64 at = from; at < from + bytes; at += MIB)
        g_assert_cmpint(pwrite(fd, data, MIB, (off_t)at), ==, MIB);
    close(fd);
}

static guint64 used_alone(struct pool *pool, const char *name)
{
    g_autoptr(GPtrArray) images = image_list(pool, NULL);
    g_assert_true(image_list_measure(pool, images, NULL));
    for (guint i = 0; i < images->len; i++) {
        const struct image *image = g_ptr_array_index(images, i);
        if (g_str_equal(image->name, name))
            return image->used;
    }
    g_error("%s is not listed", name);
}

static void copies_take_no_space(void)
{
    struct pool *pool = new_pool();
    g_assert_true(image_create(pool, "big", 4096 * MIB, NULL));
    write_image(pool, "big", 0, 64 * MIB);
    write_image(pool, "big", 1024 * MIB, 64 * MIB);
    gint64 before = free_space(pool);
    for (int i = 0; i < 10; i++) {
        g_autofree char *name = g_strdup_printf("clone-%d", i);
        g_assert_true(image_clone(pool, "big", name, NULL));
        g_assert_true(point_make(pool, "big", NULL, NULL, NULL));
    }
    g_assert_cmpint(before - free_space(pool), <, 4 * MIB);
    write_image(pool, "clone-3", 0, 8 * MIB);
    g_assert_cmpint(before - free_space(pool), >, 7 * MIB);
    g_assert_cmpuint(used_alone(pool, "clone-3"), ==, 8 * MIB);
    g_assert_cmpuint(used_alone(pool, "clone-4"), ==, 0);
    write_image(pool, "big", 1024 * MIB, 16 * MIB);
    g_assert_cmpuint(used_alone(pool, "big"), ==, 16 * MIB);
    g_assert_true(image_delete(pool, "clone-3", NULL));
    g_assert_cmpint(before - free_space(pool), <, 20 * MIB);
    pool_close(pool);
}

/* Each undo point holds 8 MiB that have changed since; the limit is for all of them together. */
static void undo_points_are_limited_by_bytes(void)
{
    struct pool *pool = new_pool();
    const struct point_limits limits = {100, 20 * MIB};
    g_assert_true(image_create(pool, "big", 64 * MIB, NULL));
    for (int i = 0; i < 6; i++) {
        write_image(pool, "big", 0, 8 * MIB);
        g_assert_true(point_make(pool, "big", NULL, NULL, NULL));
    }
    gint64 before = free_space(pool);
    g_assert_true(point_trim(pool, "big", &limits, NULL));
    g_autoptr(GPtrArray) points = point_list(pool, "big", NULL);
    g_assert_cmpuint(points->len, ==, 3); /* two that hold 8 MiB, and the newest, which is as the image */
    gint64 got = free_space(pool) - before;
    g_assert_cmpint(got, >, 23 * MIB);
    g_assert_cmpint(got, <, 26 * MIB);
    pool_close(pool);
}

/* Takes all there is. Small pieces at the end. */
static void fill_up(struct pool *pool)
{
    g_autofree char *path = image_path(pool, "ballast", NULL);
    g_autofree char *data = g_malloc0(MIB);
    int fd = open(path, O_WRONLY);
    off_t at = 0;
    for (gsize piece = MIB; piece >= 512;) {
        gssize got = pwrite(fd, data, piece, at);
        at += MAX(got, 0);
        if (got < (gssize)piece || fsync(fd) < 0)
            piece /= 2;
    }
    close(fd);
}

/* What the step says is what there is; and deleting gives the space back even then. */
static void a_full_disk(gconstpointer data)
{
    const struct step *step = data;
    g_autoptr(GError) error = NULL;
    struct pool *pool = new_pool();
    g_assert_true(image_create(pool, "ballast", 1024 * MIB, NULL));
    gint64 before = free_space(pool);
    fill_up(pool);
    g_autofree char *old = steps_describe(pool);
    gboolean good = step->run(pool, &error);
    g_autofree char *new = steps_describe(pool);
    if (good)
        g_assert_cmpstr(old, !=, new);
    else
        g_assert_cmpstr(old, ==, new);
    if (!good)
        g_assert_error(error, RH_ERROR, RH_ERROR_NO_SPACE);
    g_test_message("%s: %s", step->name, good ? "done" : error->message);
    g_assert_cmpuint(steps_unfinished(mountpoint), ==, 0);
    g_assert_true(image_delete(pool, "ballast", NULL));
    g_assert_cmpint(free_space(pool) + 8 * MIB, >, before);
    pool_close(pool);
}

/* ---- a guest's disk ---- */

/* The lock is the loop device's: the process that made it dies, and it is there until the backend lets go. */
static void a_loop_device_keeps_the_lock(void)
{
    struct pool *pool = new_pool();
    g_autoptr(GError) error = NULL;
    g_autofree char *path = image_path(pool, "home", NULL), *name = g_build_filename(folder, "device", NULL);
    g_autofree char *backend_device = NULL;
    pid_t child = fork();
    if (child == 0) {
        char *made = NULL;
        if (loop_disk_attach(path, FALSE, "office", &made, NULL) < 0 || !g_file_set_contents(name, made, -1, NULL))
            _exit(1);
        pause();
    }
    while (!g_file_get_contents(name, &backend_device, NULL, NULL))
        g_usleep(10000);
    int backend = open(backend_device, O_RDWR);
    g_assert_cmpint(backend, >=, 0);
    kill(child, SIGKILL);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    struct loop_info64 info;
    g_assert_no_errno(ioctl(backend, LOOP_GET_STATUS64, &info));
    g_assert_true(info.lo_flags & LO_FLAGS_DIRECT_IO);
    g_assert_cmpint(image_lock(path, "It", IMAGE_WRITE, "other", &error), ==, -1);
    g_assert_error(error, RH_ERROR, RH_ERROR_IN_USE);
    g_assert_nonnull(strstr(error->message, "in use by office"));
    g_assert_false(image_delete(pool, "home", NULL));
    close(backend);
    g_usleep(200000); /* the kernel detaches it when it was closed */
    int fd = image_lock(path, "It", IMAGE_WRITE, "other", NULL);
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    g_unlink(name);
    pool_close(pool);
}

/* What a guest discards is free again. */
static void discarded_space_comes_back(void)
{
    struct pool *pool = new_pool();
    guint64 range[2] = {0, 32 * MIB};
    char *made = NULL;
    g_assert_true(image_create(pool, "big", 64 * MIB, NULL));
    write_image(pool, "big", 0, 32 * MIB);
    gint64 before = free_space(pool);
    g_autofree char *path = image_path(pool, "big", NULL);
    int guest = loop_disk_attach(path, FALSE, "office", &made, NULL);
    g_assert_cmpint(guest, >=, 0);
    g_assert_no_errno(ioctl(guest, _IO(0x12, 119) /* BLKDISCARD */, range));
    g_assert_cmpint(free_space(pool), >=, before + 31 * MIB);
    close(guest);
    g_usleep(200000);
    g_free(made);
    pool_close(pool);
}

static void add(const char *what, const struct step *step, GTestDataFunc function)
{
    g_autofree char *path = g_strdup_printf("/storage/%s/%s", what, step->name);
    g_test_add_data_func(path, step, function);
}

int main(int argc, char **argv)
{
    const char *missing = prepare();
    if (missing) {
        printf("1..0 # SKIP %s\n", missing);
        return 0;
    }
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
    for (const struct step *step = steps; step->name; step++) {
        add("power-cut", step, power_cut_at_each_call);
        add("full-disk", step, a_full_disk);
    }
    g_test_add_func("/storage/space/copies", copies_take_no_space);
    g_test_add_func("/storage/space/undo", undo_points_are_limited_by_bytes);
    g_test_add_func("/storage/space/discard", discarded_space_comes_back);
    g_test_add_func("/storage/locks/loop", a_loop_device_keeps_the_lock);
    int result = g_test_run();
    clean_up();
    return result;
}
