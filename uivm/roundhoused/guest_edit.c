/*
 * Each change is one step on the disk: a definition appears, is replaced, gets another name or goes as a whole. What is
 * asked for is checked before anything is touched, and once more just before the step.
 */
#include "guest_edit.h"
#include "errors.h"
#include "roundhouse_dbus.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* ---- what is there already ---- */

static struct guest *find_guest(const struct guest_edit *edit, const char *name)
{
    for (guint i = 0; i < edit->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(edit->guests, i);
        if (g_str_equal(guest_config(guest)->name, name))
            return guest;
    }
    return NULL;
}

static struct guest *find_slot(const struct guest_edit *edit, guint slot)
{
    for (guint i = 0; slot && i < edit->guests->len; i++) {
        struct guest *guest = g_ptr_array_index(edit->guests, i);
        if (guest_config(guest)->slot == slot)
            return guest;
    }
    return NULL;
}

static char *free_slots(const struct guest_edit *edit)
{
    GString *text = g_string_new(NULL);
    for (guint slot = 1; slot <= GUEST_SLOT_MAX; slot++) {
        if (!find_slot(edit, slot))
            g_string_append_printf(text, "%u, ", slot);
    }
    return g_string_free(g_string_append(text, "or 0 for none"), FALSE);
}

static char *path_of(const struct guest_edit *edit, const char *name)
{
    g_autofree char *base = g_strconcat(name, ".conf", NULL);
    return g_build_filename(edit->directory, base, NULL);
}

static gboolean check_name_free(const struct guest_edit *edit, const char *name, GError **error)
{
    g_autofree char *path = path_of(edit, name);
    if (find_guest(edit, name))
        g_set_error(error, RH_ERROR, RH_ERROR_NAME_IN_USE,
                    "name: there is a guest called \"%s\" already; choose another.", name);
    else if (g_file_test(path, G_FILE_TEST_EXISTS))
        g_set_error(error, RH_ERROR, RH_ERROR_NAME_IN_USE,
                    "name: %s is there already, though it is no definition of \"%s\" that can be used. Choose another "
                    "name, or mend or remove the file.",
                    path, name);
    else
        return TRUE;
    return FALSE;
}

/* owner: who may have it; NULL: nobody. */
static gboolean check_slot_free(const struct guest_edit *edit, guint slot, const struct guest *owner, GError **error)
{
    struct guest *other = find_slot(edit, slot);
    if (!other || other == owner)
        return TRUE;
    g_autofree char *others = free_slots(edit);
    g_set_error(error, RH_ERROR, RH_ERROR_SLOT_IN_USE, "slot: %u is %s's; free are %s.", slot,
                guest_config(other)->name, others);
    return FALSE;
}

static gboolean check_off(struct guest *guest, GError **error)
{
    enum guest_state state = guest_state(guest);
    if (guest_domid(guest) < 0 && (state == GUEST_OFF || state == GUEST_CRASHED))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_WRONG_STATE, "%s is %s. Shut it down first.", guest_config(guest)->name,
                guest_state_name(state));
    return FALSE;
}

static void fail(GDBusMethodInvocation *invocation, const GError *error)
{
    g_dbus_method_invocation_return_gerror(invocation, error);
}

/* ---- create ---- */

struct creation {
    struct guest_edit *edit;
    struct guest_config *config;
    struct long_job *job;
};

static gboolean write_new(const struct guest_edit *edit, const struct guest_config *config, GError **error)
{
    return check_name_free(edit, config->name, error) && check_slot_free(edit, config->slot, NULL, error) &&
           guest_config_write(config, config->path, error);
}

/* Disks that have to be made come before this: a definition is the last thing that a new guest gets. */
static gboolean create_definition(gpointer data)
{
    struct creation *creation = data;
    struct guest_edit *edit = creation->edit;
    g_autoptr(GError) error = NULL;
    struct guest *guest = NULL;
    if (!g_cancellable_set_error_if_cancelled(long_job_cancellable(creation->job), &error) &&
        write_new(edit, creation->config, &error)) {
        edit->reload(edit->user);
        guest = find_guest(edit, creation->config->name);
    }
    long_job_end(creation->job, guest ? guest_object_path(guest) : NULL, error);
    return G_SOURCE_REMOVE;
}

static void creation_free(gpointer data)
{
    struct creation *creation = data;
    guest_config_free(creation->config);
    g_free(creation);
}

static struct guest_config *new_config(const struct guest_edit *edit, GVariant *settings, GError **error)
{
    const char *name = NULL;
    if (!g_variant_lookup(settings, "name", "&s", &name) || strchr(name, '/')) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                    "name: this setting is missing, or it is no name; give letters, digits, dots and dashes.");
        return NULL;
    }
    g_autofree char *path = path_of(edit, name);
    struct guest_config *config = guest_config_edit(NULL, path, settings, error);
    if (config && check_name_free(edit, config->name, error) && check_slot_free(edit, config->slot, NULL, error) &&
        edit->label(edit->user, config, error))
        return config;
    guest_config_free(config);
    return NULL;
}

static void create(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct guest_edit *edit = user;
    g_autoptr(GVariant) settings = g_variant_get_child_value(g_dbus_method_invocation_get_parameters(invocation), 0);
    g_autoptr(GError) error = NULL;
    struct guest_config *config = new_config(edit, settings, &error);
    (void)argument;
    if (!config) {
        fail(invocation, error);
        return;
    }
    struct creation *creation = g_new(struct creation, 1);
    *creation = (struct creation){edit, config, long_job_begin(edit->jobs, "create", config->name)};
    g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, create_definition, creation, creation_free);
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", long_job_path(creation->job)));
}

void guest_edit_serve_manager(struct guest_edit *edit, gpointer skeleton)
{
    static const struct authority_method methods[] = {{"handle-create-guest", create, 0}, {NULL, NULL, 0}};
    authority_serve(edit->authority, skeleton, methods, edit);
}

/* ---- change, rename, delete ---- */

/* A guest as its methods see it; its skeleton owns this. */
struct subject {
    struct guest_edit *edit;
    struct guest *guest;
};

static void get_settings(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct subject *subject = user;
    GVariant *settings = guest_config_settings(guest_config(subject->guest));
    (void)argument;
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(@a{sv})", settings));
}

static gboolean write_changed(const struct subject *subject, GVariant *settings, GError **error)
{
    const struct guest_config *old = guest_config(subject->guest);
    struct guest_config *config = guest_config_edit(old->path, old->path, settings, error);
    gboolean good = config && check_slot_free(subject->edit, config->slot, subject->guest, error);
    if (good && !g_str_equal(config->name, old->name)) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "name: a guest gets another name by Rename.");
        good = FALSE;
    }
    good = good && subject->edit->label(subject->edit->user, config, error) &&
           guest_config_write(config, config->path, error);
    guest_config_free(config);
    return good;
}

static void reload_and_answer(struct guest_edit *edit, GDBusMethodInvocation *invocation, GVariant *answer)
{
    edit->reload(edit->user);
    g_dbus_method_invocation_return_value(invocation, answer);
}

static void set_settings(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct subject *subject = user;
    g_autoptr(GVariant) settings = g_variant_get_child_value(g_dbus_method_invocation_get_parameters(invocation), 0);
    g_autoptr(GError) error = NULL;
    (void)argument;
    if (write_changed(subject, settings, &error))
        reload_and_answer(subject->edit, invocation, NULL);
    else
        fail(invocation, error);
}

static gboolean from_errno(GError **error, const char *path, const char *what)
{
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "%s cannot be %s: %s.", path, what, g_strerror(errno));
    return FALSE;
}

/* What has been done to the directory outlasts a power cut. */
static void sync_directory(const struct guest_edit *edit)
{
    int fd = open(edit->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        g_warning("%s: %s", edit->directory, g_strerror(errno));
    if (fd >= 0)
        close(fd);
}

/*
 * First the file says the new name, and what is kept under the old one (the guest's identity) as well; then the file is
 * called so. In between it is as good a definition as before and after.
 */
static gboolean rename_definition(const struct subject *subject, const char *name, GError **error)
{
    g_autofree char *path = path_of(subject->edit, name);
    struct guest_config *config = guest_whole_config(subject->guest, error);
    if (!config)
        return FALSE;
    g_free(config->name);
    config->name = g_strdup(name);
    gboolean good = guest_config_write(config, config->path, error) &&
                    (g_rename(config->path, path) == 0 || from_errno(error, path, "written"));
    guest_config_free(config);
    sync_directory(subject->edit);
    if (good)
        guest_forget(subject->guest);
    return good;
}

/* A name that differs from the old one, and that a file can have. */
static gboolean check_new_name(const struct subject *subject, const char *name, GError **error)
{
    g_autofree char *path = path_of(subject->edit, "x");
    GVariantDict settings;
    g_variant_dict_init(&settings, NULL);
    g_variant_dict_insert(&settings, "name", "s", name);
    g_autoptr(GVariant) change = g_variant_ref_sink(g_variant_dict_end(&settings));
    struct guest_config *config = guest_config_edit(guest_config(subject->guest)->path, path, change, error);
    gboolean good = config && *name && check_name_free(subject->edit, name, error);
    if (config && !*name)
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "name: it is empty; give letters, digits, dots and dashes.");
    guest_config_free(config);
    return good;
}

static void change_name(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct subject *subject = user;
    struct guest_edit *edit = subject->edit;
    g_autoptr(GError) error = NULL;
    const char *name;
    (void)argument;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s)", &name);
    if (!check_off(subject->guest, &error) || !check_new_name(subject, name, &error) ||
        !rename_definition(subject, name, &error)) {
        fail(invocation, error);
        return;
    }
    edit->reload(edit->user);
    struct guest *guest = find_guest(edit, name);
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", guest ? guest_object_path(guest) : "/"));
}

/* The guest's own images, once it has some, go before this: what names them goes last. */
static void delete (GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct subject *subject = user;
    struct guest_edit *edit = subject->edit;
    const char *path = guest_config(subject->guest)->path;
    g_autoptr(GError) error = NULL;
    (void)argument;
    if (!check_off(subject->guest, &error) || (g_unlink(path) != 0 && !from_errno(&error, path, "removed"))) {
        fail(invocation, error);
        return;
    }
    sync_directory(edit);
    guest_forget(subject->guest);
    reload_and_answer(edit, invocation, NULL);
}

void guest_edit_serve_guest(struct guest_edit *edit, struct guest *guest)
{
    static const struct authority_method methods[] = {{"handle-get-settings", get_settings, 0},
                                                      {"handle-set-settings", set_settings, 0},
                                                      {"handle-rename", change_name, 0},
                                                      {"handle-delete", delete, 0},
                                                      {NULL, NULL, 0}};
    struct subject *subject = g_new(struct subject, 1);
    *subject = (struct subject){edit, guest};
    g_object_set_data_full(G_OBJECT(guest_skeleton(guest)), "edit", subject, g_free);
    authority_serve(edit->authority, guest_skeleton(guest), methods, subject);
}
