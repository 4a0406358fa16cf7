/* roundhoused's objects, followed over D-Bus. */
#include "model.h"

#define BUS_NAME          "org.roundhouse.Manager1"
#define MANAGER_PATH      "/org/roundhouse/Manager1"
#define CALL_MILLISECONDS (10 * 60 * 1000) /* creating a guest on a slow machine takes its time */
#define OBSERVERS_MAX     4

struct model {
    guint watch;
    RhManager1 *manager;
    GPtrArray *guests;
    GHashTable *wanted; /* object paths whose proxies exist or are being made */
    GCancellable *cancellable;
    struct {
        model_changed_fn changed;
        gpointer user;
    } observers[OBSERVERS_MAX];
    gsize observer_count;
    model_failed_fn failed;
    gpointer failed_user;
    guint idle;
    gboolean shown;
    gboolean seat_focus; /* the seat has told what is on screen: focused */
    guint focused;
};

/* ---- telling ---- */

static gboolean tell(gpointer data)
{
    struct model *model = data;
    model->idle = 0;
    for (gsize i = 0; i < model->observer_count; i++)
        model->observers[i].changed(model->observers[i].user);
    return G_SOURCE_REMOVE;
}

static void changed(struct model *model)
{
    if (!model->idle)
        model->idle = g_idle_add_full(G_PRIORITY_HIGH_IDLE, tell, model, NULL);
}

void model_observe(struct model *model, model_changed_fn fn, gpointer user)
{
    g_return_if_fail(model->observer_count < OBSERVERS_MAX);
    model->observers[model->observer_count].changed = fn;
    model->observers[model->observer_count++].user = user;
    changed(model);
}

void model_set_failed(struct model *model, model_failed_fn failed, gpointer user)
{
    model->failed = failed;
    model->failed_user = user;
}

/* ---- guests ---- */

static int compare_slots(gconstpointer a, gconstpointer b)
{
    return (int)rh_guest1_get_slot(*(RhGuest1 *const *)a) - (int)rh_guest1_get_slot(*(RhGuest1 *const *)b);
}

static void properties_changed(GObject *proxy, GParamSpec *property, gpointer data)
{
    (void)proxy;
    (void)property;
    changed(data);
}

static void guest_opened(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    RhGuest1 *guest = rh_guest1_proxy_new_for_bus_finish(result, &error);
    struct model *model = data;
    (void)source;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* the model may be gone */
    if (!guest) {
        g_warning("A guest cannot be followed: %s", error->message);
        return;
    }
    if (!g_hash_table_contains(model->wanted, g_dbus_proxy_get_object_path(G_DBUS_PROXY(guest)))) {
        g_object_unref(guest);
        return;
    }
    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(guest), CALL_MILLISECONDS);
    g_signal_connect(guest, "notify", G_CALLBACK(properties_changed), model);
    g_ptr_array_add(model->guests, guest);
    g_ptr_array_sort(model->guests, compare_slots);
    changed(model);
}

static void guest_close(gpointer data)
{
    g_signal_handlers_disconnect_matched(data, G_SIGNAL_MATCH_FUNC, 0, 0, NULL, properties_changed, NULL);
    g_object_unref(data);
}

static gboolean listed(const char *const *paths, const char *path)
{
    return paths && g_strv_contains(paths, path);
}

static void drop_unlisted(struct model *model, const char *const *paths)
{
    GHashTableIter iter;
    gpointer path;
    for (guint i = model->guests->len; i-- > 0;) {
        if (!listed(paths, g_dbus_proxy_get_object_path(g_ptr_array_index(model->guests, i))))
            g_ptr_array_remove_index(model->guests, i);
    }
    g_hash_table_iter_init(&iter, model->wanted);
    while (g_hash_table_iter_next(&iter, &path, NULL)) {
        if (!listed(paths, path))
            g_hash_table_iter_remove(&iter);
    }
}

static void follow_guests(struct model *model)
{
    const char *const *paths = model->manager ? rh_manager1_get_guests(model->manager) : NULL;
    drop_unlisted(model, paths);
    for (gsize i = 0; paths && paths[i]; i++) {
        if (g_hash_table_add(model->wanted, g_strdup(paths[i])))
            rh_guest1_proxy_new_for_bus(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, BUS_NAME, paths[i],
                                        model->cancellable, guest_opened, model);
    }
    changed(model);
}

/* ---- the service ---- */

static void guests_changed(GObject *proxy, GParamSpec *property, gpointer data)
{
    (void)proxy;
    (void)property;
    follow_guests(data);
}

static void tell_shown(struct model *model)
{
    if (model->shown && model->manager)
        rh_manager1_call_switcher_shown(model->manager, model->cancellable, NULL, NULL);
}

void model_set_shown(struct model *model)
{
    if (model->shown)
        return;
    model->shown = TRUE;
    tell_shown(model);
}

static void manager_opened(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    RhManager1 *manager = rh_manager1_proxy_new_for_bus_finish(result, &error);
    struct model *model = data;
    (void)source;
    if (!manager) {
        if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
            g_warning("The toolstack service cannot be followed: %s", error->message);
        return;
    }
    model->manager = manager;
    /* Not "g-properties-changed": in its handlers the proxy's getters still give the freed old values. */
    g_signal_connect(manager, "notify", G_CALLBACK(properties_changed), model);
    g_signal_connect(manager, "notify::guests", G_CALLBACK(guests_changed), model);
    follow_guests(model);
    tell_shown(model);
}

static void disconnect(struct model *model)
{
    g_cancellable_cancel(model->cancellable);
    g_clear_object(&model->cancellable);
    if (model->manager)
        g_signal_handlers_disconnect_by_data(model->manager, model);
    g_clear_object(&model->manager);
    g_hash_table_remove_all(model->wanted);
    g_ptr_array_set_size(model->guests, 0);
}

static void appeared(GDBusConnection *bus, const char *name, const char *owner, gpointer data)
{
    struct model *model = data;
    (void)bus;
    (void)name;
    (void)owner;
    disconnect(model);
    model->cancellable = g_cancellable_new();
    rh_manager1_proxy_new_for_bus(G_BUS_TYPE_SYSTEM, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, BUS_NAME, MANAGER_PATH,
                                  model->cancellable, manager_opened, model);
}

static void vanished(GDBusConnection *bus, const char *name, gpointer data)
{
    (void)bus;
    (void)name;
    disconnect(data);
    changed(data);
}

struct model *model_new(void)
{
    struct model *model = g_new0(struct model, 1);
    model->guests = g_ptr_array_new_with_free_func(guest_close);
    model->wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    model->watch =
        g_bus_watch_name(G_BUS_TYPE_SYSTEM, BUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, appeared, vanished, model, NULL);
    return model;
}

void model_free(struct model *model)
{
    g_bus_unwatch_name(model->watch);
    disconnect(model);
    g_clear_handle_id(&model->idle, g_source_remove);
    g_ptr_array_unref(model->guests);
    g_hash_table_unref(model->wanted);
    g_free(model);
}

RhManager1 *model_manager(struct model *model)
{
    return model->manager;
}

guint model_focused(struct model *model)
{
    if (model->seat_focus)
        return model->focused;
    return model->manager ? rh_manager1_get_focused_slot(model->manager) : 0;
}

void model_set_focused(struct model *model, guint slot)
{
    model->seat_focus = TRUE;
    model->focused = slot;
    changed(model);
}

GPtrArray *model_guests(struct model *model)
{
    return model->guests;
}

RhGuest1 *model_guest_in_slot(struct model *model, guint slot)
{
    for (guint i = 0; i < model->guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(model->guests, i);
        if (rh_guest1_get_slot(guest) == slot)
            return guest;
    }
    return NULL;
}

gboolean guest_is(RhGuest1 *guest, enum guest_state state)
{
    return g_strcmp0(rh_guest1_get_state(guest), guest_state_name(state)) == 0;
}

gboolean guest_is_live(RhGuest1 *guest)
{
    return guest_is(guest, GUEST_RUNNING) || guest_is(guest, GUEST_PAUSED) || guest_is(guest, GUEST_STOPPING);
}

/* ---- requests ---- */

static const char *const methods[] = {
    [ACTION_START] = "Start", [ACTION_SHUTDOWN] = "Shutdown", [ACTION_REBOOT] = "Reboot", [ACTION_DESTROY] = "Destroy",
    [ACTION_PAUSE] = "Pause", [ACTION_UNPAUSE] = "Unpause",   [ACTION_SWITCH] = "Switch",
};

static void called(GObject *source, GAsyncResult *result, gpointer data)
{
    struct model *model = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = g_dbus_proxy_call_finish(G_DBUS_PROXY(source), result, &error);
    if (answer)
        return;
    g_dbus_error_strip_remote_error(error);
    if (model->failed)
        model->failed(error->message, model->failed_user);
}

static void call(struct model *model, GDBusProxy *proxy, const char *method, GVariant *parameters)
{
    g_dbus_proxy_call(proxy, method, parameters, G_DBUS_CALL_FLAGS_NONE, CALL_MILLISECONDS, NULL, called, model);
}

void model_act(struct model *model, RhGuest1 *guest, enum guest_action action)
{
    call(model, G_DBUS_PROXY(guest), methods[action], NULL);
}

void model_show_switcher(struct model *model)
{
    if (model->manager)
        call(model, G_DBUS_PROXY(model->manager), "Switch", g_variant_new("(u)", 0));
}

void model_power_off(struct model *model)
{
    if (model->manager)
        call(model, G_DBUS_PROXY(model->manager), "Shutdown", NULL);
}

void model_restart(struct model *model)
{
    if (model->manager)
        call(model, G_DBUS_PROXY(model->manager), "Reboot", NULL);
}
