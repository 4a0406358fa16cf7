#include "layout.h"
#include "trouble.h"

#include <string.h>

#define LINUX_DATA "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

const struct layout_kind layout_kinds[ROLE_COUNT] = {
    [ROLE_BIOS] = {"roundhouse-bios", "21686148-6449-6E6F-744E-656564454649", MIB, "boot code for BIOS"},
    [ROLE_ESP] = {"roundhouse-esp", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 64 * MIB, "boot files for UEFI"},
    [ROLE_BOOT] = {"roundhouse-boot", LINUX_DATA, GIB, "boot files"},
    [ROLE_A] = {"roundhouse-a", LINUX_DATA, 4 * GIB, "system, slot A"},
    [ROLE_B] = {"roundhouse-b", LINUX_DATA, 4 * GIB, "system, slot B"},
    [ROLE_STATE] = {"roundhouse-state", LINUX_DATA, 2 * GIB, "settings"},
    [ROLE_POOL] = {"roundhouse-pool", LINUX_DATA, 8 * GIB, "guests"},
};

gboolean layout_is_ours(const char *name)
{
    for (int role = 0; role < ROLE_COUNT; role++)
        if (strcmp(layout_kinds[role].name, name) == 0)
            return TRUE;
    return strcmp(name, LAYOUT_UNFINISHED) == 0;
}

/* An update's system may be half as large again as this one. */
static gint64 least(int role, gint64 system_size)
{
    gint64 room = (system_size + system_size / 2 + GIB - 1) / GIB * GIB;
    return role == ROLE_A || role == ROLE_B ? MAX(layout_kinds[role].size, room) : layout_kinds[role].size;
}

static gboolean place(struct layout *layout, gint64 start, gint64 size, gint64 system_size, const char *where,
                      GError **error)
{
    gint64 at = start, needed = 0;
    for (int role = 0; role < ROLE_COUNT; role++)
        needed += least(role, system_size);
    if (size < needed) {
        g_autofree char *have = size_text(size), *need = size_text(needed);
        return trouble(error, "%s has %s, and Roundhouse needs %s.", where, have, need);
    }
    for (int role = 0; role < ROLE_COUNT; role++) {
        layout->parts[role].start = at;
        layout->parts[role].size = role == ROLE_POOL ? start + size - at : least(role, system_size);
        at += layout->parts[role].size;
    }
    return TRUE;
}

static gboolean find_ours(struct layout *layout, const struct disk *disk, gint64 system_size, GError **error)
{
    if (disk->holds == HOLDS_UNFINISHED)
        return trouble(error,
                       "%s holds an installation that came to no end; there is nothing to renew. Install anew: with "
                       "\"use = free-space\" what is beside it stays.",
                       disk->path);
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct disk_part *part = disk_part_named(disk, layout_kinds[role].name);
        if (!part)
            return trouble(error, "%s has no partition %s, so there is no Roundhouse on it that can be renewed.",
                           disk->path, layout_kinds[role].name);
        layout->parts[role].start = part->start;
        layout->parts[role].size = part->size;
    }
    if (layout->parts[ROLE_A].size < system_size || layout->parts[ROLE_B].size < system_size) {
        g_autofree char *need = size_text(system_size);
        return trouble(error, "The slots on %s are smaller than the new system, which has %s.", disk->path, need);
    }
    return TRUE;
}

gboolean layout_make(struct layout *layout, const struct disk *disk, const struct answers *answers, gint64 system_size,
                     GError **error)
{
    memset(layout, 0, sizeof(*layout));
    if (disk->in_use)
        return trouble(error, "The disk %s is in use: %s.", disk->path, disk->in_use);
    if (disk->read_only)
        return trouble(error, "The disk %s can only be read.", disk->path);
    if (answers->use == USE_RENEW)
        return find_ours(layout, disk, system_size, error);
    if (answers->use == USE_WHOLE_DISK) {
        if (disk->holds == HOLDS_ROUNDHOUSE && !answers->erase_guests)
            return trouble(
                error,
                "%s holds Roundhouse and its guests. \"use = renew\" keeps them; \"erase-guests = yes\" says "
                "that they may be lost.",
                disk->path);
        return place(layout, MIB, disk->size / MIB * MIB - 2 * MIB, system_size, disk->path, error);
    }
    if (!disk->is_gpt)
        return trouble(error, "%s has %s, and free space can be used with GPT alone. gdisk(8) converts an MBR.",
                       disk->path, disk->table);
    if (disk->holds == HOLDS_ROUNDHOUSE)
        return trouble(error, "%s holds Roundhouse; \"use = renew\" renews it.", disk->path);
    g_autofree char *where = g_strdup_printf("The largest free space on %s", disk->path);
    return place(layout, disk->free_start, disk->free_size, system_size, where, error);
}
