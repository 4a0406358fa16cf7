/*
 * Each change is one step on the disk: a definition appears, is replaced, gets another name or goes as a whole. What is
 * asked for is checked before anything is touched, and once more just before the step.
 */
#include "guest_edit.h"
#include "errors.h"
#include "guest_disks.h"
#include "guest_files.h"
#include "image_users.h"
#include "pool_job.h"
#include "roundhouse_dbus.h"
#include "storage/image.h"

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

static void fail(GDBusMethodInvocation *invocation, const GError *error)
{
    g_dbus_method_invocation_return_gerror(invocation, error);
}

/* The definition, if its caller may make it of what it was before; NULL with an error: it is freed. */
static struct guest_config *if_allowed(GDBusMethodInvocation *invocation, struct guest_config *config,
                                       const struct guest_config *before, GError **error)
{
    if (!config || authority_is_own_user(invocation) || guest_files_allowed(config, before, error))
        return config;
    guest_config_free(config);
    return NULL;
}

/* ---- create: the disks, the definition, and then the disks are the guest's ---- */

struct creation {
    struct guest_edit *edit;
    struct guest_config *config;
    struct guest_disks *disks;
    struct long_job *job;
    GError *error; /* why it comes to nothing; NULL: it does not */
};

static void end_creation(struct creation *creation)
{
    struct guest_edit *edit = creation->edit;
    struct guest *guest = NULL;
    if (!creation->error) {
        edit->reload(edit->user);
        guest = find_guest(edit, creation->config->name);
    }
    long_job_end(creation->job, guest ? guest_object_path(guest) : NULL, creation->error);
    g_clear_error(&creation->error);
    guest_config_free(creation->config);
    guest_disks_free(creation->disks);
    g_free(creation);
}

/* The definition is there, or is not going to be. */
static void disks_settled(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    (void)source;
    if (!pool_work_finish(result, &error))
        g_warning("%s", error->message); /* the next start of the service settles it */
    end_creation(data);
}

static gboolean write_new(const struct guest_edit *edit, const struct guest_config *config, GError **error)
{
    return check_name_free(edit, config->name, error) && check_slot_free(edit, config->slot, NULL, error) &&
           guest_config_write(config, config->path, error);
}

static gboolean create_definition(gpointer data)
{
    struct creation *creation = data;
    struct guest_edit *edit = creation->edit;
    gboolean good = !g_cancellable_set_error_if_cancelled(long_job_cancellable(creation->job), &creation->error) &&
                    write_new(edit, creation->config, &creation->error);
    if (guest_disks_none(creation->disks))
        end_creation(creation);
    else
        pool_work_start(edit->pool, good ? guest_disks_settle : guest_disks_drop, creation->disks, NULL, NULL,
                        disks_settled, creation);
    return G_SOURCE_REMOVE;
}

static void disks_made(GObject *source, GAsyncResult *result, gpointer data)
{
    struct creation *creation = data;
    (void)source;
    if (pool_work_finish(result, &creation->error))
        create_definition(creation);
    else
        end_creation(creation);
}

static struct guest_config *new_config(const struct guest_edit *edit, GVariant *settings, GError **error)
{
    g_auto(GVariantDict) said;
    const char *name = NULL;
    g_variant_dict_init(&said, settings); /* of a setting that is there twice the last counts, as guest_config_edit() */
    if (!g_variant_dict_lookup(&said, "name", "&s", &name) || strchr(name, '/')) {
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

/* The same with the new disks. */
static struct guest_config *config_with(struct guest_edit *edit, struct guest_config *config, GVariant *settings,
                                        struct guest_disks *disks, GError **error)
{
    if (!config || guest_disks_none(disks))
        return config;
    g_autofree char *text = guest_disks_setting(disks, config);
    GVariantDict all;
    guest_config_free(config);
    g_variant_dict_init(&all, settings);
    g_variant_dict_insert(&all, "disk", "s", text);
    g_autoptr(GVariant) whole = g_variant_ref_sink(g_variant_dict_end(&all));
    return new_config(edit, whole, error);
}

static void begin_creation(struct creation *creation)
{
    const struct convert_watch watch = pool_job_watch(creation->job);
    if (guest_disks_none(creation->disks))
        g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, create_definition, creation, NULL);
    else
        pool_work_start(creation->edit->pool, guest_disks_make, creation->disks, NULL, &watch, disks_made, creation);
}

static void create(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct guest_edit *edit = user;
    GVariant *parameters = g_dbus_method_invocation_get_parameters(invocation);
    g_autoptr(GVariant) settings = g_variant_get_child_value(parameters, 0);
    g_autoptr(GVariant) words = g_variant_get_child_value(parameters, 1);
    g_autoptr(GError) error = NULL;
    struct guest_disks *disks = guest_disks_read(invocation, words, &error);
    struct guest_config *config =
        disks ? config_with(edit, new_config(edit, settings, &error), settings, disks, &error) : NULL;
    config = if_allowed(invocation, config, NULL, &error);
    (void)argument;
    if (!config) {
        guest_disks_free(disks);
        fail(invocation, error);
        return;
    }
    struct creation *creation = g_new(struct creation, 1);
    *creation = (struct creation){edit, config, disks, long_job_begin(edit->jobs, "create", config->name), NULL};
    begin_creation(creation);
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

static gboolean write_changed(const struct subject *subject, GDBusMethodInvocation *invocation, GVariant *settings,
                              GError **error)
{
    const struct guest_config *old = guest_config(subject->guest);
    struct guest_config *file = guest_config_load(old->path, NULL);
    struct guest_config *config =
        if_allowed(invocation, guest_config_edit(old->path, old->path, settings, error), file, error);
    gboolean good = config && check_slot_free(subject->edit, config->slot, subject->guest, error);
    if (good && !g_str_equal(config->name, old->name)) {
        g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG, "name: a guest gets another name by Rename.");
        good = FALSE;
    }
    good = good && subject->edit->label(subject->edit->user, config, error) &&
           guest_config_write(config, config->path, error);
    guest_config_free(config);
    guest_config_free(file);
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
    if (write_changed(subject, invocation, settings, &error))
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
    if (!guest_check_off(subject->guest, &error) || !check_new_name(subject, name, &error) ||
        !rename_definition(subject, name, &error)) {
        fail(invocation, error);
        return;
    }
    edit->reload(edit->user);
    struct guest *guest = find_guest(edit, name);
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", guest ? guest_object_path(guest) : "/"));
}

static gboolean remove_definition(struct guest_edit *edit, struct guest *guest, GError **error)
{
    const char *path = guest_config(guest)->path;
    if (g_unlink(path) != 0)
        return from_errno(error, path, "removed");
    sync_directory(edit);
    guest_forget(guest);
    return TRUE;
}

static void delete (GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct subject *subject = user;
    g_autoptr(GError) error = NULL;
    (void)argument;
    if (guest_check_off(subject->guest, &error) && remove_definition(subject->edit, subject->guest, &error))
        reload_and_answer(subject->edit, invocation, NULL);
    else
        fail(invocation, error);
}

/* ---- delete with images: what names them goes last, so that it can be asked again ---- */

struct deletion {
    struct guest_edit *edit;
    struct guest *guest; /* held */
    char **images;
    struct long_job *job;
};

/* Those that it may write and nobody else has. */
static char **own_images(const struct guest_edit *edit, const struct guest *guest)
{
    const struct guest_config *config = guest_config(guest);
    g_autoptr(GStrvBuilder) images = g_strv_builder_new();
    for (guint i = 0; i < config->disks->len; i++) {
        const struct guest_disk *disk = g_ptr_array_index(config->disks, i);
        g_autofree char *others = disk->pooled ? image_users(edit->guests, disk->target, guest) : NULL;
        if (disk->pooled && !disk->read_only && !others)
            g_strv_builder_add(images, disk->target);
    }
    return g_strv_builder_end(images);
}

static gboolean delete_images(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    const struct deletion *deletion = data;
    GError *cause = NULL;
    (void)watch;
    for (guint i = 0; deletion->images[i] && !cause; i++) {
        image_delete(pool, deletion->images[i], &cause);
        if (g_error_matches(cause, RH_ERROR, RH_ERROR_NOT_FOUND))
            g_clear_error(&cause);
    }
    if (cause)
        g_propagate_error(error, cause);
    return !cause;
}

static void images_deleted(GObject *source, GAsyncResult *result, gpointer data)
{
    struct deletion *deletion = data;
    struct guest_edit *edit = deletion->edit;
    g_autoptr(GError) error = NULL;
    (void)source;
    if (pool_work_finish(result, &error))
        remove_definition(edit, deletion->guest, &error);
    guest_release(deletion->guest);
    edit->reload(edit->user);
    long_job_end(deletion->job, NULL, error);
    g_strfreev(deletion->images);
    g_free(deletion);
}

static void delete_with_images(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    struct subject *subject = user;
    struct guest_edit *edit = subject->edit;
    GError *error = NULL;
    (void)argument;
    if (!guest_hold(subject->guest, TRUE, &error)) {
        g_dbus_method_invocation_take_error(invocation, error);
        return;
    }
    struct deletion *deletion = g_new(struct deletion, 1);
    *deletion = (struct deletion){edit, subject->guest, own_images(edit, subject->guest),
                                  long_job_begin(edit->jobs, "delete", guest_config(subject->guest)->name)};
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", long_job_path(deletion->job)));
    pool_work_start(edit->pool, delete_images, deletion, NULL, NULL, images_deleted, deletion);
}

void guest_edit_serve_guest(struct guest_edit *edit, struct guest *guest)
{
    static const struct authority_method methods[] = {{"handle-get-settings", get_settings, 0},
                                                      {"handle-set-settings", set_settings, 0},
                                                      {"handle-rename", change_name, 0},
                                                      {"handle-delete", delete, 0},
                                                      {"handle-delete-with-images", delete_with_images, 0},
                                                      {NULL, NULL, 0}};
    struct subject *subject = g_new(struct subject, 1);
    *subject = (struct subject){edit, guest};
    g_object_set_data_full(G_OBJECT(guest_skeleton(guest)), "edit", subject, g_free);
    authority_serve(edit->authority, guest_skeleton(guest), methods, subject);
}
