/* A guest's definition: read, written, compared and copied row by row of guest_settings. */
#include "guest_config.h"
#include "errors.h"
#include "guest_setting.h"

#include <glib/gstdio.h>
#include <string.h>

#define GROUP    "guest"
#define FILE_MAX (64 * 1024) /* bytes; what a definition says may come back in a sentence on the bus */
#define TOO_LONG "It is longer than 64 KiB."

/* All that a file holds besides our settings is still there when it has been written again. */
#define KEEP (G_KEY_FILE_KEEP_COMMENTS | G_KEY_FILE_KEEP_TRANSLATIONS)

static gpointer field_of(const struct guest_setting *row, const struct guest_config *config)
{
    return G_STRUCT_MEMBER_P(config, row->offset);
}

/* ---- the structure ---- */

/* The first setting in which they differ; NULL: there is none. */
static const struct guest_setting *difference(const struct guest_config *a, const struct guest_config *b)
{
    const struct guest_setting *row = guest_settings;
    while (row->key && row->kind->equal(field_of(row, a), field_of(row, b)))
        row++;
    return row->key ? row : NULL;
}

gboolean guest_config_equal(const struct guest_config *a, const struct guest_config *b)
{
    return g_str_equal(a->path, b->path) && !difference(a, b);
}

struct guest_config *guest_config_copy(const struct guest_config *config)
{
    struct guest_config *copy = g_memdup2(config, sizeof(*config));
    copy->path = g_strdup(config->path);
    for (const struct guest_setting *row = guest_settings; row->key; row++) {
        if (row->kind->own)
            row->kind->own(field_of(row, copy));
    }
    return copy;
}

void guest_config_free(struct guest_config *config)
{
    if (!config)
        return;
    for (const struct guest_setting *row = guest_settings; row->key; row++) {
        if (row->kind->clear)
            row->kind->clear(field_of(row, config));
    }
    g_free(config->path);
    g_free(config);
}

/* ---- reading ---- */

static const struct guest_setting *find_setting(const char *key)
{
    const struct guest_setting *row = guest_settings;
    while (row->key && !g_str_equal(row->key, key))
        row++;
    return row->key ? row : NULL;
}

char *guest_config_text(const struct guest_config *config, const char *key)
{
    const struct guest_setting *row = find_setting(key);
    return row ? row->kind->write(row, field_of(row, config)) : NULL;
}

static gboolean unusable(GError **error, const char *why)
{
    g_set_error_literal(error, RH_ERROR, RH_ERROR_BAD_CONFIG, why);
    return FALSE;
}

static gboolean parse_text(GKeyFile *file, const char *text, gsize length, GError **error)
{
    if (length > FILE_MAX)
        return unusable(error, TOO_LONG);
    if (!g_utf8_validate(text, (gssize)length, NULL))
        return unusable(error, "It is not text in UTF-8.");
    return g_key_file_load_from_data(file, text, length, KEEP, error);
}

static gboolean parse_file(GKeyFile *file, const char *path, GError **error)
{
    GStatBuf status;
    g_autofree char *text = NULL;
    gsize length;
    gboolean there = g_stat(path, &status) == 0;
    if (there && !S_ISREG(status.st_mode))
        return unusable(error, "It is no ordinary file.");
    if (there && status.st_size > FILE_MAX)
        return unusable(error, TOO_LONG);
    return g_file_get_contents(path, &text, &length, error) && parse_text(file, text, length, error);
}

static gboolean refuse_unknown_keys(GKeyFile *file, GError **error)
{
    g_auto(GStrv) present = g_key_file_get_keys(file, GROUP, NULL, error);
    if (!present)
        return FALSE;
    for (gsize i = 0; present[i]; i++) {
        if (!find_setting(present[i]))
            return guest_setting_bad(error, present[i], "there is no such setting; check its spelling.");
    }
    return TRUE;
}

/* The line's value; NULL: there is no such line. */
static char *value_in(GKeyFile *file, const struct guest_setting *row)
{
    char *value = g_key_file_get_string(file, GROUP, row->key, NULL);
    return value ? g_strstrip(value) : NULL;
}

/* Gives a setting that has no line what it means then. */
static gboolean settle(const struct guest_setting *row, struct guest_config *config, GError **error)
{
    if (row->derive)
        return row->derive(row, config, error);
    return !row->otherwise || row->kind->read(row, field_of(row, config), row->otherwise, error);
}

static gboolean read_settings(struct guest_config *config, GKeyFile *file, GError **error)
{
    for (const struct guest_setting *row = guest_settings; row->key; row++) {
        g_autofree char *value = value_in(file, row);
        if (value && !row->kind->read(row, field_of(row, config), value, error))
            return FALSE;
    }
    for (const struct guest_setting *row = guest_settings; row->key; row++) {
        if (!g_key_file_has_key(file, GROUP, row->key, NULL) && !settle(row, config, error))
            return FALSE;
    }
    return TRUE;
}

/* Where the two kinds of firmware differ, and what goes to a kernel that is not there. */
static gboolean check_pc(const struct guest_config *config, GError **error)
{
    if (!config->kernel && config->ramdisk)
        return guest_setting_bad(error, "ramdisk",
                                 "it is for the kernel of kernel=, which is missing; add that, or take "
                                 "this out.");
    if (!config->kernel && *config->cmdline)
        return guest_setting_bad(error, "cmdline",
                                 "it is for the kernel of kernel=, which is missing; add that, or take "
                                 "this out.");
    if (config->firmware == GUEST_FIRMWARE_UEFI && !g_str_equal(config->boot, GUEST_BOOT_UEFI))
        return guest_setting_bad(error, "boot",
                                 "firmware=uefi always tries disk, CD and network in this order; take this "
                                 "out, or use firmware=bios.");
    for (guint i = 0; config->cdrom && i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (g_str_equal(disk->vdev, GUEST_CDROM_VDEV))
            return guest_setting_bad(error, "cdrom", "disk= has a disk called %s already; give that another name.",
                                     GUEST_CDROM_VDEV);
    }
    return TRUE;
}

/* What only goes together with certain types of guest. */
static gboolean check_type(const struct guest_config *config, GKeyFile *file, GError **error)
{
    if (config->type == GUEST_HVM)
        return check_pc(config, error);
    if (!config->kernel)
        return guest_setting_bad(error, "kernel", "this setting is missing.");
    if (config->display == GUEST_DISPLAY_VGA)
        return guest_setting_bad(error, "display", "\"vga\" is for guests with type=hvm only.");
    for (const struct guest_setting *row = guest_settings; row->key; row++) {
        if (row->hvm_only && g_key_file_has_key(file, GROUP, row->key, NULL))
            return guest_setting_bad(error, row->key, "this setting is for guests with type=hvm only.");
    }
    for (guint i = 0; i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (disk->cdrom || g_str_has_prefix(disk->vdev, "hd"))
            return guest_setting_bad(error, "disk", "cdrom and hda ... hdd are for guests with type=hvm only.");
    }
    return TRUE;
}

static struct guest_config *read_definition(GKeyFile *file, const char *path, GError **error)
{
    struct guest_config *config = g_new0(struct guest_config, 1);
    config->path = g_strdup(path);
    if (refuse_unknown_keys(file, error) && read_settings(config, file, error) && check_type(config, file, error))
        return config;
    guest_config_free(config);
    return NULL;
}

struct guest_config *guest_config_from_text(const char *text, gsize length, const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    return parse_text(file, text, length, error) ? read_definition(file, path, error) : NULL;
}

struct guest_config *guest_config_load(const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) cause = NULL;
    struct guest_config *config = parse_file(file, path, &cause) ? read_definition(file, path, &cause) : NULL;
    if (!config)
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "%s cannot be used. %s", path, cause->message);
    return config;
}

/* ---- settings one by one ---- */

/* The last of several lines with one key counts, and GKeyFile takes away only that. */
static void remove_lines(GKeyFile *file, const char *key)
{
    while (g_key_file_remove_key(file, GROUP, key, NULL)) {
        g_autofree char *text = g_key_file_to_data(file, NULL, NULL);
        g_key_file_load_from_data(file, text, (gsize)-1, KEEP, NULL);
    }
}

/* NULL: it is of a type that no setting has. The caller frees it. */
static char *text_of(GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return g_strstrip(g_variant_dup_string(value, NULL));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
        return g_strdup(g_variant_get_boolean(value) ? "true" : "false");
    return strchr("ynqiuxt", *g_variant_get_type_string(value)) ? g_variant_print(value, FALSE) : NULL;
}

static gboolean change_line(GKeyFile *file, const char *key, GVariant *value, GError **error)
{
    g_autofree char *text = text_of(value);
    if (!find_setting(key))
        return guest_setting_bad(error, key, "there is no such setting; check its spelling.");
    if (!text)
        return guest_setting_bad(error, key, "give text, a number, or true or false.");
    remove_lines(file, key);
    if (*text)
        g_key_file_set_string(file, GROUP, key, text);
    return TRUE;
}

struct guest_config *guest_config_edit(const char *from, const char *path, GVariant *settings, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    GVariantIter iter;
    const char *key;
    GVariant *value;
    gboolean good =
        from ? parse_file(file, from, error) : parse_text(file, "[" GROUP "]", strlen("[" GROUP "]"), error);
    g_variant_iter_init(&iter, settings);
    while (good && g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        good = change_line(file, key, value, error);
        g_variant_unref(value);
    }
    return good ? read_definition(file, path, error) : NULL;
}

static GVariant *value_of(const struct guest_setting *row, gconstpointer field)
{
    if (row->kind == &guest_kind_number)
        return g_variant_new_uint32(*(const guint *)field);
    if (row->kind == &guest_kind_switch)
        return g_variant_new_boolean(*(const gboolean *)field);
    g_autofree char *text = row->kind->write(row, field);
    return text ? g_variant_new_string(text) : NULL;
}

GVariant *guest_config_settings(const struct guest_config *config)
{
    GVariantBuilder settings;
    g_variant_builder_init(&settings, G_VARIANT_TYPE("a{sv}"));
    for (const struct guest_setting *row = guest_settings; row->key; row++) {
        GVariant *value = row->hvm_only && config->type != GUEST_HVM ? NULL : value_of(row, field_of(row, config));
        if (value)
            g_variant_builder_add(&settings, "{sv}", row->key, value);
    }
    return g_variant_builder_end(&settings);
}

/* ---- writing ---- */

/* Whether the file's line means just this, in whatever words. */
static gboolean says_so(GKeyFile *file, const struct guest_setting *row, const struct guest_config *config)
{
    struct guest_config said = {0};
    g_autofree char *value = value_in(file, row);
    gpointer field = field_of(row, &said);
    gboolean same = value && row->kind->read(row, field, value, NULL) && row->kind->equal(field, field_of(row, config));
    if (row->kind->clear)
        row->kind->clear(field);
    return same;
}

/* Whether a file at this path means just this without a line. */
static gboolean goes_without_saying(const struct guest_setting *row, const struct guest_config *config,
                                    const char *path)
{
    struct guest_config *other = guest_config_copy(config);
    g_free(other->path);
    other->path = g_strdup(path);
    if (row->kind->clear)
        row->kind->clear(field_of(row, other));
    gboolean same = settle(row, other, NULL) && row->kind->equal(field_of(row, other), field_of(row, config));
    guest_config_free(other);
    return same;
}

static void put_setting(GKeyFile *file, const struct guest_setting *row, const struct guest_config *config,
                        const char *path)
{
    gboolean allowed = config->type == GUEST_HVM || !row->hvm_only;
    if (allowed && says_so(file, row, config))
        return;
    g_autofree char *text = row->kind->write(row, field_of(row, config));
    if (!text || goes_without_saying(row, config, path))
        remove_lines(file, row->key);
    else
        g_key_file_set_string(file, GROUP, row->key, text);
}

/* What the reader makes of the text is what was to be written: nothing in it was taken for something else. */
static gboolean check_text(const struct guest_config *config, const char *path, const char *text, gsize length,
                           GError **error)
{
    struct guest_config *again = guest_config_from_text(text, length, path, error);
    if (!again)
        return FALSE;
    const struct guest_setting *row = difference(again, config);
    if (row) {
        g_autofree char *wanted = row->kind->write(row, field_of(row, config));
        g_autofree char *found = row->kind->write(row, field_of(row, again));
        guest_setting_bad(error, row->key, "\"%s\" would be read as \"%s\".", wanted ? wanted : "", found ? found : "");
    }
    guest_config_free(again);
    return !row;
}

char *guest_config_to_text(const struct guest_config *config, const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    gsize length;
    for (const struct guest_setting *row = guest_settings; row->key; row++) {
        g_autofree char *value = row->kind->write(row, field_of(row, config));
        if (value && (config->type == GUEST_HVM || !row->hvm_only))
            g_key_file_set_string(file, GROUP, row->key, value);
    }
    g_autofree char *text = g_key_file_to_data(file, &length, NULL);
    return check_text(config, path, text, length, error) ? g_steal_pointer(&text) : NULL;
}

static gboolean write_definition(const struct guest_config *config, const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) cause = NULL;
    GStatBuf status;
    gsize length;
    if (!parse_file(file, path, &cause) && !g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    for (const struct guest_setting *row = guest_settings; row->key; row++)
        put_setting(file, row, config, path);
    g_autofree char *text = g_key_file_to_data(file, &length, NULL);
    int mode = g_stat(path, &status) == 0 ? (int)(status.st_mode & 07777) : 0644;
    return check_text(config, path, text, length, error) &&
           g_file_set_contents_full(path, text, (gssize)length,
                                    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, mode, error);
}

gboolean guest_config_write(const struct guest_config *config, const char *path, GError **error)
{
    g_autoptr(GError) cause = NULL;
    if (write_definition(config, path, &cause))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "%s cannot be written. %s", path, cause->message);
    return FALSE;
}

/* ---- a directory of them ---- */

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int guest_config_compare(const struct guest_config *a, const struct guest_config *b)
{
    guint left = a->slot ? a->slot : G_MAXUINT, right = b->slot ? b->slot : G_MAXUINT;
    return left == right ? strcmp(a->name, b->name) : (left > right) - (left < right);
}

static int compare_configs(gconstpointer a, gconstpointer b)
{
    return guest_config_compare(*(struct guest_config *const *)a, *(struct guest_config *const *)b);
}

static gboolean same_slot(const struct guest_config *a, const struct guest_config *b)
{
    return a->slot && a->slot == b->slot;
}

static const struct guest_config *find_clash(GPtrArray *configs, const struct guest_config *config)
{
    for (guint i = 0; i < configs->len; i++) {
        const struct guest_config *other = g_ptr_array_index(configs, i);
        if (same_slot(other, config) || g_str_equal(other->name, config->name))
            return other;
    }
    return NULL;
}

static void load_into(GPtrArray *configs, const char *path, GPtrArray *problems)
{
    g_autoptr(GError) error = NULL;
    struct guest_config *config = guest_config_load(path, &error);
    if (!config) {
        g_ptr_array_add(problems, g_strdup(error->message));
        return;
    }
    const struct guest_config *clash = find_clash(configs, config);
    if (clash) {
        g_ptr_array_add(problems, g_strdup_printf("%s is left out. It has the same %s as %s; change one of them.", path,
                                                  same_slot(clash, config) ? "slot" : "name", clash->path));
        guest_config_free(config);
        return;
    }
    g_ptr_array_add(configs, config);
}

GPtrArray *guest_config_load_directory(const char *directory, GPtrArray *problems)
{
    GPtrArray *configs = g_ptr_array_new_with_free_func((GDestroyNotify)guest_config_free);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(directory, 0, &error);
    if (!dir && !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        g_ptr_array_add(problems, g_strdup_printf("%s.", error->message));
    for (const char *entry; dir && (entry = g_dir_read_name(dir));) {
        if (g_str_has_suffix(entry, ".conf") && entry[0] != '.')
            g_ptr_array_add(paths, g_build_filename(directory, entry, NULL));
    }
    g_ptr_array_sort(paths, compare_strings);
    for (guint i = 0; i < paths->len; i++)
        load_into(configs, g_ptr_array_index(paths, i), problems);
    g_ptr_array_sort(configs, compare_configs);
    return configs;
}
