/* Commands that make, change, rename and delete guests. What a setting may be, the service says. */
#include "control.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gboolean usage(GError **error, const char *format, const char *what)
{
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, what);
    return FALSE;
}

/* "memory_mib=512" */
static gboolean add_setting(GVariantDict *settings, const char *text, GError **error)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return usage(error, "\"%s\" is no setting; write SETTING=VALUE, or SETTING= for what goes without saying.",
                     text);
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

static gboolean has_ended(RhJob1 *job)
{
    const char *state = rh_job1_get_state(job);
    return !state || (!g_str_equal(state, "running") && !g_str_equal(state, "cancelling"));
}

/* The job goes on when this program ends. */
static gboolean follow(const char *path, GError **error)
{
    g_autoptr(RhJob1) job = rh_job1_proxy_new_for_bus_sync(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START,
                                                           BUS_NAME, path, NULL, error);
    gboolean shown = FALSE;
    if (!job)
        return FALSE;
    while (!has_ended(job)) {
        if (isatty(STDERR_FILENO) && rh_job1_get_progress(job) >= 0)
            shown = g_fprintf(stderr, "\r%3.0f %%", rh_job1_get_progress(job) * 100) > 0;
        g_main_context_iteration(NULL, TRUE);
    }
    if (shown)
        g_printerr("\n");
    if (g_strcmp0(rh_job1_get_state(job), "done") == 0)
        return TRUE;
    const char *why = rh_job1_get_error(job);
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, why && *why ? why : "The service ended meanwhile.");
    return FALSE;
}

gboolean control_make(struct control *control, GVariant *settings, GError **error)
{
    const char *path;
    g_autoptr(GVariant) answer =
        control_call(control->manager, "CreateGuest", g_variant_new("(@a{sv}aa{sv})", settings, NULL), error);
    if (!answer)
        return FALSE;
    g_variant_get(answer, "(&o)", &path);
    return follow(path, error);
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
        return usage(error, "the name is said once, before the settings: %s.", control->words[0]);
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

static gboolean sure(const char *name)
{
    if (!isatty(STDIN_FILENO))
        return FALSE;
    g_printerr("Delete the definition of %s? [y/N] ", name);
    int answer = getchar();
    return answer == 'y' || answer == 'Y';
}

gboolean control_delete(struct control *control, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    if (!guest)
        return FALSE;
    if (!control->yes && !sure(control->words[0]))
        return usage(error, "%s stays. Say --yes to delete it without being asked.", control->words[0]);
    g_autoptr(GVariant) answer = control_call(guest, "Delete", NULL, error);
    return answer != NULL;
}
