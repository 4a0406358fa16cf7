/* "image": what is in the pool of disks. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- the list ---- */

static void print_images(GVariant *images)
{
    g_print("%-32s %10s %10s %s\n", "NAME", "SIZE", "USED", "GUEST");
    for (gsize i = 0; i < g_variant_n_children(images); i++) {
        g_autoptr(GVariant) image = g_variant_get_child_value(images, i);
        const char *name = "", *guest = "";
        guint64 size = 0, used = 0;
        g_variant_lookup(image, "name", "&s", &name);
        g_variant_lookup(image, "guest", "&s", &guest);
        g_variant_lookup(image, "size", "t", &size);
        g_variant_lookup(image, "used", "t", &used);
        g_autofree char *all = control_bytes(size);
        g_autofree char *alone = control_bytes(used);
        g_print("%-32s %10s %10s %s\n", name, all, alone, *guest ? guest : "-");
    }
}

static gboolean list(struct control *control, char **words, GError **error)
{
    g_autoptr(GVariant) answer = control_call(control->manager, "ListImages", NULL, error);
    (void)words;
    if (!answer)
        return FALSE;
    g_autoptr(GVariant) images = g_variant_get_child_value(answer, 0);
    if (control->json)
        json_print(images);
    else
        print_images(images);
    return TRUE;
}

/* ---- one call each ---- */

static gboolean sized(struct control *control, const char *method, char **words, GError **error)
{
    guint64 size;
    return control_size(words[1], &size, error) &&
           control_do(control->manager, method, g_variant_new("(st)", words[0], size), NULL, error);
}

static gboolean create(struct control *control, char **words, GError **error)
{
    return sized(control, "CreateImage", words, error);
}

static gboolean grow(struct control *control, char **words, GError **error)
{
    return sized(control, "GrowImage", words, error);
}

static gboolean make_clone(struct control *control, char **words, GError **error)
{
    return control_do(control->manager, "CloneImage", g_variant_new("(ss)", words[0], words[1]), NULL, error);
}

static gboolean change_name(struct control *control, char **words, GError **error)
{
    return control_do(control->manager, "RenameImage", g_variant_new("(ss)", words[0], words[1]), NULL, error);
}

static gboolean delete (struct control *control, char **words, GError **error)
{
    if (!control->yes && !control_sure("Delete all that is in the image", words[0]))
        return control_usage(error, "%s stays. Say --yes to delete it without being asked.", words[0]);
    return control_do(control->manager, "DeleteImage", g_variant_new("(s)", words[0]), NULL, error);
}

/* ---- files ---- */

static gboolean import(struct control *control, char **words, GError **error)
{
    g_autoptr(GUnixFDList) file = control_open(words[1], error);
    return file && control_do(control->manager, "ImportImage", g_variant_new("(sh)", words[0], 0), file, error);
}

/* What the file's name ends with, if nothing is said; the service knows which words there are. */
static const char *format_of(char **words)
{
    const char *dot = strrchr(words[1], '.');
    if (words[2])
        return words[2];
    return dot && !g_str_equal(dot, ".img") ? dot + 1 : "raw";
}

/* The file is new. It is taken away again where nothing comes of it. */
static gboolean export(struct control *control, char **words, GError **error)
{
    g_autoptr(GUnixFDList) file = control_make_file(words[1], error);
    if (!file)
        return FALSE;
    gboolean good =
        control_do(control->manager, "ExportImage", g_variant_new("(shs)", words[0], 0, format_of(words)), file, error);
    if (!good)
        unlink(words[1]);
    return good;
}

/* ---- the table ---- */

static const struct {
    const char *name;
    gboolean (*run)(struct control *control, char **words, GError **error);
    const char *arguments;
    guint min, max; /* words */
    const char *help;
    gboolean json, yes; /* it knows these options */
} actions[] = {
    {"list", list, "", 0, 0, .help = "list them, what they have of the pool alone, and whose they are", .json = TRUE},
    {"create", create, "NAME SIZE", 2, 2, .help = "make an empty one; SIZE is 20G and the like"},
    {"clone", make_clone, "NAME NEW-NAME", 2, 2, .help = "make one that is what another is now"},
    {"import", import, "NAME FILE", 2, 2, .help = "make one of a raw, qcow2, VMDK, VHD, VHDX or VDI file"},
    {"export", export, "NAME FILE [FORMAT]", 2, 3,
     .help = "write one into a new file: raw, qcow2, vmdk, vhd, vhdx, vdi"},
    {"grow", grow, "NAME SIZE", 2, 2, .help = "make one larger"},
    {"rename", change_name, "NAME NEW-NAME", 2, 2, .help = "give one another name"},
    {"delete", delete, "NAME", 1, 1, .help = "delete one and all that is in it; --yes: do not ask", .yes = TRUE},
};

void control_image_help(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(actions); i++)
        g_print("  %-7s %-20s %s\n", actions[i].name, actions[i].arguments, actions[i].help);
}

gboolean control_image(struct control *control, GError **error)
{
    char **words = control->words + 1;
    guint count = g_strv_length(words);
    for (gsize i = 0; i < G_N_ELEMENTS(actions); i++) {
        if (!g_str_equal(actions[i].name, control->words[0]))
            continue;
        if (count < actions[i].min || count > actions[i].max)
            return control_usage(error,
                                 "it is \"roundhousectl image %s\" with other words; see roundhousectl image -h.",
                                 actions[i].name);
        if ((control->json && !actions[i].json) || (control->yes && !actions[i].yes))
            return control_usage(error, "image %s does not know this option.", actions[i].name);
        return actions[i].run(control, words, error);
    }
    return control_usage(error, "there is no \"image %s\"; see roundhousectl image -h.", control->words[0]);
}
