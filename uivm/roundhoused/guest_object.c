/*
 * What a guest is to others: its object on the bus, its state and its screen as they are told, its definition, and who
 * holds it. What happens to it is guest.c.
 */
#include "guest_private.h"
#include "errors.h"
#include "guest_bus.h"
#include "guest_identity.h"
#include "saved_state.h"

static void guest_clear(gpointer data)
{
    struct guest *guest = data;
    guest_config_free(guest->config);
    guest_config_free(guest->defined);
    g_free(guest->label);
    g_clear_object(&guest->skeleton);
    g_free(guest->object_path);
}

void guest_unref(struct guest *guest)
{
    g_rc_box_release_full(guest, guest_clear);
}

void guest_set_error(struct guest *guest, const char *sentence)
{
    if (*sentence)
        g_warning("%s", sentence);
    rh_guest1_set_error(guest->skeleton, sentence);
}

void guest_tell_signs(struct guest *guest)
{
    display_set_signs(guest->environment->display, guest->domid, guest->state == GUEST_PAUSED ? GUEST_SIGN_PAUSED : 0);
}

void guest_set_state(struct guest *guest, enum guest_event event)
{
    enum guest_state state = guest_state_next(guest->state, event);
    if (state == guest->state)
        return;
    g_message("%s: %s -> %s", guest->config->name, guest_state_name(guest->state), guest_state_name(state));
    guest->state = state;
    guest_tell_signs(guest);
    rh_guest1_set_state(guest->skeleton, guest_state_name(state));
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(guest->skeleton));
    guest->environment->state_changed(guest, guest->environment->user);
}

void guest_set_domid(struct guest *guest, int domid)
{
    guest->domid = domid;
    rh_guest1_set_domain_id(guest->skeleton, domid);
}

static void set_slot(struct guest *guest, guint slot)
{
    guest->slot = slot;
    rh_guest1_set_screen(guest->skeleton, slot);
}

/* Of one that is neither seen nor heard the seat need not know. */
static gboolean needs_slot(const struct guest_config *config)
{
    return config->display != GUEST_DISPLAY_NONE || config->sound == GUEST_SOUND_DUCKED ||
           config->sound == GUEST_SOUND_KEPT;
}

gboolean guest_offer_screen(struct guest *guest, GError **error)
{
    const struct guest_environment *environment = guest->environment;
    if (!guest->config->slot && !needs_slot(guest->config))
        return TRUE;
    guint slot = guest->config->slot ? guest->config->slot : environment->lend_slot(environment->user, error);
    if (!slot || !display_add_guest(environment->display, guest->config, slot, guest->domid, error))
        return FALSE;
    set_slot(guest, slot);
    return TRUE;
}

gboolean guest_show(const struct guest *guest, guint width, guint height, display_picture_fn done, gpointer data,
                    GError **error)
{
    return display_picture(guest->environment->display, guest->domid, width, height, done, data, error);
}

void guest_take_screen(struct guest *guest)
{
    display_remove_guest(guest->environment->display, guest->domid);
    set_slot(guest, 0);
}

void guest_publish_config(struct guest *guest)
{
    const struct guest_config *config = guest->config;
    g_autofree char *colour = guest_config_text(config, "colour"), *type = guest_config_text(config, "type");
    rh_guest1_set_name(guest->skeleton, config->name);
    rh_guest1_set_slot(guest->skeleton, config->slot);
    rh_guest1_set_colour(guest->skeleton, colour);
    rh_guest1_set_guest_type(guest->skeleton, type);
    rh_guest1_set_memory(guest->skeleton, (guint64)config->memory_mib * 1024);
    rh_guest1_set_vcpus(guest->skeleton, config->vcpus);
    rh_guest1_set_autostart(guest->skeleton, config->autostart);
}

gboolean guest_is_saved(const struct guest *guest)
{
    return saved_state_there(guest->environment->saved, guest->config->name);
}

/* "my-desk" is my_2ddesk: what an element of a path may hold, and another one for each name. */
static char *path_of_name(const char *name)
{
    GString *path = g_string_new("/org/roundhouse/guests/");
    for (; *name; name++)
        g_string_append_printf(path, g_ascii_isalnum(*name) ? "%c" : "_%02x", (guchar)*name);
    return g_string_free(path, FALSE);
}

static void put_on_bus(struct guest *guest)
{
    g_autoptr(RhObjectSkeleton) object = rh_object_skeleton_new(guest->object_path);
    rh_object_skeleton_set_guest1(object, guest->skeleton);
    g_dbus_object_manager_server_export(guest->environment->objects, G_DBUS_OBJECT_SKELETON(object));
}

struct guest *guest_new(const struct guest_environment *environment, struct guest_config *config)
{
    struct guest *guest = g_rc_box_new0(struct guest);
    guest->environment = environment;
    guest->config = config;
    guest->skeleton = rh_guest1_skeleton_new();
    guest->object_path = path_of_name(config->name);
    guest_publish_config(guest);
    guest_set_domid(guest, -1);
    rh_guest1_set_error(guest->skeleton, "");
    guest->state = guest_is_saved(guest) ? GUEST_SUSPENDED : GUEST_OFF;
    rh_guest1_set_state(guest->skeleton, guest_state_name(guest->state));
    guest_bus_serve(environment->authority, guest->skeleton, guest);
    guest_take_over(guest);
    put_on_bus(guest);
    return guest;
}

void guest_remove(struct guest *guest)
{
    g_clear_handle_id(&guest->shutdown_deadline, g_source_remove);
    g_dbus_object_manager_server_unexport(guest->environment->objects, guest->object_path);
    guest_unref(guest);
}

void guest_set_config(struct guest *guest, struct guest_config *config)
{
    struct guest_config **place = guest->defined ? &guest->defined : &guest->config;
    guest_config_free(*place);
    *place = config;
    if (guest->domid < 0)
        guest_publish_config(guest);
}

gboolean guest_check_off(const struct guest *guest, GError **error)
{
    if (guest->held)
        g_set_error(error, RH_ERROR, RH_ERROR_WRONG_STATE, "%s has its disks kept or changed already. Wait a moment.",
                    guest->config->name);
    else if (guest->domid >= 0 || (guest->state != GUEST_OFF && guest->state != GUEST_CRASHED))
        g_set_error(error, RH_ERROR, RH_ERROR_WRONG_STATE, "%s is %s. Shut it down first.", guest->config->name,
                    guest_state_name(guest->state));
    else
        return TRUE;
    return FALSE;
}

gboolean guest_hold(struct guest *guest, gboolean off, GError **error)
{
    if ((off || guest->held) && !guest_check_off(guest, error))
        return FALSE;
    g_rc_box_acquire(guest);
    guest->held = TRUE;
    guest->held_off = off;
    return TRUE;
}

void guest_release(struct guest *guest)
{
    guest->held = guest->held_off = FALSE;
    guest_unref(guest);
}

struct guest_config *guest_whole_config(const struct guest *guest, GError **error)
{
    struct guest_config *config = guest_config_copy(guest->config);
    if (guest_identity_complete(config, guest->environment->identities, error))
        return config;
    guest_config_free(config);
    return NULL;
}

void guest_forget(const struct guest *guest)
{
    guest_identity_forget(guest->environment->identities, guest->config->name);
}

const struct guest_config *guest_config(const struct guest *guest)
{
    return guest->config;
}

const struct guest_config *guest_definition(const struct guest *guest)
{
    return guest->defined ? guest->defined : guest->config;
}

const char *guest_label(const struct guest *guest)
{
    return guest->domid < 0 ? guest->config->label : guest->label;
}

enum guest_state guest_state(const struct guest *guest)
{
    return guest->state;
}

gpointer guest_skeleton(const struct guest *guest)
{
    return guest->skeleton;
}

const char *guest_object_path(const struct guest *guest)
{
    return guest->object_path;
}

int guest_domid(const struct guest *guest)
{
    return guest->domid;
}

guint guest_slot(const struct guest *guest)
{
    return guest->slot ? guest->slot : guest->config->slot;
}
