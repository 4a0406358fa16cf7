/* What image.c, point.c and convert.c share. For storage/ alone. */
#ifndef RH_IMAGE_PRIVATE_H
#define RH_IMAGE_PRIVATE_H

#include "lock.h"
#include "making.h"

/* Opens and locks an image for the service's own work; -1 with an error. */
int image_take(const struct pool *pool, const char *name, enum image_use use, GError **error);

/* The image's folder; -1 with an error. */
int image_folder(const struct pool *pool, const char *name, GError **error);

/* An image that is being made: begin, write its disk, and put it in its place under its name. End in any case. */
struct new_image {
    struct making making;
    int folder;
};

gboolean new_image_begin(const struct pool *pool, const char *name, struct new_image *image, GError **error);
gboolean new_image_keep(struct new_image *image, const char *name, GError **error);
void new_image_end(struct new_image *image);

#endif
