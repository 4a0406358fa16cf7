/*
 * A machine for the installer: a disk behind a loop device, with a kernel that knows its partitions, and a medium with
 * a small system. Needs root; everything is gone with the process. Files lie in a tmpfs of its own, whose size can be
 * set.
 */
#ifndef INSTALLER_TEST_MACHINE_H
#define INSTALLER_TEST_MACHINE_H

#include "install.h"

#define DISK_SIZE (24 * GIB)

/* Once. NULL: all is there; otherwise what is missing. */
const char *machine_prepare(void);

/* A new empty disk, its path. The one before is gone. */
const char *machine_new_disk(void);
void machine_remove_disk(void);

/* How much all files together may take: what is written beyond fails, as on a broken disk. */
void machine_set_room(gint64 bytes);

/* A folder, which is removed with the rest. */
const char *machine_folder(void);

/* The medium. `version` tells one system from another. */
struct source *machine_source(const char *version);

/* Answers for that disk. The caller frees them. */
struct answers *machine_answers(const char *disk, enum disk_use use);

/* Runs a command line of the shell; the test fails if that does. */
void run(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* What it says, without the end of its last line; to be freed. */
char *output(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The SHA-256 of that part of the disk; to be freed. */
char *sum_of(const char *disk, gint64 start, gint64 size);

/* The device of the partition with the role's name; to be freed. */
char *part_of(const char *disk, enum layout_role role);

/* Partition `role` of that disk, mounted only to be read at the folder that is returned, until it is unmounted. */
const char *mounted(const char *disk, enum layout_role role);
void unmounted(void);

#endif
