/* From a call with a file to a change of the drive, and its answer. */
#include "guest_disc.h"
#include "errors.h"
#include "passed_file.h"

#include <unistd.h>

/* A guest as its methods see it; its skeleton owns this. */
struct subject {
    const struct guest_environment *environment;
    struct guest *guest;
};

struct change {
    GDBusMethodInvocation *invocation;
    struct toolstack *toolstack;
    int file; /* -1: none */
};

/* A guest that stands still has its device model too. */
static gboolean check_drive(const struct guest *guest, const char *device, GError **error)
{
    enum guest_state state = guest_state(guest);
    const char *name = guest_config(guest)->name;
    if (!g_str_equal(device, GUEST_CDROM_VDEV))
        g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND,
                    "\"%s\" is no drive whose disc can be changed; " GUEST_CDROM_VDEV " is.", device);
    else if (!guest_config(guest)->cdrom)
        g_set_error(error, RH_ERROR, RH_ERROR_NOT_FOUND,
                    "%s has no CD drive. Give it one by cdrom=" GUEST_CDROM_EMPTY ", and start it again.", name);
    else if (state != GUEST_RUNNING && state != GUEST_PAUSED)
        g_set_error(error, RH_ERROR, RH_ERROR_WRONG_STATE,
                    "%s is %s. Its disc can be changed while it runs; before that, change cdrom=.", name,
                    guest_state_name(state));
    else
        return TRUE;
    return FALSE;
}

static void changed(GObject *source, GAsyncResult *result, gpointer data)
{
    struct change *change = data;
    GError *error = NULL;
    (void)source;
    if (toolstack_change_cd_finish(change->toolstack, result, &error))
        g_dbus_method_invocation_return_value(change->invocation, NULL);
    else
        g_dbus_method_invocation_take_error(change->invocation, error);
    if (change->file >= 0)
        close(change->file);
    g_free(change);
}

static void begin(const struct subject *subject, GDBusMethodInvocation *invocation, int file)
{
    g_autofree char *path = file < 0 ? g_strdup(GUEST_CDROM_EMPTY) : passed_file_path(file);
    struct change *change = g_new(struct change, 1);
    *change = (struct change){invocation, subject->environment->toolstack, file};
    toolstack_change_cd(change->toolstack, guest_domid(subject->guest), path, changed, change);
}

static void change_disc(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    const char *device;
    GError *error = NULL;
    gint32 handle;
    int file = -1;
    const struct subject *subject = user;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&sh)", &device, &handle);
    if (check_drive(subject->guest, device, &error) &&
        (file = passed_file_take(invocation, handle, FALSE, &error)) >= 0)
        begin(subject, invocation, file);
    else
        g_dbus_method_invocation_take_error(invocation, error);
}

static void eject_disc(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    const char *device;
    GError *error = NULL;
    const struct subject *subject = user;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &device);
    if (check_drive(subject->guest, device, &error))
        begin(subject, invocation, -1);
    else
        g_dbus_method_invocation_take_error(invocation, error);
}

void guest_disc_serve(const struct guest_environment *environment, struct guest *guest)
{
    static const struct authority_method methods[] = {
        {"handle-change-disc", change_disc, 0}, {"handle-eject-disc", eject_disc, 0}, {NULL, NULL, 0}};
    struct subject *subject = g_new(struct subject, 1);
    *subject = (struct subject){environment, guest};
    g_object_set_data_full(G_OBJECT(guest_skeleton(guest)), "disc", subject, g_free);
    authority_serve(environment->authority, guest_skeleton(guest), methods, subject);
}
