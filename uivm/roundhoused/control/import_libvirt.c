/* libvirt's description of a domain: libvirt.org/formatdomain.html. */
#include "import.h"

#include <gio/gio.h>
#include <string.h>

/* The element that is being read, and what is known of the disk or card that it belongs to. */
struct state {
    struct import *import;
    GString *path; /* "/domain/os/kernel" */
    GString *text;
    const char *unit;
    int line;    /* of the last element that has an end function */
    int ignored; /* depth in an element that was left out; 0: none */
    gboolean seen;
    char *source, *vdev, *mac, *bridge, *format;
    gboolean read_only, cdrom;
};

static int line_of(GMarkupParseContext *context)
{
    int line;
    g_markup_parse_context_get_position(context, &line, NULL);
    return line;
}

static const char *attribute(const char **names, const char **values, const char *wanted)
{
    for (; *names; names++, values++) {
        if (g_str_equal(*names, wanted))
            return *values;
    }
    return NULL;
}

static void keep(char **place, const char *value)
{
    if (value) {
        g_free(*place);
        *place = g_strdup(value);
    }
}

/* ---- beginnings of elements: FALSE: that has no meaning here ---- */

static gboolean begin_disk(struct state *state, const char **names, const char **values)
{
    const char *device = attribute(names, values, "device");
    g_clear_pointer(&state->source, g_free);
    g_clear_pointer(&state->vdev, g_free);
    g_clear_pointer(&state->format, g_free);
    state->read_only = FALSE;
    state->cdrom = device && g_str_equal(device, "cdrom");
    return state->cdrom || !device || g_str_equal(device, "disk");
}

static gboolean begin_source(struct state *state, const char **names, const char **values)
{
    keep(&state->source, attribute(names, values, "file"));
    keep(&state->source, attribute(names, values, "dev"));
    return state->source != NULL;
}

static gboolean begin_target(struct state *state, const char **names, const char **values)
{
    keep(&state->vdev, attribute(names, values, "dev"));
    return TRUE;
}

static gboolean begin_driver(struct state *state, const char **names, const char **values)
{
    keep(&state->format, attribute(names, values, "type"));
    return TRUE;
}

static gboolean begin_readonly(struct state *state, const char **names, const char **values)
{
    (void)names, (void)values;
    state->read_only = TRUE;
    return TRUE;
}

static gboolean begin_interface(struct state *state, const char **names, const char **values)
{
    (void)names, (void)values;
    g_clear_pointer(&state->mac, g_free);
    g_clear_pointer(&state->bridge, g_free);
    return TRUE;
}

static gboolean begin_mac(struct state *state, const char **names, const char **values)
{
    keep(&state->mac, attribute(names, values, "address"));
    return TRUE;
}

static gboolean begin_bridge(struct state *state, const char **names, const char **values)
{
    keep(&state->bridge, attribute(names, values, "bridge"));
    return state->bridge != NULL;
}

static gboolean begin_memory(struct state *state, const char **names, const char **values)
{
    state->unit = g_intern_string(attribute(names, values, "unit"));
    return TRUE;
}

static gboolean begin_boot(struct state *state, const char **names, const char **values)
{
    static const char *const devices[] = {"hd", "cdrom", "network"}, letters[] = "cdn";
    const char *device = attribute(names, values, "dev"), *before = "";
    g_variant_dict_lookup(&state->import->settings, "boot", "&s", &before);
    for (gsize i = 0; device && i < G_N_ELEMENTS(devices); i++) {
        if (!g_str_equal(device, devices[i]))
            continue;
        g_autofree char *order = g_strdup_printf("%s%c", before, letters[i]);
        import_set(state->import, "boot", order);
        return TRUE;
    }
    return FALSE;
}

static gboolean begin_os(struct state *state, const char **names, const char **values)
{
    const char *firmware = attribute(names, values, "firmware");
    if (firmware && g_str_equal(firmware, "efi"))
        import_set(state->import, "firmware", "uefi");
    return TRUE;
}

static gboolean begin_domain(struct state *state, const char **names, const char **values)
{
    (void)names, (void)values;
    return state->seen = TRUE;
}

/* ---- ends of elements ---- */

static void end_memory(struct state *state, int line, const char *text)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"bytes", 1},  {"KB", 1e3},        {"MB", 1e6},      {"GB", 1e9},           {"KiB", 1024.0},
                 {"k", 1024.0}, {"MiB", 1048576.0}, {"M", 1048576.0}, {"GiB", 1073741824.0}, {"G", 1073741824.0}};
    double bytes = 1024;
    (void)line;
    for (gsize i = 0; i < G_N_ELEMENTS(units); i++)
        bytes = g_strcmp0(state->unit, units[i].unit) == 0 ? units[i].bytes : bytes;
    g_autofree char *mib = g_strdup_printf("%.0f", g_ascii_strtod(text, NULL) * bytes / 1048576);
    import_set(state->import, "memory_mib", mib);
}

static void end_type(struct state *state, int line, const char *text)
{
    const char *type = g_str_equal(text, "hvm") ? "hvm" : NULL;
    type = g_str_equal(text, "linux") || g_str_equal(text, "xen") ? "pv" : type;
    type = g_str_equal(text, "xenpvh") ? "pvh" : type;
    if (type)
        import_set(state->import, "type", type);
    else
        import_leave_out(state->import, line, "the type \"%s\".", text);
}

static void end_loader(struct state *state, int line, const char *text)
{
    g_autofree char *lower = g_ascii_strdown(text, -1);
    if (strstr(lower, "ovmf") || strstr(lower, "efi"))
        import_set(state->import, "firmware", "uefi");
    else if (!strstr(lower, "hvmloader"))
        import_leave_out(state->import, line, "the loader %s.", text);
}

static void end_disk(struct state *state, int line, const char *text)
{
    (void)text;
    if (!state->source)
        import_leave_out(state->import, line, "a drive without an image.");
    else if (state->format && !g_str_equal(state->format, "raw"))
        import_leave_out(state->import, line,
                         "the disk %s: an image must be raw; \"qemu-img convert -O raw\" makes one.", state->source);
    else
        import_add_disk(state->import, line, state->source, state->vdev, state->read_only, state->cdrom);
}

static void end_interface(struct state *state, int line, const char *text)
{
    (void)text;
    if (g_variant_dict_contains(&state->import->settings, "network")) {
        import_leave_out(state->import, line, "a network card: a guest has one.");
        return;
    }
    import_set(state->import, "network", state->bridge ? state->bridge : "bridge");
    if (state->mac)
        import_set(state->import, "mac", state->mac);
}

static const struct element {
    const char *path;
    const char *setting; /* that its text is; NULL: none */
    gboolean (*begin)(struct state *state, const char **names, const char **values);
    void (*end)(struct state *state, int line, const char *text);
} elements[] = {
    {"/domain", NULL, begin_domain, NULL},
    {"/domain/name", "name", NULL, NULL},
    {"/domain/memory", NULL, begin_memory, end_memory},
    {"/domain/vcpu", "vcpus", NULL, NULL},
    {"/domain/os", NULL, begin_os, NULL},
    {"/domain/os/type", NULL, NULL, end_type},
    {"/domain/os/loader", NULL, NULL, end_loader},
    {"/domain/os/kernel", "kernel", NULL, NULL},
    {"/domain/os/initrd", "ramdisk", NULL, NULL},
    {"/domain/os/cmdline", "cmdline", NULL, NULL},
    {"/domain/os/boot", NULL, begin_boot, NULL},
    {"/domain/devices", NULL, NULL, NULL},
    {"/domain/devices/disk", NULL, begin_disk, end_disk},
    {"/domain/devices/disk/source", NULL, begin_source, NULL},
    {"/domain/devices/disk/target", NULL, begin_target, NULL},
    {"/domain/devices/disk/driver", NULL, begin_driver, NULL},
    {"/domain/devices/disk/readonly", NULL, begin_readonly, NULL},
    {"/domain/devices/interface", NULL, begin_interface, end_interface},
    {"/domain/devices/interface/mac", NULL, begin_mac, NULL},
    {"/domain/devices/interface/source", NULL, begin_bridge, NULL},
};

static const struct element *find_element(const char *path)
{
    for (gsize i = 0; i < G_N_ELEMENTS(elements); i++) {
        if (g_str_equal(elements[i].path, path))
            return &elements[i];
    }
    return NULL;
}

static void on_begin(GMarkupParseContext *context, const char *name, const char **names, const char **values,
                     gpointer data, GError **error)
{
    struct state *state = data;
    (void)error;
    g_string_append_printf(state->path, "/%s", name);
    g_string_truncate(state->text, 0);
    const struct element *element = state->ignored ? NULL : find_element(state->path->str);
    if (element && element->end)
        state->line = line_of(context);
    if (element && (!element->begin || element->begin(state, names, values)))
        return;
    if (!state->ignored++)
        import_leave_out(state->import, line_of(context), "<%s> has no meaning here.", name);
}

static void on_text(GMarkupParseContext *context, const char *text, gsize length, gpointer data, GError **error)
{
    struct state *state = data;
    (void)context, (void)error;
    g_string_append_len(state->text, text, (gssize)length);
}

static void on_end(GMarkupParseContext *context, const char *name, gpointer data, GError **error)
{
    struct state *state = data;
    const struct element *element = state->ignored ? NULL : find_element(state->path->str);
    g_autofree char *text = g_strstrip(g_strdup(state->text->str));
    (void)context, (void)error;
    state->ignored -= state->ignored > 0;
    if (element && element->setting)
        import_set(state->import, element->setting, text);
    else if (element && element->end)
        element->end(state, state->line, text);
    g_string_truncate(state->path, state->path->len - strlen(name) - 1);
}

gboolean import_libvirt(struct import *import, const char *text, GError **error)
{
    static const GMarkupParser parser = {on_begin, on_end, on_text, NULL, NULL};
    struct state state = {.import = import, .path = g_string_new(""), .text = g_string_new("")};
    GMarkupParseContext *context = g_markup_parse_context_new(&parser, G_MARKUP_TREAT_CDATA_AS_TEXT, &state, NULL);
    gboolean good =
        g_markup_parse_context_parse(context, text, -1, error) && g_markup_parse_context_end_parse(context, error);
    if (good && !state.seen) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "It describes no <domain>.");
        good = FALSE;
    }
    g_markup_parse_context_free(context);
    g_string_free(state.path, TRUE);
    g_string_free(state.text, TRUE);
    g_free(state.source);
    g_free(state.vdev);
    g_free(state.mac);
    g_free(state.bridge);
    g_free(state.format);
    return good;
}
