/*
 * What is on a disk: its partitions, what they hold by the signs at their beginning, and why the installer may not
 * touch it. Nothing is written and no file system is mounted: a mount, read-only too, may replay a journal.
 */
#ifndef INSTALL_DISK_H
#define INSTALL_DISK_H

#include <glib.h>

#define MIB G_GINT64_CONSTANT(1048576)
#define GIB (1024 * MIB)

/* What Roundhouse has on a disk, told by the names of the partitions. */
enum disk_holds {
    HOLDS_OTHER,      /* nothing of ours */
    HOLDS_UNFINISHED, /* an installation that came to no end: nothing in it is of use */
    HOLDS_ROUNDHOUSE, /* an installed one */
};

struct disk_part {
    guint number;       /* from 1 */
    gint64 start, size; /* bytes */
    char *name;         /* of the partition table; never NULL */
    char *id;           /* PARTUUID, in small letters; never NULL */
    char *system;       /* file system or other contents, as of blkid; "" if none is known */
    char *label;        /* the file system's; never NULL */
    char *holds;        /* in words */
    gboolean ours;
};

struct disk {
    char *path;
    char *model; /* never NULL */
    gint64 size; /* bytes */
    guint sector_size;
    gboolean is_gpt;
    char *table; /* "GPT", "MBR" or "no partition table" */
    gboolean read_only;
    enum disk_holds holds;
    GPtrArray *parts;             /* struct disk_part, by their starts */
    gint64 free_start, free_size; /* the largest free space, in whole MiB; ours of an unfinished one counts as free */
    char *in_use;                 /* by whom, in words; NULL: by nobody */
};

/* The picture of a disk, to be freed; NULL with an error. `sys` is where sysfs is. */
struct disk *disk_read(const char *path, const char *sys, GError **error);
void disk_free(struct disk *disk);

/* Of ours by its name in the table ("roundhouse-pool"); NULL if there is none. */
const struct disk_part *disk_part_named(const struct disk *disk, const char *name);

/* The paths of all disks that could be installed on, a NULL at their end; to be freed by g_strfreev(). */
char **disk_list(const char *sys);

/* The picture as text, for people: one line for the disk and one for each partition and free space. */
void disk_print(const struct disk *disk, GString *text);

/* The same as a record "disk"; refused: why it cannot be installed on, "" if it can. */
void disk_print_json(const struct disk *disk, const char *refused, GString *json);

/* "1.5 GiB", to be freed. */
char *size_text(gint64 bytes);

#endif
