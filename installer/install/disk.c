/* By libfdisk, libblkid and sysfs. */
#include "disk.h"
#include "json.h"
#include "layout.h"
#include "trouble.h"

#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <libfdisk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is in a partition ---- */

/* What Windows, macOS and other systems' partitions look like from outside. */
static const struct sign {
    const char *system, *type; /* NULL: any. The type is one of GPT's */
    const char *holds;
} signs[] = {
    {NULL, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "boot files of UEFI"},
    {NULL, "21686148-6449-6e6f-744e-656564454649", "boot code of BIOS"},
    {NULL, "e3c9e316-0b5c-4db8-817d-f92df00215ae", "reserved by Windows"},
    {NULL, "de94bba4-06d1-4d40-a16a-bfd50179d6ac", "repair system of Windows"},
    {"BitLocker", NULL, "Windows, encrypted"},
    {"ntfs", NULL, "Windows"},
    {"apfs", NULL, "macOS"},
    {"hfsplus", NULL, "macOS"},
    {"crypto_LUKS", NULL, "encrypted, of Linux"},
    {"LVM2_member", NULL, "volumes of Linux"},
    {"swap", NULL, "swap space of Linux"},
    {"ext4", NULL, "Linux"},
    {"ext3", NULL, "Linux"},
    {"ext2", NULL, "Linux"},
    {"xfs", NULL, "Linux"},
    {"btrfs", NULL, "Linux"},
    {"squashfs", NULL, "Linux"},
    {"vfat", NULL, "files"},
    {"exfat", NULL, "files"},
};

static const char *holds_of(const char *system, const char *type)
{
    for (guint i = 0; i < G_N_ELEMENTS(signs); i++)
        if ((!signs[i].system || strcmp(signs[i].system, system) == 0) &&
            (!signs[i].type || g_ascii_strcasecmp(signs[i].type, type) == 0))
            return signs[i].holds;
    return *system ? "something else" : "nothing known";
}

static char *probed(blkid_probe probe, const char *name)
{
    const char *value = NULL;
    return g_strdup(blkid_probe_lookup_value(probe, name, &value, NULL) == 0 ? value : "");
}

static void look_inside(int fd, struct disk_part *part, const char *type)
{
    blkid_probe probe = blkid_new_probe();
    if (probe && blkid_probe_set_device(probe, fd, part->start, part->size) == 0) {
        blkid_probe_enable_superblocks(probe, 1);
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL);
        blkid_do_safeprobe(probe);
        part->system = probed(probe, "TYPE");
        part->label = probed(probe, "LABEL");
    } else {
        part->system = g_strdup("");
        part->label = g_strdup("");
    }
    blkid_free_probe(probe);
    part->holds = g_strdup(part->ours ? "Roundhouse" : holds_of(part->system, type));
}

static void part_free(gpointer data)
{
    struct disk_part *part = data;
    g_free(part->name);
    g_free(part->id);
    g_free(part->system);
    g_free(part->label);
    g_free(part->holds);
    g_free(part);
}

/* ---- the table ---- */

static void add_part(struct disk *disk, int fd, struct fdisk_context *context, struct fdisk_partition *row)
{
    if (!fdisk_partition_is_used(row) || fdisk_partition_is_container(row) || !fdisk_partition_has_start(row) ||
        !fdisk_partition_has_size(row))
        return;
    struct disk_part *part = g_new0(struct disk_part, 1);
    struct fdisk_parttype *type = fdisk_partition_get_type(row);
    const char *name = fdisk_partition_get_name(row), *id = fdisk_partition_get_uuid(row);
    const char *type_id = type ? fdisk_parttype_get_string(type) : NULL;
    gint64 sector = (gint64)fdisk_get_sector_size(context);
    part->number = (guint)fdisk_partition_get_partno(row) + 1;
    part->start = (gint64)fdisk_partition_get_start(row) * sector;
    part->size = (gint64)fdisk_partition_get_size(row) * sector;
    part->name = g_strdup(name ? name : "");
    part->id = g_ascii_strdown(id ? id : "", -1);
    part->ours = disk->is_gpt && layout_is_ours(part->name);
    look_inside(fd, part, type_id ? type_id : "");
    g_ptr_array_add(disk->parts, part);
}

static gint by_start(gconstpointer one, gconstpointer other)
{
    const struct disk_part *a = *(struct disk_part *const *)one, *b = *(struct disk_part *const *)other;
    return a->start < b->start ? -1 : a->start > b->start;
}

static void read_parts(struct disk *disk, int fd, struct fdisk_context *context)
{
    struct fdisk_table *table = NULL;
    struct fdisk_iter *iter = fdisk_new_iter(FDISK_ITER_FORWARD);
    struct fdisk_partition *row = NULL;
    if (fdisk_get_partitions(context, &table) == 0)
        while (fdisk_table_next_partition(table, iter, &row) == 0)
            add_part(disk, fd, context, row);
    fdisk_free_iter(iter);
    fdisk_unref_table(table);
    g_ptr_array_sort(disk->parts, by_start);
}

static enum disk_holds holdings(const struct disk *disk)
{
    if (disk_part_named(disk, LAYOUT_UNFINISHED))
        return HOLDS_UNFINISHED;
    for (guint i = 0; i < disk->parts->len; i++)
        if (((struct disk_part *)g_ptr_array_index(disk->parts, i))->ours)
            return HOLDS_ROUNDHOUSE;
    return HOLDS_OTHER;
}

/* The gap from `at` to `end`, without the parts of a MiB at its ends. */
static void gap(struct disk *disk, gint64 at, gint64 end)
{
    at = (at + MIB - 1) / MIB * MIB;
    end = end / MIB * MIB;
    if (end - at > disk->free_size) {
        disk->free_start = at;
        disk->free_size = end - at;
    }
}

static void find_free(struct disk *disk, gint64 first, gint64 last)
{
    gint64 at = MAX(first, MIB);
    for (guint i = 0; i < disk->parts->len; i++) {
        const struct disk_part *part = g_ptr_array_index(disk->parts, i);
        if (part->ours && disk->holds == HOLDS_UNFINISHED)
            continue;
        gap(disk, at, part->start);
        at = MAX(at, part->start + part->size);
    }
    gap(disk, at, last);
}

static gboolean read_table(struct disk *disk, int fd, GError **error)
{
    struct fdisk_context *context = fdisk_new_context();
    fdisk_disable_dialogs(context, 1);
    int failed = fdisk_assign_device(context, disk->path, 1);
    if (failed) {
        fdisk_unref_context(context);
        return trouble(error, "The disk %s cannot be read: %s", disk->path, g_strerror(-failed));
    }
    gint64 sector = (gint64)fdisk_get_sector_size(context);
    gint64 first = MIB, last = disk->size - MIB;
    disk->sector_size = (guint)sector;
    disk->is_gpt = fdisk_is_labeltype(context, FDISK_DISKLABEL_GPT);
    disk->table = g_strdup(disk->is_gpt                                       ? "GPT"
                           : fdisk_is_labeltype(context, FDISK_DISKLABEL_DOS) ? "MBR"
                           : fdisk_has_label(context)                         ? "another partition table"
                                                                              : "no partition table");
    if (disk->is_gpt) {
        first = (gint64)fdisk_get_first_lba(context) * sector;
        last = ((gint64)fdisk_get_last_lba(context) + 1) * sector;
    }
    read_parts(disk, fd, context);
    disk->holds = holdings(disk);
    find_free(disk, first, last);
    fdisk_deassign_device(context, 1);
    fdisk_unref_context(context);
    return TRUE;
}

/* ---- who uses it ---- */

/* Where the device is mounted, or "as swap space". */
static char *mounted_at(const char *number)
{
    g_autofree char *text = NULL;
    char *place = NULL;
    if (!g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL))
        return NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line && !place; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", 6);
        if (g_strv_length(words) > 5 && strcmp(words[2], number) == 0)
            place = g_strdup(words[4]);
    }
    return place;
}

/* One of a folder's names that begin so; "" is any. */
static char *first_name(const char *path, const char *begin)
{
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));)
        if (g_str_has_prefix(name, begin))
            return g_strdup(name);
    return NULL;
}

static char *user_of(const char *folder, const char *name)
{
    g_autofree char *dev = g_build_filename(folder, "dev", NULL), *number = NULL;
    if (!g_file_get_contents(dev, &number, NULL, NULL))
        return NULL;
    g_autofree char *place = mounted_at(g_strstrip(number));
    if (place)
        return g_strdup_printf("%s is mounted at %s", name, place);
    g_autofree char *holders = g_build_filename(folder, "holders", NULL), *holder = first_name(holders, "");
    return holder ? g_strdup_printf("%s is used by %s", name, holder) : NULL;
}

/* The kernel's own answer comes from an exclusive open, which any user of the disk or of one of its partitions lets
 * fail; sysfs and the mounts only give it a name. */
static char *find_user(const struct disk *disk, const char *sys)
{
    int fd = open(disk->path, O_RDONLY | O_EXCL | O_CLOEXEC);
    if (fd >= 0 || errno != EBUSY) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    g_autofree char *real = realpath(disk->path, NULL), *name = g_path_get_basename(real ? real : disk->path);
    g_autofree char *folder = g_build_filename(sys, "class/block", name, NULL);
    char *user = user_of(folder, disk->path);
    g_autoptr(GDir) names = user ? NULL : g_dir_open(folder, 0, NULL);
    for (const char *part; names && !user && (part = g_dir_read_name(names));)
        if (g_str_has_prefix(part, name)) {
            g_autofree char *inside = g_build_filename(folder, part, NULL);
            user = user_of(inside, part);
        }
    return user ? user : g_strdup("it is swap space or another program has it for itself");
}

/* ---- the whole ---- */

static char *line_of(const char *sys, const char *path, const char *what)
{
    g_autofree char *real = realpath(path, NULL), *name = g_path_get_basename(real ? real : path);
    g_autofree char *file = g_build_filename(sys, "class/block", name, what, NULL);
    char *text = NULL;
    if (!g_file_get_contents(file, &text, NULL, NULL))
        return g_strdup("");
    return g_strstrip(text);
}

struct disk *disk_read(const char *path, const char *sys, GError **error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        trouble_errno(error, "The disk %s cannot be opened", path);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    g_autofree char *partition = line_of(sys, path, "partition"), *read_only = line_of(sys, path, "ro");
    if (!S_ISBLK(status.st_mode) || *partition) {
        trouble(error, "%s is %s; a whole disk is needed.", path, *partition ? "a partition" : "no disk");
        close(fd);
        return NULL;
    }
    struct disk *disk = g_new0(struct disk, 1);
    disk->path = g_strdup(path);
    disk->model = line_of(sys, path, "device/model");
    disk->size = lseek(fd, 0, SEEK_END);
    disk->read_only = strcmp(read_only, "1") == 0;
    disk->parts = g_ptr_array_new_with_free_func(part_free);
    disk->in_use = find_user(disk, sys);
    gboolean good = read_table(disk, fd, error);
    close(fd);
    if (good)
        return disk;
    disk_free(disk);
    return NULL;
}

void disk_free(struct disk *disk)
{
    if (!disk)
        return;
    g_free(disk->path);
    g_free(disk->model);
    g_free(disk->table);
    g_free(disk->in_use);
    g_ptr_array_unref(disk->parts);
    g_free(disk);
}

const struct disk_part *disk_part_named(const struct disk *disk, const char *name)
{
    for (guint i = 0; i < disk->parts->len; i++) {
        const struct disk_part *part = g_ptr_array_index(disk->parts, i);
        if (part->ours && strcmp(part->name, name) == 0)
            return part;
    }
    return NULL;
}

static gint by_name(gconstpointer one, gconstpointer other)
{
    return g_strcmp0(*(char *const *)one, *(char *const *)other);
}

char **disk_list(const char *sys)
{
    static const char *const kinds[] = {"sd", "nvme", "vd", "mmcblk", "hd", "xvd"};
    GPtrArray *found = g_ptr_array_new();
    g_autofree char *block = g_build_filename(sys, "block", NULL);
    g_autoptr(GDir) folder = g_dir_open(block, 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));)
        for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
            if (g_str_has_prefix(name, kinds[i]) && !strstr(name, "boot") && !strstr(name, "rpmb"))
                g_ptr_array_add(found, g_build_filename("/dev", name, NULL));
    g_ptr_array_sort(found, by_name);
    g_ptr_array_add(found, NULL);
    return (char **)g_ptr_array_free(found, FALSE);
}

/* ---- in words ---- */

char *size_text(gint64 bytes)
{
    if (bytes >= GIB)
        return g_strdup_printf("%.1f GiB", (double)bytes / (double)GIB);
    return g_strdup_printf("%" G_GINT64_FORMAT " MiB", bytes / MIB);
}

void disk_print(const struct disk *disk, GString *text)
{
    g_autofree char *size = size_text(disk->size), *free = size_text(disk->free_size);
    g_string_append_printf(text, "%s%s%s, %s, %s\n", disk->path, *disk->model ? ", " : "", disk->model, size,
                           disk->table);
    for (guint i = 0; i < disk->parts->len; i++) {
        const struct disk_part *part = g_ptr_array_index(disk->parts, i);
        g_autofree char *length = size_text(part->size);
        g_string_append_printf(text, "  %2u %10s  %s%s%s%s%s\n", part->number, length, part->holds,
                               *part->name ? ", " : "", part->name, *part->system ? ", " : "", part->system);
    }
    g_string_append_printf(text, "     %10s  free, at one place\n", free);
}

void disk_print_json(const struct disk *disk, const char *refused, GString *json)
{
    static const char *const holds[] = {"other", "unfinished", "roundhouse"};
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < disk->parts->len; i++) {
        const struct disk_part *part = g_ptr_array_index(disk->parts, i);
        g_autofree char *size = size_text(part->size);
        g_string_append_printf(text, "%s%s (%s)", i ? ", " : "", part->holds, size);
    }
    json_begin(json, "disk");
    json_text(json, "path", disk->path);
    json_text(json, "model", disk->model);
    json_number(json, "size", disk->size);
    json_text(json, "table", disk->table);
    json_number(json, "free", disk->free_size);
    json_text(json, "holds", holds[disk->holds]);
    json_text(json, "parts", text->str);
    json_text(json, "refused", refused);
    json_end(json);
}
