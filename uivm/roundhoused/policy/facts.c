/* Sources: the kernel's power supplies, the clock, the screen. */
#include "facts.h"

#include "words.h"

enum fact { FACT_NO, FACT_YES, FACT_UNKNOWN };

static char *read_attribute(const char *supplies, const char *supply, const char *attribute)
{
    g_autofree char *path = g_build_filename(supplies, supply, attribute, NULL);
    char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    return g_strstrip(text);
}

/*
 * Linux, Documentation/ABI/testing/sysfs-class-power: mains and USB supplies say whether they are online. A machine
 * with neither those nor a battery hangs on a cable. A battery alone tells nothing about the cable.
 */
static enum fact on_ac(const char *supplies, const struct policy_screen *screen)
{
    g_autoptr(GDir) directory = g_dir_open(supplies, 0, NULL);
    gboolean battery = FALSE, offline = FALSE;
    (void)screen;
    if (!directory)
        return FACT_UNKNOWN;
    for (const char *name; (name = g_dir_read_name(directory));) {
        g_autofree char *type = read_attribute(supplies, name, "type");
        g_autofree char *online = read_attribute(supplies, name, "online");
        g_autofree char *scope = read_attribute(supplies, name, "scope");
        if (g_strcmp0(scope, "Device") == 0)
            continue; /* a mouse's */
        battery |= g_strcmp0(type, "Battery") == 0;
        if (!online || (g_strcmp0(type, "Mains") != 0 && g_strcmp0(type, "USB") != 0))
            continue;
        if (g_str_equal(online, "1"))
            return FACT_YES;
        offline = TRUE;
    }
    return offline ? FACT_NO : battery ? FACT_UNKNOWN : FACT_YES;
}

static enum fact is_locked(const char *supplies, const struct policy_screen *screen)
{
    (void)supplies;
    return screen->locked ? FACT_YES : FACT_NO;
}

static enum fact no_source(const char *supplies, const struct policy_screen *screen)
{
    (void)supplies, (void)screen;
    return FACT_UNKNOWN;
}

static const struct {
    enum policy_condition condition;
    enum fact (*read)(const char *supplies, const struct policy_screen *screen);
} sources[] = {
    {POLICY_WHEN_ON_AC, on_ac},
    {POLICY_WHEN_LOCKED, is_locked},
    {POLICY_WHEN_SHARED, no_source},
};

struct policy_facts policy_facts_now(const char *supplies, const struct policy_screen *screen)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    struct policy_facts facts = {
        .minute = (guint16)(g_date_time_get_hour(now) * 60 + g_date_time_get_minute(now)),
    };
    g_strlcpy(facts.on_screen, screen->guest ? screen->guest : "", sizeof(facts.on_screen));
    for (gsize i = 0; i < G_N_ELEMENTS(sources); i++) {
        enum fact fact = sources[i].read(supplies, screen);
        if (fact == FACT_YES)
            facts.holds |= sources[i].condition;
        if (fact == FACT_UNKNOWN)
            facts.unknown |= sources[i].condition;
    }
    return facts;
}
