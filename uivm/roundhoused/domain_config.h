/* A guest's definition as libxl wants it. */
#ifndef RH_DOMAIN_CONFIG_H
#define RH_DOMAIN_CONFIG_H

#include "guest_config.h"

#include <libxl.h>

/*
 * Fills an initialised libxl_domain_config; the caller disposes of it in any case. Image files among the
 * disks are put behind loop devices, whose descriptors are added to holds (GArray of int): they keep the
 * devices, and are the caller's to close. FALSE with an RH_ERROR when a file the definition names cannot be
 * used.
 */
gboolean domain_config_fill(libxl_domain_config *domain, libxl_ctx *ctx, const struct guest_config *config,
                            struct guest_screen screen, GArray *holds, GError **error);

/* The disk that libxl knows a CD drive by, with this image in it, or GUEST_CDROM_EMPTY. FALSE with an
 * RH_ERROR_BAD_CONFIG. */
gboolean domain_config_fill_cdrom(libxl_device_disk *disk, const char *vdev, const char *target, GError **error);

#endif
