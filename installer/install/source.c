#include "source.h"
#include "trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const source_names[SOURCE_COUNT] = {"system", "hypervisor", "kernel", "initrd"};

static gboolean read_sums(struct source *source, const char *boot, GError **error)
{
    g_autofree char *path = g_build_filename(boot, "SHA256SUMS", NULL), *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error))
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        char *space = strchr(*line, ' ');
        /* "SUM  NAME", or "SUM *NAME" of one that was read as binary */
        if (!space || space - *line != 64 || !space[1])
            continue;
        *space = '\0';
        for (int i = 0; i < SOURCE_COUNT; i++)
            if (strcmp(source_names[i], space + 2) == 0 && !source->files[i].sum)
                source->files[i].sum = g_ascii_strdown(*line, -1);
    }
    for (int i = 0; i < SOURCE_COUNT; i++)
        if (!source->files[i].sum)
            return trouble(error, "%s has no sum of \"%s\".", path, source_names[i]);
    return TRUE;
}

static gboolean verify(struct source *source, int i, GError **error)
{
    const char *path = source->files[i].path;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree guchar *bytes = g_malloc(1 << 20);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;
    if (fd < 0)
        return trouble_errno(error, "%s cannot be read", path);
    for (; (got = read(fd, bytes, 1 << 20)) > 0; source->files[i].size += got)
        g_checksum_update(sum, bytes, got);
    int cause = errno;
    close(fd);
    errno = cause;
    if (got < 0)
        return trouble_errno(error, "%s cannot be read; the medium is damaged", path);
    if (strcmp(g_checksum_get_string(sum), source->files[i].sum) != 0)
        return trouble(error, "%s is damaged: its sum is not that of SHA256SUMS. Make the medium anew.", path);
    return source->files[i].size > 0 || trouble(error, "%s is empty.", path);
}

/* GRUB's configuration is a script; these would end an option there or turn it into something else. */
static gboolean plain(const char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~' || strchr(";|&<>{}$\\'\"", *text))
            return FALSE;
    return TRUE;
}

static char *read_options(const char *boot, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(boot, name, NULL);
    char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error))
        return NULL;
    if (plain(g_strstrip(text)))
        return text;
    trouble(error, "%s has more than one line, or a sign that GRUB takes for its own.", path);
    g_free(text);
    return NULL;
}

static gboolean read_kernel_options(struct source *source, const char *boot, GError **error)
{
    source->kernel_options = read_options(boot, "kernel.options", error);
    g_auto(GStrv) words = g_strsplit(source->kernel_options ? source->kernel_options : "", " ", -1);
    for (char **word = words; *word; word++)
        if (g_str_has_prefix(*word, "root=") || strcmp(*word, "ro") == 0 || strcmp(*word, "rw") == 0)
            return trouble(error, "%s/kernel.options has \"%s\", which the installer adds by itself.", boot, *word);
    return source->kernel_options != NULL;
}

struct source *source_open(const char *system, const char *boot, GError **error)
{
    struct source *source = g_new0(struct source, 1);
    gboolean good = read_sums(source, boot, error);
    for (int i = 0; good && i < SOURCE_COUNT; i++) {
        source->files[i].path = i == SOURCE_SYSTEM ? g_strdup(system) : g_build_filename(boot, source_names[i], NULL);
        good = verify(source, i, error);
    }
    if (good)
        source->hypervisor_options = read_options(boot, "hypervisor.options", error);
    if (good && source->hypervisor_options && read_kernel_options(source, boot, error))
        return source;
    source_free(source);
    return NULL;
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
