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

static gboolean is_orphan(const struct pool *pool, const char *name)
{
    int fd = openat(pool->making, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    gboolean orphan = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
    return orphan;
}

void making_clear(const struct pool *pool)
{
    g_autofree char *path = g_build_filename(pool->path, "making", NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        if (is_orphan(pool, name) && !remove_all(pool->making, name))
            g_warning("%s/%s could not be taken away: %s", path, name, g_strerror(errno));
    }
}

/* ---- making ---- */

/* FALSE with errno EAGAIN when pool_open() of another process took it for an orphan before it was locked. */
static gboolean lock_folder(struct making *making)
{
    struct stat status;
    making->folder = openat(making->pool->making, making->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (making->folder >= 0 && flock(making->folder, LOCK_EX | LOCK_NB) == 0 && fstat(making->folder, &status) == 0 &&
        status.st_nlink > 0)
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
    close(making->folder);
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

/* Below making/ it has no maker: if another process opens the pool now, that takes it away too. */
gboolean making_discard(const struct pool *pool, int folder, const char *name, GError **error)
{
    char discarded[16];
    g_snprintf(discarded, sizeof(discarded), "%08x", g_random_int());
    if (!making_move(folder, name, pool->making, discarded, RENAME_NOREPLACE, error))
        return FALSE;
    if (!remove_all(pool->making, discarded))
        g_warning("%s/making/%s stays until the pool is opened again: %s", pool->path, discarded, g_strerror(errno));
    return TRUE;
}
