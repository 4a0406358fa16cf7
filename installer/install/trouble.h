/*
 * Errors of the installer: one or two sentences for a person, what is wrong and what can be done. There is one kind;
 * who calls needs to tell no two apart.
 */
#ifndef INSTALL_TROUBLE_H
#define INSTALL_TROUBLE_H

#include <glib.h>

/* Sets the error, as of printf. FALSE, for the caller to return. */
gboolean trouble(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The same with ": " and what errno means. */
gboolean trouble_errno(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
