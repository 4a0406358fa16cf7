/* Rows of settings, what is there and what was typed. */
#include "settings_form.h"

#include <gio/gio.h>
#include <string.h>

struct row {
    const struct guest_setting *setting;
    char *was, *now; /* as the file would say it; empty: it goes without saying */
    char *refused;   /* why roundhoused did not take what stands there; NULL: it has not said so */
};

struct settings_form {
    guint count;
    struct row *rows;
};

struct settings_form *settings_form_new(void)
{
    struct settings_form *form = g_new0(struct settings_form, 1);
    while (guest_settings[form->count].key)
        form->count++;
    form->rows = g_new0(struct row, form->count);
    for (guint i = 0; i < form->count; i++)
        form->rows[i] = (struct row){&guest_settings[i], g_strdup(""), g_strdup(""), NULL};
    return form;
}

void settings_form_free(struct settings_form *form)
{
    if (!form)
        return;
    for (guint i = 0; i < form->count; i++) {
        g_free(form->rows[i].was);
        g_free(form->rows[i].now);
        g_free(form->rows[i].refused);
    }
    g_free(form->rows);
    g_free(form);
}

/* ---- what the guest has ---- */

static char *text_of(GVariant *value)
{
    if (!value)
        return g_strdup("");
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return g_variant_dup_string(value, NULL);
    return g_variant_print(value, FALSE); /* a number, or true or false */
}

static gboolean is_edited(const struct row *row)
{
    return !g_str_equal(row->was, row->now);
}

void settings_form_take(struct settings_form *form, GVariant *settings)
{
    for (guint i = 0; i < form->count; i++) {
        struct row *row = &form->rows[i];
        g_autoptr(GVariant) value = g_variant_lookup_value(settings, row->setting->key, NULL);
        gboolean typed = is_edited(row);
        g_free(row->was);
        row->was = text_of(value);
        if (typed)
            continue;
        g_free(row->now);
        row->now = g_strdup(row->was);
        g_clear_pointer(&row->refused, g_free);
    }
}

guint settings_form_count(const struct settings_form *form)
{
    return form->count;
}

const struct guest_setting *settings_form_setting(const struct settings_form *form, guint row)
{
    return form->rows[row].setting;
}

const char *settings_form_text(const struct settings_form *form, guint row)
{
    return form->rows[row].now;
}

guint settings_form_find(const struct settings_form *form, const char *key)
{
    guint i = 0;
    while (i < form->count && !g_str_equal(form->rows[i].setting->key, key))
        i++;
    return i;
}

static const char *now_of(const struct settings_form *form, const char *key)
{
    guint row = settings_form_find(form, key);
    return row < form->count ? form->rows[row].now : "";
}

gboolean settings_form_offers(const struct settings_form *form, guint row)
{
    return !form->rows[row].setting->hvm_only || g_str_equal(now_of(form, "type"), "hvm");
}

/* ---- what is typed ---- */

void settings_form_set(struct settings_form *form, guint row, const char *text)
{
    struct row *at = &form->rows[row];
    char *typed = g_strstrip(g_strdup(text));
    if (!g_str_equal(typed, at->now))
        g_clear_pointer(&at->refused, g_free);
    g_free(at->now);
    at->now = typed;
}

void settings_form_revert(struct settings_form *form)
{
    for (guint i = 0; i < form->count; i++) {
        struct row *row = &form->rows[i];
        g_free(row->now);
        row->now = g_strdup(row->was);
        g_clear_pointer(&row->refused, g_free);
    }
}

gboolean settings_form_edited(const struct settings_form *form)
{
    for (guint i = 0; i < form->count; i++) {
        if (is_edited(&form->rows[i]))
            return TRUE;
    }
    return FALSE;
}

/* ---- what is wrong ---- */

/* What is said of a setting begins with its key and a colon; the rest as a sentence. NULL: it is said of another one.
 */
static char *about_setting(const char *said, const char *key)
{
    if (!g_str_has_prefix(said, key) || !g_str_has_prefix(said + strlen(key), ": "))
        return NULL;
    char *rest = g_strdup(said + strlen(key) + strlen(": "));
    rest[0] = g_ascii_toupper(rest[0]);
    return rest;
}

/* The reader of definitions is asked: what it takes is right. */
static char *read_problem(const struct guest_setting *setting, const char *text)
{
    struct guest_config config = {0};
    gpointer field = G_STRUCT_MEMBER_P(&config, setting->offset);
    g_autoptr(GError) error = NULL;
    gboolean good = setting->kind->read(setting, field, text, &error);
    if (setting->kind->clear)
        setting->kind->clear(field);
    return good ? NULL : about_setting(error->message, setting->key);
}

char *settings_form_problem(const struct settings_form *form, guint row)
{
    const struct row *at = &form->rows[row];
    if (!settings_form_offers(form, row))
        return NULL;
    if (at->refused)
        return g_strdup(at->refused);
    if (!is_edited(at))
        return NULL;
    if (!*at->now && g_str_equal(at->setting->key, "name"))
        return g_strdup("It needs a name. Type one.");
    return *at->now ? read_problem(at->setting, at->now) : NULL;
}

guint settings_form_wrong(const struct settings_form *form)
{
    for (guint i = 0; i < form->count; i++) {
        g_autofree char *problem = settings_form_problem(form, i);
        if (problem)
            return i;
    }
    return form->count;
}

guint settings_form_refuse(struct settings_form *form, const char *sentence)
{
    for (guint i = 0; i < form->count; i++) {
        char *rest = about_setting(sentence, form->rows[i].setting->key);
        if (!rest)
            continue;
        g_free(form->rows[i].refused);
        form->rows[i].refused = rest;
        return i;
    }
    return form->count;
}

/* ---- what is asked for ---- */

static gboolean is_name(const struct row *row)
{
    return g_str_equal(row->setting->key, "name");
}

/* A guest that is no PC any more has nothing that only a PC has. */
static const char *wanted(const struct settings_form *form, guint row)
{
    return settings_form_offers(form, row) ? form->rows[row].now : "";
}

GVariant *settings_form_changes(const struct settings_form *form)
{
    GVariantBuilder changes;
    guint count = 0;
    g_variant_builder_init(&changes, G_VARIANT_TYPE("a{sv}"));
    for (guint i = 0; i < form->count; i++) {
        const struct row *row = &form->rows[i];
        if (is_name(row) || g_str_equal(row->was, wanted(form, i)))
            continue;
        g_variant_builder_add(&changes, "{sv}", row->setting->key, g_variant_new_string(wanted(form, i)));
        count++;
    }
    if (count)
        return g_variant_builder_end(&changes);
    g_variant_builder_clear(&changes);
    return NULL;
}

const char *settings_form_new_name(const struct settings_form *form)
{
    guint row = settings_form_find(form, "name");
    return row < form->count && is_edited(&form->rows[row]) ? form->rows[row].now : NULL;
}

static void settle(struct row *row)
{
    g_free(row->was);
    row->was = g_strdup(row->now);
    g_clear_pointer(&row->refused, g_free);
}

void settings_form_saved(struct settings_form *form)
{
    for (guint i = 0; i < form->count; i++) {
        if (!is_name(&form->rows[i]))
            settle(&form->rows[i]);
    }
}

void settings_form_renamed(struct settings_form *form)
{
    guint row = settings_form_find(form, "name");
    if (row < form->count)
        settle(&form->rows[row]);
}
