/* Between the recognisers of medium.c and medium_disc.c: the file that is being looked at, and what each may answer. */
#ifndef RH_MEDIUM_FILE_H
#define RH_MEDIUM_FILE_H

#include "medium.h"

#define MEDIUM_SECTOR     512
#define MEDIUM_HEAD_BYTES 1024

struct medium_file {
    int fd;
    guint64 bytes;
    guint8 head[MEDIUM_HEAD_BYTES]; /* its beginning; zeros where it is shorter */
};

enum medium_verdict {
    MEDIUM_OTHER, /* of another kind */
    MEDIUM_MINE,  /* the medium is filled in */
    MEDIUM_WRONG  /* it is of this kind, and the error says what is wrong with it */
};

/* All of these bytes, or FALSE: the file has no such place, or cannot be read there. */
gboolean medium_file_at(const struct medium_file *file, guint64 at, gpointer buffer, gsize bytes);

/* A number in the file, least significant byte first. */
guint64 medium_little(const guint8 *from, gsize bytes);

/* So many sectors in bytes; the largest number there is when they are more. */
static inline guint64 medium_sectors(guint64 count)
{
    return count > G_MAXUINT64 / MEDIUM_SECTOR ? G_MAXUINT64 : count * MEDIUM_SECTOR;
}

/* MEDIUM_WRONG with a sentence that says both lengths. */
enum medium_verdict medium_cut_short(guint64 wanted, guint64 there, GError **error);

enum medium_verdict medium_read_disc(const struct medium_file *file, struct medium *medium, GError **error);

#endif
