/* Names of images: letters, digits, dots, dashes and underscores, the first a letter or digit, up to 63, as guests'
 * are. */
#ifndef RH_IMAGE_NAME_H
#define RH_IMAGE_NAME_H

#include <glib.h>

gboolean image_name_valid(const char *name);

#endif
