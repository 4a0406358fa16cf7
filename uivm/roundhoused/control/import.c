/* The command import, and what both kinds of file have in common. */
#include "import.h"
#include "control.h"

#include <string.h>

#define FILE_MAX (1024 * 1024)

void import_set(struct import *import, const char *setting, const char *value)
{
    g_variant_dict_insert(&import->settings, setting, "s", value);
}

void import_leave_out(struct import *import, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sentence = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(import->left_out, g_strdup_printf("line %d: %s", line, sentence));
}

/* xvda ... xvdz, hda ... hdd stay; sdX and vdX, which other hypervisors have, are xvdX. */
static char *name_of_disk(struct import *import, int line, const char *vdev)
{
    gboolean other = (g_str_has_prefix(vdev, "sd") || g_str_has_prefix(vdev, "vd")) && strlen(vdev) == 3;
    if (!other)
        return g_strdup(vdev);
    char *name = g_strdup_printf("xvd%c", vdev[2]);
    import_leave_out(import, line, "the disk %s is called %s here; its system may have to be told.", vdev, name);
    return name;
}

void import_add_disk(struct import *import, int line, const char *target, const char *vdev, gboolean read_only,
                     gboolean cdrom)
{
    const char *before = "";
    if (strpbrk(target, ",;")) {
        import_leave_out(import, line, "the disk %s: a comma or semicolon in a path has no place here.", target);
        return;
    }
    g_autofree char *name = vdev ? name_of_disk(import, line, vdev) : NULL;
    g_variant_dict_lookup(&import->settings, "disk", "&s", &before);
    g_autofree char *disks = g_strdup_printf("%s%s%s%s%s%s", before, *before ? "; " : "", target, name ? "," : "",
                                             name ? name : "", cdrom ? ",cdrom" : (read_only ? ",ro" : ",rw"));
    import_set(import, "disk", disks);
}

static gboolean read_file(struct import *import, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    if (!g_file_get_contents(path, &text, &length, error))
        return FALSE;
    if (length > FILE_MAX || !g_utf8_validate(text, (gssize)length, NULL)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s is longer than 1 MiB, or no text in UTF-8.", path);
        return FALSE;
    }
    g_autoptr(GError) cause = NULL;
    const char *start = text + strspn(text, " \t\r\n");
    if (*start == '<' ? import_libvirt(import, text, &cause) : import_xl(import, text, &cause))
        return TRUE;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s cannot be imported. %s", path, cause->message);
    return FALSE;
}

static int compare_lines(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_settings(GVariant *settings)
{
    GVariantIter iter;
    const char *key, *value;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    GVariant *boxed;
    g_variant_iter_init(&iter, settings);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &boxed)) {
        g_variant_get(boxed, "&s", &value);
        g_ptr_array_add(lines, g_strdup_printf("%s=%s", key, value));
        g_variant_unref(boxed);
    }
    g_ptr_array_sort(lines, compare_lines);
    for (guint i = 0; i < lines->len; i++)
        g_print("%s\n", (char *)g_ptr_array_index(lines, i));
}

gboolean control_import(struct control *control, GError **error)
{
    struct import import = {.left_out = g_ptr_array_new_with_free_func(g_free)};
    g_variant_dict_init(&import.settings, NULL);
    gboolean good = read_file(&import, control->words[0], error);
    if (control->name)
        import_set(&import, "name", control->name);
    g_autoptr(GVariant) settings = g_variant_ref_sink(g_variant_dict_end(&import.settings));
    for (guint i = 0; good && i < import.left_out->len; i++)
        g_printerr("%s\n", (char *)g_ptr_array_index(import.left_out, i));
    g_ptr_array_unref(import.left_out);
    if (!good)
        return FALSE;
    if (!control->dry_run)
        return control_make(control, settings, error);
    print_settings(settings);
    return TRUE;
}
