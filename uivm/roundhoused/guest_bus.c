/* Calls on the bus become requests; the answer is sent when the request is done. */
#include "guest_bus.h"

static void answer(struct guest *guest, const GError *error, gpointer data)
{
    GDBusMethodInvocation *invocation = data;
    (void)guest;
    if (error)
        g_dbus_method_invocation_return_gerror(invocation, error);
    else
        g_dbus_method_invocation_return_value(invocation, NULL);
}

static void request(GDBusMethodInvocation *invocation, gpointer guest, guint which)
{
    guest_request(guest, (enum guest_request)which, answer, invocation);
}

static const struct authority_method methods[] = {
    {"handle-start", request, REQUEST_START},     {"handle-shutdown", request, REQUEST_SHUTDOWN},
    {"handle-reboot", request, REQUEST_REBOOT},   {"handle-destroy", request, REQUEST_DESTROY},
    {"handle-pause", request, REQUEST_PAUSE},     {"handle-unpause", request, REQUEST_UNPAUSE},
    {"handle-suspend", request, REQUEST_SUSPEND}, {"handle-switch", request, REQUEST_SWITCH},
    {NULL, NULL, 0},
};

void guest_bus_serve(struct authority *authority, RhGuest1 *skeleton, struct guest *guest)
{
    authority_serve(authority, skeleton, methods, guest);
}
