/* The system goes into a slot, and its boot files beside; both are read back from the disk and their sums compared. */
#include "grub_config.h"
#include "install.h"
#include "table.h"
#include "tool.h"
#include "trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHUNK (4 * MIB)

/* ---- copying ---- */

/* Steps in the middle of a file: from `before` permille of the stage to `after`. */
struct span {
    guint before, after;
};

static gboolean span_step(struct install *install, struct span span, gint64 done, gint64 size, GError **error)
{
    return install_step(install, span.before + (guint)((span.after - span.before) * (done) / size), error);
}

static gboolean copy_bytes(struct install *install, enum source_file file, int to, struct span span, GError **error)
{
    const char *path = install->source->files[file].path;
    gint64 size = install->source->files[file].size;
    g_autofree guchar *bytes = g_malloc(CHUNK);
    int from = open(path, O_RDONLY | O_CLOEXEC);
    gboolean good = from >= 0 || trouble_errno(error, "%s cannot be read", path);
    for (gint64 done = 0; good && done < size; done += CHUNK) {
        gsize length = (gsize)MIN(CHUNK, size - done);
        if (!read_all(from, bytes, length, done))
            good = trouble_errno(error, "%s cannot be read", path);
        else if (!write_all(to, bytes, length, done))
            good = trouble_errno(error, "The disk cannot be written");
        else
            good = span_step(install, span, done + (gint64)length, size, error);
    }
    if (from >= 0)
        close(from);
    if (good && fsync(to) < 0)
        good = trouble_errno(error, "The disk cannot be written");
    return good;
}

/* What is on the disk, not what memory has of it. */
static gboolean compare_bytes(struct install *install, enum source_file file, int fd, struct span span, GError **error)
{
    gint64 size = install->source->files[file].size;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree guchar *bytes = g_malloc(CHUNK);
    ioctl(fd, BLKFLSBUF, 0); /* of a device */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    for (gint64 done = 0; done < size; done += CHUNK) {
        gsize length = (gsize)MIN(CHUNK, size - done);
        if (!read_all(fd, bytes, length, done))
            return trouble_errno(error, "The disk cannot be read");
        g_checksum_update(sum, bytes, (gssize)length);
        if (!span_step(install, span, done + (gint64)length, size, error))
            return FALSE;
    }
    if (strcmp(g_checksum_get_string(sum), install->source->files[file].sum) == 0)
        return TRUE;
    return trouble(error, "The disk gives back something else than what was written to it (%s). It is broken.",
                   source_names[file]);
}

static gboolean copy_and_compare(struct install *install, enum source_file file, const char *path, int flags,
                                 struct span span, GError **error)
{
    guint middle = (span.before + span.after) / 2;
    int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0644);
    if (fd < 0)
        return trouble_errno(error, "%s cannot be opened", path);
    gboolean good = copy_bytes(install, file, fd, (struct span){span.before, middle}, error) &&
                    compare_bytes(install, file, fd, (struct span){middle, span.after}, error);
    close(fd);
    return good;
}

/* ---- system ---- */

static void plan_system(struct install *install, GString *text)
{
    g_autofree char *size = size_text(install->source->files[SOURCE_SYSTEM].size);
    g_string_append_printf(text, "the system (%s) is written into %s and read back", size,
                           install->answers->use == USE_RENEW ? "the slot that is not started today" : "slot A");
}

/* GRUB must not fall back into a slot that is being written. */
static gboolean take_other_slot(struct install *install, GError **error)
{
    char *boot = install_mount(install, ROLE_BOOT, "ext4", FALSE, error);
    if (!boot)
        return FALSE;
    g_autofree char *path = g_build_filename(boot, "grub/grubenv", NULL), *text = NULL;
    gsize length = 0;
    gboolean good = g_file_get_contents(path, &text, &length, error);
    if (good) {
        char turn = grub_turn(text, length);
        g_autofree char *only = grub_environment(turn ? turn : 'A', FALSE);
        install->slot = turn == 'B' ? 'A' : 'B';
        good = file_put(path, only, GRUB_ENVIRONMENT_SIZE, 0644, error);
    }
    return install_unmount(boot, error) && good;
}

static gboolean perform_system(struct install *install, GError **error)
{
    install->slot = 'A';
    if (install->answers->use == USE_RENEW && !(table_find(install, error) && take_other_slot(install, error)))
        return FALSE;
    return copy_and_compare(install, SOURCE_SYSTEM, install->paths[install_slot_role(install)], 0,
                            (struct span){0, 1000}, error);
}

const struct stage stage_system = {
    .name = "system",
    .title = "Copy the system",
    .renews = TRUE,
    .plan = plan_system,
    .perform = perform_system,
};

/* ---- boot files ---- */

static void plan_boot_files(struct install *install, GString *text)
{
    (void)install;
    g_string_append(text, "hypervisor, kernel and RAM disk are copied beside it and read back");
}

/* What GRUB reads of the slot. */
static gboolean put_start(struct install *install, const char *folder, GError **error)
{
    g_autofree char *sums_path = g_build_filename(folder, "sha256", NULL), *sums = grub_sums(install->source);
    g_autofree char *path = g_build_filename(folder, "start.cfg", NULL);
    g_autofree char *text =
        grub_start(install->slot, install->source, install->ids[install_slot_role(install)], install->ids[ROLE_STATE]);
    return file_put(sums_path, sums, strlen(sums), 0644, error) && file_put(path, text, strlen(text), 0644, error);
}

static gboolean perform_boot_files(struct install *install, GError **error)
{
    char *boot = install_mount(install, ROLE_BOOT, "ext4", FALSE, error);
    if (!boot)
        return FALSE;
    g_autofree char *folder = g_strdup_printf("%s/%c", boot, g_ascii_tolower(install->slot));
    gboolean good = g_mkdir_with_parents(folder, 0755) == 0 || trouble_errno(error, "%s cannot be made", folder);
    for (guint i = SOURCE_HYPERVISOR; good && i <= SOURCE_INITRD; i++) {
        g_autofree char *path = g_build_filename(folder, source_names[i], NULL);
        good = copy_and_compare(install, i, path, O_CREAT | O_TRUNC, (struct span){300 * (i - 1), 300 * i}, error);
    }
    good = good && put_start(install, folder, error);
    return install_unmount(boot, error) && good;
}

const struct stage stage_boot_files = {
    .name = "boot-files",
    .title = "Copy the boot files",
    .renews = TRUE,
    .plan = plan_boot_files,
    .perform = perform_boot_files,
};
