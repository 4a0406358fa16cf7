/* The order of stages, and what happens when one fails. */
#include "install.h"
#include "json.h"
#include "passphrase.h"
#include "tool.h"
#include "trouble.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <libcryptsetup.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static const struct stage *const stages[] = {
    &stage_partition,  &stage_clear,    &stage_encrypt, &stage_filesystems, &stage_system,
    &stage_boot_files, &stage_settings, &stage_loader,  &stage_finish,
};

/* ---- what stages have in common ---- */

gboolean install_step(struct install *install, guint permille, GError **error)
{
    install->at.permille = permille;
    return !install->progress || install->progress(install->progress_data, &install->at, error);
}

char *install_mount(struct install *install, enum layout_role role, const char *type, gboolean read_only,
                    GError **error)
{
    char *path = g_build_filename(install->work, layout_kinds[role].name, NULL);
    if (g_mkdir_with_parents(path, 0700) == 0 &&
        mount(install->devices[role], path, type, read_only ? MS_RDONLY : 0, NULL) == 0)
        return path;
    trouble_errno(error, "%s cannot be mounted", install->devices[role]);
    g_free(path);
    return NULL;
}

gboolean install_unmount(char *path, GError **error)
{
    gboolean good = path && umount2(path, 0) == 0;
    if (path && !good)
        trouble_errno(error && !*error ? error : NULL, "%s cannot be unmounted", path);
    g_free(path);
    return good;
}

enum layout_role install_slot_role(const struct install *install)
{
    return install->slot == 'A' ? ROLE_A : ROLE_B;
}

/* ---- the plan ---- */

static gboolean takes_part(const struct install *install, const struct stage *stage)
{
    return install->answers->use != USE_RENEW || stage->renews;
}

static void picture_after(struct install *install, GString *text)
{
    const struct disk *disk = install->disk;
    for (guint i = 0; install->answers->use == USE_FREE_SPACE && i < disk->parts->len; i++) {
        const struct disk_part *part = g_ptr_array_index(disk->parts, i);
        g_autofree char *size = size_text(part->size);
        if (!part->ours)
            g_string_append_printf(text, "     %10s  %s%s%s: stays as it is\n", size, part->holds,
                                   *part->name ? ", " : "", part->name);
    }
    for (int role = 0; role < ROLE_COUNT; role++) {
        g_autofree char *size = size_text(install->layout.parts[role].size);
        gboolean kept = install->answers->use == USE_RENEW && (role == ROLE_STATE || role == ROLE_POOL);
        gboolean locked = install->answers->encrypt && (role == ROLE_STATE || role == ROLE_POOL);
        g_string_append_printf(text, "     %10s  %s, %s%s%s\n", size, layout_kinds[role].what, layout_kinds[role].name,
                               locked ? ", encrypted" : "", kept ? ": stays as it is" : "");
    }
}

void install_plan(struct install *install, GString *text)
{
    g_string_append(text, "Before:\n");
    disk_print(install->disk, text);
    g_string_append(text, "After:\n");
    picture_after(install, text);
    g_string_append(text, "Steps:\n");
    for (guint i = 0; i < G_N_ELEMENTS(stages); i++)
        if (takes_part(install, stages[i])) {
            g_string_append_printf(text, "  %-12s ", stages[i]->name);
            stages[i]->plan(install, text);
            g_string_append_c(text, '\n');
        }
}

static void print_part(GString *json, const char *when, gint64 start, gint64 size, const char *fate, const char *name,
                       const char *what, gboolean encrypted)
{
    json_begin(json, "part");
    json_text(json, "when", when);
    json_number(json, "start", start);
    json_number(json, "size", size);
    json_text(json, "fate", fate);
    json_text(json, "name", name);
    json_text(json, "what", what);
    json_truth(json, "encrypted", encrypted);
    json_end(json);
}

/* What a renewal leaves alone of ours. */
static gboolean is_kept(const char *name)
{
    return strcmp(name, layout_kinds[ROLE_STATE].name) == 0 || strcmp(name, layout_kinds[ROLE_POOL].name) == 0;
}

static const char *fate_of(const struct install *install, const struct disk_part *part)
{
    if (install->answers->use == USE_WHOLE_DISK || (install->answers->use == USE_FREE_SPACE && part->ours))
        return "goes";
    return !part->ours || is_kept(part->name) ? "stays" : "changes";
}

struct after {
    const struct disk_part *part; /* NULL: it is ours, of that role */
    int role;
    gint64 start;
};

static gint by_start(gconstpointer one, gconstpointer other)
{
    const struct after *a = one, *b = other;
    return a->start < b->start ? -1 : a->start > b->start;
}

static GArray *parts_after(const struct install *install)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(struct after));
    for (guint i = 0; install->answers->use != USE_WHOLE_DISK && i < install->disk->parts->len; i++) {
        const struct disk_part *part = g_ptr_array_index(install->disk->parts, i);
        struct after after = {.part = part, .start = part->start};
        if (!part->ours)
            g_array_append_val(all, after);
    }
    for (int role = 0; role < ROLE_COUNT; role++) {
        struct after after = {.role = role, .start = install->layout.parts[role].start};
        g_array_append_val(all, after);
    }
    g_array_sort(all, by_start);
    return all;
}

static void print_ours(const struct install *install, int role, GString *json)
{
    const struct layout_kind *kind = &layout_kinds[role];
    gboolean renew = install->answers->use == USE_RENEW, kept = is_kept(kind->name);
    print_part(json, "after", install->layout.parts[role].start, install->layout.parts[role].size,
               !renew ? "new"
               : kept ? "stays"
                      : "changes",
               kind->name, kind->what, install->answers->encrypt && kept);
}

void install_plan_json(struct install *install, GString *json)
{
    g_autoptr(GArray) after = parts_after(install);
    for (guint i = 0; i < install->disk->parts->len; i++) {
        const struct disk_part *part = g_ptr_array_index(install->disk->parts, i);
        print_part(json, "before", part->start, part->size, fate_of(install, part), part->name, part->holds, FALSE);
    }
    for (guint i = 0; i < after->len; i++) {
        const struct after *at = &g_array_index(after, struct after, i);
        if (at->part)
            print_part(json, "after", at->start, at->part->size, "stays", at->part->name, at->part->holds, FALSE);
        else
            print_ours(install, at->role, json);
    }
    for (guint i = 0; i < G_N_ELEMENTS(stages); i++) {
        g_autoptr(GString) says = g_string_new(NULL);
        if (!takes_part(install, stages[i]))
            continue;
        stages[i]->plan(install, says);
        json_begin(json, "step");
        json_text(json, "stage", stages[i]->name);
        json_text(json, "title", stages[i]->title);
        json_text(json, "says", says->str);
        json_end(json);
    }
}

/* ---- the run ---- */

static const char *state_left(const struct install *install)
{
    switch (install->answers->use) {
    case USE_RENEW:
        return "The system that was there is still the one that starts; guests and settings were not touched. The "
               "slot\n"
               "for the new one is not started; the same command again writes it anew.";
    case USE_FREE_SPACE:
        return "Others' partitions were not touched. Ours hold an installation that came to no end; the same command\n"
               "again starts over in their place.";
    default:
        return "What was on the disk before is lost. It holds an installation that came to no end and does not start;\n"
               "the same command again starts over.";
    }
}

/* From the stage that failed to the first. TRUE: the disk is as it was before. */
static gboolean take_back(struct install *install, guint failed, GError **error)
{
    gboolean whole = TRUE;
    for (guint i = failed + 1; i-- > 0;)
        if (takes_part(install, stages[i]) && stages[i]->undo)
            whole &= stages[i]->undo(install, whole ? error : NULL);
    return whole;
}

static void close_all(struct install *install)
{
    for (int role = 0; role < ROLE_COUNT; role++)
        if (install->devices[role] && g_strcmp0(install->devices[role], install->paths[role]) != 0) {
            g_autofree char *name = g_path_get_basename(install->devices[role]);
            crypt_deactivate(NULL, name);
        }
    if (install->work)
        tool_run(NULL, "rm", "-rf", "--one-file-system", install->work, NULL);
}

void install_close_left(void)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        g_autofree char *name = g_strdup_printf(INSTALL_VOLUME, layout_kinds[role].name);
        g_autofree char *path = g_build_filename(crypt_get_dir(), name, NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS))
            crypt_deactivate(NULL, name); /* the disk is in use if that fails, and is refused */
    }
}

static void tell(struct install *install, guint failed, GError *cause, GError **error)
{
    g_autoptr(GError) undo_error = NULL;
    gboolean undone = install->answers->use != USE_RENEW && take_back(install, failed, &undo_error);
    trouble(error, "%s (stage \"%s\")\n%s%s%s", cause->message, stages[failed]->name,
            undone ? "The disk is as it was before." : state_left(install),
            undo_error ? "\nTaking it back failed: " : "", undo_error ? undo_error->message : "");
}

static guint parts_of(const struct install *install)
{
    guint count = 0;
    for (guint i = 0; i < G_N_ELEMENTS(stages); i++)
        count += takes_part(install, stages[i]);
    return count;
}

gboolean install_run(struct install *install, GError **error)
{
    GError *cause = NULL;
    guint i = 0;
    install->work = g_dir_make_tmp("roundhouse-install-XXXXXX", error);
    if (!install->work)
        return FALSE;
    install->at = (struct install_progress){.count = parts_of(install)};
    for (; !cause && i < G_N_ELEMENTS(stages); i++) {
        if (!takes_part(install, stages[i]))
            continue;
        install->at.stage = stages[i]->name;
        install->at.title = stages[i]->title;
        install->at.number++;
        /* After the last one nothing is left that could be stopped. */
        if (install_step(install, 0, &cause) && stages[i]->perform(install, &cause))
            install_step(install, 1000, install->at.number < install->at.count ? &cause : NULL);
    }
    close_all(install);
    if (cause) {
        tell(install, i - 1, cause, error);
        g_error_free(cause);
        return FALSE;
    }
    return TRUE;
}

void install_finish(struct install *install)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        g_clear_pointer(&install->paths[role], g_free);
        g_clear_pointer(&install->devices[role], g_free);
        g_clear_pointer(&install->ids[role], g_free);
    }
    g_clear_pointer(&install->boot_uuid, g_free);
    explicit_bzero(install->pool_key, sizeof(install->pool_key));
    g_clear_pointer(&install->recovery_key, secret_free);
    g_clear_pointer(&install->work, g_free);
    g_clear_pointer(&install->saved, g_free);
}
