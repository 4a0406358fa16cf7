/* Import and export. What is copied is a clone, or becomes an image when it is whole. */
#include "convert.h"
#include "../errors.h"
#include "image.h"
#include "image_private.h"
#include "qemu_img.h"
#include "reflink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QEMU_IMG "qemu-img"

static const struct {
    const char *qemu, *word; /* what qemu-img calls it, and what everybody does */
} formats[CONVERT_FORMAT_COUNT] = {
    [CONVERT_RAW] = {"raw", "raw"}, [CONVERT_QCOW2] = {"qcow2", "qcow2"}, [CONVERT_VMDK] = {"vmdk", "vmdk"},
    [CONVERT_VHD] = {"vpc", "vhd"}, [CONVERT_VHDX] = {"vhdx", "vhdx"},    [CONVERT_VDI] = {"vdi", "vdi"},
};

gboolean convert_format_of_word(const char *word, enum convert_format *format)
{
    for (int i = 0; i < CONVERT_FORMAT_COUNT; i++) {
        if (g_str_equal(word, formats[i].word)) {
            *format = (enum convert_format)i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean refuse(GError **error, const char *why)
{
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "The file cannot be imported. %s", why);
    return FALSE;
}

/* ---- what a file is ---- */

static gboolean check_file(const char *file, GError **error)
{
    struct stat status;
    if (!g_path_is_absolute(file) || !g_utf8_validate(file, -1, NULL) || strpbrk(file, "\n\r"))
        return refuse(error, "Give its whole path, that begins with /.");
    if (stat(file, &status) < 0)
        return refuse(error, g_strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return refuse(error, "It is empty or no ordinary file.");
    return TRUE;
}

/* "8 TiB (8796093022208 bytes)". A file of a few bytes may say that it is a disk of any size. */
static gboolean is_too_large(const char *size)
{
    const char *bytes = strchr(size, '(');
    return !bytes || g_ascii_strtoull(bytes + 1, NULL, 10) > IMAGE_SIZE_MAX;
}

/* What "qemu-img info" says, a line at a time. The kind of file into *format. */
static gboolean check_line(const char *line, int *format, GError **error)
{
    const char *text = line + strspn(line, " ");
    if (g_str_has_prefix(text, "backing file:") || g_str_has_prefix(text, "data file:"))
        return refuse(error, "It is only a part: the rest is in another file that it names. Convert it to one file "
                             "where it comes from.");
    if (g_str_has_prefix(text, "filename: ") && !g_str_equal(text + strlen("filename: "), QEMU_IMG_INPUT))
        return refuse(error, "It has parts in other files. Convert it to one file where it comes from.");
    if (g_str_has_prefix(line, "virtual size: ") && is_too_large(line))
        return refuse(error, "It is a disk of more than 8 TiB.");
    if (*format < 0 && g_str_has_prefix(line, "file format: ")) {
        for (*format = 0; *format < CONVERT_FORMAT_COUNT; (*format)++) {
            if (g_str_equal(line + strlen("file format: "), formats[*format].qemu))
                return TRUE;
        }
        return refuse(error, "It is of a kind that is not known here: raw, qcow2, VMDK, VHD, VHDX and VDI are.");
    }
    return TRUE;
}

static gboolean look_at(const char *file, int *format, const struct convert_watch *watch, GError **error)
{
    const char *argv[] = {QEMU_IMG, "info", QEMU_IMG_INPUT, NULL};
    g_autofree char *said = NULL;
    *format = -1;
    if (!check_file(file, error) || !qemu_img_run(argv, &(struct qemu_img_files){file, NULL}, &said, watch, error))
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
    for (gsize i = 0; lines[i]; i++) {
        if (!check_line(lines[i], format, error))
            return FALSE;
    }
    return *format >= 0 || refuse(error, "What it is cannot be found out.");
}

/* ---- copies ---- */

static gboolean convert(const char *from, enum convert_format kind, const char *to, enum convert_format wanted,
                        const struct convert_watch *watch, GError **error)
{
    const char *argv[] = {QEMU_IMG,       "convert",       "-p", "-f", formats[kind].qemu, "-O", formats[wanted].qemu,
                          QEMU_IMG_INPUT, QEMU_IMG_OUTPUT, NULL};
    return qemu_img_run(argv, &(struct qemu_img_files){from, to}, NULL, watch, error);
}

static gboolean sync_path(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    gboolean good = fd >= 0 && fsync(fd) == 0;
    if (!good)
        making_fail(error, "%s could not be written to the disk", path);
    if (fd >= 0)
        close(fd);
    return good;
}

gboolean image_import(const struct pool *pool, const char *name, const char *file, const struct convert_watch *watch,
                      GError **error)
{
    struct new_image image;
    int format;
    gboolean good = new_image_begin(pool, name, &image, error) && look_at(file, &format, watch, error);
    if (good) {
        g_autofree char *disk = g_build_filename(pool->path, "making", image.making.name, "image", DISK_FILE, NULL);
        int fd = making_file(image.folder, DISK_FILE, error);
        if (fd >= 0)
            close(fd);
        good = fd >= 0 && convert(file, (enum convert_format)format, disk, CONVERT_RAW, watch, error) &&
               sync_path(disk, error) && new_image_keep(&image, name, error);
    }
    new_image_end(&image);
    return good;
}

/* ---- export ---- */

static gboolean check_target(const char *file, GError **error)
{
    struct stat status;
    if (stat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0)
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "What an image is exported to must be an empty ordinary file.");
    return FALSE;
}

/* The image as it is now, below making/. */
static gboolean freeze(const struct pool *pool, const char *name, const struct making *making, GError **error)
{
    int from = image_take(pool, name, IMAGE_COPY, error);
    int to = from < 0 ? -1 : making_file(making->folder, DISK_FILE, error);
    gboolean good = to >= 0 && reflink(from, to, error);
    if (to >= 0)
        close(to);
    if (from >= 0)
        image_unlock(from);
    return good;
}

static gboolean export_frozen(const struct making *making, const char *file, enum convert_format format,
                              const struct convert_watch *watch, GError **error)
{
    g_autofree char *disk = g_build_filename(making->pool->path, "making", making->name, DISK_FILE, NULL);
    if (convert(disk, CONVERT_RAW, file, format, watch, error) && sync_path(file, error))
        return TRUE;
    if (truncate(file, 0) < 0)
        g_prefix_error(error, "What was begun is still in the file (%s). ", g_strerror(errno));
    return FALSE;
}

gboolean image_export(const struct pool *pool, const char *name, const char *file, enum convert_format format,
                      const struct convert_watch *watch, GError **error)
{
    struct making making;
    if (!check_target(file, error) || !making_begin(pool, &making, error))
        return FALSE;
    gboolean good = freeze(pool, name, &making, error) && export_frozen(&making, file, format, watch, error);
    making_end(&making);
    return good;
}
