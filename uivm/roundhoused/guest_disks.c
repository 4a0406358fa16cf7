/* From the words of CreateGuest to images. */
#include "guest_disks.h"
#include "errors.h"
#include "image_users.h"
#include "passed_file.h"
#include "storage/image.h"

#include <string.h>
#include <unistd.h>

struct new_disk {
    char *image;  /* its name */
    char *clone;  /* of that image; NULL: not */
    int file;     /* of what is in it; -1: not */
    guint64 size; /* 0: that of what it is made of */
};

struct guest_disks {
    GPtrArray *list; /* struct new_disk */
};

static void disk_free(gpointer data)
{
    struct new_disk *disk = data;
    if (disk->file >= 0)
        close(disk->file);
    g_free(disk->image);
    g_free(disk->clone);
    g_free(disk);
}

void guest_disks_free(gpointer data)
{
    struct guest_disks *disks = data;
    if (!disks)
        return;
    g_ptr_array_unref(disks->list);
    g_free(disks);
}

gboolean guest_disks_none(const struct guest_disks *disks)
{
    return !disks->list->len;
}

/* ---- reading ---- */

static gboolean bad(GError **error, guint number, const char *what)
{
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "Disk %u cannot be made. %s", number, what);
    return FALSE;
}

static gboolean read_word(GDBusMethodInvocation *invocation, struct new_disk *disk, const char *key, GVariant *value,
                          GError **error)
{
    if (g_str_equal(key, "size") && g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64)) {
        disk->size = g_variant_get_uint64(value);
        return disk->size > 0;
    }
    if (g_str_equal(key, "clone") && g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
        disk->clone = g_variant_dup_string(value, NULL);
        return TRUE;
    }
    if (g_str_equal(key, "import") && g_variant_is_of_type(value, G_VARIANT_TYPE_HANDLE)) {
        disk->file = passed_file_take(invocation, g_variant_get_handle(value), FALSE, error);
        return disk->file >= 0;
    }
    return FALSE;
}

static gboolean read_disk(GDBusMethodInvocation *invocation, GVariant *words, struct new_disk *disk, guint number,
                          GError **error)
{
    g_autoptr(GError) cause = NULL;
    GVariantIter iter;
    const char *key;
    GVariant *value;
    gboolean good = TRUE;
    g_variant_iter_init(&iter, words);
    while (good && g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        good = read_word(invocation, disk, key, value, &cause);
        g_variant_unref(value);
    }
    if (!good)
        return bad(error, number,
                   cause ? cause->message
                         : "Give size in bytes as t, the name of an image as clone, or a file as import.");
    if (disk->clone && disk->file >= 0)
        return bad(error, number, "It cannot be both a clone and an import.");
    return disk->size || disk->clone || disk->file >= 0 || bad(error, number, "Give its size, in bytes.");
}

struct guest_disks *guest_disks_read(GDBusMethodInvocation *invocation, GVariant *words, GError **error)
{
    struct guest_disks *disks = g_new(struct guest_disks, 1);
    gboolean good = TRUE;
    disks->list = g_ptr_array_new_with_free_func(disk_free);
    for (guint i = 0; good && i < g_variant_n_children(words); i++) {
        g_autoptr(GVariant) one = g_variant_get_child_value(words, i);
        struct new_disk *disk = g_new(struct new_disk, 1);
        *disk = (struct new_disk){NULL, NULL, -1, 0};
        g_ptr_array_add(disks->list, disk);
        good = read_disk(invocation, one, disk, i + 1, error);
    }
    if (good)
        return disks;
    guest_disks_free(disks);
    return NULL;
}

/* ---- names ---- */

static gboolean is_taken(const struct guest_config *config, GString *text, const char *vdev)
{
    g_autofree char *word = g_strconcat(",", vdev, NULL);
    for (guint i = 0; i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        if (g_str_equal(disk->vdev, vdev))
            return TRUE;
    }
    return strstr(text->str, word) != NULL;
}

/* A PC's firmware boots IDE disks alone. The third is the CD drive's place. */
static const char *free_vdev(const struct guest_config *config, GString *text)
{
    static const char *const names[] = {"hda",  "hdb",  "hdd",  "xvda", "xvdb", "xvdc", "xvdd", "xvde", "xvdf", "xvdg",
                                        "xvdh", "xvdi", "xvdj", "xvdk", "xvdl", "xvdm", "xvdn", "xvdo", "xvdp", "xvdq",
                                        "xvdr", "xvds", "xvdt", "xvdu", "xvdv", "xvdw", "xvdx", "xvdy", "xvdz"};
    const gsize first_virtual = 3, after_ide = 7; /* hda and xvda are one disk to some systems */
    for (gsize i = config->type == GUEST_HVM ? 0 : first_virtual; i < G_N_ELEMENTS(names); i++) {
        gboolean clashes = config->type == GUEST_HVM && i >= first_virtual && i < after_ide;
        if (!clashes && !is_taken(config, text, names[i]))
            return names[i];
    }
    return names[G_N_ELEMENTS(names) - 1]; /* which is there twice, and that is refused where disks are read */
}

char *guest_disks_setting(struct guest_disks *disks, const struct guest_config *config)
{
    g_autofree char *before = guest_config_text(config, "disk");
    GString *text = g_string_new(before);
    for (guint i = 0; i < disks->list->len; i++) {
        struct new_disk *disk = g_ptr_array_index(disks->list, i);
        g_free(disk->image);
        disk->image = i ? g_strdup_printf("%s-%u", config->name, i + 1) : g_strdup(config->name);
        g_string_append_printf(text, "%s" GUEST_IMAGE "%s,%s", text->len ? "; " : "", disk->image,
                               free_vdev(config, text));
    }
    return g_string_free(text, FALSE);
}

/* ---- making ---- */

/* One disk's part of the whole. */
struct portion {
    const struct convert_watch *whole;
    guint number, count;
};

static void tell(double part, gpointer data)
{
    const struct portion *portion = data;
    if (portion->whole->progress)
        portion->whole->progress((portion->number + part) / portion->count, portion->whole->user);
}

static gboolean grow(struct pool *pool, const struct new_disk *disk, GError **error)
{
    if (!disk->size || image_grow(pool, disk->image, disk->size, error))
        return TRUE;
    image_delete(pool, disk->image, NULL);
    return FALSE;
}

static gboolean make_disk(struct pool *pool, const struct new_disk *disk, const struct convert_watch *watch,
                          GError **error)
{
    if (g_cancellable_set_error_if_cancelled(watch->cancellable, error))
        return FALSE;
    if (disk->clone)
        return image_clone(pool, disk->clone, disk->image, error) && grow(pool, disk, error);
    if (disk->file < 0)
        return image_create(pool, disk->image, disk->size, error);
    g_autofree char *path = passed_file_path(disk->file);
    return image_import(pool, disk->image, path, watch, error) && grow(pool, disk, error);
}

static void drop(struct pool *pool, const struct guest_disks *disks, guint count)
{
    for (guint i = 0; i < count; i++) {
        const struct new_disk *disk = g_ptr_array_index(disks->list, i);
        g_autoptr(GError) error = NULL;
        if (!image_delete(pool, disk->image, &error))
            g_warning("The image %s of a guest that was not made stays: %s", disk->image, error->message);
    }
}

gboolean guest_disks_make(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    const struct guest_disks *disks = data;
    image_claim(pool);
    for (guint i = 0; i < disks->list->len; i++) {
        struct portion portion = {watch, i, disks->list->len};
        const struct convert_watch part = {tell, &portion, watch->cancellable};
        if (!make_disk(pool, g_ptr_array_index(disks->list, i), &part, error)) {
            drop(pool, disks, i);
            return FALSE;
        }
        tell(1, &portion);
    }
    return TRUE;
}

gboolean guest_disks_settle(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    const struct guest_disks *disks = data;
    gboolean good = TRUE;
    (void)watch;
    for (guint i = 0; i < disks->list->len; i++) {
        const struct new_disk *disk = g_ptr_array_index(disks->list, i);
        good = image_settle(pool, disk->image, good ? error : NULL) && good;
    }
    return good;
}

gboolean guest_disks_drop(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    const struct guest_disks *disks = data;
    (void)watch, (void)error;
    drop(pool, disks, disks->list->len);
    return TRUE;
}

/* ---- what an earlier service left ---- */

void guest_disks_settle_all(const char *pool_path, const GPtrArray *guests)
{
    struct pool *pool = pool_open(pool_path, NULL);
    g_autoptr(GPtrArray) claimed = pool ? image_list_claimed(pool) : g_ptr_array_new();
    for (guint i = 0; i < claimed->len; i++) {
        const char *image = g_ptr_array_index(claimed, i);
        g_autofree char *users = image_users(guests, image, NULL);
        g_autoptr(GError) error = NULL;
        if (!(users ? image_settle(pool, image, &error) : image_delete(pool, image, &error)))
            g_warning("%s", error->message);
    }
    pool_close(pool);
}
