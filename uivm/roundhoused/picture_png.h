/* A guest's picture as a file. */
#ifndef RH_PICTURE_PNG_H
#define RH_PICTURE_PNG_H

#include <glib.h>

/* XRGB8888 without gaps as PNG. NULL with an RH_ERROR_DISPLAY: there is no memory for it. Any thread. */
GBytes *picture_png(GBytes *pixels, guint width, guint height, GError **error);

#endif
