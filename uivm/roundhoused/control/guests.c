/* Commands that look at guests and jobs, bring guests on screen, set the sound, and join guests' consoles. */
#include "control.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static gboolean print_all_as_json(GPtrArray *proxies)
{
    GVariantBuilder list;
    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < proxies->len; i++)
        g_variant_builder_add_value(&list, control_properties(g_ptr_array_index(proxies, i)));
    g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_builder_end(&list));
    json_print(value);
    return TRUE;
}

static gboolean print_as_json(gpointer proxy)
{
    g_autoptr(GVariant) value = g_variant_ref_sink(control_properties(proxy));
    json_print(value);
    return TRUE;
}

static void print_guest(RhGuest1 *guest, const char *focused)
{
    const char *path = g_dbus_proxy_get_object_path(G_DBUS_PROXY(guest));
    guint slot = rh_guest1_get_screen(guest) ? rh_guest1_get_screen(guest) : rh_guest1_get_slot(guest);
    int domid = rh_guest1_get_domain_id(guest);
    g_autofree char *place = slot ? g_strdup_printf("%u", slot) : g_strdup("-");
    g_autofree char *domain = domid < 0 ? g_strdup("-") : g_strdup_printf("%d", domid);
    g_print("%3s%c %-24s %-9s %6s %6" G_GUINT64_FORMAT " MiB %5u\n", place, g_strcmp0(path, focused) == 0 ? '*' : ' ',
            rh_guest1_get_name(guest), rh_guest1_get_state(guest), domain, rh_guest1_get_memory(guest) / 1024,
            rh_guest1_get_vcpus(guest));
}

gboolean control_list(struct control *control, GError **error)
{
    g_autoptr(GPtrArray) guests = control_guests(error);
    const char *const *problems = rh_manager1_get_problems(control->manager);
    if (!guests)
        return FALSE;
    for (gsize i = 0; problems && problems[i]; i++)
        g_printerr("%s\n", problems[i]);
    if (control->json)
        return print_all_as_json(guests);
    g_print("%-4s %-24s %-9s %6s %10s %5s\n", "SLOT", "NAME", "STATE", "DOMAIN", "MEMORY", "VCPUS");
    for (guint i = 0; i < guests->len; i++)
        print_guest(g_ptr_array_index(guests, i), rh_manager1_get_focused_guest(control->manager));
    return TRUE;
}

static gboolean machine_status(struct control *control)
{
    RhManager1 *manager = control->manager;
    if (control->json)
        return print_as_json(manager);
    g_print("roundhoused   %s\nhypervisor    %s\nmemory        %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
            " MiB free\ndisks         %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
            " MiB free\non screen     slot %u\nvolume        %u %%\nmicrophone    slot %u\n",
            rh_manager1_get_version(manager), rh_manager1_get_hypervisor_version(manager),
            rh_manager1_get_free_memory(manager) / 1024, rh_manager1_get_total_memory(manager) / 1024,
            rh_manager1_get_pool_free(manager) >> 20, rh_manager1_get_pool_size(manager) >> 20,
            rh_manager1_get_focused_slot(manager), rh_manager1_get_volume(manager),
            rh_manager1_get_microphone_slot(manager));
    return TRUE;
}

gboolean control_status(struct control *control, GError **error)
{
    if (!control->words[0])
        return machine_status(control);
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    if (!guest)
        return FALSE;
    if (control->json)
        return print_as_json(guest);
    g_print("name        %s\nslot        %u\nscreen      %u\ncolour      %s\ntype        %s\nstate       %s\n"
            "domain      %d\nmemory      %" G_GUINT64_FORMAT " MiB\nvcpus       %u\nautostart   %s\n",
            rh_guest1_get_name(guest), rh_guest1_get_slot(guest), rh_guest1_get_screen(guest),
            rh_guest1_get_colour(guest), rh_guest1_get_guest_type(guest), rh_guest1_get_state(guest),
            rh_guest1_get_domain_id(guest), rh_guest1_get_memory(guest) / 1024, rh_guest1_get_vcpus(guest),
            rh_guest1_get_autostart(guest) ? "yes" : "no");
    if (*rh_guest1_get_error(guest))
        g_print("error       %s\n", rh_guest1_get_error(guest));
    return TRUE;
}

gboolean control_switch(struct control *control, GError **error)
{
    const char *name = control->words[0];
    gboolean switcher = g_str_equal(name, "0") || g_str_equal(name, "switcher");
    g_autoptr(RhGuest1) guest = switcher ? NULL : control_guest(control, name, error);
    if (!switcher && !guest)
        return FALSE;
    g_autoptr(GVariant) answer = switcher ? control_call(control->manager, "Switch", g_variant_new("(u)", 0), error)
                                          : control_call(guest, "Switch", NULL, error);
    return answer != NULL;
}

gboolean control_volume(struct control *control, GError **error)
{
    guint64 percent;
    if (!g_ascii_string_to_unsigned(control->words[0], 10, 0, 100, &percent, NULL)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "\"%s\" is not a volume from 0 to 100 percent.",
                    control->words[0]);
        return FALSE;
    }
    g_autoptr(GVariant) answer =
        control_call(control->manager, "SetVolume", g_variant_new("(u)", (guint)percent), error);
    return answer != NULL;
}

static gboolean check_runs(RhGuest1 *guest, GError **error)
{
    if (rh_guest1_get_domain_id(guest) >= 0)
        return TRUE;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s is %s. Start it first.", rh_guest1_get_name(guest),
                rh_guest1_get_state(guest));
    return FALSE;
}

/* The slot that hears; 0: nobody's. FALSE: the guest cannot. */
static gboolean find_listener(struct control *control, guint *slot, GError **error)
{
    const char *name = control->words[0];
    *slot = 0;
    if (g_str_equal(name, "0") || g_str_equal(name, "nobody"))
        return TRUE;
    g_autoptr(RhGuest1) guest = control_guest(control, name, error);
    if (!guest || !check_runs(guest, error))
        return FALSE;
    *slot = rh_guest1_get_screen(guest);
    if (!*slot)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    "%s has no screen, and so no microphone. Give it a slot, and start it again.", name);
    return *slot != 0;
}

gboolean control_microphone(struct control *control, GError **error)
{
    guint slot;
    if (!find_listener(control, &slot, error))
        return FALSE;
    g_autoptr(GVariant) answer = control_call(control->manager, "GiveMicrophone", g_variant_new("(u)", slot), error);
    return answer != NULL;
}

/* xl joins it: it is a terminal with xenconsoled at its other end. */
gboolean control_console(struct control *control, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    if (!guest || !check_runs(guest, error))
        return FALSE;
    g_autofree char *domain = g_strdup_printf("%d", rh_guest1_get_domain_id(guest));
    execlp("xl", "xl", "console", domain, (char *)NULL);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "xl could not be started: %s.", g_strerror(errno));
    return FALSE;
}

/* ---- jobs ---- */

static void print_job(RhJob1 *job)
{
    const char *path = g_dbus_proxy_get_object_path(G_DBUS_PROXY(job));
    double progress = rh_job1_get_progress(job);
    int left = rh_job1_get_seconds_left(job);
    g_autofree char *done = progress < 0 ? g_strdup("-") : g_strdup_printf("%.0f %%", progress * 100);
    g_autofree char *seconds = left < 0 ? g_strdup("-") : g_strdup_printf("%d s", left);
    g_print("%6s %-9s %-24s %-10s %6s %7s  %s\n", strrchr(path, '/') + 1, rh_job1_get_kind(job), rh_job1_get_guest(job),
            rh_job1_get_state(job), done, seconds, rh_job1_get_error(job));
}

gboolean control_screenshot(struct control *control, GError **error)
{
    g_autoptr(RhGuest1) guest = control_guest(control, control->words[0], error);
    g_autoptr(GUnixFDList) file = guest ? control_make_file(control->words[1], error) : NULL;
    g_autoptr(GVariant) answer =
        file ? control_call_with(guest, "Screenshot", g_variant_new("(h)", 0), file, error) : NULL;
    if (file && !answer)
        unlink(control->words[1]);
    return answer != NULL;
}

gboolean control_list_jobs(struct control *control, GError **error)
{
    g_autoptr(GPtrArray) jobs = control_jobs(error);
    if (!jobs)
        return FALSE;
    if (control->json)
        return print_all_as_json(jobs);
    g_print("%6s %-9s %-24s %-10s %6s %7s  %s\n", "NUMBER", "KIND", "GUEST", "STATE", "DONE", "LEFT", "ERROR");
    for (guint i = 0; i < jobs->len; i++)
        print_job(g_ptr_array_index(jobs, i));
    return TRUE;
}

gboolean control_cancel(struct control *control, GError **error)
{
    g_autoptr(GPtrArray) jobs = control_jobs(error);
    for (guint i = 0; jobs && i < jobs->len; i++) {
        GDBusProxy *job = g_ptr_array_index(jobs, i);
        if (!g_str_equal(strrchr(g_dbus_proxy_get_object_path(job), '/') + 1, control->words[0]))
            continue;
        g_autoptr(GVariant) answer = control_call(job, "Cancel", NULL, error);
        return answer != NULL;
    }
    if (jobs)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "There is no job %s. \"roundhousectl jobs\" shows them.",
                    control->words[0]);
    return FALSE;
}
