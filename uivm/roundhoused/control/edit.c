/* Commands that make, change, rename and delete guests. What a setting may be, the service says. */
#include "control.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "memory_mib=512" */
static gboolean add_setting(GVariantDict *settings, const char *text, GError **error)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return control_usage(
            error, "\"%s\" is no setting; write SETTING=VALUE, or SETTING= for what goes without saying.", text);
    g_autofree char *key = g_strstrip(g_strndup(text, (gsize)(equals - text)));
    g_autofree char *value = g_strstrip(g_strdup(equals + 1));
    g_variant_dict_insert(settings, key, "s", value);
    return TRUE;
}

static GVariant *settings_of_words(char **words, GError **error)
{
    GVariantDict settings;
    gboolean good = TRUE;
    g_variant_dict_init(&settings, NULL);
    for (; good && *words; words++)
        good = add_setting(&settings, *words, error);
    if (good)
        return g_variant_ref_sink(g_variant_dict_end(&settings));
    g_variant_dict_clear(&settings);
    return NULL;
}

/* ---- create ---- */

/* "NAME,20G": the size, if there is one, behind the last comma, which is taken away. */
static guint64 cut_size(char *word)
{
    char *comma = strrchr(word, ',');
    guint64 size = 0;
    if (comma && control_size(comma + 1, &size, NULL))
        *comma = '\0';
    return size;
}

/* A file's handle goes to the end of the list. */
static gboolean add_file(GVariantBuilder *disk, const char *path, GUnixFDList *files, GError **error)
{
    g_autoptr(GUnixFDList) one = control_open(path, error);
    int handle = one ? g_unix_fd_list_append(files, g_unix_fd_list_peek_fds(one, NULL)[0], error) : -1;
    if (handle >= 0)
        g_variant_builder_add(disk, "{sv}", "import", g_variant_new_handle(handle));
    return handle >= 0;
}

static gboolean add_disk(GVariantBuilder *disk, const struct control_disk *wanted, GUnixFDList *files, GError **error)
{
    g_autofree char *word = g_strdup(wanted->word);
    gboolean empty = g_str_equal(wanted->kind, "size");
    guint64 size = empty ? 0 : cut_size(word);
    if (empty && !control_size(word, &size, error))
        return FALSE;
    if (size)
        g_variant_builder_add(disk, "{sv}", "size", g_variant_new_uint64(size));
    if (g_str_equal(wanted->kind, "clone"))
        g_variant_builder_add(disk, "{sv}", "clone", g_variant_new_string(word));
    return !g_str_equal(wanted->kind, "import") || add_file(disk, word, files, error);
}

gboolean control_make(struct control *control, GVariant *settings, GError **error)
{
    g_autoptr(GUnixFDList) files = g_unix_fd_list_new();
    g_autoptr(GVariant) keep = g_variant_ref_sink(settings);
    GVariantBuilder disks;
    gboolean good = TRUE;
    g_variant_builder_init(&disks, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; good && i < control->disks->len; i++) {
        g_variant_builder_open(&disks, G_VARIANT_TYPE_VARDICT);
        good = add_disk(&disks, g_ptr_array_index(control->disks, i), files, error);
        g_variant_builder_close(&disks);
    }
    g_autoptr(GVariant) parameters = g_variant_ref_sink(g_variant_new("(@a{sv}aa{sv})", keep, &disks));
    return good && control_do(control->manager, "CreateGuest", parameters, files, error);
}

gboolean control_create(struct control *control, GError **error)
{
    g_autoptr(GVariant) settings = settings_of_words(control->words + 1, error);
    if (!settings)
        return FALSE;
    GVariantDict all;
    g_variant_dict_init(&all, settings);
    if (g_variant_dict_contains(&all, "name")) {
        g_variant_dict_clear(&all);
        return control_usage(error, "the name is said once, before the settings: %s.", control->words[0]);
    }
    g_variant_dict_insert(&all, "name", "s", control->words[0]);
    return control_make(control, g_variant_dict_end(&all), error);
}

/* ---- edit ---- */

static GVariant *get_settings(RhGuest1 *guest, GError **error)
{
    g_autoptr(GVariant) answer = control_call(guest, "GetSettings", NULL, error);
    return answer ? g_variant_get_child_value(answer, 0) : NULL;
}

static char *text_of(GVariant *value)
{
    return g_variant_is_of_type(value, G_VARIANT_TYPE_STRING) ? g_variant_dup_string(value, NULL)
                                                              : g_variant_print(value, FALSE);
}

/* A line for each. */
static char *lines_of(GVariant *settings)
{
    GString *text = g_string_new(NULL);
    GVariantIter iter;
    const char *key;
    GVariant *value;
    g_variant_iter_init(&iter, settings);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        g_autofree char *word = text_of(value);
        g_string_append_printf(text, "%s=%s\n", key, word);
        g_variant_unref(value);
    }
    return g_string_free(text, FALSE);
}

gboolean control_settings(struct control *control, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    g_autoptr(GVariant) settings = guest ? get_settings(guest, error) : NULL;
    if (!settings)
        return FALSE;
    g_autofree char *text = lines_of(settings);
    if (control->json)
        json_print(settings);
    else
        g_print("%s", text);
    return TRUE;
}

static gboolean change(RhGuest1 *guest, GVariant *settings, GError **error)
{
    g_autoptr(GVariant) answer = control_call(guest, "SetSettings", g_variant_new("(@a{sv})", settings), error);
    return answer != NULL;
}

/* What the text says otherwise than before; a line that is no longer there goes back to what goes without saying. */
static GVariant *differences(GVariant *before, const char *text, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    for (gsize i = 0; lines[i]; i++) {
        if (*g_strstrip(lines[i]) && lines[i][0] != '#')
            g_ptr_array_add(words, lines[i]);
    }
    g_ptr_array_add(words, NULL);
    g_autoptr(GVariant) now = settings_of_words((char **)words->pdata, error);
    if (!now)
        return NULL;
    GVariantDict changed;
    GVariantIter iter;
    const char *key;
    GVariant *value;
    g_variant_dict_init(&changed, now);
    g_variant_iter_init(&iter, before);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        g_autofree char *old = text_of(value);
        const char *new = NULL;
        if (!g_variant_dict_lookup(&changed, key, "&s", &new))
            g_variant_dict_insert(&changed, key, "s", "");
        else if (g_str_equal(old, new))
            g_variant_dict_remove(&changed, key);
        g_variant_unref(value);
    }
    return g_variant_dict_end(&changed);
}

static gboolean run_editor(const char *path, GError **error)
{
    const char *editor = g_getenv("VISUAL") ? g_getenv("VISUAL") : g_getenv("EDITOR");
    g_autofree char *quoted = g_shell_quote(path);
    g_autofree char *line = g_strdup_printf("%s %s", editor ? editor : "vi", quoted);
    const char *const words[] = {"/bin/sh", "-c", line, NULL};
    g_autoptr(GSubprocess) process = g_subprocess_newv(words, G_SUBPROCESS_FLAGS_STDIN_INHERIT, error);
    return process && g_subprocess_wait_check(process, NULL, error);
}

/* Whether to go back into the editor: what was written there is not lost by a slip. */
static gboolean ask_again(const GError *error)
{
    g_printerr("roundhousectl: %s\n", error->message);
    if (!isatty(STDIN_FILENO))
        return FALSE;
    g_printerr("Edit again? [Y/n] ");
    int answer = getchar();
    return answer != 'n' && answer != 'N' && answer != EOF;
}

static gboolean edit_once(RhGuest1 *guest, GVariant *before, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error))
        return FALSE;
    GVariant *changed = differences(before, text, error);
    if (!changed || change(guest, changed, error))
        return changed != NULL;
    g_dbus_error_strip_remote_error(*error);
    return FALSE;
}

static gboolean edit_text(RhGuest1 *guest, GError **error)
{
    g_autofree char *path = NULL;
    g_autoptr(GVariant) before = get_settings(guest, error);
    int fd = before ? g_file_open_tmp("roundhouse-XXXXXX.conf", &path, error) : -1;
    if (fd < 0)
        return FALSE;
    close(fd);
    g_autofree char *lines = lines_of(before);
    gboolean good = g_file_set_contents(path, lines, -1, error);
    while (good) {
        g_autoptr(GError) cause = NULL;
        good = run_editor(path, error);
        if (!good || edit_once(guest, before, path, &cause))
            break;
        good = ask_again(cause);
        if (!good)
            g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, "Nothing has been changed.");
    }
    g_unlink(path);
    return good;
}

gboolean control_edit(struct control *control, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    if (!guest)
        return FALSE;
    if (!control->words[1])
        return edit_text(guest, error);
    g_autoptr(GVariant) settings = settings_of_words(control->words + 1, error);
    return settings && change(guest, settings, error);
}

/* ---- rename, delete ---- */

gboolean control_rename(struct control *control, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    g_autoptr(GVariant) answer =
        guest ? control_call(guest, "Rename", g_variant_new("(s)", control->words[1]), error) : NULL;
    return answer != NULL;
}

gboolean control_delete(struct control *control, GError **error)
{
    const char *name = control->words[0];
    g_autoptr(RhGuest1) guest = control_guest(control, name, error);
    const char *question =
        control->with_images ? "Delete with its disks and all that is in them" : "Delete the definition of";
    if (!guest)
        return FALSE;
    if (!control->yes && !control_sure(question, name))
        return control_usage(error, "%s stays. Say --yes to delete it without being asked.", name);
    if (control->with_images)
        return control_do(guest, "DeleteWithImages", NULL, NULL, error);
    g_autoptr(GVariant) answer = control_call(guest, "Delete", NULL, error);
    return answer != NULL;
}
