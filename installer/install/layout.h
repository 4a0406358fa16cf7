/*
 * Where Roundhouse's partitions are on a disk. Computed before anything is written.
 *
 *   roundhouse-bios   GRUB's code for BIOS
 *   roundhouse-esp    GRUB for UEFI, vfat
 *   roundhouse-boot   GRUB's menu and counters; hypervisor, kernel and RAM disk of both slots in a/ and b/; ext4
 *   roundhouse-a, -b  a slot: the service VM's root file system as it was delivered, only read
 *   roundhouse-state  settings and what the service VM keeps, over the slot's files; ext4. Apart from the pool, so that
 *                     guests that fill that do not stop the machine
 *   roundhouse-pool   guests' disks, XFS
 *
 * What is in bios, esp, boot and the slots is the same on every machine and is needed before a passphrase can be asked
 * for: it is not encrypted. State and pool are people's: LUKS2 if it was asked for.
 *
 * From the first write until all is done the pool's name is roundhouse-unfinished. So the partition table, which is
 * there twice and with checksums, tells an installation that came to no end; nobody mounts its pool, and it can be
 * started over without a look at its contents.
 */
#ifndef INSTALL_LAYOUT_H
#define INSTALL_LAYOUT_H

#include "answers.h"
#include "disk.h"

#define LAYOUT_UNFINISHED "roundhouse-unfinished"

enum layout_role { ROLE_BIOS, ROLE_ESP, ROLE_BOOT, ROLE_A, ROLE_B, ROLE_STATE, ROLE_POOL, ROLE_COUNT };

/* By role. */
struct layout_kind {
    const char *name; /* in the partition table */
    const char *type; /* GPT's */
    gint64 size;      /* bytes at least; a slot's may have to be larger, and the pool takes what is left */
    const char *what; /* in words */
};

extern const struct layout_kind layout_kinds[ROLE_COUNT];

struct layout {
    struct {
        gint64 start, size; /* bytes, whole MiB */
    } parts[ROLE_COUNT];
};

gboolean layout_is_ours(const char *name);

/*
 * Whether the installer may do that to the disk, and where everything goes, for a system of so many bytes. FALSE with
 * the reason. With USE_RENEW the places are those that are there.
 */
gboolean layout_make(struct layout *layout, const struct disk *disk, const struct answers *answers, gint64 system_size,
                     GError **error);

#endif
