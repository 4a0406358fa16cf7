/*
 * The partition table, and what is left of old contents. The table before is kept in memory: as long as nothing of the
 * old contents is overwritten, or nothing but free space was taken, putting it back makes the disk what it was.
 */
#include "table.h"
#include "tool.h"
#include "trouble.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- partition ---- */

static void plan_partition(struct install *install, GString *text)
{
    if (install->answers->use == USE_WHOLE_DISK)
        g_string_append_printf(text, "all of %s gets a new partition table; what is on it is lost",
                               install->disk->path);
    else
        g_string_append_printf(text, "%d partitions are made in the free space of %s", ROLE_COUNT, install->disk->path);
}

static gboolean perform_partition(struct install *install, GError **error)
{
    return table_save(install, error) && table_write(install, error) && install_step(install, 500, error) &&
           table_find(install, error);
}

static gboolean undo_partition(struct install *install, GError **error)
{
    gboolean lost = install->overwritten && install->answers->use == USE_WHOLE_DISK;
    return !lost && table_restore(install, error);
}

const struct stage stage_partition = {
    .name = "partition",
    .title = "Partition the disk",
    .plan = plan_partition,
    .perform = perform_partition,
    .undo = undo_partition,
};

/* ---- clear ---- */

static void plan_clear(struct install *install, GString *text)
{
    (void)install;
    g_string_append(text, "what is left of older contents there is taken for nothing");
}

/* Signatures of file systems, volumes and RAIDs stand at one of the two ends. */
static gboolean clear_ends(const char *path, gint64 size, GError **error)
{
    g_autofree guchar *zeros = g_malloc0(MIB);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return trouble_errno(error, "%s cannot be opened", path);
    gboolean good = write_all(fd, zeros, MIB, 0) && write_all(fd, zeros, MIB, size - MIB) && fsync(fd) == 0;
    if (!good)
        trouble_errno(error, "%s cannot be written", path);
    close(fd);
    return good;
}

static gboolean perform_clear(struct install *install, GError **error)
{
    install->overwritten = TRUE;
    for (int role = 0; role < ROLE_COUNT; role++)
        if (!clear_ends(install->paths[role], install->layout.parts[role].size, error) ||
            !install_step(install, 1000 * (guint)(role + 1) / ROLE_COUNT, error))
            return FALSE;
    return TRUE;
}

const struct stage stage_clear = {
    .name = "clear",
    .title = "Clear the partitions",
    .plan = plan_clear,
    .perform = perform_clear,
};
