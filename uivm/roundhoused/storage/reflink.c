/* FICLONE. */
#include "reflink.h"
#include "../errors.h"
#include "making.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

gboolean reflink(int from, int to, GError **error)
{
    if (ioctl(to, FICLONE, from) == 0)
        return TRUE;
    if (errno != EOPNOTSUPP && errno != ENOTTY && errno != EINVAL && errno != EXDEV && errno != ENOSYS)
        return making_fail(error, "The disk could not be copied");
    g_set_error_literal(
        error, RH_ERROR, RH_ERROR_STORAGE,
        "The file system of the pool cannot share blocks between files, so a copy of a disk would take all "
        "its space again. Put the pool on XFS: make one labelled rh-pool, and import the disks.");
    return FALSE;
}
