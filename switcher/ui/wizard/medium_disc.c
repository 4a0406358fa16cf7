/*
 * Installation discs. ISO 9660 says how long a disc is in its primary volume descriptor; a disc that has a UDF too, as
 * those of Windows, says little there and the truth in UDF's partition descriptor.
 */
#include "medium_file.h"

#include <string.h>

#define DISC_SECTOR      2048
#define FIRST_DESCRIPTOR 16
#define DESCRIPTORS_MAX  32 /* a disc has three to six */

#define TYPE_BOOT       0
#define TYPE_PRIMARY    1
#define TYPE_TERMINATOR 255

#define UDF_ANCHOR_SECTOR 256
#define UDF_TAG_ANCHOR    2
#define UDF_TAG_PARTITION 5
#define UDF_SEQUENCE_MAX  32

static gboolean is_descriptor(const guint8 *sector)
{
    return memcmp(sector + 1, "CD001", 5) == 0;
}

static gboolean sector_at(const struct medium_file *file, guint64 number, guint8 sector[DISC_SECTOR])
{
    return medium_file_at(file, number * DISC_SECTOR, sector, DISC_SECTOR);
}

/* Texts go to other programs and to the screen. */
static void copy_name(char to[MEDIUM_NAME_MAX + 1], const guint8 *from, gsize bytes)
{
    for (gsize i = 0; i < bytes; i++)
        to[i] = g_ascii_isprint((char)from[i]) ? (char)from[i] : ' ';
    to[bytes] = '\0';
    g_strstrip(to);
}

static void read_primary(const guint8 *sector, struct medium *medium)
{
    copy_name(medium->system, sector + 8, 32);
    copy_name(medium->volume, sector + 40, 32);
    copy_name(medium->publisher, sector + 318, MEDIUM_NAME_MAX);
    copy_name(medium->application, sector + 574, MEDIUM_NAME_MAX);
    medium->volume_bytes = medium_little(sector + 80, 4) * medium_little(sector + 128, 2);
}

/* Where the disc's UDF partition ends, in bytes; 0: it has none. Numbers are of 32 bits, so no sum overflows. */
static guint64 end_of_udf(const struct medium_file *file)
{
    guint8 sector[DISC_SECTOR];
    if (!sector_at(file, UDF_ANCHOR_SECTOR, sector) || medium_little(sector, 2) != UDF_TAG_ANCHOR)
        return 0;
    guint64 count = MIN(medium_little(sector + 16, 4) / DISC_SECTOR, UDF_SEQUENCE_MAX);
    guint64 first = medium_little(sector + 20, 4);
    for (guint64 i = 0; i < count && sector_at(file, first + i, sector); i++) {
        if (medium_little(sector, 2) == UDF_TAG_PARTITION)
            return (medium_little(sector + 188, 4) + medium_little(sector + 192, 4)) * DISC_SECTOR;
    }
    return 0;
}

enum medium_verdict medium_read_disc(const struct medium_file *file, struct medium *medium, GError **error)
{
    guint8 sector[DISC_SECTOR];
    gboolean primary = FALSE;
    for (guint64 i = 0; i < DESCRIPTORS_MAX && sector_at(file, FIRST_DESCRIPTOR + i, sector); i++) {
        if (!is_descriptor(sector) || sector[0] == TYPE_TERMINATOR)
            break;
        if (sector[0] == TYPE_PRIMARY && !primary)
            read_primary(sector, medium);
        primary = primary || sector[0] == TYPE_PRIMARY;
        if (sector[0] == TYPE_BOOT && memcmp(sector + 7, "EL TORITO SPECIFICATION", 23) == 0)
            medium->bootable = TRUE;
    }
    if (!primary)
        return MEDIUM_OTHER;
    guint64 end = MAX(medium->volume_bytes, end_of_udf(file));
    medium->kind = MEDIUM_DISC;
    return end > file->bytes ? medium_cut_short(end, file->bytes, error) : MEDIUM_MINE;
}
