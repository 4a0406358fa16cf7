/* The disks of a definition that are images of the pool. */
#ifndef RH_GUEST_IMAGES_H
#define RH_GUEST_IMAGES_H

#include "guest_config.h"

/*
 * Puts paths in the place of names, so that all disks of the definition have paths. The pool is opened only if there is
 * a name. FALSE with an RH_ERROR when there is no such pool or image. What locks an image is its loop device
 * (loop_disk.h).
 */
gboolean guest_images_find(struct guest_config *config, const char *pool_path, GError **error);

#endif
