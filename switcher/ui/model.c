/* roundhoused's objects, followed over D-Bus. */
#include "model_questions.h"

#include <string.h>

#define BUS_NAME          "org.roundhouse.Manager1"
#define OBJECTS_PATH      "/org/roundhouse"
#define MANAGER_PATH      "/org/roundhouse/Manager1"
#define CALL_MILLISECONDS (10 * 60 * 1000) /* creating a guest on a slow machine takes its time */
#define OBSERVERS_MAX     4

struct model {
    guint watch;
    GDBusObjectManager *objects; /* NULL, as manager is: the service is not there */
    RhManager1 *manager;
    GPtrArray *guests, *jobs;
    GPtrArray *works;     /* RhJob1 of all other kinds */
    GPtrArray *questions; /* RhQuestion1 */
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

static int compare_guests(gconstpointer a, gconstpointer b)
{
    RhGuest1 *left = *(RhGuest1 *const *)a, *right = *(RhGuest1 *const *)b;
    guint one = rh_guest1_get_slot(left), other = rh_guest1_get_slot(right);
    if (one != other)
        return one && (!other || one < other) ? -1 : 1;
    return g_strcmp0(rh_guest1_get_name(left), rh_guest1_get_name(right));
}

static void properties_changed(GObject *proxy, GParamSpec *property, gpointer data)
{
    (void)proxy;
    (void)property;
    changed(data);
}

/* Not "g-properties-changed": in its handlers the proxy's getters still give the freed old values. */
static void follow(struct model *model, gpointer proxy)
{
    g_signal_connect(proxy, "notify", G_CALLBACK(properties_changed), model);
}

static void unfollow(gpointer proxy)
{
    g_signal_handlers_disconnect_matched(proxy, G_SIGNAL_MATCH_FUNC, 0, 0, NULL, properties_changed, NULL);
    g_object_unref(proxy);
}

static void add(struct model *model, GPtrArray *proxies, gpointer proxy)
{
    follow(model, proxy);
    g_ptr_array_add(proxies, proxy);
    changed(model);
}

/* One that is too much is not followed, and so ends without an answer, which is a no. */
static void object_added(GDBusObjectManager *objects, GDBusObject *object, gpointer data)
{
    struct model *model = data;
    g_autoptr(RhGuest1) guest = rh_object_get_guest1(RH_OBJECT(object));
    g_autoptr(RhJob1) job = rh_object_get_job1(RH_OBJECT(object));
    g_autoptr(RhQuestion1) question = rh_object_get_question1(RH_OBJECT(object));
    (void)objects;
    if (guest)
        add(model, model->guests, g_steal_pointer(&guest));
    else if (job) {
        gboolean creates = g_strcmp0(rh_job1_get_kind(job), "create") == 0;
        add(model, creates ? model->jobs : model->works, g_steal_pointer(&job));
    } else if (question && model->questions->len < MODEL_QUESTIONS_MAX)
        add(model, model->questions, g_steal_pointer(&question));
}

static void object_removed(GDBusObjectManager *objects, GDBusObject *object, gpointer data)
{
    struct model *model = data;
    (void)objects;
    g_ptr_array_remove(model->guests, rh_object_peek_guest1(RH_OBJECT(object)));
    g_ptr_array_remove(model->jobs, rh_object_peek_job1(RH_OBJECT(object)));
    g_ptr_array_remove(model->works, rh_object_peek_job1(RH_OBJECT(object)));
    g_ptr_array_remove(model->questions, rh_object_peek_question1(RH_OBJECT(object)));
    changed(model);
}

/* ---- the service ---- */

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

static void objects_opened(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    GDBusObjectManager *objects = rh_object_manager_client_new_for_bus_finish(result, &error);
    struct model *model = data;
    (void)source;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* the model may be gone */
    g_autoptr(GDBusInterface) manager =
        objects ? g_dbus_object_manager_get_interface(objects, MANAGER_PATH, BUS_NAME) : NULL;
    if (!manager) {
        g_warning("The toolstack service cannot be followed: %s", error ? error->message : "it is no such service");
        g_clear_object(&objects);
        return;
    }
    model->objects = objects;
    model->manager = RH_MANAGER1(g_object_ref(manager));
    follow(model, model->manager);
    g_signal_connect(objects, "object-added", G_CALLBACK(object_added), model);
    g_signal_connect(objects, "object-removed", G_CALLBACK(object_removed), model);
    g_autolist(GDBusObject) list = g_dbus_object_manager_get_objects(objects);
    for (GList *object = list; object; object = object->next)
        object_added(objects, object->data, model);
    changed(model);
    tell_shown(model);
}

static void disconnect(struct model *model)
{
    g_cancellable_cancel(model->cancellable);
    g_clear_object(&model->cancellable);
    g_clear_pointer((gpointer *)&model->manager, unfollow);
    g_ptr_array_set_size(model->guests, 0);
    g_ptr_array_set_size(model->jobs, 0);
    g_ptr_array_set_size(model->works, 0);
    g_ptr_array_set_size(model->questions, 0);
    if (model->objects)
        g_signal_handlers_disconnect_by_data(model->objects, model);
    g_clear_object(&model->objects);
}

static void appeared(GDBusConnection *bus, const char *name, const char *owner, gpointer data)
{
    struct model *model = data;
    (void)bus;
    (void)name;
    (void)owner;
    disconnect(model);
    model->cancellable = g_cancellable_new();
    rh_object_manager_client_new_for_bus(G_BUS_TYPE_SYSTEM, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_DO_NOT_AUTO_START,
                                         BUS_NAME, OBJECTS_PATH, model->cancellable, objects_opened, model);
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
    model->guests = g_ptr_array_new_with_free_func(unfollow);
    model->jobs = g_ptr_array_new_with_free_func(unfollow);
    model->works = g_ptr_array_new_with_free_func(unfollow);
    model->questions = g_ptr_array_new_with_free_func(unfollow);
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
    g_ptr_array_unref(model->jobs);
    g_ptr_array_unref(model->works);
    g_ptr_array_unref(model->questions);
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
    g_ptr_array_sort(model->guests, compare_guests);
    return model->guests;
}

GPtrArray *model_jobs(struct model *model)
{
    return model->jobs;
}

static gpointer find_path(GPtrArray *proxies, const char *path)
{
    for (guint i = 0; i < proxies->len; i++) {
        if (g_strcmp0(g_dbus_proxy_get_object_path(g_ptr_array_index(proxies, i)), path) == 0)
            return g_ptr_array_index(proxies, i);
    }
    return NULL;
}

RhJob1 *model_find_job(struct model *model, const char *path)
{
    RhJob1 *job = find_path(model->jobs, path);
    return job ? job : find_path(model->works, path);
}

RhGuest1 *model_find_guest(struct model *model, const char *path)
{
    return find_path(model->guests, path);
}

/* By the numbers that their paths end with: those that were there first are told in any order. */
static guint64 question_number(RhQuestion1 *question)
{
    return g_ascii_strtoull(strrchr(g_dbus_proxy_get_object_path(G_DBUS_PROXY(question)), '/') + 1, NULL, 10);
}

RhQuestion1 *model_question(struct model *model)
{
    RhQuestion1 *oldest = NULL;
    for (guint i = 0; i < model->questions->len; i++) {
        RhQuestion1 *question = g_ptr_array_index(model->questions, i);
        if (!oldest || question_number(question) < question_number(oldest))
            oldest = question;
    }
    return oldest;
}

guint model_question_count(struct model *model)
{
    return model->questions->len;
}

RhGuest1 *model_guest_in_slot(struct model *model, guint slot)
{
    RhGuest1 *found = NULL;
    for (guint i = 0; slot && i < model->guests->len; i++) {
        RhGuest1 *guest = g_ptr_array_index(model->guests, i);
        if (rh_guest1_get_screen(guest) == slot)
            return guest;
        if (rh_guest1_get_slot(guest) == slot)
            found = guest;
    }
    return found;
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
    [ACTION_START] = "Start",     [ACTION_SHUTDOWN] = "Shutdown", [ACTION_REBOOT] = "Reboot",
    [ACTION_DESTROY] = "Destroy", [ACTION_PAUSE] = "Pause",       [ACTION_UNPAUSE] = "Unpause",
    [ACTION_SUSPEND] = "Suspend", [ACTION_SWITCH] = "Switch",
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

void model_set_settings(struct model *model, RhGuest1 *guest, GVariant *arguments)
{
    call(model, G_DBUS_PROXY(guest), "SetSettings", arguments);
}

void model_cancel_job(struct model *model, RhJob1 *job)
{
    call(model, G_DBUS_PROXY(job), "Cancel", NULL);
}

static void answered(GObject *source, GAsyncResult *result, gpointer data)
{
    struct model *model = data;
    g_autoptr(GError) error = NULL;
    if (rh_question1_call_answer_finish(RH_QUESTION1(source), result, &error) || !model->failed)
        return;
    gboolean ended = g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
                     g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT) ||
                     g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
                     g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN);
    g_dbus_error_strip_remote_error(error);
    model->failed(ended ? "The question had ended; the answer did not count." : error->message, model->failed_user);
}

void model_answer(struct model *model, RhQuestion1 *question, gboolean agreed)
{
    rh_question1_call_answer(question, agreed, NULL, answered, model);
}

struct creation {
    model_created_fn created;
    gpointer user;
};

static void created(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree struct creation *creation = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = g_dbus_proxy_call_with_unix_fd_list_finish(G_DBUS_PROXY(source), NULL, result, &error);
    const char *job = NULL;
    if (answer)
        g_variant_get(answer, "(&o)", &job);
    else
        g_dbus_error_strip_remote_error(error);
    creation->created(job, error ? error->message : NULL, creation->user);
}

void model_create(struct model *model, GVariant *arguments, GUnixFDList *files, model_created_fn fn, gpointer user)
{
    if (!model->manager) {
        fn(NULL, "The service that makes guests is being started again. Try once more in a moment.", user);
        return;
    }
    struct creation *creation = g_new(struct creation, 1);
    *creation = (struct creation){fn, user};
    g_dbus_proxy_call_with_unix_fd_list(G_DBUS_PROXY(model->manager), "CreateGuest", arguments, G_DBUS_CALL_FLAGS_NONE,
                                        CALL_MILLISECONDS, files, NULL, created, creation);
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
