/* Points and disks, in words. */
#include "points.h"
#include "../plain_text.h"

#include "guest_setting.h"

#define DISK_GIB_MAX 16384

static void point_free(gpointer data)
{
    struct point *point = data;
    g_free(point->label);
    g_free(point);
}

GPtrArray *points_read(GVariant *points)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(point_free);
    for (gsize i = g_variant_n_children(points); i-- > 0;) {
        g_autoptr(GVariant) words = g_variant_get_child_value(points, i);
        const char *label = "";
        struct point point = {0};
        if (!g_variant_lookup(words, "time", "x", &point.time))
            continue;
        g_variant_lookup(words, "label", "&s", &label);
        g_variant_lookup(words, "size", "t", &point.size);
        g_variant_lookup(words, "picture", "b", &point.picture);
        point.label = plain_text(label, PLAIN_LINE_MAX);
        g_ptr_array_add(list, g_memdup2(&point, sizeof(point)));
    }
    return list;
}

static gboolean same_day(GDateTime *one, GDateTime *other)
{
    return g_date_time_get_year(one) == g_date_time_get_year(other) &&
           g_date_time_get_day_of_year(one) == g_date_time_get_day_of_year(other);
}

char *points_time_words(gint64 time, GDateTime *now)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(time / 1000);
    g_autoptr(GDateTime) when = utc ? g_date_time_to_timezone(utc, g_date_time_get_timezone(now)) : NULL;
    g_autoptr(GDateTime) yesterday = g_date_time_add_days(now, -1);
    if (!when)
        return g_strdup("at no time that is known"); /* beyond the year 9999 */
    if (same_day(when, now))
        return g_date_time_format(when, "%H:%M today");
    if (same_day(when, yesterday))
        return g_date_time_format(when, "%H:%M yesterday");
    gboolean this_year = g_date_time_get_year(when) == g_date_time_get_year(now);
    return g_date_time_format(when, this_year ? "%H:%M on %a %-e %B" : "%H:%M on %-e %B %Y");
}

/* ---- disks ---- */

static void disk_free(gpointer data)
{
    struct disk_words *disk = data;
    g_free(disk->name);
    g_free(disk->what);
    g_free(disk->image);
    g_free(disk);
}

/* The image's a{sv}; NULL: it is not in the pool. */
static GVariant *find_image(GVariant *images, const char *name)
{
    for (gsize i = 0; images && i < g_variant_n_children(images); i++) {
        GVariant *image = g_variant_get_child_value(images, i);
        const char *other = NULL;
        if (g_variant_lookup(image, "name", "&s", &other) && g_str_equal(other, name))
            return image;
        g_variant_unref(image);
    }
    return NULL;
}

static char *image_words(const struct guest_disk *disk, GVariant *image, guint64 size)
{
    guint64 used = 0;
    if (!image)
        return g_strdup_printf("Image %s, which is not in the pool", disk->target);
    g_variant_lookup(image, "used", "t", &used);
    g_autofree char *whole = g_format_size_full(size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *taken = g_format_size_full(used, G_FORMAT_SIZE_IEC_UNITS);
    return g_strdup_printf("Image %s, %s, takes %s%s", disk->target, whole, taken,
                           disk->read_only ? ", read only" : "");
}

static struct disk_words *disk_words(const struct guest_disk *disk, GVariant *images)
{
    struct disk_words *words = g_new0(struct disk_words, 1);
    g_autoptr(GVariant) image = disk->pooled ? find_image(images, disk->target) : NULL;
    g_autofree char *what = NULL;
    words->name = g_strdup(disk->vdev);
    words->writes = !disk->read_only;
    words->image = disk->pooled ? g_strdup(disk->target) : NULL;
    if (image)
        g_variant_lookup(image, "size", "t", &words->size);
    if (disk->pooled && images)
        what = image_words(disk, image, words->size);
    else
        what = g_strdup_printf("%s%s%s",
                               disk->pooled  ? "Image "
                               : disk->cdrom ? "CD in a drive of its own, "
                                             : "",
                               disk->target, disk->read_only && !disk->cdrom ? ", read only" : "");
    words->what = plain_text(what, PLAIN_SENTENCE_MAX);
    return words;
}

GPtrArray *disks_read(const char *setting, GVariant *images)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(disk_free), *disks = NULL;
    const struct guest_setting *row = guest_settings;
    while (row->kind != &guest_kind_disks)
        row++;
    if (!row->kind->read(row, &disks, setting, NULL))
        return list;
    for (guint i = 0; i < disks->len; i++)
        g_ptr_array_add(list, disk_words(g_ptr_array_index(disks, i), images));
    g_ptr_array_unref(disks);
    return list;
}

guint64 disk_size_typed(const char *text, guint64 size, char **sentence)
{
    guint64 gib;
    g_autofree char *typed = g_strstrip(g_strdup(text));
    if (!g_ascii_string_to_unsigned(typed, 10, 1, DISK_GIB_MAX, &gib, NULL)) {
        *sentence = g_strdup_printf("Type a number of GiB, from 1 to %d.", DISK_GIB_MAX);
        return 0;
    }
    if (gib << 30 > size)
        return gib << 30;
    g_autofree char *now = g_format_size_full(size, G_FORMAT_SIZE_IEC_UNITS);
    *sentence = g_strdup_printf("It has %s now, and cannot be made smaller. Type a larger number.", now);
    return 0;
}

/* ---- what is lost ---- */

static gboolean is_its_own(const struct disk_words *disk, const char *guest, GVariant *images)
{
    g_autoptr(GVariant) image = disk->image && disk->writes ? find_image(images, disk->image) : NULL;
    const char *users = NULL;
    return image && (!g_variant_lookup(image, "guest", "&s", &users) || g_str_equal(users, guest) || !*users);
}

char *disks_loss_words(const char *guest, GPtrArray *disks, GVariant *images)
{
    GString *names = g_string_new(NULL);
    guint count = 0;
    for (guint i = 0; i < disks->len; i++) {
        const struct disk_words *disk = g_ptr_array_index(disks, i);
        if (!is_its_own(disk, guest, images))
            continue;
        g_autofree char *size = g_format_size_full(disk->size, G_FORMAT_SIZE_IEC_UNITS);
        g_string_append_printf(names, "%s%s (%s)", count++ ? ", " : "", disk->image, size);
    }
    char *words =
        count ? g_strdup_printf("Its settings are lost, and with all snapshots and undo points all that is on %s "
                                "%s. This cannot be undone.",
                                count == 1 ? "its disk" : "its disks", names->str)
              : g_strdup("Its settings are lost. It has no disk that is deleted with it.");
    g_string_free(names, TRUE);
    return words;
}
