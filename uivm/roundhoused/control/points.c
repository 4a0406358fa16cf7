/* What a guest's disks were, and going back to it. */
#include "control.h"

#include <string.h>

/* "2026-11-30T23:59:12.345", here. */
static char *text_of_time(gint64 time)
{
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(time / 1000);
    g_autofree char *text = when ? g_date_time_format(when, "%Y-%m-%dT%H:%M:%S") : g_strdup("");
    return g_strdup_printf("%s.%03d", text, (int)(time % 1000));
}

static GVariant *points_of(RhGuest1 *guest, GError **error)
{
    g_autoptr(GVariant) answer = control_call(guest, "ListPoints", NULL, error);
    return answer ? g_variant_get_child_value(answer, 0) : NULL;
}

static gint64 time_at(GVariant *points, gsize index)
{
    g_autoptr(GVariant) point = g_variant_get_child_value(points, index);
    gint64 time = 0;
    g_variant_lookup(point, "time", "x", &time);
    return time;
}

gboolean control_snapshot(struct control *control, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    const char *label = control->words[1] ? control->words[1] : "snapshot";
    return guest && control_do(guest, "Snapshot", g_variant_new("(s)", label), NULL, error);
}

static void print_points(GVariant *points)
{
    g_print("%-24s %10s %s\n", "TIME", "SIZE", "LABEL");
    for (gsize i = 0; i < g_variant_n_children(points); i++) {
        g_autoptr(GVariant) point = g_variant_get_child_value(points, i);
        const char *label = "";
        guint64 size = 0;
        g_variant_lookup(point, "label", "&s", &label);
        g_variant_lookup(point, "size", "t", &size);
        g_autofree char *time = text_of_time(time_at(points, i));
        g_autofree char *all = control_bytes(size);
        g_print("%-24s %10s %s\n", time, all, label);
    }
}

gboolean control_points(struct control *control, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    g_autoptr(GVariant) points = guest ? points_of(guest, error) : NULL;
    if (!points)
        return FALSE;
    if (control->json)
        json_print(points);
    else
        print_points(points);
    return TRUE;
}

/* The number of milliseconds, or the beginning of what the list says, if that is one point alone; -1 with an error. */
static gint64 find_time(GVariant *points, const char *word, GError **error)
{
    guint64 number;
    gint64 found = -1;
    guint count = 0;
    if (g_ascii_string_to_unsigned(word, 10, 0, G_MAXINT64, &number, NULL) && strlen(word) > 4)
        return (gint64)number;
    for (gsize i = 0; i < g_variant_n_children(points); i++) {
        g_autofree char *text = text_of_time(time_at(points, i));
        if (g_str_has_prefix(text, word)) {
            found = time_at(points, i);
            count++;
        }
    }
    if (count == 1)
        return found;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s of \"%s\". Look at \"roundhousectl points\".",
                count ? "There are several points" : "There is no point", word);
    return -1;
}

/* With the point that the second word means. */
static gboolean use_point(struct control *control, const char *method, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    g_autoptr(GVariant) points = guest ? points_of(guest, error) : NULL;
    gint64 time = points ? find_time(points, control->words[1], error) : -1;
    return time >= 0 && control_do(guest, method, g_variant_new("(x)", time), NULL, error);
}

gboolean control_revert(struct control *control, GError **error)
{
    return use_point(control, "Revert", error);
}

gboolean control_forget(struct control *control, GError **error)
{
    return use_point(control, "DeletePoint", error);
}

gboolean control_undo(struct control *control, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    g_autoptr(GVariant) points = guest ? points_of(guest, error) : NULL;
    gsize count = points ? g_variant_n_children(points) : 0;
    if (count)
        return control_do(guest, "Revert", g_variant_new("(x)", time_at(points, count - 1)), NULL, error);
    if (points)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s has no point to go back to.", control->words[0]);
    return FALSE;
}

/* ---- the disc ---- */

#define DRIVE "hdc" /* the drive of cdrom= */

gboolean control_disc(struct control *control, GError **error)
{
    const char *path = control->words[1];
    if (!path == !control->eject)
        return control_usage(error, "give either a file or --eject after %s.", control->words[0]);
    g_autoptr(GUnixFDList) file = path ? control_open(path, error) : NULL;
    g_autoptr(RhGuest1) guest = file || !path ? control_guest(control, control->words[0], error) : NULL;
    GVariant *parameters = !guest ? NULL : path ? g_variant_new("(sh)", DRIVE, 0) : g_variant_new("(s)", DRIVE);
    g_autoptr(GVariant) answer =
        guest ? control_call_with(guest, path ? "ChangeDisc" : "EjectDisc", parameters, file, error) : NULL;
    return answer != NULL;
}
