/* A table comes from its file or from PolicyLoad, and both ways it is checked, told to the hypervisor, and then in
 * force. */
#include "service.h"
#include "errors.h"
#include "gate.h"
#include "network.h"
#include "network_apply.h"
#include "roundhouse_dbus.h"

#include <string.h>

#define SETTLE_MILLISECONDS 300 /* who writes a file does so in several steps */

#define LOOK_SECONDS 20 /* the clock and the power supply tell nobody */

#ifndef POWER_SUPPLIES
#define POWER_SUPPLIES "/sys/class/power_supply"
#endif

#ifndef NFT
#define NFT "/usr/sbin/nft"
#endif

struct policy_service {
    struct policy_asker *asker;
    struct policy_network *network;
    struct policy_log *log;
    struct policy_questions *questions;
    struct policy_gate gate;
    struct toolstack *toolstack;
    struct authority *authority;
    char *path, *problem, *on_screen;
    GFileMonitor *monitor;
    guint timer, look_timer;
    RhManager1 *skeleton; /* NULL before policy_service_serve() */
    void (*changed)(gpointer user);
    gpointer user;
};

/* ---- the table ---- */

static gboolean tell_hypervisor(const void *table, gsize size, gpointer user, GError **error)
{
    struct policy_service *service = user;
    return toolstack_load_policy(service->toolstack, table, size, error);
}

static void publish(struct policy_service *service)
{
    g_autofree char *name = policy_asker_name(service->asker);
    if (service->skeleton)
        rh_manager1_set_policy(service->skeleton, name);
}

static void set_problem(struct policy_service *service, const GError *error)
{
    g_free(service->problem);
    service->problem = error ? g_strdup(error->message) : NULL;
    if (error)
        g_warning("%s", error->message);
}

static void read_table(struct policy_service *service)
{
    g_autoptr(GError) error = NULL;
    policy_asker_read(service->asker, service->path, &error);
    set_problem(service, error);
}

static gboolean is_in_force(struct policy_service *service, const char *bytes, gsize size)
{
    g_autoptr(GBytes) table = policy_asker_table(service->asker);
    return table && g_bytes_get_size(table) == size && memcmp(g_bytes_get_data(table, NULL), bytes, size) == 0;
}

/* ---- networks ---- */

static void add_card(GArray *cards, GPtrArray *configs, const struct guest *guest)
{
    struct guest_config *config = guest_domid(guest) < 0 ? NULL : guest_whole_config(guest, NULL);
    if (!config)
        return;
    g_ptr_array_add(configs, config);
    struct policy_card card = {.guest = config->name,
                               .label = guest_label(guest),
                               .bridge = config->bridge,
                               .domid = (guint)guest_domid(guest),
                               .emulated = config->type == GUEST_HVM};
    memcpy(card.mac, config->mac, sizeof(card.mac));
    if (config->bridge)
        g_array_append_val(cards, card);
}

/* Without a policy what there is stays as it is. */
static void renew_network(struct policy_service *service)
{
    g_autoptr(GBytes) table = policy_asker_table(service->asker);
    g_autoptr(GArray) cards = g_array_new(FALSE, FALSE, sizeof(struct policy_card));
    g_autoptr(GPtrArray) configs = g_ptr_array_new_with_free_func((GDestroyNotify)guest_config_free);
    if (!table && !service->problem)
        return;
    for (guint i = 0; i < service->gate.guests->len; i++)
        add_card(cards, configs, g_ptr_array_index(service->gate.guests, i));
    struct policy_facts facts = policy_facts_now(POWER_SUPPLIES, &service->gate.screen);
    policy_network_set(service->network,
                       policy_network_rules(service->asker, &facts,
                                            (const struct policy_card *)(const void *)cards->data, cards->len));
}

/* Hours begin, and cables are pulled. */
static gboolean look_again(gpointer data)
{
    renew_network(data);
    return G_SOURCE_CONTINUE;
}

static void network_told(gpointer data)
{
    struct policy_service *service = data;
    service->changed(service->user);
}

static void tell_changed(struct policy_service *service)
{
    policy_questions_end_all(service->questions);
    renew_network(service);
    publish(service);
    service->changed(service->user);
}

static gboolean file_settled(gpointer data)
{
    struct policy_service *service = data;
    g_autofree char *bytes = NULL;
    gsize size;
    service->timer = 0;
    if (!service->problem && g_file_get_contents(service->path, &bytes, &size, NULL) &&
        is_in_force(service, bytes, size))
        return G_SOURCE_REMOVE; /* our own writing */
    read_table(service);
    tell_changed(service);
    return G_SOURCE_REMOVE;
}

static void file_changed(GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, gpointer data)
{
    struct policy_service *service = data;
    (void)monitor, (void)file, (void)other, (void)event;
    g_clear_handle_id(&service->timer, g_source_remove);
    service->timer = g_timeout_add(SETTLE_MILLISECONDS, file_settled, service);
}

static void watch(struct policy_service *service)
{
    g_autoptr(GFile) file = g_file_new_for_path(service->path);
    g_autoptr(GError) error = NULL;
    service->monitor = g_file_monitor_file(file, G_FILE_MONITOR_WATCH_MOVES, NULL, &error);
    if (service->monitor)
        g_signal_connect(service->monitor, "changed", G_CALLBACK(file_changed), service);
    else
        g_warning("Changes of the policy will not be noticed: %s", error->message);
}

/* ---- methods ---- */

/* All or nothing: where the table cannot be kept, the one before is in force again, also in the hypervisor. */
static gboolean load(struct policy_service *service, const void *table, gsize size, GError **error)
{
    g_autoptr(GBytes) old = policy_asker_table(service->asker);
    g_autoptr(GError) cause = NULL;
    if (!policy_asker_take(service->asker, table, size, error))
        return FALSE;
    if (g_file_set_contents_full(service->path, table, (gssize)size,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644, &cause))
        return TRUE;
    gsize old_size;
    gconstpointer bytes = old ? g_bytes_get_data(old, &old_size) : NULL;
    gboolean back = bytes && policy_asker_take(service->asker, bytes, old_size, NULL);
    g_set_error(error, RH_ERROR, RH_ERROR_STORAGE, "The policy cannot be kept: %s. %s", cause->message,
                back ? "The one before is in force." : "It is in force until this machine restarts.");
    return FALSE;
}

static void load_policy(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct policy_service *service = user;
    g_autoptr(GVariant) table = g_variant_get_child_value(g_dbus_method_invocation_get_parameters(invocation), 0);
    g_autoptr(GError) error = NULL;
    gsize size;
    gconstpointer bytes = g_variant_get_fixed_array(table, &size, 1);
    (void)argument;
    gboolean loaded = load(service, bytes, size, &error);
    if (loaded)
        set_problem(service, NULL);
    tell_changed(service);
    if (loaded)
        g_dbus_method_invocation_return_value(invocation, NULL);
    else
        g_dbus_method_invocation_return_gerror(invocation, error);
}

static void tell_log(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct policy_service *service = user;
    (void)argument;
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(@aa{sv})", policy_log_entries(service->log)));
}

static void explain(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct policy_service *service = user;
    g_autoptr(GError) error = NULL;
    const char *subject, *verb, *object;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s&s&s)", &subject, &verb, &object);
    GVariant *answer = policy_gate_explain(&service->gate, subject, verb, object, &error);
    if (answer)
        g_dbus_method_invocation_return_value(invocation, g_variant_new("(@a{sv})", answer));
    else
        g_dbus_method_invocation_return_gerror(invocation, error);
}

static const struct authority_method methods[] = {
    {"handle-policy-load", load_policy, 0},
    {"handle-policy-log", tell_log, 0},
    {"handle-policy-explain", explain, 0},
    {NULL, NULL, 0},
};

void policy_service_serve(struct policy_service *service, gpointer skeleton)
{
    service->skeleton = g_object_ref(skeleton);
    authority_serve(service->authority, skeleton, methods, service);
    publish(service);
}

/* ---- what others ask ---- */

const char *policy_service_problem(const struct policy_service *service)
{
    return service->problem ? service->problem : policy_network_problem(service->network);
}

gboolean policy_service_label(struct policy_service *service, struct guest_config *config, GError **error)
{
    return policy_label(service->asker, config->name, config->label, config->context, error);
}

gboolean policy_service_may_autostart(struct policy_service *service, const struct guest_config *config, GError **error)
{
    return policy_gate_laptop_may(&service->gate, POLICY_VERB_START_UNATTENDED, config, error);
}

gboolean policy_service_may_keep(struct policy_service *service, const struct guest_config *config, GError **error)
{
    return policy_gate_laptop_may(&service->gate, POLICY_VERB_SNAPSHOT, config, error);
}

void policy_service_set_screen(struct policy_service *service, const struct policy_screen *screen)
{
    struct policy_screen *now = &service->gate.screen;
    if (g_strcmp0(screen->guest, now->guest) == 0 && screen->locked == now->locked)
        return;
    g_free(service->on_screen);
    service->on_screen = g_strdup(screen->guest);
    *now = (struct policy_screen){service->on_screen, screen->locked};
    renew_network(service);
}

void policy_service_guest_changed(struct policy_service *service, struct guest *guest)
{
    if (guest_domid(guest) < 0)
        policy_questions_guest_stopped(service->questions, guest_config(guest)->name);
    renew_network(service);
}

void policy_service_guest_gone(struct policy_service *service, const char *name)
{
    policy_questions_guest_gone(service->questions, name);
}

/* ---- life ---- */

struct policy_service *policy_service_new(const struct policy_service_options *options)
{
    struct policy_service *service = g_new0(struct policy_service, 1);
    g_autofree char *log = g_build_filename(options->state_directory, "policy.log", NULL);
    g_autofree char *answers = g_build_filename(options->state_directory, "policy.agreed", NULL);
    service->toolstack = options->toolstack;
    service->authority = options->authority;
    service->changed = options->changed;
    service->user = options->user;
    service->path = g_strdup(options->table);
    service->log = policy_log_new(log);
    service->asker = policy_asker_new(tell_hypervisor, service);
    service->network = policy_network_new(NFT, network_told, service);
    service->questions = policy_questions_new(options->objects, options->authority, service->log, answers);
    service->gate = (struct policy_gate){.asker = service->asker,
                                         .log = service->log,
                                         .questions = service->questions,
                                         .guests = options->guests,
                                         .supplies = POWER_SUPPLIES};
    struct authority_gate gate = policy_gate_for_authority(&service->gate);
    authority_set_gate(options->authority, &gate);
    read_table(service);
    renew_network(service);
    watch(service);
    service->look_timer = g_timeout_add_seconds(LOOK_SECONDS, look_again, service);
    return service;
}

void policy_service_free(struct policy_service *service)
{
    if (!service)
        return;
    g_clear_handle_id(&service->timer, g_source_remove);
    g_clear_handle_id(&service->look_timer, g_source_remove);
    g_clear_object(&service->monitor);
    policy_questions_free(service->questions);
    policy_network_free(service->network);
    policy_asker_free(service->asker);
    policy_log_free(service->log);
    g_clear_object(&service->skeleton);
    g_free(service->path);
    g_free(service->problem);
    g_free(service->on_screen);
    g_free(service);
}
