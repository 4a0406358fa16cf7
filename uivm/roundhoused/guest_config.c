/* Reading guest definitions. One table says which keys exist and who reads each. */
#include "guest_config.h"
#include "errors.h"

#include <string.h>

#define GROUP          "guest"
#define MEMORY_MIB_MIN 32
#define MEMORY_MIB_MAX (1024 * 1024)
#define VCPUS_MAX      32
#define CMDLINE_MAX    1023 /* start_info carries 1,024 bytes: xen/xen.h MAX_GUEST_CMDLINE */
#define BRIDGE_MAX     15   /* IFNAMSIZ - 1 */
#define DISKS_MAX      26
#define DEFAULT_BRIDGE "xenbr0" /* what network=bridge means; the service machine's cards are its ports */

/* Told apart by eye on a dark screen, also with the common forms of colour blindness. */
static const guint32 slot_colours[GUEST_SLOT_MAX + 1] = {0,        0x4c9be8, 0xe8a33d, 0x5fb878, 0xd66ba0,
                                                         0x9b7fe6, 0x3fc1c0, 0xe2725b, 0xc9c14a, 0x9aa5b1};

static gboolean bad(GError **error, const char *key, const char *format, ...) G_GNUC_PRINTF(3, 4);

static gboolean bad(GError **error, const char *key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "%s: %s", key, text);
    return FALSE;
}

static gboolean read_number(const char *key, const char *value, guint64 min, guint64 max, guint *out, GError **error)
{
    guint64 number;
    if (!g_ascii_string_to_unsigned(value, 10, min, max, &number, NULL))
        return bad(error, key, "\"%s\" is not a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ".", value,
                   min, max);
    *out = (guint)number;
    return TRUE;
}

static gboolean read_path(const char *key, const char *value, char **out, GError **error)
{
    if (!g_path_is_absolute(value))
        return bad(error, key, "\"%s\" must be a whole path that begins with /.", value);
    g_free(*out);
    *out = g_strdup(value);
    return TRUE;
}

static gboolean read_name(struct guest_config *config, const char *value, GError **error)
{
    const char *rest = value + strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    if (!g_ascii_isalnum(value[0]) || *rest || strlen(value) > GUEST_NAME_MAX)
        return bad(error, "name",
                   "\"%s\" must begin with a letter or digit, hold only letters, digits, dots, dashes and "
                   "underscores, and be at most %d long.",
                   value, GUEST_NAME_MAX);
    if (g_str_equal(value, "Domain-0"))
        return bad(error, "name", "\"Domain-0\" is the name of the service machine itself; choose another.");
    g_free(config->name);
    config->name = g_strdup(value);
    return TRUE;
}

static gboolean read_slot(struct guest_config *config, const char *value, GError **error)
{
    return read_number("slot", value, GUEST_SLOT_MIN, GUEST_SLOT_MAX, &config->slot, error);
}

static gboolean read_colour(struct guest_config *config, const char *value, GError **error)
{
    guint64 rgb;
    if (value[0] != '#' || strlen(value) != 7 || !g_ascii_string_to_unsigned(value + 1, 16, 0, 0xffffff, &rgb, NULL))
        return bad(error, "colour", "\"%s\" is not a colour of the form #rrggbb.", value);
    config->colour = (guint32)rgb;
    return TRUE;
}

static gboolean read_type(struct guest_config *config, const char *value, GError **error)
{
    if (g_str_equal(value, "pv"))
        config->type = GUEST_PV;
    else if (g_str_equal(value, "pvh"))
        config->type = GUEST_PVH;
    else if (g_str_equal(value, "hvm"))
        config->type = GUEST_HVM;
    else
        return bad(error, "type", "\"%s\" is not one of pv, pvh, hvm.", value);
    return TRUE;
}

static gboolean read_firmware(struct guest_config *config, const char *value, GError **error)
{
    if (g_str_equal(value, "bios"))
        config->firmware = GUEST_FIRMWARE_BIOS;
    else if (g_str_equal(value, "uefi"))
        config->firmware = GUEST_FIRMWARE_UEFI;
    else
        return bad(error, "firmware", "\"%s\" is not one of bios, uefi.", value);
    return TRUE;
}

static gboolean read_boot(struct guest_config *config, const char *value, GError **error)
{
    if (!*value || strlen(value) > 3 || value[strspn(value, "cdn")])
        return bad(error, "boot", "\"%s\" is not an order of c (disk), d (CD) and n (network), such as dc.", value);
    g_free(config->boot);
    config->boot = g_strdup(value);
    return TRUE;
}

static gboolean read_memory(struct guest_config *config, const char *value, GError **error)
{
    return read_number("memory_mib", value, MEMORY_MIB_MIN, MEMORY_MIB_MAX, &config->memory_mib, error);
}

static gboolean read_vcpus(struct guest_config *config, const char *value, GError **error)
{
    return read_number("vcpus", value, 1, VCPUS_MAX, &config->vcpus, error);
}

static gboolean read_kernel(struct guest_config *config, const char *value, GError **error)
{
    return read_path("kernel", value, &config->kernel, error);
}

static gboolean read_ramdisk(struct guest_config *config, const char *value, GError **error)
{
    return read_path("ramdisk", value, &config->ramdisk, error);
}

static gboolean read_cmdline(struct guest_config *config, const char *value, GError **error)
{
    if (strlen(value) > CMDLINE_MAX)
        return bad(error, "cmdline", "it is %zu characters long; a guest can be given %d.", strlen(value), CMDLINE_MAX);
    g_free(config->cmdline);
    config->cmdline = g_strdup(value);
    return TRUE;
}

static void guest_disk_free(gpointer data)
{
    struct guest_disk *disk = data;
    g_free(disk->target);
    g_free(disk);
}

static gboolean disk_option(struct guest_disk *disk, const char *option, GError **error)
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
        return bad(error, "disk", "\"%s\" is not one of ro, rw, cdrom, xvda ... xvdz, hda ... hdd.", option);
    return TRUE;
}

/* One disk: an optional "phy:", "phy " or "file:", the path, then options after commas. */
static gboolean read_one_disk(struct guest_config *config, const char *text, GError **error)
{
    static const char *const prefixes[] = {"phy:", "phy ", "file:", "file "};
    struct guest_disk *disk = g_new0(struct guest_disk, 1);
    g_snprintf(disk->vdev, sizeof(disk->vdev), "xvd%c", 'a' + (int)config->disks->len);
    g_ptr_array_add(config->disks, disk);
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (g_str_has_prefix(text, prefixes[i])) {
            text += strlen(prefixes[i]);
            break;
        }
    }
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    if (!read_path("disk", g_strstrip(parts[0]), &disk->target, error))
        return FALSE;
    for (gsize i = 1; parts[i]; i++) {
        if (!disk_option(disk, g_strstrip(parts[i]), error))
            return FALSE;
    }
    for (guint i = 0; i + 1 < config->disks->len; i++) {
        const struct guest_disk *other = g_ptr_array_index(config->disks, i);
        if (g_str_equal(other->vdev, disk->vdev))
            return bad(error, "disk", "two disks are both called %s.", disk->vdev);
    }
    return TRUE;
}

static gboolean read_disks(struct guest_config *config, const char *value, GError **error)
{
    g_auto(GStrv) disks = g_strsplit(value, ";", -1);
    for (gsize i = 0; disks[i]; i++) {
        const char *text = g_strstrip(disks[i]);
        if (!*text)
            continue;
        if (config->disks->len == DISKS_MAX)
            return bad(error, "disk", "there are more than %d disks.", DISKS_MAX);
        if (!read_one_disk(config, text, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_network(struct guest_config *config, const char *value, GError **error)
{
    if (!*value || g_str_equal(value, "none"))
        return TRUE;
    if (g_str_equal(value, "bridge"))
        value = DEFAULT_BRIDGE;
    if (strlen(value) > BRIDGE_MAX || strpbrk(value, "/ \t"))
        return bad(error, "network", "\"%s\" cannot be the name of a bridge.", value);
    g_free(config->bridge);
    config->bridge = g_strdup(value);
    return TRUE;
}

static gboolean read_mac(struct guest_config *config, const char *value, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(value, ":", -1);
    gboolean good = g_strv_length(parts) == sizeof(config->mac);
    for (gsize i = 0; good && i < sizeof(config->mac); i++) {
        guint64 byte;
        good = strlen(parts[i]) == 2 && g_ascii_string_to_unsigned(parts[i], 16, 0, 255, &byte, NULL);
        config->mac[i] = good ? (guint8)byte : 0;
    }
    if (!good || (config->mac[0] & 1))
        return bad(error, "mac", "\"%s\" is not the address of a network card, such as 00:16:3e:01:02:03.", value);
    return TRUE;
}

static gboolean read_display(struct guest_config *config, const char *value, GError **error)
{
    if (g_str_equal(value, "fbif"))
        config->display = GUEST_DISPLAY_FBIF;
    else if (g_str_equal(value, "displif"))
        config->display = GUEST_DISPLAY_DISPLIF;
    else if (g_str_equal(value, "none"))
        config->display = GUEST_DISPLAY_NONE;
    else if (g_str_equal(value, "vga"))
        config->display = GUEST_DISPLAY_VGA;
    else
        return bad(error, "display", "\"%s\" is not one of fbif, displif, vga, none.", value);
    return TRUE;
}

static gboolean read_autostart(struct guest_config *config, const char *value, GError **error)
{
    if (g_str_equal(value, "true") || g_str_equal(value, "yes") || g_str_equal(value, "1"))
        config->autostart = TRUE;
    else if (g_str_equal(value, "false") || g_str_equal(value, "no") || g_str_equal(value, "0"))
        config->autostart = FALSE;
    else
        return bad(error, "autostart", "\"%s\" is neither true nor false.", value);
    return TRUE;
}

static const struct {
    const char *key;
    gboolean (*read)(struct guest_config *, const char *value, GError **);
    gboolean required;
} keys[] = {
    {"name", read_name, FALSE},           {"slot", read_slot, TRUE},          {"colour", read_colour, FALSE},
    {"type", read_type, FALSE},           {"memory_mib", read_memory, FALSE}, {"vcpus", read_vcpus, FALSE},
    {"firmware", read_firmware, FALSE},   {"boot", read_boot, FALSE},         {"kernel", read_kernel, FALSE},
    {"ramdisk", read_ramdisk, FALSE},     {"cmdline", read_cmdline, FALSE},   {"disk", read_disks, FALSE},
    {"network", read_network, FALSE},     {"mac", read_mac, FALSE},           {"display", read_display, FALSE},
    {"autostart", read_autostart, FALSE},
};

static gboolean refuse_unknown_keys(GKeyFile *file, GError **error)
{
    g_auto(GStrv) present = g_key_file_get_keys(file, GROUP, NULL, error);
    if (!present)
        return FALSE;
    for (gsize i = 0; present[i]; i++) {
        gsize known = 0;
        while (known < G_N_ELEMENTS(keys) && !g_str_equal(keys[known].key, present[i]))
            known++;
        if (known == G_N_ELEMENTS(keys))
            return bad(error, present[i], "there is no such setting; check its spelling.");
    }
    return TRUE;
}

static gboolean read_keys(struct guest_config *config, GKeyFile *file, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *value = g_key_file_get_string(file, GROUP, keys[i].key, NULL);
        if (!value && keys[i].required)
            return bad(error, keys[i].key, "this setting is missing.");
        if (value && !keys[i].read(config, g_strstrip(value), error))
            return FALSE;
    }
    return TRUE;
}

/* What only goes together with certain types of guest. */
static gboolean check_type(struct guest_config *config, GKeyFile *file, GError **error)
{
    gboolean hvm = config->type == GUEST_HVM;
    if (hvm && !g_key_file_has_key(file, GROUP, "display", NULL))
        config->display = GUEST_DISPLAY_VGA;
    if (!hvm && !config->kernel)
        return bad(error, "kernel", "this setting is missing.");
    if (!hvm && config->display == GUEST_DISPLAY_VGA)
        return bad(error, "display", "\"vga\" is for guests with type=hvm only.");
    if (!hvm && (g_key_file_has_key(file, GROUP, "firmware", NULL) || g_key_file_has_key(file, GROUP, "boot", NULL)))
        return bad(error, "type", "firmware and boot are for guests with type=hvm only.");
    for (guint i = 0; !hvm && i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (disk->cdrom || g_str_has_prefix(disk->vdev, "hd"))
            return bad(error, "disk", "cdrom and hda ... hdd are for guests with type=hvm only.");
    }
    return TRUE;
}

/*
 * A stable address in Xen's own range (00:16:3e), so that the guest's system meets the same card every time.
 */
static void default_mac(struct guest_config *config)
{
    guint32 hash = g_str_hash(config->name);
    const guint8 mac[6] = {0x00, 0x16, 0x3e, (hash >> 16) & 0x7f, (hash >> 8) & 0xff, hash & 0xff};
    memcpy(config->mac, mac, sizeof(mac));
}

static struct guest_config *config_defaults(const char *path)
{
    struct guest_config *config = g_new0(struct guest_config, 1);
    config->path = g_strdup(path);
    config->cmdline = g_strdup("");
    config->boot = g_strdup("cd");
    config->memory_mib = 512;
    config->vcpus = 1;
    config->display = GUEST_DISPLAY_FBIF;
    config->colour = G_MAXUINT32;
    config->disks = g_ptr_array_new_with_free_func(guest_disk_free);
    return config;
}

static gboolean name_from_file(struct guest_config *config, GError **error)
{
    g_autofree char *base = g_path_get_basename(config->path);
    if (g_str_has_suffix(base, ".conf"))
        base[strlen(base) - strlen(".conf")] = '\0';
    return read_name(config, base, error);
}

struct guest_config *guest_config_load(const char *path, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) cause = NULL;
    struct guest_config *config = config_defaults(path);
    static const guint8 no_mac[6];

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &cause) || !refuse_unknown_keys(file, &cause) ||
        !read_keys(config, file, &cause) || !check_type(config, file, &cause) ||
        (!config->name && !name_from_file(config, &cause))) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "%s cannot be used. %s", path, cause->message);
        guest_config_free(config);
        return NULL;
    }
    if (config->colour == G_MAXUINT32)
        config->colour = slot_colours[config->slot];
    if (memcmp(config->mac, no_mac, sizeof(no_mac)) == 0)
        default_mac(config);
    return config;
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_slots(gconstpointer a, gconstpointer b)
{
    const struct guest_config *left = *(struct guest_config *const *)a;
    const struct guest_config *right = *(struct guest_config *const *)b;
    return (int)left->slot - (int)right->slot;
}

static const struct guest_config *find_clash(GPtrArray *configs, const struct guest_config *config)
{
    for (guint i = 0; i < configs->len; i++) {
        const struct guest_config *other = g_ptr_array_index(configs, i);
        if (other->slot == config->slot || g_str_equal(other->name, config->name))
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
                                                  clash->slot == config->slot ? "slot" : "name", clash->path));
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
    g_ptr_array_sort(configs, compare_slots);
    return configs;
}

static gboolean disks_equal(GPtrArray *a, GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        const struct guest_disk *left = g_ptr_array_index(a, i), *right = g_ptr_array_index(b, i);
        if (!g_str_equal(left->target, right->target) || !g_str_equal(left->vdev, right->vdev) ||
            left->read_only != right->read_only || left->cdrom != right->cdrom)
            return FALSE;
    }
    return TRUE;
}

gboolean guest_config_equal(const struct guest_config *a, const struct guest_config *b)
{
    return g_str_equal(a->path, b->path) && g_str_equal(a->name, b->name) && a->slot == b->slot &&
           a->colour == b->colour && a->memory_mib == b->memory_mib && a->vcpus == b->vcpus && a->type == b->type &&
           a->firmware == b->firmware && g_str_equal(a->boot, b->boot) && g_strcmp0(a->kernel, b->kernel) == 0 &&
           g_strcmp0(a->ramdisk, b->ramdisk) == 0 && g_str_equal(a->cmdline, b->cmdline) &&
           disks_equal(a->disks, b->disks) && g_strcmp0(a->bridge, b->bridge) == 0 &&
           memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && a->display == b->display && a->autostart == b->autostart;
}

struct guest_config *guest_config_copy(const struct guest_config *config)
{
    struct guest_config *copy = g_memdup2(config, sizeof(*config));
    copy->path = g_strdup(config->path);
    copy->name = g_strdup(config->name);
    copy->boot = g_strdup(config->boot);
    copy->kernel = g_strdup(config->kernel);
    copy->ramdisk = g_strdup(config->ramdisk);
    copy->cmdline = g_strdup(config->cmdline);
    copy->bridge = g_strdup(config->bridge);
    copy->disks = g_ptr_array_new_with_free_func(guest_disk_free);
    for (guint i = 0; i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        struct guest_disk *disk_copy = g_memdup2(disk, sizeof(*disk));
        disk_copy->target = g_strdup(disk->target);
        g_ptr_array_add(copy->disks, disk_copy);
    }
    return copy;
}

void guest_config_free(struct guest_config *config)
{
    if (!config)
        return;
    g_free(config->path);
    g_free(config->name);
    g_free(config->boot);
    g_free(config->kernel);
    g_free(config->ramdisk);
    g_free(config->cmdline);
    g_ptr_array_unref(config->disks);
    g_free(config->bridge);
    g_free(config);
}
