/* The kinds of settings: how each is read, written, compared and copied. */
#include "guest_setting.h"
#include "errors.h"
#include "storage/image_name.h"

#include <string.h>

#define BRIDGE_MAX     15 /* IFNAMSIZ - 1 */
#define DISKS_MAX      26
#define DEFAULT_BRIDGE "xenbr0" /* what network=bridge means; the service machine's cards are its ports */
#define MAC_BYTES      sizeof(((struct guest_config *)NULL)->mac)
#define UUID_BYTES     sizeof(((struct guest_config *)NULL)->uuid)

gboolean guest_setting_bad(GError **error, const char *key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "%s: %s", key, text);
    return FALSE;
}

/* ---- texts ---- */

static void set_text(char **text, const char *value)
{
    g_free(*text);
    *text = g_strdup(value);
}

static gboolean read_text(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    if (row->check && !row->check(row, value, error))
        return FALSE;
    set_text(field, value);
    return TRUE;
}

static char *write_text(const struct guest_setting *row, gconstpointer field)
{
    (void)row;
    return g_strdup(*(char *const *)field);
}

static gboolean equal_text(gconstpointer a, gconstpointer b)
{
    return g_strcmp0(*(char *const *)a, *(char *const *)b) == 0;
}

static void own_text(gpointer field)
{
    char **text = field;
    *text = g_strdup(*text);
}

static void clear_text(gpointer field)
{
    g_clear_pointer((char **)field, g_free);
}

static gboolean read_path(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    if (!g_path_is_absolute(value))
        return guest_setting_bad(error, row->key, "\"%s\" must be a whole path that begins with /.", value);
    set_text(field, value);
    return TRUE;
}

static gboolean read_network(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    if (!*value || g_str_equal(value, "none"))
        value = NULL;
    else if (g_str_equal(value, "bridge"))
        value = DEFAULT_BRIDGE;
    if (value && (strlen(value) > BRIDGE_MAX || strpbrk(value, "/ \t")))
        return guest_setting_bad(error, row->key, "\"%s\" cannot be the name of a bridge.", value);
    set_text(field, value);
    return TRUE;
}

static char *write_network(const struct guest_setting *row, gconstpointer field)
{
    char *bridge = write_text(row, field);
    return bridge ? bridge : g_strdup("none");
}

/* ---- numbers, and what is kept as one ---- */

static gboolean read_number(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    guint64 number;
    if (!g_ascii_string_to_unsigned(value, 10, row->min, row->max, &number, NULL))
        return guest_setting_bad(error, row->key, "\"%s\" is not a number from %u to %u.", value, row->min, row->max);
    *(guint *)field = (guint)number;
    return TRUE;
}

static char *write_number(const struct guest_setting *row, gconstpointer field)
{
    (void)row;
    return g_strdup_printf("%u", *(const guint *)field);
}

static gboolean equal_number(gconstpointer a, gconstpointer b)
{
    return *(const guint *)a == *(const guint *)b;
}

static gboolean read_word(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    g_autoptr(GString) allowed = g_string_new(NULL);
    for (const struct guest_word *word = row->words; word->word; word++) {
        if (g_str_equal(value, word->word)) {
            *(guint *)field = word->value;
            return TRUE;
        }
        g_string_append_printf(allowed, "%s%s", allowed->len ? ", " : "", word->word);
    }
    return guest_setting_bad(error, row->key, "\"%s\" is not one of %s.", value, allowed->str);
}

static char *write_word(const struct guest_setting *row, gconstpointer field)
{
    for (const struct guest_word *word = row->words; word->word; word++) {
        if (word->value == *(const guint *)field)
            return g_strdup(word->word);
    }
    return NULL;
}

static gboolean read_switch(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    gboolean on = g_str_equal(value, "true") || g_str_equal(value, "yes") || g_str_equal(value, "1");
    if (!on && !g_str_equal(value, "false") && !g_str_equal(value, "no") && !g_str_equal(value, "0"))
        return guest_setting_bad(error, row->key, "\"%s\" is neither true nor false.", value);
    *(gboolean *)field = on;
    return TRUE;
}

static char *write_switch(const struct guest_setting *row, gconstpointer field)
{
    (void)row;
    return g_strdup(*(const gboolean *)field ? "true" : "false");
}

static gboolean equal_switch(gconstpointer a, gconstpointer b)
{
    return !*(const gboolean *)a == !*(const gboolean *)b;
}

static gboolean read_colour(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    guint64 rgb;
    if (value[0] != '#' || strlen(value) != 7 || !g_ascii_string_to_unsigned(value + 1, 16, 0, 0xffffff, &rgb, NULL))
        return guest_setting_bad(error, row->key, "\"%s\" is not a colour of the form #rrggbb.", value);
    *(guint32 *)field = (guint32)rgb;
    return TRUE;
}

static char *write_colour(const struct guest_setting *row, gconstpointer field)
{
    (void)row;
    return g_strdup_printf("#%06x", *(const guint32 *)field);
}

static gboolean read_mac(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    static const guint8 none[MAC_BYTES];
    guint8 mac[MAC_BYTES] = {0};
    g_auto(GStrv) parts = g_strsplit(value, ":", -1);
    gboolean good = g_strv_length(parts) == sizeof(mac);
    for (gsize i = 0; good && i < sizeof(mac); i++) {
        guint64 byte;
        good = strlen(parts[i]) == 2 && g_ascii_string_to_unsigned(parts[i], 16, 0, 255, &byte, NULL);
        mac[i] = good ? (guint8)byte : 0;
    }
    if (!good || (mac[0] & 1) || memcmp(mac, none, sizeof(mac)) == 0)
        return guest_setting_bad(error, row->key,
                                 "\"%s\" is not the address of a network card, such as 00:16:3e:01:02:03.", value);
    memcpy(field, mac, sizeof(mac));
    return TRUE;
}

static char *write_mac(const struct guest_setting *row, gconstpointer field)
{
    static const guint8 none[MAC_BYTES];
    const guint8 *mac = field;
    (void)row;
    if (memcmp(mac, none, MAC_BYTES) == 0)
        return NULL;
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static gboolean equal_mac(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, MAC_BYTES) == 0;
}

static void clear_mac(gpointer field)
{
    memset(field, 0, MAC_BYTES);
}

static void clear_uuid(gpointer field)
{
    memset(field, 0, UUID_BYTES);
}

static gboolean read_uuid(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    static const guint8 none[UUID_BYTES];
    guint8 uuid[UUID_BYTES] = {0};
    gboolean good = g_uuid_string_is_valid(value);
    for (gsize i = 0, at = 0; good && i < UUID_BYTES; i++, at += 2) {
        at += value[at] == '-';
        uuid[i] = (guint8)(g_ascii_xdigit_value(value[at]) << 4 | g_ascii_xdigit_value(value[at + 1]));
    }
    if (!good || memcmp(uuid, none, sizeof(uuid)) == 0)
        return guest_setting_bad(error, row->key, "\"%s\" is no UUID, such as 6f0a2f5c-8a51-4f0e-9d39-3d0b6a1c7e42.",
                                 value);
    memcpy(field, uuid, sizeof(uuid));
    return TRUE;
}

static char *write_uuid(const struct guest_setting *row, gconstpointer field)
{
    static const guint8 none[UUID_BYTES];
    const guint8 *uuid = field;
    GString *text = g_string_new(NULL);
    (void)row;
    for (gsize i = 0; i < UUID_BYTES; i++)
        g_string_append_printf(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
    return g_string_free(text, memcmp(uuid, none, UUID_BYTES) == 0);
}

static gboolean equal_uuid(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, UUID_BYTES) == 0;
}

/* ---- disks ---- */

static void guest_disk_free(gpointer data)
{
    struct guest_disk *disk = data;
    g_free(disk->target);
    g_free(disk);
}

static GPtrArray *disks_new(void)
{
    return g_ptr_array_new_with_free_func(guest_disk_free);
}

static gboolean disk_option(const struct guest_setting *row, struct guest_disk *disk, const char *option,
                            GError **error)
{
    if (g_str_equal(option, "ro") || g_str_equal(option, "r"))
        disk->read_only = TRUE;
    else if (g_str_equal(option, "rw") || g_str_equal(option, "w"))
        disk->read_only = FALSE;
    else if (g_str_equal(option, "cdrom"))
        disk->cdrom = disk->read_only = TRUE;
    else if ((g_str_has_prefix(option, "xvd") && option[3] >= 'a' && option[3] <= 'z' && !option[4]) ||
             (g_str_has_prefix(option, "hd") && option[2] >= 'a' && option[2] <= 'd' && !option[3]))
        g_strlcpy(disk->vdev, option, sizeof(disk->vdev));
    else
        return guest_setting_bad(error, row->key, "\"%s\" is not one of ro, rw, cdrom, xvda ... xvdz, hda ... hdd.",
                                 option);
    return TRUE;
}

/* "image:" and the name of an image, or a path with an optional "phy:", "phy ", "file:" or "file " before it. */
static gboolean read_target(const struct guest_setting *row, struct guest_disk *disk, const char *text, GError **error)
{
    static const char *const prefixes[] = {"phy:", "phy ", "file:", "file "};
    disk->pooled = g_str_has_prefix(text, GUEST_IMAGE);
    if (disk->pooled && !image_name_valid(text + strlen(GUEST_IMAGE)))
        return guest_setting_bad(error, row->key, "\"%s\" cannot be the name of an image.", text + strlen(GUEST_IMAGE));
    if (disk->pooled) {
        set_text(&disk->target, text + strlen(GUEST_IMAGE));
        return TRUE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (g_str_has_prefix(text, prefixes[i])) {
            text += strlen(prefixes[i]);
            break;
        }
    }
    return read_path(row, &disk->target, text, error);
}

/* Two disks with one name, or with one image that one of them writes. */
static gboolean check_clash(const struct guest_setting *row, const struct guest_disk *disk,
                            const struct guest_disk *other, GError **error)
{
    if (g_str_equal(other->vdev, disk->vdev))
        return guest_setting_bad(error, row->key, "two disks are both called %s.", disk->vdev);
    if (disk->pooled && other->pooled && g_str_equal(disk->target, other->target) &&
        !(disk->read_only && other->read_only))
        return guest_setting_bad(error, row->key, "the image %s is there twice, and not ro both times.", disk->target);
    return TRUE;
}

/* One disk: what it is, then options after commas. */
static gboolean read_one_disk(const struct guest_setting *row, GPtrArray *disks, const char *text, GError **error)
{
    struct guest_disk *disk = g_new0(struct guest_disk, 1);
    g_snprintf(disk->vdev, sizeof(disk->vdev), "xvd%c", 'a' + (int)disks->len);
    g_ptr_array_add(disks, disk);
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    if (!read_target(row, disk, g_strstrip(parts[0]), error))
        return FALSE;
    for (gsize i = 1; parts[i]; i++) {
        if (!disk_option(row, disk, g_strstrip(parts[i]), error))
            return FALSE;
    }
    for (guint i = 0; i + 1 < disks->len; i++) {
        if (!check_clash(row, disk, g_ptr_array_index(disks, i), error))
            return FALSE;
    }
    return TRUE;
}

static void clear_disks(gpointer field)
{
    g_clear_pointer((GPtrArray **)field, g_ptr_array_unref);
}

static gboolean read_disks(const struct guest_setting *row, gpointer field, const char *value, GError **error)
{
    g_autoptr(GPtrArray) disks = disks_new();
    g_auto(GStrv) texts = g_strsplit(value, ";", -1);
    for (gsize i = 0; texts[i]; i++) {
        const char *text = g_strstrip(texts[i]);
        if (!*text)
            continue;
        if (disks->len == DISKS_MAX)
            return guest_setting_bad(error, row->key, "there are more than %d disks.", DISKS_MAX);
        if (!read_one_disk(row, disks, text, error))
            return FALSE;
    }
    clear_disks(field);
    *(GPtrArray **)field = g_steal_pointer(&disks);
    return TRUE;
}

static char *write_disks(const struct guest_setting *row, gconstpointer field)
{
    const GPtrArray *disks = *(GPtrArray *const *)field;
    GString *text = g_string_new(NULL);
    (void)row;
    for (guint i = 0; i < disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(disks, i);
        const char *access = disk->read_only ? ",ro" : ",rw";
        g_string_append_printf(text, "%s%s%s,%s%s%s", i ? "; " : "", disk->pooled ? GUEST_IMAGE : "", disk->target,
                               disk->vdev, disk->cdrom ? ",cdrom" : "", disk->read_only == disk->cdrom ? "" : access);
    }
    return g_string_free(text, FALSE);
}

static gboolean equal_disks(gconstpointer a, gconstpointer b)
{
    const GPtrArray *left = *(GPtrArray *const *)a, *right = *(GPtrArray *const *)b;
    if (left->len != right->len)
        return FALSE;
    for (guint i = 0; i < left->len; i++) {
        const struct guest_disk *one = g_ptr_array_index(left, i), *other = g_ptr_array_index(right, i);
        if (!g_str_equal(one->target, other->target) || !g_str_equal(one->vdev, other->vdev) ||
            !one->pooled != !other->pooled || one->read_only != other->read_only || one->cdrom != other->cdrom)
            return FALSE;
    }
    return TRUE;
}

static void own_disks(gpointer field)
{
    GPtrArray **disks = field;
    const GPtrArray *from = *disks;
    *disks = disks_new();
    for (guint i = 0; i < from->len; i++) {
        struct guest_disk *disk = g_memdup2(g_ptr_array_index(from, i), sizeof(*disk));
        disk->target = g_strdup(disk->target);
        g_ptr_array_add(*disks, disk);
    }
}

const struct guest_kind guest_kind_text = {read_text, write_text, equal_text, own_text, clear_text};
const struct guest_kind guest_kind_path = {read_path, write_text, equal_text, own_text, clear_text};
const struct guest_kind guest_kind_network = {read_network, write_network, equal_text, own_text, clear_text};
const struct guest_kind guest_kind_number = {read_number, write_number, equal_number, NULL, NULL};
const struct guest_kind guest_kind_word = {read_word, write_word, equal_number, NULL, NULL};
const struct guest_kind guest_kind_switch = {read_switch, write_switch, equal_switch, NULL, NULL};
const struct guest_kind guest_kind_colour = {read_colour, write_colour, equal_number, NULL, NULL};
const struct guest_kind guest_kind_mac = {read_mac, write_mac, equal_mac, NULL, clear_mac};
const struct guest_kind guest_kind_uuid = {read_uuid, write_uuid, equal_uuid, NULL, clear_uuid};
const struct guest_kind guest_kind_disks = {read_disks, write_disks, equal_disks, own_disks, clear_disks};
