/* A key file with three lines, each of which is made anew if it does not say what it should. */
#include "guest_identity.h"
#include "errors.h"
#include "guest_setting.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/random.h>

#define GROUP "identity"

/* The settings of a definition that say the same are written the same. */
static const struct guest_part {
    const char *key;
    const struct guest_kind *kind;
    gsize offset, size; /* of the field in struct guest_config */
} parts[] = {
    {"mac", &guest_kind_mac, offsetof(struct guest_config, mac), sizeof(((struct guest_config *)NULL)->mac)},
    {"uuid", &guest_kind_uuid, offsetof(struct guest_config, uuid), sizeof(((struct guest_config *)NULL)->uuid)},
    {"generation", &guest_kind_uuid, offsetof(struct guest_config, generation),
     sizeof(((struct guest_config *)NULL)->generation)},
};

static const guint8 none[16];

/* As the standards mark what was made by chance: a unicast address that no maker has, a UUID of version 4 (RFC 4122).
 */
static void make(const struct guest_part *part, guint8 *field)
{
    if (getrandom(field, part->size, 0) != (ssize_t)part->size)
        g_error("The kernel gives no random numbers.");
    if (part->kind == &guest_kind_mac) {
        field[0] =
            (guint8)((field[0] & 0x3c) | 0x02); /* below 0x40: a bridge takes the smallest address of its ports, */
        return;                                 /* and back ends have fe:ff:ff:ff:ff:ff */
    }
    field[6] = (guint8)((field[6] & 0x0f) | 0x40);
    field[8] = (guint8)((field[8] & 0x3f) | 0x80);
}

/* What the file says of a part, or something new; TRUE: the latter. */
static gboolean read_or_make(GKeyFile *file, const struct guest_part *part, guint8 *field)
{
    const struct guest_setting row = {.key = part->key};
    g_autofree char *value = g_key_file_get_string(file, GROUP, part->key, NULL);
    if (value && part->kind->read(&row, field, value, NULL))
        return FALSE;
    make(part, field);
    g_autofree char *text = part->kind->write(&row, field);
    g_key_file_set_string(file, GROUP, part->key, text);
    return TRUE;
}

static gboolean write_file(GKeyFile *file, const char *folder, const char *path, GError **error)
{
    gsize length;
    g_autoptr(GError) cause = NULL;
    g_autofree char *text = g_key_file_to_data(file, &length, NULL);
    if (g_mkdir_with_parents(folder, 0755) == 0 &&
        g_file_set_contents_full(path, text, (gssize)length,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644, &cause))
        return TRUE;
    g_set_error(
        error, RH_ERROR, RH_ERROR_TOOLSTACK,
        "Its card's address and its identity cannot be kept: %s. Make room on the disk, or restart this machine.",
        cause ? cause->message : "there is no folder for them");
    return FALSE;
}

gboolean guest_identity_complete(struct guest_config *config, const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, config->name, NULL);
    g_autoptr(GKeyFile) file = g_key_file_new();
    gboolean made = FALSE;
    g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        guint8 kept[16] = {0}, *field = G_STRUCT_MEMBER_P(config, parts[i].offset);
        made = read_or_make(file, &parts[i], kept) || made;
        if (memcmp(field, none, parts[i].size) == 0)
            memcpy(field, kept, parts[i].size);
    }
    return !made || write_file(file, folder, path, error);
}

gboolean guest_identity_new_generation(const char *folder, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GKeyFile) file = g_key_file_new();
    guint8 generation[16];
    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
        return TRUE; /* it has never run */
    g_key_file_remove_key(file, GROUP, "generation", NULL);
    read_or_make(file, &parts[2], generation);
    return write_file(file, folder, path, error);
}

void guest_identity_forget(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_unlink(path);
}
