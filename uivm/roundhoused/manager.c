/* org.roundhouse.Manager1 and what holds the guests together. */
#include "manager.h"
#include "autostart.h"
#include "display.h"
#include "errors.h"
#include "guest.h"
#include "guest_disc.h"
#include "guest_picture.h"
#include "guest_disks.h"
#include "guest_edit.h"
#include "guest_logs.h"
#include "guest_points.h"
#include "image_bus.h"
#include "machine_end.h"
#include "policy/service.h"
#include "pool_guard.h"
#include "roundhouse_dbus.h"

#define OBJECTS_PATH        "/org/roundhouse" /* of the object manager */
#define OBJECT_PATH         OBJECTS_PATH "/Manager1"
#define HOST_SECONDS        3 /* in which a guest's console, at xenconsoled's pace, makes less than a megabyte */
#define RELOAD_MILLISECONDS 300

struct manager {
    RhManager1 *skeleton;
    GDBusConnection *bus;
    struct guest_environment environment;
    struct guest_edit edit;
    struct image_bus images;
    struct guest_points *points;
    char *guests_directory;
    char *saved, *identities; /* those of environment */
    GPtrArray *guests;        /* struct guest, in order: guest_config_compare */
    GPtrArray *problems;      /* sentences about definitions */
    char *pool;               /* the folder of disks */
    struct pool_guard *pool_guard;
    struct policy_service *policy; /* NULL while the rest is made, and so is */
    struct autostart *autostart;
    GFileMonitor *monitor;
    guint reload_timer, host_timer;
    int foreground;      /* domain that goes first; -1: none */
    gboolean host_query; /* under way */
    struct machine_end *ending;
};

/* The guest with its screen in this slot; otherwise the one that would have it there. */
static struct guest *find_slot(struct manager *manager, guint slot)
{
    struct guest *found = NULL;
    for (guint i = 0; slot && i < manager->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(manager->guests, i);
        if (guest_slot(guest) == slot && (!found || guest_domid(guest) >= 0))
            found = guest;
    }
    return found;
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
    return guest_config_compare(guest_config(*(struct guest *const *)a), guest_config(*(struct guest *const *)b));
}

static void publish_problems(struct manager *manager)
{
    g_autoptr(GPtrArray) sentences = g_ptr_array_new();
    for (guint i = 0; i < manager->problems->len; i++)
        g_ptr_array_add(sentences, g_ptr_array_index(manager->problems, i));
    const char *const others[] = {manager->autostart ? autostart_problem(manager->autostart) : NULL,
                                  pool_guard_problem(manager->pool_guard),
                                  manager->policy ? policy_service_problem(manager->policy) : NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
        if (others[i])
            g_ptr_array_add(sentences, (char *)others[i]);
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
    struct manager *manager = data;
    if (pool_guard_check(manager->pool_guard, manager->guests))
        publish_problems(manager);
    guest_logs_trim("/var/log/xen/console"); /* xenconsoled's */
    guest_logs_trim("/var/log/xen");         /* device models' and libxl's */
    image_bus_publish_space(&manager->images, manager->skeleton);
    guest_points_tick(manager->points);
    query_host(manager);
    return G_SOURCE_CONTINUE;
}

/* ---- the seat and the switcher ---- */

static void seat_changed(gboolean present, gpointer data)
{
    struct manager *manager = data;
    if (present)
        autostart_seat_came(manager->autostart);
}

static void switcher_shown(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct manager *manager = user;
    (void)argument;
    autostart_switcher_shown(manager->autostart, display_seat_present(manager->environment.display));
    g_dbus_method_invocation_return_value(invocation, NULL);
}

static void problem_told(gpointer data)
{
    publish_problems(data);
}

static gboolean may_autostart(gpointer data, const struct guest_config *config, GError **error)
{
    struct manager *manager = data;
    return policy_service_may_autostart(manager->policy, config, error);
}

/* The focused slot's domain may be another one since the guest was started again. */
static void publish_foreground(struct manager *manager)
{
    struct guest *guest = find_slot(manager, rh_manager1_get_focused_slot(manager->skeleton));
    int domid = guest ? guest_domid(guest) : -1;
    /* Nothing locks the screen yet. */
    const struct policy_screen screen = {domid < 0 ? NULL : guest_config(guest)->name, FALSE};
    policy_service_set_screen(manager->policy, &screen);
    rh_manager1_set_focused_guest(manager->skeleton, domid < 0 ? "/" : guest_object_path(guest));
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

/* ---- sound ---- */

static void sound_changed(guint volume, guint microphone, gpointer data)
{
    struct manager *manager = data;
    rh_manager1_set_volume(manager->skeleton, volume);
    rh_manager1_set_microphone_slot(manager->skeleton, microphone);
}

/* ---- definitions ---- */

static void add_guest(struct manager *manager, const struct guest_config *config)
{
    struct guest *guest = guest_new(&manager->environment, guest_config_copy(config));
    g_ptr_array_add(manager->guests, guest);
    guest_edit_serve_guest(&manager->edit, guest);
    guest_points_serve(manager->points, guest);
    guest_disc_serve(&manager->environment, guest);
    guest_picture_serve(manager->environment.authority, guest);
}

static void drop_guest(struct manager *manager, struct guest *guest)
{
    g_ptr_array_remove(manager->guests, guest);
    policy_service_guest_gone(manager->policy, guest_config(guest)->name);
    guest_remove(guest);
}

static gboolean is_defined(GPtrArray *configs, struct guest *guest)
{
    for (guint i = 0; i < configs->len; i++) {
        const struct guest_config *config = g_ptr_array_index(configs, i);
        if (g_str_equal(config->name, guest_config(guest)->name))
            return TRUE;
    }
    return FALSE;
}

static gboolean is_idle(struct guest *guest)
{
    return guest_state(guest) == GUEST_OFF || guest_state(guest) == GUEST_CRASHED;
}

static void drop_undefined(struct manager *manager, GPtrArray *configs)
{
    for (guint i = manager->guests->len; i-- > 0;) {
        struct guest *guest = g_ptr_array_index(manager->guests, i);
        if (is_defined(configs, guest))
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
    struct guest *guest = find_name(manager, config->name);
    if (!guest)
        add_guest(manager, config);
    else if (!guest_config_equal(config, guest_config(guest)))
        guest_set_config(guest, guest_config_copy(config));
}

/* A guest with a label that is none is listed, and not started. */
static void check_labels(struct manager *manager, GPtrArray *configs)
{
    for (guint i = 0; i < configs->len; i++) {
        struct guest_config *config = g_ptr_array_index(configs, i);
        g_autoptr(GError) error = NULL;
        if (!policy_service_label(manager->policy, config, &error))
            g_ptr_array_add(manager->problems, g_strdup_printf("%s: %s", config->path, error->message));
    }
}

static void load_definitions(struct manager *manager)
{
    g_ptr_array_set_size(manager->problems, 0);
    g_autoptr(GPtrArray) configs = guest_config_load_directory(manager->guests_directory, manager->problems);
    check_labels(manager, configs);
    drop_undefined(manager, configs);
    for (guint i = 0; i < configs->len; i++)
        apply_config(manager, g_ptr_array_index(configs, i));
    g_ptr_array_sort(manager->guests, compare_guests);
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

static void reload_now(gpointer data)
{
    struct manager *manager = data;
    g_clear_handle_id(&manager->reload_timer, g_source_remove);
    load_definitions(manager);
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
    policy_service_guest_changed(manager->policy, guest);
    if (is_idle(guest))
        schedule_reload(manager); /* a definition may have waited for this */
    if (manager->ending)
        machine_end_advance(manager->ending);
}

static void before_start(struct guest *guest, void (*go_on)(gpointer data), gpointer go_on_data, gpointer data)
{
    struct manager *manager = data;
    guest_points_before_start(manager->points, guest, go_on, go_on_data);
}

/*
 * For a guest without a slot: one that no other has or is going to want, from the last; else one that is free now.
 */
static guint lend_slot(gpointer data, GError **error)
{
    struct manager *manager = data;
    guint free_now = 0;
    for (guint slot = GUEST_SLOT_MAX; slot > GUEST_SLOT_NONE; slot--) {
        struct guest *guest = find_slot(manager, slot);
        if (!guest)
            return slot;
        if (!free_now && guest_domid(guest) < 0)
            free_now = slot;
    }
    if (!free_now)
        g_set_error(error, RH_ERROR, RH_ERROR_DISPLAY,
                    "All %d screens are taken. Shut another guest down, or give this one display=none and sound=none.",
                    GUEST_SLOT_MAX);
    return free_now;
}

/* ---- the policy ---- */

static void policy_changed(gpointer data)
{
    load_definitions(data);
}

static gboolean label(gpointer data, struct guest_config *config, GError **error)
{
    struct manager *manager = data;
    return policy_service_label(manager->policy, config, error);
}

static gboolean may_keep(gpointer data, const struct guest_config *config, GError **error)
{
    struct manager *manager = data;
    return policy_service_may_keep(manager->policy, config, error);
}

static void open_policy(struct manager *manager, const struct manager_options *options)
{
    const struct policy_service_options policy = {.objects = manager->environment.objects,
                                                  .authority = manager->environment.authority,
                                                  .toolstack = manager->environment.toolstack,
                                                  .guests = manager->guests,
                                                  .table = options->policy,
                                                  .state_directory = options->state_directory,
                                                  .changed = policy_changed,
                                                  .user = manager};
    manager->policy = policy_service_new(&policy);
    policy_service_serve(manager->policy, manager->skeleton);
    guest_points_set_check(manager->points, may_keep, manager);
}

/* ---- methods ---- */

/* NULL: it is done. */
static void answer(GDBusMethodInvocation *invocation, const GError *error)
{
    if (error)
        g_dbus_method_invocation_return_gerror(invocation, error);
    else
        g_dbus_method_invocation_return_value(invocation, NULL);
}

static void switch_to(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct manager *manager = user;
    g_autoptr(GError) error = NULL;
    guint slot;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(u)", &slot);
    struct guest *guest = find_slot(manager, slot);
    if (slot && !guest)
        g_set_error(&error, RH_ERROR, RH_ERROR_NOT_FOUND, "There is no guest in slot %u.", slot);
    else if (!slot || guest_state_check(guest_state(guest), REQUEST_SWITCH, guest_config(guest)->name, &error))
        display_focus(manager->environment.display, slot, &error);
    answer(invocation, error);
}

static void get_guest(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    const char *name;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &name);
    struct guest *guest = find_name(user, name);
    if (guest)
        g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", guest_object_path(guest)));
    else
        g_dbus_method_invocation_return_error(invocation, RH_ERROR, RH_ERROR_NOT_FOUND,
                                              "There is no guest called \"%s\".", name);
}

static void set_volume(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct manager *manager = user;
    g_autoptr(GError) error = NULL;
    guint percent;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(u)", &percent);
    if (percent > 100)
        g_set_error(&error, RH_ERROR, RH_ERROR_BAD_CONFIG, "A volume is 0 to 100 percent, not %u.", percent);
    else
        display_set_volume(manager->environment.display, percent, &error);
    answer(invocation, error);
}

static void give_microphone(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct manager *manager = user;
    g_autoptr(GError) error = NULL;
    guint slot;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(u)", &slot);
    struct guest *guest = find_slot(manager, slot);
    if (slot && (!guest || guest_domid(guest) < 0))
        g_set_error(&error, RH_ERROR, RH_ERROR_NOT_FOUND, "No guest runs in slot %u.", slot);
    else
        display_set_microphone(manager->environment.display, slot, &error);
    answer(invocation, error);
}

static void end_machine(GDBusMethodInvocation *invocation, gpointer user, guint kind)
{
    struct manager *manager = user;
    autostart_stop(manager->autostart);
    if (!manager->ending)
        manager->ending = machine_end_begin(manager->bus, manager->guests, (enum machine_end_kind)kind);
    g_dbus_method_invocation_return_value(invocation, NULL);
}

static const struct authority_method methods[] = {
    {"handle-switch", switch_to, 0},
    {"handle-get-guest", get_guest, 0},
    {"handle-switcher-shown", switcher_shown, 0},
    {"handle-set-volume", set_volume, 0},
    {"handle-give-microphone", give_microphone, 0},
    {"handle-shutdown", end_machine, MACHINE_POWER_OFF},
    {"handle-reboot", end_machine, MACHINE_RESTART},
    {NULL, NULL, 0},
};

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
    toolstack_set_pool(environment->toolstack, options->pool);
    environment->display = display_new(options->seat_socket, options->sound_socket, &callbacks, manager, error);
    return environment->display != NULL;
}

/* One line for everybody who looks at the switcher: that this is no product's image. */
static void publish_notice(struct manager *manager, const char *path)
{
    g_autofree char *text = NULL;
    if (g_file_get_contents(path, &text, NULL, NULL))
        g_strdelimit(g_strstrip(text), "\n", ' ');
    rh_manager1_set_notice(manager->skeleton, text && g_utf8_validate(text, -1, NULL) ? text : "");
}

static void export_manager(struct manager *manager, const struct manager_options *options)
{
    g_autoptr(RhObjectSkeleton) object = rh_object_skeleton_new(OBJECT_PATH);
    RhManager1 *skeleton = rh_manager1_skeleton_new();
    manager->skeleton = skeleton;
    rh_manager1_set_version(skeleton, options->version);
    rh_manager1_set_hypervisor_version(skeleton, "");
    rh_manager1_set_volume(skeleton, 100);
    publish_notice(manager, options->notice);
    authority_serve(manager->environment.authority, skeleton, methods, manager);
    guest_edit_serve_manager(&manager->edit, skeleton);
    image_bus_serve(&manager->images, manager->environment.authority, skeleton);
    image_bus_publish_space(&manager->images, skeleton);
    rh_manager1_set_focused_guest(skeleton, "/");
    publish_problems(manager);
    rh_object_skeleton_set_manager1(object, skeleton);
    g_dbus_object_manager_server_export(manager->environment.objects, G_DBUS_OBJECT_SKELETON(object));
}

struct manager *manager_new(GDBusConnection *bus, const struct manager_options *options, GError **error)
{
    struct manager *manager = g_new0(struct manager, 1);
    manager->bus = bus;
    manager->foreground = -1;
    manager->environment.authority = authority_new(bus);
    manager->environment.objects = g_dbus_object_manager_server_new(OBJECTS_PATH);
    manager->environment.state_changed = guest_state_changed;
    manager->environment.before_start = before_start;
    manager->environment.lend_slot = lend_slot;
    manager->environment.label = label;
    manager->environment.user = manager;
    manager->guests_directory = g_strdup(options->guests_directory);
    manager->environment.saved = manager->saved = g_build_filename(options->state_directory, "saved", NULL);
    manager->environment.identities = manager->identities =
        g_build_filename(options->state_directory, "identities", NULL);
    manager->pool = g_strdup(options->pool);
    manager->pool_guard = pool_guard_new(options->pool);
    manager->guests = g_ptr_array_new();
    manager->problems = g_ptr_array_new_with_free_func(g_free);
    manager->edit = (struct guest_edit){.directory = manager->guests_directory,
                                        .guests = manager->guests,
                                        .jobs = jobs_new(manager->environment.objects, manager->environment.authority),
                                        .authority = manager->environment.authority,
                                        .pool = manager->pool,
                                        .reload = reload_now,
                                        .label = label,
                                        .user = manager};
    manager->images = (struct image_bus){manager->pool, manager->guests, manager->edit.jobs};
    manager->points =
        guest_points_new(manager->pool, manager->guests, manager->edit.jobs, manager->environment.authority);
    export_manager(manager, options);
    if (!open_environment(manager, options, error)) {
        manager_free(manager);
        return NULL;
    }
    open_policy(manager, options);
    const struct autostart_options autostart = {
        .guests = manager->guests,
        .marker = options->autostart_marker,
        .up_marker = options->up_marker,
        .may = may_autostart,
        .told = problem_told,
        .user = manager,
    };
    manager->autostart = autostart_new(&autostart);
    load_definitions(manager);
    guest_disks_settle_all(manager->pool, manager->guests);
    g_dbus_object_manager_server_set_connection(manager->environment.objects, bus);
    watch_definitions(manager);
    query_host(manager);
    manager->host_timer = g_timeout_add_seconds(HOST_SECONDS, look_after_host, manager);
    return manager;
}

void manager_free(struct manager *manager)
{
    g_clear_handle_id(&manager->reload_timer, g_source_remove);
    g_clear_handle_id(&manager->host_timer, g_source_remove);
    g_clear_pointer(&manager->ending, machine_end_free);
    g_clear_object(&manager->monitor);
    jobs_free(manager->edit.jobs);
    for (guint i = 0; i < manager->guests->len; i++)
        guest_remove(g_ptr_array_index(manager->guests, i));
    g_ptr_array_unref(manager->guests);
    g_ptr_array_unref(manager->problems);
    autostart_free(manager->autostart);
    policy_service_free(manager->policy);
    authority_free(manager->environment.authority);
    g_object_unref(manager->skeleton);
    g_object_unref(manager->environment.objects);
    if (manager->environment.display)
        display_free(manager->environment.display);
    if (manager->environment.toolstack)
        toolstack_free(manager->environment.toolstack);
    guest_points_free(manager->points);
    pool_guard_free(manager->pool_guard);
    g_free(manager->pool);
    g_free(manager->guests_directory);
    g_free(manager->saved);
    g_free(manager->identities);
    g_free(manager);
}
