/*
 * What a file is that a guest is to be made from: an installation disc, or a disk image of some format. Enough is read
 * to tell a whole one from one that was cut short, that is packed, or that needs other files; nothing else is looked
 * at.
 *
 * The file is from anywhere and believed in nothing: what is read from it is bounded, and its texts come out printable.
 * Any thread. Sources: ECMA-119 (ISO 9660) 8.4, El Torito 1.0, ECMA-167 (UDF) 3/10, QEMU's qcow2.txt, Microsoft's VHD
 * and VHDX specifications, VMware's Virtual Disk Format 5.0, UEFI 2.10 chapter 5.
 */
#ifndef RH_MEDIUM_H
#define RH_MEDIUM_H

#include <glib.h>

enum medium_kind {
    MEDIUM_DISC, /* ISO 9660 */
    MEDIUM_RAW,  /* a disk as it is, with a partition table */
    MEDIUM_QCOW2,
    MEDIUM_VMDK,
    MEDIUM_VHD,
    MEDIUM_VHDX,
    MEDIUM_VDI,
    MEDIUM_KIND_COUNT
};

#define MEDIUM_NAME_MAX 128

struct medium {
    enum medium_kind kind;
    guint64 bytes;      /* of the file */
    guint64 disk_bytes; /* of the disk in an image; 0: not known */
    gboolean bootable;  /* a disc that a PC can be started from */
    /* What a disc calls itself: printable ASCII without spaces around it; the size is what it says of itself, in bytes.
     */
    char volume[MEDIUM_NAME_MAX + 1], system[MEDIUM_NAME_MAX + 1], publisher[MEDIUM_NAME_MAX + 1],
        application[MEDIUM_NAME_MAX + 1];
    guint64 volume_bytes;
};

/* Each comes with a sentence about "it" that says what to do. */
enum medium_error {
    MEDIUM_ERROR_UNREADABLE,
    MEDIUM_ERROR_EMPTY,
    MEDIUM_ERROR_TRUNCATED,
    MEDIUM_ERROR_PACKED,
    MEDIUM_ERROR_PARTS, /* it needs other files */
    MEDIUM_ERROR_ENCRYPTED,
    MEDIUM_ERROR_UNKNOWN
};
#define MEDIUM_ERROR medium_error_quark()
GQuark medium_error_quark(void);

/* Reads an open file, from wherever it stands. FALSE with an error of the list above. */
gboolean medium_read(int fd, struct medium *medium, GError **error);

/* What people call files of this kind. */
const char *medium_kind_words(enum medium_kind kind);

#endif
