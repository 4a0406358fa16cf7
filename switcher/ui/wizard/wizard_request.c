/* From answers to the arguments of CreateGuest. */
#include "wizard_request.h"
#include "wizard_private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define SLOT_MAX 9

static void put_text(GVariantDict *settings, const char *key, const char *text)
{
    g_variant_dict_insert(settings, key, "s", text);
}

static void put_number(GVariantDict *settings, const char *key, guint number)
{
    g_variant_dict_insert(settings, key, "u", number);
}

static guint free_slot(const struct wizard *wizard)
{
    for (guint slot = 1; slot <= SLOT_MAX; slot++) {
        if (!(wizard->facts.slots & 1u << slot))
            return slot;
    }
    return 0;
}

/* A PC, started by its firmware: whatever system it is, it finds what it knows. */
static void put_pc(const struct wizard *wizard, GVariantDict *settings)
{
    put_text(settings, "type", "hvm");
    put_text(settings, "firmware", wizard_value(wizard, WIZARD_UEFI) ? "uefi" : "bios");
    if (wizard_value(wizard, WIZARD_WINDOWS)) {
        put_text(settings, "clock", "local");
        g_variant_dict_insert(settings, "viridian", "b", TRUE);
    }
    if (wizard->source == WIZARD_DISC)
        put_text(settings, "cdrom", wizard->file.path);
    if (wizard->source == WIZARD_NETWORK) {
        put_text(settings, "kernel", wizard->facts.installer_kernel);
        put_text(settings, "ramdisk", wizard->facts.installer_ramdisk);
    }
}

/* A clone is as its origin, but for what only one guest can have, and what the person was asked. */
static GVariantDict *begin_settings(const struct wizard *wizard)
{
    static const char *const own[] = {"name", "slot", "colour", "mac", "uuid", "disk", "autostart"};
    GVariantDict *settings = g_variant_dict_new(wizard_origin_settings(wizard));
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++)
        g_variant_dict_remove(settings, own[i]);
    return settings;
}

static GVariant *make_settings(struct wizard *wizard)
{
    GVariantDict *settings = begin_settings(wizard);
    guint slot = free_slot(wizard);
    put_text(settings, "name", wizard_name(wizard));
    if (slot)
        put_number(settings, "slot", slot);
    put_number(settings, "memory_mib", wizard_value(wizard, WIZARD_MEMORY_MIB));
    put_number(settings, "vcpus", wizard_value(wizard, WIZARD_PROCESSORS));
    put_text(settings, "network", wizard_value(wizard, WIZARD_CONNECTED) ? "bridge" : "none");
    if (wizard->source != WIZARD_CLONE)
        put_pc(wizard, settings);
    GVariant *made = g_variant_dict_end(settings);
    g_variant_dict_unref(settings);
    return made;
}

static GVariant *disk(const char *kind, GVariant *what, guint64 bytes)
{
    GVariantDict dict;
    g_variant_dict_init(&dict, NULL);
    if (what)
        g_variant_dict_insert_value(&dict, kind, what);
    if (bytes)
        g_variant_dict_insert(&dict, "size", "t", bytes);
    return g_variant_dict_end(&dict);
}

/* Opened here, with the switcher's own rights; what is handed on cannot be another file than that which was looked at
 * by now. */
static gboolean add_import(const struct wizard *wizard, GVariantBuilder *disks, GUnixFDList *files, GError **error)
{
    const struct medium *medium = &wizard->file.medium;
    guint64 wanted = wizard_value(wizard, WIZARD_DISK_GIB) * GIB;
    int fd = open(wizard->file.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct medium now;
    if (fd < 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    "%s cannot be opened any more: %s. Go back and choose a file again.", wizard->file.path,
                    g_strerror(errno));
        return FALSE;
    }
    gboolean same = medium_read(fd, &now, NULL) && now.kind == medium->kind && now.bytes == medium->bytes;
    int handle = same ? g_unix_fd_list_append(files, fd, error) : -1;
    close(fd);
    if (!same)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s has changed. Go back and choose a file again.",
                    wizard->file.path);
    if (handle < 0)
        return FALSE;
    gboolean larger = medium->disk_bytes && wanted > (medium->disk_bytes + GIB - 1) / GIB * GIB;
    g_variant_builder_add_value(disks, disk("import", g_variant_new_handle(handle), larger ? wanted : 0));
    return TRUE;
}

static void add_clones(const struct wizard *wizard, GVariantBuilder *disks)
{
    const char *text = "";
    g_variant_lookup(wizard_origin_settings(wizard), "disk", "&s", &text);
    g_auto(GStrv) texts = g_strsplit(text, ";", -1);
    for (guint i = 0; texts[i]; i++) {
        char *name = g_strstrip(texts[i]) + strlen("image:");
        name[strcspn(name, ",")] = '\0';
        g_variant_builder_add_value(disks, disk("clone", g_variant_new_string(name), 0));
    }
}

gboolean wizard_request_make(struct wizard *wizard, struct wizard_request *request, GError **error)
{
    GVariantBuilder disks;
    char *sentence = NULL;
    *request = (struct wizard_request){0};
    if (wizard_check(wizard, WIZARD_PAGE_SUMMARY, &sentence) > WIZARD_HINT) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, sentence);
        g_free(sentence);
        return FALSE;
    }
    g_free(sentence);
    g_autoptr(GUnixFDList) files = g_unix_fd_list_new();
    g_variant_builder_init(&disks, G_VARIANT_TYPE("aa{sv}"));
    if (wizard->source == WIZARD_CLONE)
        add_clones(wizard, &disks);
    else if (wizard->source != WIZARD_IMAGE)
        g_variant_builder_add_value(&disks, disk(NULL, NULL, wizard_value(wizard, WIZARD_DISK_GIB) * GIB));
    else if (!add_import(wizard, &disks, files, error)) {
        g_variant_builder_clear(&disks);
        return FALSE;
    }
    request->name = g_strdup(wizard_name(wizard));
    request->files = g_steal_pointer(&files);
    request->arguments =
        g_variant_ref_sink(g_variant_new("(@a{sv}@aa{sv})", make_settings(wizard), g_variant_builder_end(&disks)));
    if (wizard->source == WIZARD_NETWORK)
        request->then = g_variant_ref_sink(g_variant_new_parsed("({'kernel': <''>, 'ramdisk': <''>},)"));
    return TRUE;
}

void wizard_request_clear(struct wizard_request *request)
{
    g_clear_pointer(&request->name, g_free);
    g_clear_pointer(&request->arguments, g_variant_unref);
    g_clear_pointer(&request->then, g_variant_unref);
    g_clear_object(&request->files);
}
