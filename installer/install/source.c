#include "source.h"
#include "trouble.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE   (8 << 20)
#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

const char *const source_names[SOURCE_COUNT] = {"system", "hypervisor",         "kernel",
                                                "initrd", "hypervisor.options", "kernel.options"};

/* ---- sums ---- */

static gboolean damaged(const char *path, GError **error)
{
    return trouble(error, "%s is damaged: its sum is not the one that belongs to it. Make the medium anew.", path);
}

/* The next piece of the file, and its sum; 0 at its end. */
static gssize next_piece(int fd, guchar *bytes, GChecksum *whole, char **sum)
{
    gsize length = 0;
    for (gssize got; length < PIECE; length += (gsize)got) {
        got = read(fd, bytes + length, PIECE - length);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
    }
    g_checksum_update(whole, bytes, (gssize)length);
    g_free(*sum);
    *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, length);
    return (gssize)length;
}

/*
 * Reads file `i` to its end: its size and its sum. `pieces`, if not NULL, are the sums of its pieces, with that of
 * nothing at their end.
 */
static gboolean read_whole(struct source *source, int i, char *const *pieces, GError **error)
{
    const char *path = source->files[i].path;
    g_autoptr(GChecksum) whole = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree guchar *bytes = g_malloc(PIECE);
    g_autofree char *sum = NULL;
    gssize got = -1;
    gboolean good = TRUE;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && good && (got = next_piece(fd, bytes, whole, &sum)) >= 0) {
        good = !pieces || (*pieces && strcmp(sum, *pieces++) == 0);
        source->files[i].size += got;
        if (got == 0)
            break;
    }
    if (got < 0)
        trouble_errno(error, "%s cannot be read", path);
    if (fd >= 0)
        close(fd);
    source->files[i].sum = g_strdup(g_checksum_get_string(whole));
    return got >= 0 && (good || damaged(path, error)) &&
           (source->files[i].size > 0 || trouble(error, "%s is empty.", path));
}

static gboolean verify_system(struct source *source, const char *path, GError **error)
{
    g_autofree char *list = g_strconcat(path, ".sha256", NULL), *text = NULL;
    if (!g_file_get_contents(list, &text, NULL, error))
        return FALSE;
    g_auto(GStrv) sums = g_strsplit(g_strchomp(text), "\n", -1);
    guint count = g_strv_length(sums);
    if (count < 2 || strcmp(sums[count - 1], NOTHING) != 0)
        return trouble(error, "%s has no end. Make the medium anew.", list);
    source->files[SOURCE_SYSTEM].path = g_strdup(path);
    return read_whole(source, SOURCE_SYSTEM, sums, error);
}

/* The sum of that name in the text of sha256sum(1): "SUM  NAME", or "SUM *NAME". */
static gboolean is_listed(const char *text, const char *sum, const char *name)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
        if (strlen(*line) > 66 && strcmp(*line + 66, name) == 0)
            return g_ascii_strncasecmp(*line, sum, 64) == 0;
    return FALSE;
}

static gboolean verify_boot(struct source *source, const char *boot, GError **error)
{
    g_autofree char *list = g_build_filename(boot, "SHA256SUMS", NULL), *text = NULL;
    if (!g_file_get_contents(list, &text, NULL, error))
        return FALSE;
    if (!is_listed(text, source->files[SOURCE_SYSTEM].sum, source_names[SOURCE_SYSTEM]))
        return damaged(source->files[SOURCE_SYSTEM].path, error);
    for (int i = SOURCE_HYPERVISOR; i < SOURCE_COUNT; i++) {
        source->files[i].path = g_build_filename(boot, source_names[i], NULL);
        if (!read_whole(source, i, NULL, error))
            return FALSE;
        if (!is_listed(text, source->files[i].sum, source_names[i]))
            return damaged(source->files[i].path, error);
    }
    return TRUE;
}

/* ---- options ---- */

/* GRUB's configuration is a script; these would end an option there or turn it into something else. */
static gboolean plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || strchr(";|&<>{}$\\'\"", *text))
            return FALSE;
    return TRUE;
}

/* The one line of that file. */
static char *options_of(const struct source *source, enum source_file file, GError **error)
{
    const char *path = source->files[file].path;
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error))
        return NULL;
    if (g_str_has_suffix(text, "\n"))
        text[strlen(text) - 1] = '\0';
    if (plain(text))
        return g_steal_pointer(&text);
    trouble(error, "%s is more than one line, or has a sign that GRUB takes for its own.", path);
    return NULL;
}

static gboolean read_options(struct source *source, GError **error)
{
    source->hypervisor_options = options_of(source, SOURCE_HYPERVISOR_OPTIONS, error);
    if (!source->hypervisor_options)
        return FALSE;
    source->kernel_options = options_of(source, SOURCE_KERNEL_OPTIONS, error);
    if (!source->kernel_options)
        return FALSE;
    g_auto(GStrv) words = g_strsplit(source->kernel_options, " ", -1);
    for (char **word = words; *word; word++)
        if (g_str_has_prefix(*word, "root=") || strcmp(*word, "ro") == 0 || strcmp(*word, "rw") == 0)
            return trouble(error, "%s has \"%s\", which the installer adds by itself.",
                           source->files[SOURCE_KERNEL_OPTIONS].path, *word);
    return TRUE;
}

struct source *source_open(const char *system, const char *boot, GError **error)
{
    struct source *source = g_new0(struct source, 1);
    if (verify_system(source, system, error) && verify_boot(source, boot, error) && read_options(source, error))
        return source;
    source_free(source);
    return NULL;
}

struct source *source_glance(const char *system, GError **error)
{
    struct stat status;
    if (stat(system, &status) < 0) {
        trouble_errno(error, "%s cannot be read", system);
        return NULL;
    }
    struct source *source = g_new0(struct source, 1);
    source->files[SOURCE_SYSTEM].path = g_strdup(system);
    source->files[SOURCE_SYSTEM].size = status.st_size;
    return source;
}

void source_free(struct source *source)
{
    if (!source)
        return;
    for (int i = 0; i < SOURCE_COUNT; i++) {
        g_free(source->files[i].path);
        g_free(source->files[i].sum);
    }
    g_free(source->hypervisor_options);
    g_free(source->kernel_options);
    g_free(source);
}
