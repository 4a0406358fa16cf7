/* Paths of a definition, looked at one by one. */
#include "guest_files.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define CD_DRIVES 11 /* their major number: Linux's devices.txt */

/* Everybody gets through it, and only root decides what is in it. */
static gboolean is_roots_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && status.st_uid == 0 && (status.st_mode & 0023) == 0001;
}

static gboolean is_fixed(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    return is_roots_folder(folder) && (g_str_equal(folder, "/") || is_fixed(folder));
}

static gboolean is_without_links(const char *path)
{
    char *real = realpath(path, NULL);
    gboolean same = real && strcmp(real, path) == 0;
    free(real);
    return same;
}

static gboolean is_for_everybody(const char *path)
{
    struct stat status;
    if (!is_without_links(path) || !is_fixed(path) || lstat(path, &status) < 0)
        return FALSE;
    if (S_ISBLK(status.st_mode))
        return major(status.st_rdev) == CD_DRIVES;
    return S_ISREG(status.st_mode) && (status.st_mode & S_IROTH);
}

static gboolean check_path(const char *key, const char *path, const char *before, GError **error)
{
    if (!path || g_strcmp0(path, before) == 0 || is_for_everybody(path))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_NOT_ALLOWED,
                "%s: root alone may give a guest %s. Others can give it images of the pool, and, to read, files that "
                "everybody may read, by a path without links in folders that root alone can change.",
                key, path);
    return FALSE;
}

/* With no more rights than it has there. */
static gboolean has_disk(const struct guest_config *config, const struct guest_disk *disk)
{
    for (guint i = 0; config && i < config->disks->len; i++) {
        const struct guest_disk *other = g_ptr_array_index(config->disks, i);
        if (!other->pooled && g_str_equal(other->target, disk->target) && (disk->read_only || !other->read_only))
            return TRUE;
    }
    return FALSE;
}

static gboolean check_disk(const struct guest_disk *disk, const struct guest_config *before, GError **error)
{
    if (disk->pooled || has_disk(before, disk))
        return TRUE;
    if (disk->read_only)
        return check_path("disk", disk->target, NULL, error);
    g_set_error(error, RH_ERROR, RH_ERROR_NOT_ALLOWED,
                "disk: root alone may let a guest write to %s. Others can give it images of the pool.", disk->target);
    return FALSE;
}

gboolean guest_files_allowed(const struct guest_config *config, const struct guest_config *before, GError **error)
{
    const char *cdrom = g_strcmp0(config->cdrom, GUEST_CDROM_EMPTY) == 0 ? NULL : config->cdrom;
    gboolean good = check_path("kernel", config->kernel, before ? before->kernel : NULL, error) &&
                    check_path("ramdisk", config->ramdisk, before ? before->ramdisk : NULL, error) &&
                    check_path("cdrom", cdrom, before ? before->cdrom : NULL, error);
    for (guint i = 0; good && i < config->disks->len; i++)
        good = check_disk(g_ptr_array_index(config->disks, i), before, error);
    return good;
}
