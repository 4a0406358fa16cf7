/*
 * Images from and to files of other kinds, by qemu-img (its manual page), which runs as a child and dies with us.
 *
 * A file to import is not trusted: one that names another file (backing file, data file, parts of a VMDK) is refused,
 * because what that holds would be in the guest. Whoever gave the file may change it after that look, so qemu-img
 * itself can open no other (confine.h).
 *
 * Both functions last as long as the copy and are for a worker thread; progress is called in that thread. A cancelled
 * one leaves nothing; its error is G_IO_ERROR_CANCELLED. Other errors: pool.h.
 */
#ifndef RH_CONVERT_H
#define RH_CONVERT_H

#include "pool.h"

#include <gio/gio.h>

enum convert_format {
    CONVERT_RAW,
    CONVERT_QCOW2,
    CONVERT_VMDK,
    CONVERT_VHD,
    CONVERT_VHDX,
    CONVERT_VDI,
    CONVERT_FORMAT_COUNT
};

/* raw, qcow2, vmdk, vhd, vhdx or vdi; FALSE: it is none of these. */
gboolean convert_format_of_word(const char *word, enum convert_format *format);

typedef void (*convert_progress_fn)(double part, gpointer user); /* part: 0 to 1 */

struct convert_watch {
    convert_progress_fn progress; /* NULL: nobody looks */
    gpointer user;
    GCancellable *cancellable;
};

/* A whole path of an ordinary file. What kind it is of is found out. */
gboolean image_import(const struct pool *pool, const char *name, const char *file, const struct convert_watch *watch,
                      GError **error);

/* What the image is now, also of one in use, into an ordinary file that is there and empty. It is whole or empty. */
gboolean image_export(const struct pool *pool, const char *name, const char *file, enum convert_format format,
                      const struct convert_watch *watch, GError **error);

#endif
