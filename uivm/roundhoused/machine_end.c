/* Guests first, then the machine. */
#include "machine_end.h"
#include "guest.h"

#ifndef PATIENCE_SECONDS
#define PATIENCE_SECONDS 60
#endif

struct machine_end {
    GDBusConnection *bus;
    GPtrArray *guests;
    enum machine_end_kind kind;
    gboolean impatient; /* guests that are left are destroyed */
    gboolean asked;     /* systemd has been asked */
    guint timer;
};

/* What brings a guest in this state nearer to off; REQUEST_COUNT: wait. */
static enum guest_request next_request(enum guest_state state, gboolean impatient)
{
    if (impatient && state != GUEST_SUSPENDED && guest_state_allows(state, REQUEST_DESTROY))
        return REQUEST_DESTROY;
    if (state == GUEST_PAUSED)
        return REQUEST_UNPAUSE;
    return guest_state_allows(state, REQUEST_SHUTDOWN) ? REQUEST_SHUTDOWN : REQUEST_COUNT;
}

static void systemd_answered(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    (void)data;
    if (!answer)
        g_warning("The machine could not be powered off or restarted: %s", error->message);
}

static void ask_systemd(struct machine_end *end)
{
    const char *unit = end->kind == MACHINE_POWER_OFF ? "poweroff.target" : "reboot.target";
    end->asked = TRUE;
    g_message("all guests are off; asking for %s", unit);
    g_dbus_connection_call(end->bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                           "org.freedesktop.systemd1.Manager", "StartUnit",
                           g_variant_new("(ss)", unit, "replace-irreversibly"), G_VARIANT_TYPE("(o)"),
                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, systemd_answered, NULL);
}

void machine_end_advance(struct machine_end *end)
{
    gboolean all_off = TRUE;
    for (guint i = 0; i < end->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(end->guests, i);
        enum guest_state state = guest_state(guest);
        enum guest_request request = next_request(state, end->impatient);
        if (request != REQUEST_COUNT)
            guest_request(guest, request, NULL, NULL);
        all_off = all_off && (state == GUEST_OFF || state == GUEST_SUSPENDED || state == GUEST_CRASHED);
    }
    if (all_off && !end->asked)
        ask_systemd(end);
}

static gboolean lose_patience(gpointer data)
{
    struct machine_end *end = data;
    end->timer = 0;
    end->impatient = TRUE;
    machine_end_advance(end);
    return G_SOURCE_REMOVE;
}

struct machine_end *machine_end_begin(GDBusConnection *bus, GPtrArray *guests, enum machine_end_kind kind)
{
    struct machine_end *end = g_new0(struct machine_end, 1);
    *end = (struct machine_end){.bus = bus, .guests = guests, .kind = kind};
    end->timer = g_timeout_add_seconds(PATIENCE_SECONDS, lose_patience, end);
    machine_end_advance(end);
    return end;
}

void machine_end_free(struct machine_end *end)
{
    g_clear_handle_id(&end->timer, g_source_remove);
    g_free(end);
}
