/* org.roundhouse.Manager1 and what holds the guests together. */
#include "manager.h"
#include "display.h"
#include "errors.h"
#include "guest.h"
#include "guest_logs.h"
#include "machine_end.h"
#include "roundhouse_dbus.h"

#define OBJECT_PATH         "/org/roundhouse/Manager1"
#define HOST_SECONDS        3 /* in which a guest's console, at xenconsoled's pace, makes less than a megabyte */
#define RELOAD_MILLISECONDS 300
#define SEAT_PATIENCE       60 /* seconds */
#define SWITCHER_PATIENCE   30 /* seconds after the seat */

struct manager {
    RhManager1 *skeleton;
    struct guest_environment environment;
    char *guests_directory;
    char *autostart_marker;
    GPtrArray *guests;   /* struct guest, in order of slots */
    GPtrArray *problems; /* sentences about definitions */
    GFileMonitor *monitor;
    guint reload_timer, host_timer, seat_timer;
    gboolean seat_late;
    gboolean switcher_shown;
    guint switcher_timer;
    int foreground;      /* domain that goes first; -1: none */
    gboolean host_query; /* under way */
    gboolean autostart_begun;
    guint autostart_slot;     /* guests below have had their turn; the marker says so too */
    gboolean autostart_again; /* the guest whose turn it is has failed once */
    struct machine_end *ending;
};

static struct guest *find_slot(struct manager *manager, guint slot)
{
    for (guint i = 0; i < manager->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(manager->guests, i);
        if (guest_config(guest)->slot == slot)
            return guest;
    }
    return NULL;
}

static struct guest *find_name(struct manager *manager, const char *name)
{
    for (guint i = 0; i < manager->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(manager->guests, i);
        if (g_str_equal(guest_config(guest)->name, name))
            return guest;
    }
    return NULL;
}

/* ---- properties ---- */

static int compare_guests(gconstpointer a, gconstpointer b)
{
    return (int)guest_config(*(struct guest *const *)a)->slot - (int)guest_config(*(struct guest *const *)b)->slot;
}

static void publish_guests(struct manager *manager)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    g_ptr_array_sort(manager->guests, compare_guests);
    for (guint i = 0; i < manager->guests->len; i++)
        g_ptr_array_add(paths, (char *)guest_object_path(g_ptr_array_index(manager->guests, i)));
    g_ptr_array_add(paths, NULL);
    rh_manager1_set_guests(manager->skeleton, (const char *const *)paths->pdata);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(manager->skeleton));
}

static void publish_problems(struct manager *manager)
{
    g_autoptr(GPtrArray) sentences = g_ptr_array_new();
    for (guint i = 0; i < manager->problems->len; i++)
        g_ptr_array_add(sentences, g_ptr_array_index(manager->problems, i));
    if (manager->seat_late)
        g_ptr_array_add(sentences, (char *)"The display service does not answer, so no guest is started by itself. "
                                           "\"systemctl status roundhouse-seat\" says why.");
    g_ptr_array_add(sentences, NULL);
    rh_manager1_set_problems(manager->skeleton, (const char *const *)sentences->pdata);
}

static void host_answered(GObject *source, GAsyncResult *result, gpointer data)
{
    struct manager *manager = data;
    struct toolstack_host host;
    g_autoptr(GError) error = NULL;
    (void)source;
    manager->host_query = FALSE;
    if (!toolstack_query_host_finish(manager->environment.toolstack, result, &host, &error)) {
        g_warning("%s", error->message);
        return;
    }
    rh_manager1_set_hypervisor_version(manager->skeleton, host.version);
    rh_manager1_set_free_memory(manager->skeleton, host.free_kib);
    rh_manager1_set_total_memory(manager->skeleton, host.total_kib);
}

static void query_host(struct manager *manager)
{
    if (manager->host_query)
        return;
    manager->host_query = TRUE;
    toolstack_query_host(manager->environment.toolstack, host_answered, manager);
}

static gboolean look_after_host(gpointer data)
{
    guest_logs_trim("/var/log/xen/console"); /* xenconsoled's */
    guest_logs_trim("/var/log/xen");         /* device models' and libxl's */
    query_host(data);
    return G_SOURCE_CONTINUE;
}

/*
 * ---- autostart: one guest after another, smallest slot first ----
 * When the machine has just come up it is at its busiest, and Debian's script for disks gives up after 40 s. Nobody
 * sits there to press Start, so what the toolstack could not do is tried a second time.
 */

static void autostart_next(struct manager *manager);

static void autostarted(struct guest *guest, const GError *error, gpointer data)
{
    struct manager *manager = data;
    if (g_error_matches(error, RH_ERROR, RH_ERROR_TOOLSTACK) && guest_state(guest) == GUEST_OFF &&
        !manager->autostart_again && !manager->ending) {
        manager->autostart_again = TRUE;
        guest_request(guest, REQUEST_START, autostarted, manager);
    } else {
        autostart_next(manager); /* the error is in the guest's Error property */
    }
}

static void set_autostart_slot(struct manager *manager, guint slot)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("%u\n", slot);
    manager->autostart_slot = slot;
    if (!g_file_set_contents(manager->autostart_marker, text, -1, &error))
        g_warning("%s", error->message);
}

static void autostart_next(struct manager *manager)
{
    for (guint i = 0; i < manager->guests->len && !manager->ending; i++) {
        struct guest *guest = g_ptr_array_index(manager->guests, i);
        const struct guest_config *config = guest_config(guest);
        if (config->slot < manager->autostart_slot)
            continue;
        set_autostart_slot(manager, config->slot); /* until it has started it is this one's turn */
        manager->autostart_slot = config->slot + 1;
        manager->autostart_again = FALSE;
        if (config->autostart && guest_state(guest) == GUEST_OFF) {
            guest_request(guest, REQUEST_START, autostarted, manager);
            return;
        }
    }
    set_autostart_slot(manager, GUEST_SLOT_MAX + 1);
}

/*
 * Once per boot: a restart of the service must not bring back what the user has shut down. A service that ended amid it
 * goes on where it was.
 */
static void autostart(struct manager *manager)
{
    g_autofree char *text = NULL;
    if (manager->autostart_begun)
        return;
    manager->autostart_begun = TRUE;
    if (g_file_get_contents(manager->autostart_marker, &text, NULL, NULL))
        manager->autostart_slot = (guint)g_ascii_strtoull(text, NULL, 10);
    autostart_next(manager);
}

/* The picture comes first, but a switcher that never shows must not keep the guests away for ever. */
static gboolean switcher_overdue(gpointer data)
{
    struct manager *manager = data;
    manager->switcher_timer = 0;
    g_warning("The switcher has not said that it is on screen; starting guests without it.");
    autostart(manager);
    return G_SOURCE_REMOVE;
}

static void seat_changed(gboolean present, gpointer data)
{
    struct manager *manager = data;
    if (!present)
        return;
    g_clear_handle_id(&manager->seat_timer, g_source_remove);
    manager->seat_late = FALSE;
    publish_problems(manager);
    if (manager->switcher_shown)
        autostart(manager);
    else
        manager->switcher_timer = g_timeout_add_seconds(SWITCHER_PATIENCE, switcher_overdue, manager);
}

static gboolean on_switcher_shown(RhManager1 *skeleton, GDBusMethodInvocation *invocation, gpointer data)
{
    struct manager *manager = data;
    manager->switcher_shown = TRUE;
    g_clear_handle_id(&manager->switcher_timer, g_source_remove);
    if (display_seat_present(manager->environment.display))
        autostart(manager);
    rh_manager1_complete_switcher_shown(skeleton, invocation);
    return TRUE;
}

static gboolean seat_overdue(gpointer data)
{
    struct manager *manager = data;
    manager->seat_timer = 0;
    manager->seat_late = TRUE;
    publish_problems(manager);
    return G_SOURCE_REMOVE;
}

/* The focused slot's domain may be another one since the guest was started again. */
static void publish_foreground(struct manager *manager)
{
    struct guest *guest = find_slot(manager, rh_manager1_get_focused_slot(manager->skeleton));
    int domid = guest ? guest_domid(guest) : -1;
    if (domid == manager->foreground)
        return;
    manager->foreground = domid;
    toolstack_set_foreground(manager->environment.toolstack, domid);
}

static void focus_changed(guint slot, gpointer data)
{
    struct manager *manager = data;
    rh_manager1_set_focused_slot(manager->skeleton, slot);
    publish_foreground(manager);
}

/* ---- definitions ---- */

static void add_guest(struct manager *manager, const struct guest_config *config)
{
    g_autoptr(GError) error = NULL;
    struct guest *guest = guest_new(&manager->environment, guest_config_copy(config), &error);
    if (!guest) {
        g_ptr_array_add(manager->problems, g_strdup_printf("%s cannot be offered: %s.", config->name, error->message));
        return;
    }
    g_ptr_array_add(manager->guests, guest);
    publish_guests(manager);
    rh_manager1_emit_guest_added(manager->skeleton, guest_object_path(guest));
}

static void drop_guest(struct manager *manager, struct guest *guest)
{
    g_autofree char *path = g_strdup(guest_object_path(guest));
    g_ptr_array_remove(manager->guests, guest);
    publish_guests(manager);
    rh_manager1_emit_guest_removed(manager->skeleton, path);
    guest_remove(guest);
}

static const struct guest_config *find_config(GPtrArray *configs, struct guest *guest)
{
    for (guint i = 0; i < configs->len; i++) {
        const struct guest_config *config = g_ptr_array_index(configs, i);
        if (config->slot == guest_config(guest)->slot && g_str_equal(config->name, guest_config(guest)->name))
            return config;
    }
    return NULL;
}

static gboolean is_idle(struct guest *guest)
{
    return guest_state(guest) == GUEST_OFF || guest_state(guest) == GUEST_CRASHED;
}

static void drop_undefined(struct manager *manager, GPtrArray *configs)
{
    for (guint i = manager->guests->len; i-- > 0;) {
        struct guest *guest = g_ptr_array_index(manager->guests, i);
        if (find_config(configs, guest))
            continue;
        if (is_idle(guest))
            drop_guest(manager, guest);
        else
            g_ptr_array_add(manager->problems, g_strdup_printf("%s has no definition any more and stays until it is "
                                                               "shut down.",
                                                               guest_config(guest)->name));
    }
}

static void apply_config(struct manager *manager, const struct guest_config *config)
{
    struct guest *guest = find_slot(manager, config->slot);
    if (!guest)
        guest = find_name(manager, config->name);
    if (!guest)
        add_guest(manager, config);
    else if (config->slot != guest_config(guest)->slot || !g_str_equal(config->name, guest_config(guest)->name))
        g_ptr_array_add(manager->problems, g_strdup_printf("%s waits until %s is shut down: both want the same name "
                                                           "or slot.",
                                                           config->path, guest_config(guest)->name));
    else if (!guest_config_equal(config, guest_config(guest)))
        guest_set_config(guest, guest_config_copy(config));
}

static void load_definitions(struct manager *manager)
{
    g_ptr_array_set_size(manager->problems, 0);
    g_autoptr(GPtrArray) configs = guest_config_load_directory(manager->guests_directory, manager->problems);
    drop_undefined(manager, configs);
    for (guint i = 0; i < configs->len; i++)
        apply_config(manager, g_ptr_array_index(configs, i));
    for (guint i = 0; i < manager->problems->len; i++)
        g_warning("%s", (char *)g_ptr_array_index(manager->problems, i));
    publish_problems(manager);
}

static gboolean reload(gpointer data)
{
    struct manager *manager = data;
    manager->reload_timer = 0;
    load_definitions(manager);
    return G_SOURCE_REMOVE;
}

/* Editors write a file in several steps: one reload for all of them. */
static void schedule_reload(struct manager *manager)
{
    g_clear_handle_id(&manager->reload_timer, g_source_remove);
    manager->reload_timer = g_timeout_add(RELOAD_MILLISECONDS, reload, manager);
}

static void definitions_changed(GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event,
                                gpointer data)
{
    (void)monitor;
    (void)file;
    (void)other;
    (void)event;
    schedule_reload(data);
}

static void watch_definitions(struct manager *manager)
{
    g_autoptr(GFile) directory = g_file_new_for_path(manager->guests_directory);
    g_autoptr(GError) error = NULL;
    manager->monitor = g_file_monitor_directory(directory, G_FILE_MONITOR_NONE, NULL, &error);
    if (manager->monitor)
        g_signal_connect(manager->monitor, "changed", G_CALLBACK(definitions_changed), manager);
    else
        g_warning("Changes of guest definitions will not be noticed: %s", error->message);
}

static void guest_state_changed(struct guest *guest, gpointer data)
{
    struct manager *manager = data;
    query_host(manager);
    publish_foreground(manager);
    if (is_idle(guest))
        schedule_reload(manager); /* a definition may have waited for this */
    if (manager->ending)
        machine_end_advance(manager->ending);
}

/* ---- methods ---- */

static gboolean on_switch(RhManager1 *skeleton, GDBusMethodInvocation *invocation, guint slot, gpointer data)
{
    struct manager *manager = data;
    g_autoptr(GError) error = NULL;
    struct guest *guest = find_slot(manager, slot);
    if (slot && !guest)
        g_set_error(&error, RH_ERROR, RH_ERROR_NOT_FOUND, "There is no guest in slot %u.", slot);
    else if (!slot || guest_state_check(guest_state(guest), REQUEST_SWITCH, guest_config(guest)->name, &error))
        display_focus(manager->environment.display, slot, &error);
    if (error)
        g_dbus_method_invocation_return_gerror(invocation, error);
    else
        rh_manager1_complete_switch(skeleton, invocation);
    return TRUE;
}

static gboolean on_get_guest(RhManager1 *skeleton, GDBusMethodInvocation *invocation, const char *name, gpointer data)
{
    struct guest *guest = find_name(data, name);
    if (guest)
        rh_manager1_complete_get_guest(skeleton, invocation, guest_object_path(guest));
    else
        g_dbus_method_invocation_return_error(invocation, RH_ERROR, RH_ERROR_NOT_FOUND,
                                              "There is no guest called \"%s\".", name);
    return TRUE;
}

/* ---- sound ---- */

static void sound_changed(guint volume, guint microphone, gpointer data)
{
    struct manager *manager = data;
    rh_manager1_set_volume(manager->skeleton, volume);
    rh_manager1_set_microphone_slot(manager->skeleton, microphone);
}

static gboolean on_set_volume(RhManager1 *skeleton, GDBusMethodInvocation *invocation, guint percent, gpointer data)
{
    struct manager *manager = data;
    g_autoptr(GError) error = NULL;
    if (percent > 100)
        g_set_error(&error, RH_ERROR, RH_ERROR_BAD_CONFIG, "A volume is 0 to 100 percent, not %u.", percent);
    else if (display_set_volume(manager->environment.display, percent, &error))
        rh_manager1_complete_set_volume(skeleton, invocation);
    if (error)
        g_dbus_method_invocation_return_gerror(invocation, error);
    return TRUE;
}

static gboolean on_give_microphone(RhManager1 *skeleton, GDBusMethodInvocation *invocation, guint slot, gpointer data)
{
    struct manager *manager = data;
    g_autoptr(GError) error = NULL;
    struct guest *guest = find_slot(manager, slot);
    if (slot && (!guest || guest_domid(guest) < 0))
        g_set_error(&error, RH_ERROR, RH_ERROR_NOT_FOUND, "No guest runs in slot %u.", slot);
    else if (display_set_microphone(manager->environment.display, slot, &error))
        rh_manager1_complete_give_microphone(skeleton, invocation);
    if (error)
        g_dbus_method_invocation_return_gerror(invocation, error);
    return TRUE;
}

static void begin_end(struct manager *manager, enum machine_end_kind kind)
{
    if (!manager->ending)
        manager->ending = machine_end_begin(manager->environment.bus, manager->guests, kind);
}

static gboolean on_shutdown(RhManager1 *skeleton, GDBusMethodInvocation *invocation, gpointer data)
{
    begin_end(data, MACHINE_POWER_OFF);
    rh_manager1_complete_shutdown(skeleton, invocation);
    return TRUE;
}

static gboolean on_reboot(RhManager1 *skeleton, GDBusMethodInvocation *invocation, gpointer data)
{
    begin_end(data, MACHINE_RESTART);
    rh_manager1_complete_reboot(skeleton, invocation);
    return TRUE;
}

/* ---- life ---- */

static void domain_ended(int domid, enum toolstack_end end, gpointer data)
{
    struct manager *manager = data;
    for (guint i = 0; i < manager->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(manager->guests, i);
        if (guest_domid(guest) == domid) {
            guest_domain_ended(guest, end);
            return;
        }
    }
}

static void devices_lost(int domid, gpointer data)
{
    domain_ended(domid, TOOLSTACK_END_CRASH, data);
}

static gboolean open_environment(struct manager *manager, const struct manager_options *options, GError **error)
{
    static const struct display_callbacks callbacks = {seat_changed, focus_changed, sound_changed, devices_lost};
    struct guest_environment *environment = &manager->environment;
    environment->toolstack = toolstack_new(domain_ended, manager, error);
    if (!environment->toolstack)
        return FALSE;
    environment->display = display_new(options->seat_socket, options->sound_socket, &callbacks, manager, error);
    return environment->display != NULL;
}

static gboolean export_manager(struct manager *manager, const struct manager_options *options, GError **error)
{
    RhManager1 *skeleton = rh_manager1_skeleton_new();
    manager->skeleton = skeleton;
    rh_manager1_set_version(skeleton, options->version);
    rh_manager1_set_hypervisor_version(skeleton, "");
    rh_manager1_set_volume(skeleton, 100);
    g_signal_connect(skeleton, "handle-switch", G_CALLBACK(on_switch), manager);
    g_signal_connect(skeleton, "handle-get-guest", G_CALLBACK(on_get_guest), manager);
    g_signal_connect(skeleton, "handle-switcher-shown", G_CALLBACK(on_switcher_shown), manager);
    g_signal_connect(skeleton, "handle-set-volume", G_CALLBACK(on_set_volume), manager);
    g_signal_connect(skeleton, "handle-give-microphone", G_CALLBACK(on_give_microphone), manager);
    g_signal_connect(skeleton, "handle-shutdown", G_CALLBACK(on_shutdown), manager);
    g_signal_connect(skeleton, "handle-reboot", G_CALLBACK(on_reboot), manager);
    publish_guests(manager);
    publish_problems(manager);
    return g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(skeleton), manager->environment.bus, OBJECT_PATH,
                                            error);
}

struct manager *manager_new(GDBusConnection *bus, const struct manager_options *options, GError **error)
{
    struct manager *manager = g_new0(struct manager, 1);
    manager->environment.bus = bus;
    manager->foreground = -1;
    manager->environment.state_changed = guest_state_changed;
    manager->environment.user = manager;
    manager->guests_directory = g_strdup(options->guests_directory);
    manager->autostart_marker = g_strdup(options->autostart_marker);
    manager->guests = g_ptr_array_new();
    manager->problems = g_ptr_array_new_with_free_func(g_free);
    if (!export_manager(manager, options, error) || !open_environment(manager, options, error)) {
        manager_free(manager);
        return NULL;
    }
    load_definitions(manager);
    watch_definitions(manager);
    query_host(manager);
    manager->host_timer = g_timeout_add_seconds(HOST_SECONDS, look_after_host, manager);
    manager->seat_timer = g_timeout_add_seconds(SEAT_PATIENCE, seat_overdue, manager);
    return manager;
}

void manager_free(struct manager *manager)
{
    g_clear_handle_id(&manager->reload_timer, g_source_remove);
    g_clear_handle_id(&manager->host_timer, g_source_remove);
    g_clear_handle_id(&manager->seat_timer, g_source_remove);
    g_clear_handle_id(&manager->switcher_timer, g_source_remove);
    g_clear_pointer(&manager->ending, machine_end_free);
    g_clear_object(&manager->monitor);
    for (guint i = 0; i < manager->guests->len; i++)
        guest_remove(g_ptr_array_index(manager->guests, i));
    g_ptr_array_unref(manager->guests);
    g_ptr_array_unref(manager->problems);
    if (manager->skeleton) {
        g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(manager->skeleton));
        g_object_unref(manager->skeleton);
    }
    if (manager->environment.display)
        display_free(manager->environment.display);
    if (manager->environment.toolstack)
        toolstack_free(manager->environment.toolstack);
    g_free(manager->guests_directory);
    g_free(manager->autostart_marker);
    g_free(manager);
}
