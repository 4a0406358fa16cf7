/* Questions to polkit, in its own words on the bus: org.freedesktop.PolicyKit1.Authority. */
#include "authority.h"
#include "errors.h"

#include <pwd.h>
#include <unistd.h>

#define POLKIT_NAME          "org.freedesktop.PolicyKit1"
#define POLKIT_PATH          "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE     "org.freedesktop.PolicyKit1.Authority"
#define ALLOW_INTERACTION    1u
#define PATIENCE_MILLISECOND (60 * 1000) /* nobody is asked for a password; a busy machine starts polkit meanwhile */
#define UI_USER              "rh-ui"
#define QUESTIONS_MAX        16 /* of one user at a time: the bus lets all of ours be 128 */

#define OWN_USER "roundhoused-own-user" /* data of an invocation */

#define USE        "org.roundhouse.use"
#define ADMINISTER "org.roundhouse.administer"
#define ANSWER     "org.roundhouse.answer"

struct authority {
    GDBusConnection *bus;
    struct authority_gate gate; /* ask NULL: there is none */
    GHashTable *questions;      /* struct question, owned */
    guint64 last_question;
};

/* One method of one object. */
struct service {
    struct authority *authority;
    GDBusInterfaceSkeleton *skeleton; /* which owns this */
    const struct authority_method *method;
    gpointer user;
};

/* One call that waits. */
struct question {
    struct authority *authority;
    struct service *service;
    GDBusInterfaceSkeleton *skeleton;
    GDBusMethodInvocation *invocation;
    const char *action;
    guint32 uid;
    gboolean owner;   /* the caller is the service's own user */
    gboolean waiting; /* for the gate */
    char *id;         /* by which polkit is told that it may forget the question; NULL: it has not been asked */
    guint watch;
    GCancellable *cancellable;
};

/* What the method takes, as its XML says: "use", "answer" or "none"; one that says nothing takes the most. NULL:
 * nothing. */
static const char *action_of(GDBusMethodInvocation *invocation)
{
    const GDBusMethodInfo *method = g_dbus_method_invocation_get_method_info(invocation);
    const char *action = g_dbus_annotation_info_lookup(method->annotations, "org.roundhouse.Action");
    if (g_strcmp0(action, "none") == 0)
        return NULL;
    if (g_strcmp0(action, "answer") == 0)
        return ANSWER;
    return g_strcmp0(action, "use") == 0 ? USE : ADMINISTER;
}

/* ---- the end of a question ---- */

static void question_free(gpointer data)
{
    struct question *question = data;
    g_clear_handle_id(&question->watch, g_bus_unwatch_name);
    g_object_unref(question->cancellable);
    g_object_unref(question->skeleton);
    g_free(question->id);
    g_free(question);
}

static void forget(struct question *question)
{
    g_hash_table_remove(question->authority->questions, question);
}

static void carry_out(struct question *question)
{
    struct service *service = question->service;
    if (g_dbus_interface_skeleton_get_object_path(question->skeleton))
        service->method->run(question->invocation, service->user, service->method->argument);
    else
        g_dbus_method_invocation_return_error(question->invocation, RH_ERROR, RH_ERROR_NOT_FOUND,
                                              "What was asked for is not there any more.");
    forget(question);
}

static void fail(struct question *question, const GError *error)
{
    g_dbus_method_invocation_return_gerror(question->invocation, error);
    forget(question);
}

static void refuse(struct question *question, const char *why)
{
    g_dbus_method_invocation_return_error(question->invocation, RH_ERROR, RH_ERROR_NOT_ALLOWED,
                                          "You may not do this (%s). %s", question->action, why);
    forget(question);
}

/* ---- the policy ---- */

static void ask_polkit(struct question *question);
static gboolean is_ui(guint32 uid);
static void run(struct question *question);

/* What the call is about may be another thing by now, and there may be more to ask. */
static void gate_answered(gpointer data, const GError *error)
{
    struct question *question = data;
    question->waiting = FALSE;
    if (error)
        fail(question, error);
    else
        run(question);
}

/* The switcher's user needs no password for anything: it is the person, whoever that is. */
static struct authority_call call_of(struct question *question)
{
    gboolean ui = !question->owner && is_ui(question->uid);
    gboolean administrator = question->owner || (!ui && g_str_equal(question->action, ADMINISTER));
    return (struct authority_call){.uid = question->uid,
                                   .administrator = administrator,
                                   .answers = question->owner || ui,
                                   .may_raise = !ui && !administrator,
                                   .done = gate_answered,
                                   .question = question};
}

/* Who may do it as far as polkit goes. */
static void run(struct question *question)
{
    const struct authority_gate *gate = &question->authority->gate;
    struct authority_call call = call_of(question);
    g_autoptr(GError) error = NULL;
    enum authority_verdict verdict =
        gate->ask ? gate->ask(gate->user, question->invocation, &call, &error) : AUTHORITY_ALLOWED;
    if (verdict == AUTHORITY_ALLOWED) {
        carry_out(question);
    } else if (verdict == AUTHORITY_DENIED) {
        fail(question, error);
    } else if (verdict == AUTHORITY_RAISE) {
        question->action = ADMINISTER;
        ask_polkit(question);
    } else {
        question->waiting = TRUE;
    }
}

/* ---- polkit ---- */

static gboolean is_absent(const GError *error)
{
    static const int codes[] = {G_DBUS_ERROR_SERVICE_UNKNOWN, G_DBUS_ERROR_NAME_HAS_NO_OWNER,
                                G_DBUS_ERROR_SPAWN_SERVICE_NOT_FOUND};
    for (gsize i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (g_error_matches(error, G_DBUS_ERROR, codes[i]))
            return TRUE;
    }
    return FALSE;
}

static gboolean is_ui(guint32 uid)
{
    const struct passwd *user = getpwnam(UI_USER);
    return user && user->pw_uid == uid;
}

/* No answer: the person at the machine must still be able to end it. */
static void decide_without(struct question *question, const GError *error)
{
    g_autofree char *why = NULL;
    if (!is_absent(error))
        g_warning("polkit gives no answer: %s", error->message);
    if (is_ui(question->uid)) {
        run(question);
        return;
    }
    why = is_absent(error) ? g_strdup("Become root: this machine has no polkit that could allow it to others.")
                           : g_strdup_printf("polkit could not be asked: %s", error->message);
    refuse(question, why);
}

static void polkit_answered(GObject *source, GAsyncResult *result, gpointer data)
{
    struct question *question = data;
    gboolean allowed, could_be;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* the question has been freed */
    if (!answer) {
        decide_without(question, error);
        return;
    }
    g_variant_get(answer, "((bb@a{ss}))", &allowed, &could_be, NULL);
    if (allowed)
        run(question);
    else
        refuse(question, could_be ? "An administrator's password would allow it, and nobody could be asked for it."
                                  : "Ask whoever looks after this machine.");
}

static void ask_polkit(struct question *question)
{
    GDBusMessage *message = g_dbus_method_invocation_get_message(question->invocation);
    gboolean interactive = g_dbus_message_get_flags(message) & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION;
    const char *sender = g_dbus_method_invocation_get_sender(question->invocation);
    GVariantBuilder subject, details;
    g_free(question->id);
    question->id = g_strdup_printf("roundhoused-%" G_GUINT64_FORMAT, ++question->authority->last_question);
    g_variant_builder_init(&subject, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&subject, "{sv}", "name", g_variant_new_string(sender));
    g_variant_builder_init(&details, G_VARIANT_TYPE("a{ss}"));
    g_dbus_connection_call(question->authority->bus, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization",
                           g_variant_new("((sa{sv})sa{ss}us)", "system-bus-name", &subject, question->action, &details,
                                         interactive ? ALLOW_INTERACTION : 0u, question->id),
                           G_VARIANT_TYPE("((bba{ss}))"), G_DBUS_CALL_FLAGS_NONE,
                           interactive ? G_MAXINT : PATIENCE_MILLISECOND, question->cancellable, polkit_answered,
                           question);
}

/* ---- the beginning of a question ---- */

/* Polkit may be asking a person, who takes any time. */
static guint questions_of(struct authority *authority, guint32 uid)
{
    GHashTableIter iter;
    gpointer key;
    guint count = 0;
    g_hash_table_iter_init(&iter, authority->questions);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const struct question *question = key;
        count += question->id && question->uid == uid;
    }
    return count;
}

static void user_told(GObject *source, GAsyncResult *result, gpointer data)
{
    struct question *question = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* the question has been freed */
    if (!answer) {
        refuse(question, "The caller is not known to the bus.");
        return;
    }
    g_variant_get(answer, "(u)", &question->uid);
    question->owner = question->uid == geteuid();
    if (question->owner) {
        g_object_set_data(G_OBJECT(question->invocation), OWN_USER, question->invocation);
        run(question);
    } else if (questions_of(question->authority, question->uid) >= QUESTIONS_MAX) {
        refuse(question, "Too many of your requests wait for an answer. Try again when they have one.");
    } else {
        ask_polkit(question);
    }
}

static void drop(struct question *question)
{
    const struct authority_gate *gate = &question->authority->gate;
    g_cancellable_cancel(question->cancellable);
    if (question->waiting)
        gate->withdraw(gate->user, question->invocation);
    if (question->id)
        g_dbus_connection_call(question->authority->bus, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                               "CancelCheckAuthorization", g_variant_new("(s)", question->id), NULL,
                               G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL, NULL);
    refuse(question, "The caller has gone.");
}

static void caller_vanished(GDBusConnection *bus, const char *name, gpointer data)
{
    (void)bus, (void)name;
    drop(data);
}

static gboolean on_call(struct service *service, GDBusMethodInvocation *invocation)
{
    struct authority *authority = service->authority;
    const char *sender = g_dbus_method_invocation_get_sender(invocation), *action = action_of(invocation);
    if (!action) {
        service->method->run(invocation, service->user, service->method->argument);
        return TRUE;
    }
    struct question *question = g_new0(struct question, 1);
    *question = (struct question){.authority = authority,
                                  .service = service,
                                  .skeleton = g_object_ref(service->skeleton),
                                  .invocation = invocation,
                                  .action = action,
                                  .cancellable = g_cancellable_new()};
    g_hash_table_add(authority->questions, question);
    question->watch = g_bus_watch_name_on_connection(authority->bus, sender, G_BUS_NAME_WATCHER_FLAGS_NONE, NULL,
                                                     caller_vanished, question, NULL);
    g_dbus_connection_call(authority->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                           "GetConnectionUnixUser", g_variant_new("(s)", sender), G_VARIANT_TYPE("(u)"),
                           G_DBUS_CALL_FLAGS_NONE, -1, question->cancellable, user_told, question);
    return TRUE;
}

gboolean authority_is_own_user(GDBusMethodInvocation *invocation)
{
    return g_object_get_data(G_OBJECT(invocation), OWN_USER) != NULL;
}

static void service_free(gpointer data, GClosure *closure)
{
    (void)closure;
    g_free(data);
}

void authority_serve(struct authority *authority, gpointer skeleton, const struct authority_method *methods,
                     gpointer user)
{
    for (const struct authority_method *method = methods; method->signal; method++) {
        struct service *service = g_new(struct service, 1);
        *service = (struct service){authority, skeleton, method, user};
        g_signal_connect_data(skeleton, method->signal, G_CALLBACK(on_call), service, service_free, G_CONNECT_SWAPPED);
    }
}

void authority_set_gate(struct authority *authority, const struct authority_gate *gate)
{
    authority->gate = *gate;
}

struct authority *authority_new(GDBusConnection *bus)
{
    struct authority *authority = g_new0(struct authority, 1);
    authority->bus = bus;
    authority->questions = g_hash_table_new_full(NULL, NULL, question_free, NULL);
    return authority;
}

void authority_free(struct authority *authority)
{
    g_autoptr(GList) questions = g_hash_table_get_keys(authority->questions);
    for (GList *question = questions; question; question = question->next)
        drop(question->data);
    g_hash_table_unref(authority->questions);
    g_free(authority);
}
