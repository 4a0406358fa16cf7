/* The folder making/ of a pool; why it is safe: pool.h. */
#include "making.h"
#include "../errors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS 100

static const struct {
    int cause;
    enum rh_error code;
    const char *sentence;
} causes[] = {
    {ENOSPC, RH_ERROR_NO_SPACE, "The disk is full. Delete an image or some of its points, then try again"},
    {EDQUOT, RH_ERROR_NO_SPACE, "The quota of the disk is used up. Delete an image or some of its points"},
    {EEXIST, RH_ERROR_EXISTS, "The name is taken. Choose another"},
    {ENOTEMPTY, RH_ERROR_EXISTS, "The name is taken. Choose another"},
    {ENOENT, RH_ERROR_NOT_FOUND, "It is not there"},
};

gboolean making_fail(GError **error, const char *format, ...)
{
    int cause = errno;
    enum rh_error code = RH_ERROR_STORAGE;
    const char *sentence = g_strerror(cause);
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    for (gsize i = 0; i < G_N_ELEMENTS(causes); i++) {
        if (causes[i].cause == cause) {
            code = causes[i].code;
            sentence = causes[i].sentence;
        }
    }
    g_set_error(error, RH_ERROR, code, "%s. %s.", what, sentence);
    return FALSE;
}

gboolean making_sync(int fd, GError **error)
{
    return fsync(fd) == 0 || making_fail(error, "It could not be written to the disk");
}

/* ---- taking away ---- */

static gboolean remove_all(int folder, const char *name);

static gboolean remove_inside(int folder)
{
    int again = dup(folder);
    DIR *dir = again < 0 ? NULL : fdopendir(again);
    gboolean good = dir != NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            good = remove_all(folder, entry->d_name) && good;
    }
    if (dir)
        closedir(dir);
    else if (again >= 0)
        close(again);
    return good;
}

static gboolean remove_all(int folder, const char *name)
{
    int inside = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inside < 0)
        return unlinkat(folder, name, 0) == 0;
    gboolean good = remove_inside(inside);
    close(inside);
    return good && unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

/* The descriptor that locks it; -1: it has a maker, or is gone. */
static int take_over(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A child that has not called exec() yet has the descriptor too, so closing it would not be enough. */
static void let_go(int fd)
{
    flock(fd, LOCK_UN);
    close(fd);
}

void making_clear(const struct pool *pool)
{
    g_autofree char *path = g_build_filename(pool->path, "making", NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        int fd = take_over(pool->making, name);
        if (fd < 0)
            continue;
        if (!remove_all(pool->making, name))
            g_warning("%s/%s could not be taken away: %s", path, name, g_strerror(errno));
        let_go(fd);
    }
}

/* ---- making ---- */

/* FALSE with errno EAGAIN when pool_open() of another process took it for an orphan before it was locked. */
static gboolean lock_folder(struct making *making)
{
    struct stat status;
    making->folder = take_over(making->pool->making, making->name);
    if (making->folder >= 0 && fstat(making->folder, &status) == 0 && status.st_nlink > 0)
        return TRUE;
    if (making->folder >= 0)
        close(making->folder);
    making->folder = -1;
    errno = EAGAIN;
    return FALSE;
}

gboolean making_begin(const struct pool *pool, struct making *making, GError **error)
{
    making->pool = pool;
    making->folder = -1;
    for (int i = 0; i < ATTEMPTS; i++) {
        g_snprintf(making->name, sizeof(making->name), "%08x", g_random_int());
        if (mkdirat(pool->making, making->name, 0700) < 0 && errno != EEXIST)
            break;
        if (lock_folder(making))
            return TRUE;
    }
    return making_fail(error, "Nothing can be made below %s/making", pool->path);
}

void making_end(struct making *making)
{
    if (making->folder < 0)
        return;
    if (!remove_inside(making->folder) || unlinkat(making->pool->making, making->name, AT_REMOVEDIR) < 0)
        g_warning("%s/making/%s stays until the pool is opened again: %s", making->pool->path, making->name,
                  g_strerror(errno));
    let_go(making->folder);
    making->folder = -1;
}

int making_file(int folder, const char *name, GError **error)
{
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        making_fail(error, "A file could not be made in the pool");
    return fd;
}

gboolean making_move(int from, const char *name, int to, const char *new_name, guint flags, GError **error)
{
    if (renameat2(from, name, to, new_name, flags) < 0)
        return making_fail(error, "\"%s\" could not be put in its place", new_name);
    if (fsync(to) == 0 && (from == to || fsync(from) == 0))
        return TRUE;
    making_fail(error, "\"%s\" could not be written to the disk", new_name);
    if (renameat2(to, new_name, from, name, flags) < 0)
        g_prefix_error(error, "What was begun could not be undone (%s). ", g_strerror(errno));
    return FALSE;
}

/* Locked before it comes below making/, so that nobody else who opens the pool takes it away meanwhile. */
gboolean making_discard(const struct pool *pool, int folder, const char *name, GError **error)
{
    char discarded[16];
    g_snprintf(discarded, sizeof(discarded), "%08x", g_random_int());
    int fd = take_over(folder, name);
    gboolean good = making_move(folder, name, pool->making, discarded, RENAME_NOREPLACE, error);
    if (good && !remove_all(pool->making, discarded))
        g_warning("%s/making/%s stays until the pool is opened again: %s", pool->path, discarded, g_strerror(errno));
    if (fd >= 0)
        let_go(fd);
    return good;
}
