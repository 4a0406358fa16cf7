#include "table.h"
#include "tool.h"
#include "trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdisk.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* How long udev may take for the devices of new partitions. */
#define WAIT_US  (10 * G_USEC_PER_SEC)
#define PATIENCE (50 * 1000)

static struct fdisk_context *open_disk(struct install *install, gboolean read_only, GError **error)
{
    struct fdisk_context *context = fdisk_new_context();
    fdisk_disable_dialogs(context, 1);
    int failed = fdisk_assign_device(context, install->disk->path, read_only);
    if (!failed)
        return context;
    trouble(error, "The disk %s cannot be opened: %s", install->disk->path, g_strerror(-failed));
    fdisk_unref_context(context);
    return NULL;
}

/* Writes this disk out. libfdisk itself would do that with every disk of the machine, which may take long. */
static gboolean close_disk(struct fdisk_context *context, int failed, const char *what, GError **error)
{
    if (!failed && fsync(fdisk_get_devfd(context)) < 0)
        failed = -errno;
    int unwritten = fdisk_deassign_device(context, 1);
    fdisk_unref_context(context);
    failed = failed ? failed : unwritten;
    return !failed || trouble(error, "%s: %s", what, g_strerror(-failed));
}

static const char *name_of(int role)
{
    return role == ROLE_POOL ? LAYOUT_UNFINISHED : layout_kinds[role].name;
}

static int add(struct fdisk_context *context, const struct layout *layout, int role)
{
    gint64 sector = (gint64)fdisk_get_sector_size(context);
    struct fdisk_partition *row = fdisk_new_partition();
    struct fdisk_parttype *type = fdisk_label_parse_parttype(fdisk_get_label(context, NULL), layout_kinds[role].type);
    fdisk_partition_set_start(row, (fdisk_sector_t)(layout->parts[role].start / sector));
    fdisk_partition_set_size(row, (fdisk_sector_t)(layout->parts[role].size / sector));
    fdisk_partition_partno_follow_default(row, 1);
    fdisk_partition_set_type(row, type);
    fdisk_partition_set_name(row, name_of(role));
    int failed = fdisk_add_partition(context, row, NULL);
    fdisk_unref_parttype(type);
    fdisk_unref_partition(row);
    return failed;
}

/* Those of an installation that came to no end. */
static int remove_ours(struct fdisk_context *context, const struct disk *disk)
{
    int failed = 0;
    for (guint i = 0; !failed && i < disk->parts->len; i++) {
        const struct disk_part *part = g_ptr_array_index(disk->parts, i);
        if (part->ours)
            failed = fdisk_delete_partition(context, part->number - 1);
    }
    return failed;
}

static int change(struct fdisk_context *context, struct install *install)
{
    int failed = install->answers->use == USE_WHOLE_DISK ? fdisk_create_disklabel(context, "gpt")
                                                         : remove_ours(context, install->disk);
    for (int role = 0; !failed && role < ROLE_COUNT; role++)
        failed = add(context, &install->layout, role);
    return failed ? failed : fdisk_write_disklabel(context);
}

/* ---- the kernel's picture ---- */

/* udev looks at each new partition for a moment, and the kernel does not let go of one that is open. */
static gboolean forget_all(int fd)
{
    for (gint64 end = g_get_monotonic_time() + WAIT_US; ioctl(fd, BLKRRPART) < 0; g_usleep(PATIENCE))
        if (errno != EBUSY || g_get_monotonic_time() > end)
            return FALSE;
    return TRUE;
}

/* A kernel that cannot read the table by itself has no partitions now: it is told of each. */
static gboolean add_unknown(int fd, const struct disk *disk)
{
    gboolean good = TRUE;
    for (guint i = 0; i < disk->parts->len; i++) {
        const struct disk_part *part = g_ptr_array_index(disk->parts, i);
        char *path = fdisk_partname(disk->path, part->number);
        g_autofree char *name = g_path_get_basename(path), *known = g_build_filename("/sys/class/block", name, NULL);
        struct blkpg_partition row = {.start = part->start, .length = part->size, .pno = (int)part->number};
        struct blkpg_ioctl_arg order = {.op = BLKPG_ADD_PARTITION, .datalen = sizeof(row), .data = &row};
        if (access(known, F_OK) < 0)
            good &= ioctl(fd, BLKPG, &order) == 0;
        free(path);
    }
    return good;
}

static gboolean tell_kernel(const struct install *install, GError **error)
{
    struct disk *now = disk_read(install->disk->path, "/sys", error);
    int fd = now ? open(now->path, O_RDONLY | O_CLOEXEC) : -1;
    gboolean good = fd >= 0 && forget_all(fd) && add_unknown(fd, now);
    if (now && !good)
        trouble_errno(error, "The kernel does not take the new partitions of %s", now->path);
    if (fd >= 0)
        close(fd);
    disk_free(now);
    return good;
}

/* ---- writing ---- */

gboolean table_write(struct install *install, GError **error)
{
    struct fdisk_context *context = open_disk(install, FALSE, error);
    return context &&
           close_disk(context, change(context, install), "The partition table could not be written", error) &&
           tell_kernel(install, error);
}

static int open_for_writing(const struct install *install, GError **error)
{
    int fd = open(install->disk->path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        trouble_errno(error, "The disk %s cannot be opened", install->disk->path);
    return fd;
}

gboolean table_save(struct install *install, GError **error)
{
    int fd = open_for_writing(install, error);
    if (fd < 0)
        return FALSE;
    install->saved = g_malloc(2 * SAVED_BYTES);
    gboolean good = read_all(fd, install->saved, SAVED_BYTES, 0) &&
                    read_all(fd, install->saved + SAVED_BYTES, SAVED_BYTES, install->disk->size - SAVED_BYTES);
    if (!good) {
        trouble_errno(error, "The disk %s cannot be read", install->disk->path);
        g_clear_pointer(&install->saved, g_free);
    }
    close(fd);
    return good;
}

static gboolean write_saved(struct install *install, GError **error)
{
    int fd = open_for_writing(install, error);
    if (fd < 0)
        return FALSE;
    gboolean good = write_all(fd, install->saved + SAVED_BYTES, SAVED_BYTES, install->disk->size - SAVED_BYTES) &&
                    write_all(fd, install->saved, SAVED_BYTES, 0) && fsync(fd) == 0;
    if (!good)
        trouble_errno(error, "The old partition table cannot be written");
    close(fd);
    return good;
}

gboolean table_restore(struct install *install, GError **error)
{
    if (!install->saved)
        return TRUE;
    gboolean good = write_saved(install, error);
    if (good)
        tell_kernel(install, NULL); /* its next start does it otherwise */
    return good;
}

static gboolean wait_for(const char *path, GError **error)
{
    for (gint64 end = g_get_monotonic_time() + WAIT_US; access(path, F_OK) < 0; g_usleep(PATIENCE))
        if (g_get_monotonic_time() > end)
            return trouble(error, "The device %s of the new partition does not appear.", path);
    return TRUE;
}

gboolean table_find(struct install *install, GError **error)
{
    struct disk *disk = disk_read(install->disk->path, "/sys", error);
    gboolean good = disk != NULL;
    for (int role = 0; good && role < ROLE_COUNT; role++) {
        const struct disk_part *part = disk_part_named(disk, layout_kinds[role].name);
        if (!part && role == ROLE_POOL)
            part = disk_part_named(disk, LAYOUT_UNFINISHED);
        if (!part) {
            good = trouble(error, "The partition %s is not on %s.", layout_kinds[role].name, disk->path);
            break;
        }
        char *path = fdisk_partname(disk->path, part->number);
        install->paths[role] = g_strdup(path);
        install->devices[role] = g_strdup(path);
        install->ids[role] = g_strdup(part->id);
        free(path);
        good = wait_for(install->paths[role], error);
    }
    disk_free(disk);
    return good;
}

gboolean table_finish(struct install *install, GError **error)
{
    struct fdisk_context *context = open_disk(install, FALSE, error);
    if (!context)
        return FALSE;
    struct fdisk_table *table = NULL;
    struct fdisk_iter *iter = fdisk_new_iter(FDISK_ITER_FORWARD);
    struct fdisk_partition *row = NULL, *name = fdisk_new_partition();
    int failed = fdisk_get_partitions(context, &table);
    size_t number = G_MAXSIZE;
    while (!failed && fdisk_table_next_partition(table, iter, &row) == 0)
        if (g_strcmp0(fdisk_partition_get_name(row), LAYOUT_UNFINISHED) == 0)
            number = fdisk_partition_get_partno(row);
    fdisk_partition_set_name(name, layout_kinds[ROLE_POOL].name);
    if (!failed)
        failed = number == G_MAXSIZE ? -ENOENT : fdisk_set_partition(context, number, name);
    if (!failed)
        failed = fdisk_write_disklabel(context);
    fdisk_unref_partition(name);
    fdisk_free_iter(iter);
    fdisk_unref_table(table);
    return close_disk(context, failed, "The partition table could not be marked as finished", error);
}
