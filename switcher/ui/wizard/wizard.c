/* Answers and the way through the pages. */
#include "wizard_private.h"

#include <string.h>

#define SOURCE(source) (1u << (source))
#define EVERY_SOURCE   (SOURCE(WIZARD_SOURCE_COUNT) - 1)
#define PC_SOURCES     (EVERY_SOURCE & ~SOURCE(WIZARD_CLONE))

/* What is asked for which source. */
static const guint asked_for[WIZARD_PAGE_COUNT] = {
    [WIZARD_PAGE_SOURCE] = EVERY_SOURCE,
    [WIZARD_PAGE_FILE] = SOURCE(WIZARD_DISC) | SOURCE(WIZARD_IMAGE),
    [WIZARD_PAGE_GUEST] = SOURCE(WIZARD_CLONE),
    [WIZARD_PAGE_NAME] = EVERY_SOURCE,
    [WIZARD_PAGE_MEMORY] = EVERY_SOURCE,
    [WIZARD_PAGE_DISK] = PC_SOURCES,
    [WIZARD_PAGE_SUMMARY] = EVERY_SOURCE,
    [WIZARD_PAGE_PROCESSORS] = EVERY_SOURCE,
    [WIZARD_PAGE_FIRMWARE] = SOURCE(WIZARD_DISC) | SOURCE(WIZARD_IMAGE),
    [WIZARD_PAGE_WINDOWS] = SOURCE(WIZARD_DISC) | SOURCE(WIZARD_IMAGE),
    [WIZARD_PAGE_NETWORK] = SOURCE(WIZARD_DISC) | SOURCE(WIZARD_IMAGE) | SOURCE(WIZARD_CLONE),
};

static void guest_free(gpointer data)
{
    struct wizard_guest *guest = data;
    g_free(guest->name);
    g_clear_pointer(&guest->settings, g_variant_unref);
    g_free(guest);
}

struct wizard *wizard_new(void)
{
    struct wizard *wizard = g_new0(struct wizard, 1);
    wizard->facts.guests = g_ptr_array_new_with_free_func(guest_free);
    wizard->depth = 1;
    return wizard;
}

void wizard_system_free(struct wizard_system *system)
{
    if (!system)
        return;
    g_free(system->name);
    g_free(system->word);
    g_free(system);
}

static void forget_file(struct wizard *wizard)
{
    g_free(wizard->file.path);
    g_free(wizard->file.problem);
    wizard_system_free(wizard->file.system);
    memset(&wizard->file, 0, sizeof(wizard->file));
}

void wizard_free(struct wizard *wizard)
{
    if (!wizard)
        return;
    forget_file(wizard);
    g_ptr_array_unref(wizard->facts.guests);
    g_free(wizard->facts.installer_kernel);
    g_free(wizard->facts.installer_ramdisk);
    g_free(wizard->origin);
    g_free(wizard->name);
    g_free(wizard->proposed_name);
    g_free(wizard);
}

struct wizard_facts *wizard_facts(struct wizard *wizard)
{
    return &wizard->facts;
}

void wizard_add_guest(struct wizard *wizard, const char *name, gboolean off, GVariant *settings)
{
    struct wizard_guest *guest = g_new0(struct wizard_guest, 1);
    *guest = (struct wizard_guest){g_strdup(name), off, settings ? g_variant_ref_sink(settings) : NULL};
    g_ptr_array_add(wizard->facts.guests, guest);
}

const struct wizard_guest *wizard_find_guest(const struct wizard *wizard, const char *name)
{
    for (guint i = 0; i < wizard->facts.guests->len; i++) {
        const struct wizard_guest *guest = g_ptr_array_index(wizard->facts.guests, i);
        if (g_strcmp0(guest->name, name) == 0)
            return guest;
    }
    return NULL;
}

/* ---- pages ---- */

enum wizard_page wizard_page(const struct wizard *wizard)
{
    return wizard->pages[wizard->depth - 1];
}

gboolean wizard_asks(const struct wizard *wizard, enum wizard_page page)
{
    if (page == WIZARD_PAGE_DISK && wizard->source == WIZARD_IMAGE && !wizard->file.medium.disk_bytes)
        return FALSE; /* nobody knows how large it is already */
    return (asked_for[page] & SOURCE(wizard->source)) != 0;
}

static gboolean came_from_summary(const struct wizard *wizard)
{
    return wizard->depth > 1 && wizard->pages[wizard->depth - 2] == WIZARD_PAGE_SUMMARY;
}

gboolean wizard_next(struct wizard *wizard)
{
    enum wizard_page page = wizard_page(wizard);
    if (page == WIZARD_PAGE_SUMMARY || wizard_check(wizard, page, NULL) > WIZARD_HINT)
        return FALSE;
    if (came_from_summary(wizard))
        return wizard_back(wizard);
    do
        page++;
    while (!wizard_asks(wizard, page));
    wizard->pages[wizard->depth++] = page;
    return TRUE;
}

gboolean wizard_back(struct wizard *wizard)
{
    if (wizard->depth == 1)
        return FALSE;
    wizard->depth--;
    return TRUE;
}

void wizard_change(struct wizard *wizard, enum wizard_page page)
{
    if (wizard_page(wizard) == WIZARD_PAGE_SUMMARY && page > WIZARD_PAGE_GUEST && page != WIZARD_PAGE_SUMMARY &&
        wizard_asks(wizard, page))
        wizard->pages[wizard->depth++] = page;
}

/* ---- answers ---- */

/* What CreateGuest calls the disks that it makes, in order: a PC's firmware starts from IDE disks alone, and hdc is its
 * CD drive. */
static char *new_disk_name(gboolean pc, guint number)
{
    static const char *const ide[] = {"hda", "hdb", "hdd"};
    guint first = pc ? 'e' - G_N_ELEMENTS(ide) : 'a';
    if (pc && number < G_N_ELEMENTS(ide))
        return g_strdup(ide[number]);
    return g_strdup_printf("xvd%c", (int)MIN(first + number, 'z'));
}

/* Its clone's disks must be called as its own are, or its system looks for them in vain. */
gboolean wizard_can_clone(const struct wizard_guest *guest)
{
    const char *disks = NULL, *type = "";
    if (!guest->settings || !g_variant_lookup(guest->settings, "disk", "&s", &disks))
        return FALSE;
    g_variant_lookup(guest->settings, "type", "&s", &type);
    g_auto(GStrv) texts = g_strsplit(disks, ";", -1);
    for (guint i = 0; texts[i]; i++) {
        g_autofree char *name = new_disk_name(g_str_equal(type, "hvm"), i);
        g_autofree char *end = g_strdup_printf(",%s,rw", name);
        const char *text = g_strstrip(texts[i]);
        if (!g_str_has_prefix(text, "image:") || !g_str_has_suffix(text, end))
            return FALSE;
    }
    return texts[0] != NULL;
}

gboolean wizard_offers(const struct wizard *wizard, enum wizard_source source)
{
    if (source == WIZARD_NETWORK)
        return wizard->facts.installer_kernel && wizard->facts.installer_ramdisk;
    if (source != WIZARD_CLONE)
        return TRUE;
    for (guint i = 0; i < wizard->facts.guests->len; i++) {
        if (wizard_can_clone(g_ptr_array_index(wizard->facts.guests, i)))
            return TRUE;
    }
    return FALSE;
}

enum wizard_source wizard_source(const struct wizard *wizard)
{
    return wizard->source;
}

/* What was chosen for one source counts for another, but for the file, which is of another kind. */
void wizard_set_source(struct wizard *wizard, enum wizard_source source)
{
    if (source != wizard->source)
        forget_file(wizard);
    wizard->source = source;
}

const char *wizard_file(const struct wizard *wizard)
{
    return wizard->file.path;
}

void wizard_set_file(struct wizard *wizard, const char *path, gboolean removable)
{
    if (g_strcmp0(path, wizard->file.path) == 0)
        return;
    forget_file(wizard);
    wizard->file.path = g_strdup(path);
    wizard->file.removable = removable;
}

void wizard_set_looked(struct wizard *wizard, const char *path, const struct medium *medium,
                       struct wizard_system *system, const GError *error)
{
    if (g_strcmp0(path, wizard->file.path) != 0) {
        wizard_system_free(system);
        return;
    }
    g_free(wizard->file.problem);
    wizard_system_free(wizard->file.system);
    wizard->file.looked = TRUE;
    wizard->file.medium = *medium;
    wizard->file.system = system;
    wizard->file.problem = error ? g_strdup(error->message) : NULL;
}

const struct wizard_system *wizard_system(const struct wizard *wizard)
{
    return wizard->file.system;
}

const char *wizard_origin(const struct wizard *wizard)
{
    return wizard->origin;
}

void wizard_set_origin(struct wizard *wizard, const char *name)
{
    g_free(wizard->origin);
    wizard->origin = g_strdup(name);
}

GVariant *wizard_origin_settings(const struct wizard *wizard)
{
    const struct wizard_guest *guest =
        wizard->source == WIZARD_CLONE && wizard->origin ? wizard_find_guest(wizard, wizard->origin) : NULL;
    return guest ? guest->settings : NULL;
}

void wizard_set_name(struct wizard *wizard, const char *name)
{
    g_free(wizard->name);
    wizard->name = g_strdup(name);
}

void wizard_set_value(struct wizard *wizard, enum wizard_value value, guint number)
{
    wizard->values[value].chosen = TRUE;
    wizard->values[value].number = number;
}
