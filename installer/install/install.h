/*
 * An installation: what it does to the disk as one table of stages (install.c). Each can say what it will do, do it,
 * and, where that is possible, take it back.
 *
 * Order of events: answers, source and disk are read and checked, the layout is made, and only then install_run()
 * writes. Needs root, and a mount namespace of its own (mounts end with the process).
 */
#ifndef INSTALL_INSTALL_H
#define INSTALL_INSTALL_H

#include "answers.h"
#include "disk.h"
#include "layout.h"
#include "source.h"

/* Of a volume inside LUKS while it is being installed; %s is the partition's name. */
#define INSTALL_VOLUME "%s-new"

/* Where the installation is. */
struct install_progress {
    const char *stage, *title; /* of the stage */
    guint number, count;       /* of stages; the first is 1 */
    guint permille;            /* of this stage */
};

/* Called at each step, often enough for a person to see that something happens. FALSE with an error: the installation
 * ends here, in order. */
typedef gboolean (*install_progress_fn)(void *data, const struct install_progress *progress, GError **error);

struct install {
    const struct answers *answers;
    const struct source *source;
    const struct disk *disk;
    struct layout layout;
    const char *policies; /* folder of the policies that can be started with */
    install_progress_fn progress;
    void *progress_data;
    guint iterations; /* of LUKS's key derivation, by PBKDF2; 0: argon2id at its usual cost, for everything but tests */

    /* Of stages, from here on. */
    struct install_progress at;
    char *paths[ROLE_COUNT];   /* the partitions' devices */
    char *devices[ROLE_COUNT]; /* where their file systems are: the same, or what is inside LUKS */
    char *ids[ROLE_COUNT];     /* PARTUUIDs */
    char *boot_uuid;           /* of the boot file system */
    char *recovery_key;
    char pool_key[64];    /* what opens the pool from inside the state; any bytes */
    char *work;           /* a folder for mounts and for what is made on the way */
    char slot;            /* 'A' or 'B': where the system goes */
    gboolean overwritten; /* the partitions' old contents are not all there any more */
    guchar *saved;        /* the old table: head and tail of the disk, SAVED_BYTES each */
};

/* Beginning and end of a disk that hold GPT, its copy, and GRUB's first sector. */
#define SAVED_BYTES (512 * 1024)

/* What will be done, as text: the disk before and after, and a line for each stage. */
void install_plan(struct install *install, GString *text);

/*
 * The same as records: "part" for each partition before and after, by their starts, and "step" for each stage. The
 * fate of a part before is "stays", "changes" or "goes", and of one after "stays", "changes" or "new".
 */
void install_plan_json(struct install *install, GString *json);

/*
 * Does it. FALSE with an error that says what went wrong, what state the disk is in, and how to go on. Whatever the
 * end, nothing stays mounted or open.
 */
gboolean install_run(struct install *install, GError **error);

/* Closes what a killed installation has left open on this machine: its volumes inside LUKS would keep the disk in use.
 */
void install_close_left(void);

/* Frees what stages have left; not what the caller has given. */
void install_finish(struct install *install);

/* ---- for stages ---- */

struct stage {
    const char *name, *title;
    gboolean renews;                                      /* it is part of a renewal */
    void (*plan)(struct install *install, GString *text); /* a line or two */
    gboolean (*perform)(struct install *install, GError **error);
    gboolean (*undo)(struct install *install, GError **error); /* NULL: cannot be taken back. Also after half of it */
};

extern const struct stage stage_partition, stage_clear, stage_encrypt, stage_filesystems, stage_system,
    stage_boot_files, stage_loader, stage_settings, stage_finish;

/* So much of this stage is done. FALSE: stop. */
gboolean install_step(struct install *install, guint permille, GError **error);

/* Mounts the role's file system at a folder below `work`, whose path is returned; NULL with an error. */
char *install_mount(struct install *install, enum layout_role role, const char *type, gboolean read_only,
                    GError **error);
/* FALSE also if what was written could not be written out. The path is freed. */
gboolean install_unmount(char *path, GError **error);

enum layout_role install_slot_role(const struct install *install);

#endif
