/* What goes without saying: answers that nobody has given yet, by what is known of the system and of this machine. */
#include "wizard_private.h"

#include <string.h>

#define MEMORY_MIB         2048
#define MEMORY_WINDOWS_MIB 4096
#define MEMORY_STEP_MIB    256
#define PROCESSORS         2
#define DISK_GIB           20
#define DISK_WINDOWS_GIB   64

/* 0: it is not known. */
static guint setting_number(GVariant *settings, const char *key)
{
    guint number = 0;
    return settings && g_variant_lookup(settings, key, "u", &number) ? number : 0;
}

/* Of several sources of a number the first that knows it. */
static guint first_of(guint a, guint b, guint c)
{
    return a ? a : b ? b : c;
}

/* So much that it can start beside what runs now, if that is enough for its system. */
static guint memory_that_fits(const struct wizard *wizard, guint wanted, guint least)
{
    guint free_mib = (guint)MIN(wizard->facts.free_memory_kib / 1024, G_MAXUINT);
    guint fits = free_mib / MEMORY_STEP_MIB * MEMORY_STEP_MIB;
    if (!wizard->facts.memory_kib || wanted <= free_mib)
        return wanted;
    return fits >= MAX(least, MEMORY_STEP_MIB) ? fits : MAX(least, MEMORY_STEP_MIB);
}

static guint default_memory(const struct wizard *wizard, const struct wizard_system *system)
{
    guint usual = system->windows ? MEMORY_WINDOWS_MIB : MEMORY_MIB;
    guint cloned = setting_number(wizard_origin_settings(wizard), "memory_mib");
    return cloned ? cloned
                  : memory_that_fits(wizard, first_of(system->memory_mib, MAX(usual, system->least_memory_mib), 0),
                                     system->least_memory_mib);
}

static guint default_processors(const struct wizard *wizard, const struct wizard_system *system)
{
    guint number = first_of(setting_number(wizard_origin_settings(wizard), "vcpus"), system->processors, PROCESSORS);
    return MIN(number, WIZARD_PROCESSORS_MAX);
}

/* An image's disk is as large as it is; it may be made larger. */
static guint default_disk(const struct wizard *wizard, const struct wizard_system *system)
{
    if (wizard->source == WIZARD_IMAGE)
        return (guint)MIN((wizard->file.medium.disk_bytes + GIB - 1) / GIB, WIZARD_DISK_MAX_GIB);
    return MIN(first_of(system->disk_gib, system->windows ? DISK_WINDOWS_GIB : DISK_GIB, 0), WIZARD_DISK_MAX_GIB);
}

static guint default_uefi(const struct wizard *wizard, const struct wizard_system *system)
{
    (void)wizard;
    return system->uefi;
}

static guint default_windows(const struct wizard *wizard, const struct wizard_system *system)
{
    (void)wizard;
    return system->windows;
}

static guint default_connected(const struct wizard *wizard, const struct wizard_system *system)
{
    const char *bridge = NULL;
    GVariant *settings = wizard_origin_settings(wizard);
    (void)system;
    return !settings || (g_variant_lookup(settings, "network", "&s", &bridge) && !g_str_equal(bridge, "none"));
}

static guint (*const defaults[WIZARD_VALUE_COUNT])(const struct wizard *, const struct wizard_system *) = {
    [WIZARD_MEMORY_MIB] = default_memory, [WIZARD_PROCESSORS] = default_processors,
    [WIZARD_DISK_GIB] = default_disk,     [WIZARD_UEFI] = default_uefi,
    [WIZARD_WINDOWS] = default_windows,   [WIZARD_CONNECTED] = default_connected,
};

guint wizard_value(const struct wizard *wizard, enum wizard_value value)
{
    static const struct wizard_system unknown;
    if (wizard->values[value].chosen)
        return wizard->values[value].number;
    return defaults[value](wizard, wizard->file.system ? wizard->file.system : &unknown);
}

/* ---- a name ---- */

/* Letters and digits of a text, in small letters, with single dashes for what is between them. */
static void append_word(GString *name, const char *text)
{
    for (; *text && name->len < WIZARD_NAME_MAX - 4; text++) {
        if (g_ascii_isalnum(*text))
            g_string_append_c(name, g_ascii_tolower(*text));
        else if (name->len && name->str[name->len - 1] != '-')
            g_string_append_c(name, '-');
    }
    while (name->len && name->str[name->len - 1] == '-')
        g_string_truncate(name, name->len - 1);
}

/* What the guest could be called after, the best first. */
static char *name_text(const struct wizard *wizard)
{
    if (wizard->source == WIZARD_CLONE)
        return g_strdup(wizard->origin);
    if (wizard->source == WIZARD_NETWORK)
        return g_strdup("debian");
    if (wizard->file.system && wizard->file.system->word)
        return g_strdup(wizard->file.system->word);
    if (wizard->file.medium.volume[0])
        return g_strdup(wizard->file.medium.volume);
    char *name = wizard->file.path ? g_path_get_basename(wizard->file.path) : NULL;
    char *dot = name ? strrchr(name, '.') : NULL;
    if (dot && dot != name)
        *dot = '\0';
    return name;
}

static char *free_name(const struct wizard *wizard)
{
    g_autofree char *text = name_text(wizard);
    GString *name = g_string_new(NULL);
    append_word(name, text ? text : "");
    if (!name->len)
        g_string_assign(name, "guest");
    gsize length = name->len;
    for (guint i = 2; wizard_find_guest(wizard, name->str); i++) {
        g_string_truncate(name, length);
        g_string_append_printf(name, "-%u", i);
    }
    return g_string_free(name, FALSE);
}

const char *wizard_name(struct wizard *wizard)
{
    if (wizard->name)
        return wizard->name;
    g_free(wizard->proposed_name);
    wizard->proposed_name = free_name(wizard);
    return wizard->proposed_name;
}
