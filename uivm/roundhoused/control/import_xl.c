/* Configurations of xl: xl.cfg(5), xl-disk-configuration(5), xl-network-configuration(5). */
#include "import.h"

#include <gio/gio.h>
#include <string.h>

/* ---- the language: NAME = VALUE, where a value is a text in quotes, a number, or a list of these in brackets ---- */

struct reader {
    const char *at;
    int line;
};

/* White space and comments; between definitions and in lists also ends of lines. */
static void skip(struct reader *reader, gboolean lines)
{
    for (;; reader->at++) {
        if (*reader->at == '#')
            reader->at += strcspn(reader->at, "\n");
        if (*reader->at == '\n' && lines)
            reader->line++;
        else if (!*reader->at || !strchr(lines ? " \t\r;" : " \t\r", *reader->at))
            return;
    }
}

/* NULL: there is none. A text ends on its line. */
static char *read_value(struct reader *reader)
{
    char quote = *reader->at;
    if (quote != '"' && quote != '\'') {
        gsize length = strcspn(reader->at, " \t\r\n,;]#");
        char *number = length ? g_strndup(reader->at, length) : NULL;
        reader->at += length;
        return number;
    }
    const char *end = reader->at + 1 + strcspn(reader->at + 1, quote == '"' ? "\"\n" : "'\n");
    if (*end != quote)
        return NULL;
    char *text = g_strndup(reader->at + 1, (gsize)(end - reader->at - 1));
    reader->at = end + 1;
    return text;
}

/* One value, or those of a list; NULL: there is none. */
static GPtrArray *read_values(struct reader *reader)
{
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
    gboolean list = *reader->at == '[';
    reader->at += list;
    do {
        skip(reader, list);
        if (list && *reader->at == ']')
            break;
        char *value = read_value(reader);
        if (!value)
            return NULL;
        g_ptr_array_add(values, value);
        skip(reader, list);
    } while (list && *reader->at == ',' && reader->at++);
    if (list && *reader->at != ']')
        return NULL;
    reader->at += list;
    return g_steal_pointer(&values);
}

/* ---- disks and network cards ---- */

struct disk {
    char *target, *vdev;
    const char *format;
    gboolean read_only, cdrom;
};

static void named_part(struct disk *disk, const char *key, const char *value)
{
    if (g_str_equal(key, "target")) {
        g_free(disk->target);
        disk->target = g_strdup(value);
    } else if (g_str_equal(key, "vdev")) {
        g_free(disk->vdev);
        disk->vdev = g_strdup(value);
    } else if (g_str_equal(key, "format")) {
        disk->format = g_intern_string(value);
    } else if (g_str_equal(key, "access")) {
        disk->read_only = value[0] == 'r' && !g_str_equal(value, "rw");
    } else if (g_str_equal(key, "devtype")) {
        disk->cdrom = g_str_equal(value, "cdrom");
    }
}

/* TARGET,FORMAT,VDEV,ACCESS in this order; or TARGET,VDEV,ACCESS after an old prefix (phy:). */
static void placed_part(struct disk *disk, const char *value, guint *place, gboolean old)
{
    static const char *const order[] = {"target", "format", "vdev", "access"};
    if (g_str_equal(value, "cdrom")) {
        disk->cdrom = TRUE;
        return;
    }
    if (*place < G_N_ELEMENTS(order) && (*value || *place != 1))
        named_part(disk, order[*place], value);
    *place += *place == 0 && old ? 2 : 1;
}

static char *without_cdrom(const char *vdev, gboolean *cdrom)
{
    const char *colon = strchr(vdev, ':');
    *cdrom = *cdrom || (colon && g_str_equal(colon, ":cdrom"));
    return colon ? g_strndup(vdev, (gsize)(colon - vdev)) : g_strdup(vdev);
}

static void disk_of(struct import *import, int line, const char *text)
{
    static const char *const prefixes[] = {"phy:", "file:", "raw:"};
    struct disk disk = {.format = "raw"};
    gboolean old = FALSE;
    guint place = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(prefixes) && !old; i++) {
        old = g_str_has_prefix(text, prefixes[i]);
        text += old ? strlen(prefixes[i]) : 0;
    }
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    for (gsize i = 0; parts[i]; i++) {
        char *equals = strchr(g_strstrip(parts[i]), '=');
        if (equals) {
            *equals = '\0';
            named_part(&disk, g_strstrip(parts[i]), g_strstrip(equals + 1));
        } else {
            placed_part(&disk, parts[i], &place, old);
        }
    }
    g_autofree char *vdev = disk.vdev ? without_cdrom(disk.vdev, &disk.cdrom) : NULL;
    if (!g_str_equal(disk.format, "raw"))
        import_leave_out(import, line, "the disk \"%s\": an image must be raw; \"qemu-img convert -O raw\" makes one.",
                         text);
    else if (!disk.target || !*disk.target)
        import_leave_out(import, line, "the disk \"%s\" names no image; an empty drive has no place here.", text);
    else
        import_add_disk(import, line, disk.target, vdev, disk.read_only, disk.cdrom);
    g_free(disk.target);
    g_free(disk.vdev);
}

static void card_of(struct import *import, int line, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    if (g_variant_dict_contains(&import->settings, "network")) {
        import_leave_out(import, line, "the network card \"%s\": a guest has one.", text);
        return;
    }
    import_set(import, "network", "bridge");
    for (gsize i = 0; parts[i]; i++) {
        const char *part = g_strstrip(parts[i]);
        if (g_str_has_prefix(part, "mac="))
            import_set(import, "mac", part + strlen("mac="));
        else if (g_str_has_prefix(part, "bridge="))
            import_set(import, "network", part + strlen("bridge="));
        else if (*part)
            import_leave_out(import, line, "\"%s\" of the network card.", part);
    }
}

/* ---- names ---- */

static void builder(struct import *import, int line, const char *value)
{
    (void)line;
    import_set(import, "type", g_str_equal(value, "hvm") ? "hvm" : "pv");
}

static void firmware(struct import *import, int line, const char *value)
{
    if (g_str_equal(value, "ovmf") || g_str_equal(value, "uefi"))
        import_set(import, "firmware", "uefi");
    else if (!g_str_equal(value, "seabios") && !g_str_equal(value, "bios"))
        import_leave_out(import, line, "the firmware \"%s\".", value);
}

static void root(struct import *import, int line, const char *value)
{
    const char *rest = "";
    (void)line;
    g_variant_dict_lookup(&import->settings, "cmdline", "&s", &rest);
    g_autofree char *cmdline = g_strdup_printf("root=%s%s%s", value, *rest ? " " : "", rest);
    import_set(import, "cmdline", cmdline);
}

static void extra(struct import *import, int line, const char *value)
{
    const char *rest = "";
    (void)line;
    g_variant_dict_lookup(&import->settings, "cmdline", "&s", &rest);
    g_autofree char *cmdline = g_strdup_printf("%s%s%s", rest, *rest ? " " : "", value);
    import_set(import, "cmdline", cmdline);
}

static const struct {
    const char *name;
    const char *setting; /* of the same meaning; else take says what it means */
    void (*take)(struct import *import, int line, const char *value);
} names[] = {
    {"name", "name", NULL},     {"memory", "memory_mib", NULL}, {"vcpus", "vcpus", NULL},     {"type", "type", NULL},
    {"kernel", "kernel", NULL}, {"ramdisk", "ramdisk", NULL},   {"cmdline", "cmdline", NULL}, {"boot", "boot", NULL},
    {"builder", NULL, builder}, {"firmware", NULL, firmware},   {"bios", NULL, firmware},     {"root", NULL, root},
    {"extra", NULL, extra},     {"disk", NULL, disk_of},        {"vif", NULL, card_of},
};

static void take(struct import *import, int line, const char *name, GPtrArray *values)
{
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!g_str_equal(name, names[i].name))
            continue;
        for (guint v = 0; v < values->len; v++) {
            if (names[i].setting)
                import_set(import, names[i].setting, g_ptr_array_index(values, v));
            else
                names[i].take(import, line, g_ptr_array_index(values, v));
        }
        return;
    }
    import_leave_out(import, line, "\"%s\" has no meaning here.", name);
}

gboolean import_xl(struct import *import, const char *text, GError **error)
{
    struct reader reader = {text, 1};
    for (skip(&reader, TRUE); *reader.at; skip(&reader, TRUE)) {
        gsize length = strspn(reader.at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
        int line = reader.line;
        g_autofree char *name = g_strndup(reader.at, length);
        reader.at += length;
        skip(&reader, FALSE);
        gboolean equals = *reader.at == '=';
        reader.at += equals;
        skip(&reader, FALSE);
        g_autoptr(GPtrArray) values = length && equals ? read_values(&reader) : NULL;
        skip(&reader, FALSE);
        if (!values || (*reader.at && *reader.at != '\n' && *reader.at != ';')) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "Line %d is not NAME = VALUE.", line);
            return FALSE;
        }
        take(import, line, name, values);
    }
    return TRUE;
}
