/*
 * An image in use is locked. The locks are the system's, of open file descriptions (F_OFD_SETLK, fcntl(2)), so they are
 * free when the last descriptor is closed, also by a kill, and other programs see them: qemu-img refuses such a file.
 *
 * A loop device keeps the description that it was given as long as it is attached. So a guest's lock ends exactly when
 * its disk is let go by the block backend: it outlives a restart of the service, which has nothing to take again.
 *
 *     use           beside it may be
 *     IMAGE_READ    readers, copies          a guest with a read-only disk
 *     IMAGE_WRITE   copies                   a guest
 *     IMAGE_COPY    all but a change         clone, point, export: what is copied is as after a power cut
 *     IMAGE_CHANGE  nothing                  revert, grow, rename, delete
 *
 * The name of a guest that uses an image is written down in it (extended attribute user.roundhouse.holder.NAME) for
 * the sentence that the next one is refused with. Names of users before are taken off when it is free again and taken
 * anew; the lock counts, not the name.
 */
#ifndef RH_LOCK_H
#define RH_LOCK_H

#include <glib.h>

enum image_use { IMAGE_READ, IMAGE_WRITE, IMAGE_COPY, IMAGE_CHANGE, IMAGE_USE_COUNT };

/*
 * Opens an image file and locks it for this use; the lock ends with the descriptor and all that share it. -1 with an
 * RH_ERROR_IN_USE that names who has it, and begins with what, its name for people. The holder is the guest's name,
 * NULL for the service itself. A guest that is started again may meet the disk that it had before: its end is waited
 * for, for some seconds.
 */
int image_lock(const char *path, const char *what, enum image_use use, const char *holder, GError **error);

/* Ends the lock and closes the descriptor: also where a child that has not called exec() yet has a copy of it. */
void image_unlock(int fd);

/* Who uses an image, for people: names with commas, "another program"; NULL: nobody. Free with g_free. */
char *image_holders(const char *path);

#endif
