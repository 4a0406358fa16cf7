/* What other programs say of a guest, in the words of roundhouse-guest(5). */
#ifndef RH_IMPORT_H
#define RH_IMPORT_H

#include <glib.h>

struct import {
    GVariantDict settings; /* text each */
    GPtrArray *left_out;   /* sentences: what of the file has no meaning here, line by line */
};

/* FALSE with an error: it is no such file. The text ends with a NUL. */
gboolean import_xl(struct import *import, const char *text, GError **error);
gboolean import_libvirt(struct import *import, const char *text, GError **error);

void import_set(struct import *import, const char *setting, const char *value);
void import_leave_out(struct import *import, int line, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Appends one disk; vdev may be a name that this guest calls otherwise. NULL: as the next one is called. */
void import_add_disk(struct import *import, int line, const char *target, const char *vdev, gboolean read_only,
                     gboolean cdrom);

#endif
