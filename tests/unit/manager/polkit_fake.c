/* What of polkit roundhoused speaks to. */
#include "polkit_fake.h"

#include <string.h>

void polkit_answer(GDBusMethodInvocation *invocation, gboolean allowed, gboolean challenge)
{
    GVariantBuilder details;
    g_variant_builder_init(&details, G_VARIANT_TYPE("a{ss}"));
    g_dbus_method_invocation_return_value(invocation, g_variant_new("((bba{ss}))", allowed, challenge, &details));
}

static void called(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                   const char *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer data)
{
    struct polkit *polkit = data;
    const char *kind, *action;
    (void)bus, (void)sender, (void)path, (void)interface;
    if (g_str_equal(method, "CancelCheckAuthorization")) {
        g_string_append(polkit->asked, "forget ");
        g_dbus_method_invocation_return_value(invocation, NULL);
        return;
    }
    g_autoptr(GVariant) subject = NULL;
    g_variant_get(parameters, "((&s@a{sv})&sa{ss}u&s)", &kind, &subject, &action, NULL, &polkit->flags, NULL);
    g_assert_cmpstr(kind, ==, "system-bus-name");
    g_free(polkit->subject);
    g_assert_true(g_variant_lookup(subject, "name", "s", &polkit->subject));
    g_string_append_printf(polkit->asked, "%s ", action + strlen("org.roundhouse."));
    if (polkit->verdict == LATER)
        polkit->waiting = invocation;
    else if (polkit->verdict == BREAK)
        g_dbus_method_invocation_return_dbus_error(invocation, "org.freedesktop.PolicyKit1.Error.Failed",
                                                   "It is broken");
    else
        polkit_answer(invocation, polkit->verdict == ALLOW, polkit->verdict == CHALLENGE);
}

void polkit_start(struct polkit *polkit, enum verdict verdict)
{
    static const char xml[] =
        "<node><interface name='org.freedesktop.PolicyKit1.Authority'><method name='CheckAuthorization'>"
        "<arg type='(sa{sv})' direction='in'/><arg type='s' direction='in'/><arg type='a{ss}' direction='in'/>"
        "<arg type='u' direction='in'/><arg type='s' direction='in'/><arg type='(bba{ss})' direction='out'/></method>"
        "<method name='CancelCheckAuthorization'><arg type='s' direction='in'/></method></interface></node>";
    static const GDBusInterfaceVTable table = {.method_call = called};
    g_autoptr(GDBusNodeInfo) info = g_dbus_node_info_new_for_xml(xml, NULL);
    g_autoptr(GError) error = NULL;
    *polkit = (struct polkit){.bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, NULL), .verdict = verdict};
    polkit->asked = g_string_new("");
    polkit->object = g_dbus_connection_register_object(polkit->bus, "/org/freedesktop/PolicyKit1/Authority",
                                                       info->interfaces[0], &table, polkit, NULL, &error);
    g_assert_no_error(error);
    polkit->name = g_bus_own_name_on_connection(polkit->bus, "org.freedesktop.PolicyKit1", G_BUS_NAME_OWNER_FLAGS_NONE,
                                                NULL, NULL, NULL, NULL);
}

void polkit_stop(struct polkit *polkit)
{
    g_autoptr(GError) error = NULL;
    g_bus_unown_name(polkit->name);
    g_dbus_connection_flush_sync(polkit->bus, NULL, NULL);
    g_dbus_connection_unregister_object(polkit->bus, polkit->object);
    g_object_unref(polkit->bus);
    g_string_free(polkit->asked, TRUE);
    g_free(polkit->subject);
}

GDBusConnection *caller_new(void)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *caller = g_dbus_connection_new_for_address_sync(g_getenv("DBUS_SYSTEM_BUS_ADDRESS"),
                                                                     G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                                         G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                                                     NULL, NULL, &error);
    g_assert_no_error(error);
    g_dbus_connection_set_exit_on_close(caller, FALSE);
    return caller;
}

static void replied(GObject *source, GAsyncResult *result, gpointer data)
{
    struct reply *reply = data;
    g_autoptr(GVariant) value = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &reply->error);
    reply->there = TRUE;
}

void call(GDBusConnection *caller, const char *path, const char *interface, const char *method, GVariant *parameters,
          GDBusCallFlags flags, struct reply *reply)
{
    *reply = (struct reply){FALSE, NULL};
    g_dbus_connection_call(caller, BUS_NAME, path, interface, method, parameters, NULL, flags, -1, NULL, replied,
                           reply);
}

GError *try_to(GDBusConnection *caller, const char *path, const char *interface, const char *method,
               GVariant *parameters)
{
    struct reply reply;
    call(caller, path, interface, method, parameters, G_DBUS_CALL_FLAGS_NONE, &reply);
    WAIT_FOR(reply.there);
    return reply.error;
}

/* Not waiting for its reply: who answers may have to be asked about at the test's own polkit. */
guint no_to_all(struct fixture *fixture)
{
    g_autolist(GDBusObject) objects = g_dbus_object_manager_get_objects(fixture->objects);
    guint count = 0;
    for (GList *link = objects; link; link = link->next) {
        g_autoptr(RhQuestion1) question = rh_object_get_question1(link->data);
        if (!question || g_object_get_data(G_OBJECT(question), "answered"))
            continue;
        g_object_set_data(G_OBJECT(question), "answered", question);
        rh_question1_call_answer(question, FALSE, NULL, NULL, NULL);
        count++;
    }
    return count;
}
