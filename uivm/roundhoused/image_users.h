/* Which guests have an image of the pool in their definitions. */
#ifndef RH_IMAGE_USERS_H
#define RH_IMAGE_USERS_H

#include "guest.h"

/* Whether this one is among them. */
gboolean image_users_is_one(const struct guest *guest, const char *image);

/* Their names with commas; NULL: none of struct guest, but for one (NULL: all count). The caller frees it. */
char *image_users(const GPtrArray *guests, const char *image, const struct guest *but);

/* FALSE with an RH_ERROR_IN_USE that names them. */
gboolean image_users_check_none(const GPtrArray *guests, const char *image, GError **error);

#endif
