/* Calls on the bus become requests; the answer is sent when the request is done. */
#include "guest_bus.h"

struct call {
    RhGuest1 *skeleton;
    GDBusMethodInvocation *invocation;
    void (*complete)(RhGuest1 *, GDBusMethodInvocation *);
};

static void answer(struct guest *guest, const GError *error, gpointer data)
{
    struct call *call = data;
    (void)guest;
    if (error)
        g_dbus_method_invocation_return_gerror(call->invocation, error);
    else
        call->complete(call->skeleton, call->invocation);
    g_object_unref(call->skeleton);
    g_free(call);
}

static gboolean handle(RhGuest1 *skeleton, struct guest *guest, GDBusMethodInvocation *invocation,
                       enum guest_request request, void (*complete)(RhGuest1 *, GDBusMethodInvocation *))
{
    struct call *call = g_new0(struct call, 1);
    *call = (struct call){g_object_ref(skeleton), invocation, complete};
    guest_request(guest, request, answer, call);
    return TRUE;
}

#define HANDLER(method, request)                                                                                       \
    static gboolean on_##method(RhGuest1 *skeleton, GDBusMethodInvocation *invocation, gpointer data)                  \
    {                                                                                                                  \
        return handle(skeleton, data, invocation, request, rh_guest1_complete_##method);                               \
    }
HANDLER(start, REQUEST_START)
HANDLER(shutdown, REQUEST_SHUTDOWN)
HANDLER(reboot, REQUEST_REBOOT)
HANDLER(destroy, REQUEST_DESTROY)
HANDLER(pause, REQUEST_PAUSE)
HANDLER(unpause, REQUEST_UNPAUSE)
HANDLER(suspend, REQUEST_SUSPEND)
HANDLER(switch, REQUEST_SWITCH)
#undef HANDLER

void guest_bus_connect(RhGuest1 *skeleton, struct guest *guest)
{
    static const struct {
        const char *signal;
        GCallback handler;
    } methods[] = {
        {"handle-start", G_CALLBACK(on_start)},     {"handle-shutdown", G_CALLBACK(on_shutdown)},
        {"handle-reboot", G_CALLBACK(on_reboot)},   {"handle-destroy", G_CALLBACK(on_destroy)},
        {"handle-pause", G_CALLBACK(on_pause)},     {"handle-unpause", G_CALLBACK(on_unpause)},
        {"handle-suspend", G_CALLBACK(on_suspend)}, {"handle-switch", G_CALLBACK(on_switch)},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++)
        g_signal_connect(skeleton, methods[i].signal, methods[i].handler, guest);
}
