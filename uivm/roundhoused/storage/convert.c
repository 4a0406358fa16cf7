/* Import and export. What is copied is a clone, or becomes an image when it is whole. */
#include "convert.h"
#include "../errors.h"
#include "image_private.h"
#include "qemu_img.h"
#include "reflink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QEMU_IMG "qemu-img"

static const char *const formats[CONVERT_FORMAT_COUNT] = {
    [CONVERT_RAW] = "raw", [CONVERT_QCOW2] = "qcow2", [CONVERT_VMDK] = "vmdk",
    [CONVERT_VHD] = "vpc", [CONVERT_VHDX] = "vhdx",   [CONVERT_VDI] = "vdi",
};

static gboolean refuse(GError **error, const char *file, const char *why)
{
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "%s cannot be imported. %s", file, why);
    return FALSE;
}

/* ---- what a file is ---- */

static gboolean check_file(const char *file, GError **error)
{
    struct stat status;
    if (!g_path_is_absolute(file) || !g_utf8_validate(file, -1, NULL) || strpbrk(file, "\n\r"))
        return refuse(error, file, "Give its whole path, that begins with /.");
    if (stat(file, &status) < 0)
        return refuse(error, file, g_strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        return refuse(error, file, "It is empty or no ordinary file.");
    return TRUE;
}

/* A part of the image lies in a file of the same folder; the system's files are not parts. */
static gboolean is_beside(const char *part, const char *file)
{
    g_autofree char *folder = g_path_get_dirname(file);
    g_autofree char *of_part = g_path_get_dirname(part);
    return g_str_equal(folder, of_part);
}

/* What "qemu-img info" says, a line at a time. The kind of file into *format. */
static gboolean check_line(const char *line, const char *file, int *format, GError **error)
{
    const char *text = line + strspn(line, " ");
    if (g_str_has_prefix(text, "backing file:") || g_str_has_prefix(text, "data file:"))
        return refuse(error, file,
                      "It is only a part: the rest is in another file that it names. Convert it to one file where "
                      "it comes from.");
    if (g_str_has_prefix(text, "filename: ") && !is_beside(text + strlen("filename: "), file))
        return refuse(error, file, "It names a part that is not in its folder.");
    if (*format < 0 && g_str_has_prefix(line, "file format: ")) {
        for (*format = 0; *format < CONVERT_FORMAT_COUNT; (*format)++) {
            if (g_str_equal(line + strlen("file format: "), formats[*format]))
                return TRUE;
        }
        return refuse(error, file, "It is of a kind that is not known here: raw, qcow2, VMDK, VHD, VHDX and VDI are.");
    }
    return TRUE;
}

static gboolean look_at(const char *file, int *format, const struct convert_watch *watch, GError **error)
{
    const char *argv[] = {QEMU_IMG, "info", file, NULL};
    g_autofree char *said = NULL;
    *format = -1;
    if (!check_file(file, error) || !qemu_img_run(argv, &said, watch, error))
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(said, "\n", -1);
    for (gsize i = 0; lines[i]; i++) {
        if (!check_line(lines[i], file, format, error))
            return FALSE;
    }
    return *format >= 0 || refuse(error, file, "What it is cannot be found out.");
}

/* ---- copies ---- */

static gboolean convert(const char *from, enum convert_format kind, const char *to, enum convert_format wanted,
                        const struct convert_watch *watch, GError **error)
{
    const char *argv[] = {QEMU_IMG, "convert", "-p", "-f", formats[kind], "-O", formats[wanted], from, to, NULL};
    return qemu_img_run(argv, NULL, watch, error);
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
        good = convert(file, (enum convert_format)format, disk, CONVERT_RAW, watch, error) && sync_path(disk, error) &&
               new_image_keep(&image, name, error);
    }
    new_image_end(&image);
    return good;
}

/* ---- export ---- */

static gboolean check_target(const char *file, GError **error)
{
    if (!g_path_is_absolute(file))
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "%s is no whole path, that begins with /.", file);
    else if (g_file_test(file, G_FILE_TEST_EXISTS))
        g_set_error(error, RH_ERROR, RH_ERROR_EXISTS, "%s is there already. Choose another name.", file);
    else
        return TRUE;
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

static gboolean put(const char *part, const char *file, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(file);
    if (!sync_path(part, error))
        return FALSE;
    if (renameat2(AT_FDCWD, part, AT_FDCWD, file, RENAME_NOREPLACE) < 0)
        return making_fail(error, "%s could not be put in its place", file);
    return sync_path(folder, error);
}

static gboolean export_frozen(const struct making *making, const char *file, enum convert_format format,
                              const struct convert_watch *watch, GError **error)
{
    g_autofree char *disk = g_build_filename(making->pool->path, "making", making->name, DISK_FILE, NULL);
    g_autofree char *part = g_strdup_printf("%s.%s.part", file, making->name);
    gboolean good = convert(disk, CONVERT_RAW, part, format, watch, error) && put(part, file, error);
    unlink(part);
    return good;
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
