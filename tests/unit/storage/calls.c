/* Wrapped system calls. */
#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRAPPED(type, name, ...)                                                                                       \
    type __wrap_##name(__VA_ARGS__);                                                                                   \
    type __real_##name(__VA_ARGS__)

WRAPPED(int, openat64, int folder, const char *name, int flags, ...);
WRAPPED(int, mkdirat, int folder, const char *name, mode_t mode);
WRAPPED(int, renameat2, int from, const char *name, int to, const char *new_name, unsigned flags);
WRAPPED(int, unlinkat, int folder, const char *name, int flags);
WRAPPED(int, ftruncate64, int fd, off_t size);
WRAPPED(int, fsync, int fd);
WRAPPED(int, ioctl, int fd, unsigned long request, ...);
WRAPPED(ssize_t, write, int fd, const void *bytes, size_t length);

struct calls calls;

/* ---- cutting ---- */

enum verdict { GO_ON, FAIL };

/* midst: what of the call is done before it is cut. */
static enum verdict next_call(gboolean takes_space, void (*midst)(int, int), int fd, int from)
{
    calls.count++;
    gboolean fails = calls.count == calls.fail_at || (takes_space && calls.full_from && calls.count >= calls.full_from);
    if ((fails || calls.count == calls.kill_at) && midst)
        midst(fd, from);
    if (calls.count == calls.kill_at)
        raise(SIGKILL);
    errno = ENOSPC;
    return fails ? FAIL : GO_ON;
}

void calls_reset(gboolean reflinks)
{
    g_clear_pointer(&calls.unwritten, g_hash_table_unref);
    g_free(calls.too_soon);
    calls = (struct calls){.reflinks = reflinks, .no_sync = !reflinks};
}

/* ---- the order of writing ---- */

static gpointer key_of(ino_t inode)
{
    return GSIZE_TO_POINTER((gsize)inode);
}

static void changed(int fd)
{
    struct stat status;
    if (calls.unwritten && fstat(fd, &status) == 0)
        g_hash_table_add(calls.unwritten, key_of(status.st_ino));
}

static void changed_at(int folder, const char *name)
{
    struct stat status;
    changed(folder);
    if (calls.unwritten && fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
        g_hash_table_add(calls.unwritten, key_of(status.st_ino));
}

static void check_written(const char *path)
{
    struct stat status;
    if (lstat(path, &status) == 0 && g_hash_table_contains(calls.unwritten, key_of(status.st_ino)) && !calls.too_soon)
        calls.too_soon = g_strdup(path);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *inside = g_build_filename(path, name, NULL);
        check_written(inside);
    }
}

static void check_moved(int folder, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d/%s", folder, name);
    if (calls.unwritten)
        check_written(path);
}

void calls_watch_order(void)
{
    calls.unwritten = g_hash_table_new(NULL, NULL);
}

gboolean calls_is_unwritten(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && g_hash_table_contains(calls.unwritten, key_of(status.st_ino));
}

/* ---- the calls ---- */

int __wrap_openat64(int folder, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!(flags & O_CREAT))
        return __real_openat64(folder, name, flags);
    if (next_call(TRUE, NULL, 0, 0) == FAIL)
        return -1;
    int fd = __real_openat64(folder, name, flags, mode);
    if (fd >= 0)
        changed_at(folder, name);
    return fd;
}

int __wrap_mkdirat(int folder, const char *name, mode_t mode)
{
    if (next_call(TRUE, NULL, 0, 0) == FAIL)
        return -1;
    int result = __real_mkdirat(folder, name, mode);
    if (result == 0)
        changed_at(folder, name);
    return result;
}

int __wrap_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
    if (next_call(FALSE, NULL, 0, 0) == FAIL)
        return -1;
    check_moved(from, name);
    int result = __real_renameat2(from, name, to, new_name, flags);
    changed(from);
    changed(to);
    return result;
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
    if (next_call(FALSE, NULL, 0, 0) == FAIL)
        return -1;
    changed(folder);
    return __real_unlinkat(folder, name, flags);
}

int __wrap_ftruncate64(int fd, off_t size)
{
    struct stat status;
    if (next_call(fstat(fd, &status) < 0 || size > status.st_size, NULL, 0, 0) == FAIL)
        return -1;
    changed(fd);
    return __real_ftruncate64(fd, size);
}

int __wrap_fsync(int fd)
{
    struct stat status;
    if (next_call(TRUE, NULL, 0, 0) == FAIL)
        return -1;
    if (calls.unwritten && fstat(fd, &status) == 0)
        g_hash_table_remove(calls.unwritten, key_of(status.st_ino));
    return calls.no_sync ? 0 : __real_fsync(fd);
}

static void copy_part(int to, int from, off_t end)
{
    char bytes[4096];
    ssize_t got;
    for (off_t at = 0; at < end && (got = pread(from, bytes, sizeof(bytes), at)) > 0; at += got)
        g_assert_cmpint(pwrite(to, bytes, (size_t)got, at), ==, got);
}

static void copy_half(int to, int from)
{
    struct stat status;
    g_assert_no_errno(fstat(from, &status));
    copy_part(to, from, status.st_size / 2);
}

static int copy_all(int to, int from)
{
    struct stat status;
    g_assert_no_errno(fstat(from, &status));
    copy_part(to, from, status.st_size);
    return __real_ftruncate64(to, status.st_size);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    gsize argument = va_arg(arguments, gsize);
    va_end(arguments);
    if (request != FICLONE)
        return __real_ioctl(fd, request, argument);
    if (next_call(TRUE, calls.reflinks ? NULL : copy_half, fd, (int)argument) == FAIL)
        return -1;
    changed(fd);
    errno = calls.reflink_error;
    if (errno)
        return -1;
    return calls.reflinks ? __real_ioctl(fd, request, argument) : copy_all(fd, (int)argument);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
    if (next_call(TRUE, NULL, 0, 0) == FAIL)
        return -1;
    changed(fd);
    return __real_write(fd, bytes, length);
}
