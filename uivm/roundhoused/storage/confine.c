/* Landlock's calls, for which the C library has no names. */
#include "confine.h"
#include "../errors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RUN   (READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define WRITE (READ | LANDLOCK_ACCESS_FS_WRITE_FILE)

/* Of a kernel that can refuse it, from version 3 on; Debian 12's headers have no name for it. */
#define TRUNCATE (UINT64_C(1) << 14)

#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | TRUNCATE)
#define ALL      ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static const guint64 rights[] = {[CONFINE_READ] = READ, [CONFINE_RUN] = RUN, [CONFINE_WRITE] = WRITE | TRUNCATE};

static gboolean allow(int list, const struct confine_place *place, guint64 known)
{
    struct stat status;
    int fd = open(place->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    gboolean folder = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
    struct landlock_path_beneath_attr rule = {rights[place->may] & known & (folder ? ~UINT64_C(0) : OF_FILES), fd};
    gboolean good = syscall(SYS_landlock_add_rule, list, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    int cause = errno;
    close(fd);
    errno = cause;
    return good;
}

int confine_new(const struct confine_place *places, GError **error)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr handled = {version < 3 ? ALL : ALL | TRUNCATE};
    int list = version < 1 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
    gboolean good = list >= 0;
    for (const struct confine_place *place = places; good && place->path; place++)
        good = allow(list, place, handled.handled_access_fs);
    if (good)
        return list;
    g_set_error(error, RH_ERROR, RH_ERROR_STORAGE,
                "A program that reads foreign files cannot be shut in on this machine: %s. Start the machine with a "
                "kernel that has Landlock.",
                g_strerror(errno));
    if (list >= 0)
        close(list);
    return -1;
}

gboolean confine_self(int list)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, list, 0) == 0;
}
