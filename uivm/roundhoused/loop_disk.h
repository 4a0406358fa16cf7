/*
 * Raw image files as disks: the block backend wants a block device, so a file is put behind a loop device
 * that goes away by itself when its last user closes it.
 */
#ifndef RH_LOOP_DISK_H
#define RH_LOOP_DISK_H

#include <glib.h>

/*
 * Puts the image behind a loop device, with direct I/O where the file system can, and locks it (storage/lock.h) in the
 * name of the guest, the holder: RH_ERROR_IN_USE names who has it. The lock lasts as long as the device. May wait.
 * Returns a descriptor that keeps the device until the backend has
 * opened it, and the device's path in *device (free with g_free); -1 with an RH_ERROR otherwise.
 */
int loop_disk_attach(const char *image, gboolean read_only, const char *holder, char **device, GError **error);

#endif
