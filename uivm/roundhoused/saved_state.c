/* The files of suspended guests. A guest's memory is in them: they are for root alone. */
#include "saved_state.h"
#include "errors.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAGIC          "Roundhouse suspended guest 1\n"
#define LENGTH_DIGITS  8 /* of the definition's length, which stand between magic and definition */
#define DEFINITION_MAX (64 * 1024)
#define EXTRA_MIB      64 /* beside its memory: page tables, graphics memory, devices */

static char *path_of(const char *folder, const char *name, const char *suffix)
{
    return *suffix ? g_strdup_printf("%s/.%s%s", folder, name, suffix) : g_build_filename(folder, name, NULL);
}

#define GIVE_UP   "Force it off, which gives up what was saved, and start it anew."
#define WHEN_FULL "Make room on the disk, or shut it down instead."
#define WHEN_BAD  "Try again; if it fails each time, restart this machine."

static gboolean fail(GError **error, const char *what, int cause, const char *advice)
{
    g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "%s: %s. %s", what, g_strerror(cause), advice);
    return FALSE;
}

/* A name in a folder that is on the disk stays when the power is cut. */
static gboolean sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean good = fd >= 0 && fsync(fd) == 0;
    int cause = errno;
    if (fd >= 0)
        close(fd);
    errno = cause;
    return good;
}

static gboolean move(const char *folder, const char *name, const char *from, const char *to)
{
    g_autofree char *old = path_of(folder, name, from), *new = path_of(folder, name, to);
    return rename(old, new) == 0 && sync_folder(folder);
}

/* 0 or errno; that there is none is ENOENT. */
static int take_away(const char *folder, const char *name, const char *suffix)
{
    g_autofree char *path = path_of(folder, name, suffix);
    return unlink(path) == 0 && sync_folder(folder) ? 0 : errno;
}

gboolean saved_state_there(const char *folder, const char *name)
{
    g_autofree char *path = path_of(folder, name, "");
    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

/* ---- writing ---- */

static gboolean check_room(const char *folder, const struct guest_config *config, GError **error)
{
    struct statvfs space;
    if (statvfs(folder, &space) < 0)
        return fail(error, "The disk has no place for suspended guests", errno, WHEN_FULL);
    guint64 free_mib = (guint64)space.f_bavail * space.f_frsize / (1024 * 1024);
    guint64 need_mib = (guint64)config->memory_mib + EXTRA_MIB;
    if (free_mib >= need_mib)
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK,
                "The disk has %" G_GUINT64_FORMAT " MiB free and %" G_GUINT64_FORMAT
                " are needed. Make room, or shut it down instead.",
                free_mib, need_mib);
    return FALSE;
}

static gboolean write_all(int fd, const char *bytes, gsize length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return FALSE;
        bytes += written;
        length -= (gsize)written;
    }
    return TRUE;
}

int saved_state_create(const char *folder, const struct guest_config *config, GError **error)
{
    g_autofree char *path = path_of(folder, config->name, ".part"), *name = path_of(folder, config->name, "");
    g_autofree char *definition = guest_config_to_text(config, name, error);
    if (!definition)
        return -1;
    if (g_mkdir_with_parents(folder, 0700) < 0) {
        fail(error, "The disk has no place for suspended guests", errno, WHEN_FULL);
        return -1;
    }
    if (!check_room(folder, config, error))
        return -1;
    g_autofree char *head = g_strdup_printf(MAGIC "%*zu\n%s", LENGTH_DIGITS, strlen(definition), definition);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && write_all(fd, head, strlen(head)))
        return fd;
    fail(error, "It could not be written to the disk", errno, WHEN_FULL);
    if (fd >= 0)
        close(fd);
    saved_state_drop(folder, config->name);
    return -1;
}

gboolean saved_state_keep(const char *folder, const char *name, int fd, GError **error)
{
    gboolean written = fsync(fd) == 0;
    int cause = errno;
    if (close(fd) < 0 && written) {
        written = FALSE;
        cause = errno;
    }
    if (!written)
        return fail(error, "It could not be written to the disk", cause, WHEN_FULL);
    return move(folder, name, ".part", "") ||
           fail(error, "It could not be put in its place on the disk", errno, WHEN_FULL);
}

gboolean saved_state_drop(const char *folder, const char *name)
{
    return take_away(folder, name, ".part") != ENOENT;
}

/* ---- reading ---- */

static gboolean read_exactly(int fd, char *bytes, gsize length)
{
    while (length > 0) {
        ssize_t got = read(fd, bytes, length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return FALSE;
        bytes += got;
        length -= (gsize)got;
    }
    return TRUE;
}

static struct guest_config *read_definition(int fd, const char *path, GError **error)
{
    char head[sizeof(MAGIC) - 1 + LENGTH_DIGITS + 1], *text = head + sizeof(MAGIC) - 1;
    guint64 length = 0;
    gboolean good = read_exactly(fd, head, sizeof(head)) && memcmp(head, MAGIC, sizeof(MAGIC) - 1) == 0 &&
                    text[LENGTH_DIGITS] == '\n';
    text[LENGTH_DIGITS] = '\0';
    good = good && g_ascii_string_to_unsigned(g_strchug(text), 10, 1, DEFINITION_MAX, &length, NULL);
    g_autofree char *definition = good ? g_malloc(length) : NULL;
    if (good && read_exactly(fd, definition, length))
        return guest_config_from_text(definition, length, path, error);
    g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "What was saved of it is damaged. " GIVE_UP);
    return NULL;
}

static gboolean check_owner(const struct guest_config *config, const struct guest_config *now, GError **error)
{
    if (memcmp(config->uuid, now->uuid, sizeof(now->uuid)) == 0)
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "What was saved is of another guest that had its name. " GIVE_UP);
    return FALSE;
}

int saved_state_open(const char *folder, const struct guest_config *now, struct guest_config **config, GError **error)
{
    g_autofree char *path = path_of(folder, now->name, "");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        fail(error, "What was saved of it cannot be read", errno, WHEN_BAD);
        return -1;
    }
    *config = read_definition(fd, path, error);
    if (*config && check_owner(*config, now, error)) {
        (*config)->slot = now->slot;
        (*config)->colour = now->colour;
        (*config)->autostart = now->autostart;
        memcpy((*config)->generation, now->generation, sizeof(now->generation));
        return fd;
    }
    g_clear_pointer(config, guest_config_free);
    close(fd);
    return -1;
}

/* ---- its end ---- */

gboolean saved_state_use(const char *folder, const char *name, GError **error)
{
    return move(folder, name, "", ".used") ||
           fail(error, "What was saved of it cannot be marked as used", errno, WHEN_BAD);
}

void saved_state_unuse(const char *folder, const char *name)
{
    if (!move(folder, name, ".used", "") && errno != ENOENT)
        g_warning("%s: what was saved of it is lost: %s", name, g_strerror(errno));
}

gboolean saved_state_forget_used(const char *folder, const char *name)
{
    return take_away(folder, name, ".used") != ENOENT;
}

gboolean saved_state_forget(const char *folder, const char *name, GError **error)
{
    int cause = take_away(folder, name, "");
    return !cause || cause == ENOENT || fail(error, "What was saved of it cannot be deleted", cause, WHEN_BAD);
}

gboolean saved_state_tidy(const char *folder, const char *name, gboolean unrun)
{
    if (unrun)
        saved_state_unuse(folder, name);
    else
        saved_state_forget_used(folder, name);
    return saved_state_drop(folder, name);
}
