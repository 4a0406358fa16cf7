/* Locks of image files; what they mean: lock.h. */
#include "lock.h"
#include "../errors.h"
#include "making.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define HOLDER    "user.roundhouse.holder."
#define NAMES_MAX 65536 /* XATTR_LIST_MAX */
#define PLACE     ((off_t)1 << 62)
#define ATTEMPTS  100
#define PATIENCE  (10 * G_USEC_PER_SEC)
#define PAUSE     (G_USEC_PER_SEC / 20)

/* What is in the file, its bytes below PLACE; and where it is: its name, its size, that it is there. */
static const struct {
    short content, place;
    int flags;
} uses[IMAGE_USE_COUNT] = {
    [IMAGE_READ] = {F_RDLCK, F_RDLCK, O_RDONLY},
    [IMAGE_WRITE] = {F_WRLCK, F_RDLCK, O_RDWR},
    [IMAGE_COPY] = {F_UNLCK, F_RDLCK, O_RDONLY},
    [IMAGE_CHANGE] = {F_WRLCK, F_WRLCK, O_RDWR},
};

static gboolean lock_range(int fd, short type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Whether nobody else uses what is in it. Asking takes no right to write, unlike the lock. */
static gboolean is_free(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = PLACE};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

/* ---- names ---- */

/* The names that are written down, each with its prefix and a NUL; their length, 0: none. */
static gsize read_names(int fd, char *names)
{
    gssize length = flistxattr(fd, names, NAMES_MAX);
    return length < 0 ? 0 : (gsize)length;
}

static char *list_holders(int fd)
{
    g_autofree char *names = g_malloc(NAMES_MAX);
    gsize length = read_names(fd, names);
    GString *text = g_string_new(NULL);
    for (const char *name = names; name < names + length; name += strlen(name) + 1) {
        if (g_str_has_prefix(name, HOLDER))
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", name + strlen(HOLDER));
    }
    if (!text->len)
        g_string_append(text, "another program, or by a change under way");
    return g_string_free(text, FALSE);
}

static void forget_holders(int fd)
{
    g_autofree char *names = g_malloc(NAMES_MAX);
    gsize length = read_names(fd, names);
    for (const char *name = names; name < names + length; name += strlen(name) + 1) {
        if (g_str_has_prefix(name, HOLDER))
            fremovexattr(fd, name);
    }
}

static void note_holder(int fd, const char *path, const char *holder)
{
    g_autofree char *name = g_strconcat(HOLDER, holder, NULL);
    if (fsetxattr(fd, name, "", 0, 0) < 0)
        g_info("%s is locked, but that %s has it could not be written down: %s", path, holder, g_strerror(errno));
}

static gboolean is_holder(int fd, const char *holder)
{
    g_autofree char *name = g_strconcat(HOLDER, holder, NULL);
    return fgetxattr(fd, name, NULL, 0) >= 0;
}

char *image_holders(const char *path)
{
    char *holders = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    if (!is_free(fd))
        holders = list_holders(fd);
    close(fd);
    return holders;
}

/* ---- locks ---- */

/* The file may have been exchanged or taken away between open and lock: then the lock is of what is gone. */
static gboolean still_there(int fd, const char *path)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

/* Names of users before are of no use when there are no users. */
static gboolean lock_content(int fd, short type)
{
    if (type == F_UNLCK)
        return TRUE;
    gboolean alone = is_free(fd);
    if (!lock_range(fd, type, 0, PLACE))
        return FALSE;
    if (alone)
        forget_holders(fd);
    return TRUE;
}

/* -1: it was exchanged meanwhile, or with an error. */
static int try_lock(const char *path, const char *what, enum image_use use, const char *holder, gboolean *own,
                    GError **error)
{
    int fd = open(path, uses[use].flags | O_CLOEXEC);
    if (fd < 0) {
        making_fail(error, "%s cannot be opened", what);
        return -1;
    }
    if (!lock_range(fd, uses[use].place, PLACE, 1) || !lock_content(fd, uses[use].content)) {
        g_autofree char *holders = list_holders(fd);
        *own = holder && is_holder(fd, holder);
        g_set_error(error, RH_ERROR, RH_ERROR_IN_USE, "%s is in use by %s. Shut that down first, or use a clone.", what,
                    holders);
    } else if (still_there(fd, path)) {
        if (holder)
            note_holder(fd, path, holder);
        return fd;
    }
    close(fd);
    return -1;
}

int image_lock(const char *path, const char *what, enum image_use use, const char *holder, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + PATIENCE;
    for (int exchanged = 0; exchanged < ATTEMPTS;) {
        g_autoptr(GError) cause = NULL;
        gboolean own = FALSE;
        int fd = try_lock(path, what, use, holder, &own, &cause);
        if (fd >= 0)
            return fd;
        if (!cause) {
            exchanged++;
        } else if (own && g_get_monotonic_time() < deadline) {
            g_usleep(PAUSE);
        } else {
            g_propagate_error(error, g_steal_pointer(&cause));
            return -1;
        }
    }
    g_set_error(error, RH_ERROR, RH_ERROR_IN_USE, "%s is being changed all the time. Wait, then try again.", what);
    return -1;
}

void image_unlock(int fd)
{
    lock_range(fd, F_UNLCK, 0, 0);
    close(fd);
}
