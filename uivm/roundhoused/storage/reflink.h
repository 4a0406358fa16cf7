/*
 * A file as a copy of another that shares its blocks until one of the two is written (FICLONE, ioctl_ficlonerange(2)).
 * The one place that asks for it. There is no copy of bytes in its stead: where the file system cannot share, the error
 * says what to do.
 */
#ifndef RH_REFLINK_H
#define RH_REFLINK_H

#include <glib.h>

gboolean reflink(int from, int to, GError **error);

#endif
