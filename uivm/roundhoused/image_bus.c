/* Each method is a request to the pool, and a job of the bus that ends with its answer. */
#include "image_bus.h"
#include "errors.h"
#include "image_users.h"
#include "passed_file.h"
#include "pool_job.h"
#include "roundhouse_dbus.h"
#include "storage/image.h"
#include "storage/image_job.h"

#include <unistd.h>

#define FREE_STEP (G_GUINT64_CONSTANT(16) << 20) /* a guest that writes is no reason for a signal every time */

/* ---- the list ---- */

struct listing {
    const struct image_bus *images;
    GDBusMethodInvocation *invocation;
    GPtrArray *list; /* struct image */
};

static void listing_free(gpointer data)
{
    struct listing *listing = data;
    g_clear_pointer(&listing->list, g_ptr_array_unref);
    g_free(listing);
}

/* A file system that does not tell where files lie leaves the figures of the list as they are. */
static gboolean list(struct pool *pool, gpointer data, const struct convert_watch *watch, GError **error)
{
    struct listing *listing = data;
    (void)watch;
    listing->list = image_list(pool, error);
    if (listing->list)
        image_list_measure(pool, listing->list, NULL);
    return listing->list != NULL;
}

static void listed(GObject *source, GAsyncResult *result, gpointer data)
{
    const struct listing *listing = data;
    GVariantBuilder images;
    GError *error = NULL;
    (void)source;
    if (!pool_work_finish(result, &error)) {
        g_dbus_method_invocation_take_error(listing->invocation, error);
        return;
    }
    g_variant_builder_init(&images, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < listing->list->len; i++) {
        const struct image *image = g_ptr_array_index(listing->list, i);
        g_autofree char *users = image_users(listing->images->guests, image->name, NULL);
        g_variant_builder_open(&images, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&images, "{sv}", "name", g_variant_new_string(image->name));
        g_variant_builder_add(&images, "{sv}", "size", g_variant_new_uint64(image->size));
        g_variant_builder_add(&images, "{sv}", "used", g_variant_new_uint64(image->used));
        g_variant_builder_add(&images, "{sv}", "guest", g_variant_new_string(users ? users : ""));
        g_variant_builder_close(&images);
    }
    g_dbus_method_invocation_return_value(listing->invocation, g_variant_new("(aa{sv})", &images));
}

static void list_images(GDBusMethodInvocation *invocation, gpointer user, guint argument)
{
    const struct image_bus *images = user;
    struct listing *listing = g_new(struct listing, 1);
    (void)argument;
    *listing = (struct listing){images, invocation, NULL};
    pool_work_start(images->pool, list, listing, listing_free, NULL, listed, listing);
}

/* ---- requests ---- */

/* What a call asks for; its texts are the parameters', and end with the answer. */
struct call {
    struct image_request request;
    gint32 handle; /* of a file; -1: there is none */
    gboolean writing;
    gboolean alone; /* not of an image that a definition has */
};

static gboolean read_create(GVariant *parameters, struct call *call, GError **error)
{
    (void)error;
    g_variant_get(parameters, "(&st)", &call->request.image, &call->request.size);
    return TRUE;
}

static gboolean read_two_names(GVariant *parameters, struct call *call, GError **error)
{
    (void)error;
    g_variant_get(parameters, "(&s&s)", &call->request.image, &call->request.other);
    call->alone = call->request.task == IMAGE_TASK_RENAME;
    return TRUE;
}

static gboolean read_delete(GVariant *parameters, struct call *call, GError **error)
{
    (void)error;
    g_variant_get(parameters, "(&s)", &call->request.image);
    call->alone = TRUE;
    return TRUE;
}

static gboolean read_import(GVariant *parameters, struct call *call, GError **error)
{
    (void)error;
    g_variant_get(parameters, "(&sh)", &call->request.image, &call->handle);
    return TRUE;
}

static gboolean read_export(GVariant *parameters, struct call *call, GError **error)
{
    const char *word;
    g_variant_get(parameters, "(&sh&s)", &call->request.image, &call->handle, &word);
    call->writing = TRUE;
    if (convert_format_of_word(word, &call->request.format))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                "\"%s\" is no format of images. Give raw, qcow2, vmdk, vhd, vhdx or vdi.", word);
    return FALSE;
}

static const struct {
    const char *kind; /* of the job */
    gboolean (*read)(GVariant *parameters, struct call *call, GError **error);
} tasks[IMAGE_TASK_COUNT] = {
    [IMAGE_TASK_CREATE] = {"create-image", read_create}, [IMAGE_TASK_CLONE] = {"clone-image", read_two_names},
    [IMAGE_TASK_GROW] = {"grow-image", read_create},     [IMAGE_TASK_RENAME] = {"rename-image", read_two_names},
    [IMAGE_TASK_DELETE] = {"delete-image", read_delete}, [IMAGE_TASK_IMPORT] = {"import-image", read_import},
    [IMAGE_TASK_EXPORT] = {"export-image", read_export},
};

struct work {
    struct long_job *job;
    int file; /* -1: none */
};

static void ended(GObject *source, GAsyncResult *result, gpointer data)
{
    struct work *work = data;
    g_autoptr(GError) error = NULL;
    (void)source;
    pool_work_finish(result, &error);
    long_job_end(work->job, NULL, error);
    if (work->file >= 0)
        close(work->file);
    g_free(work);
}

static void start(const struct image_bus *images, GDBusMethodInvocation *invocation, struct call *call, int file)
{
    g_autofree char *path = file < 0 ? NULL : passed_file_path(file);
    struct work *work = g_new(struct work, 1);
    *work = (struct work){long_job_begin(images->jobs, tasks[call->request.task].kind, ""), file};
    const struct convert_watch watch = pool_job_watch(work->job);
    if (path)
        call->request.other = path;
    image_job_start(images->pool, &call->request, &watch, ended, work);
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", long_job_path(work->job)));
}

static void begin(GDBusMethodInvocation *invocation, gpointer user, guint task)
{
    const struct image_bus *images = user;
    struct call call = {.request.task = (enum image_task)task, .handle = -1};
    GError *error = NULL;
    int file = -1;
    if (tasks[task].read(g_dbus_method_invocation_get_parameters(invocation), &call, &error) &&
        (!call.alone || image_users_check_none(images->guests, call.request.image, &error)) &&
        (call.handle < 0 || (file = passed_file_take(invocation, call.handle, call.writing, &error)) >= 0))
        start(images, invocation, &call, file);
    else
        g_dbus_method_invocation_take_error(invocation, error);
}

void image_bus_serve(struct image_bus *images, struct authority *authority, gpointer skeleton)
{
    static const struct authority_method methods[] = {{"handle-list-images", list_images, 0},
                                                      {"handle-create-image", begin, IMAGE_TASK_CREATE},
                                                      {"handle-clone-image", begin, IMAGE_TASK_CLONE},
                                                      {"handle-import-image", begin, IMAGE_TASK_IMPORT},
                                                      {"handle-export-image", begin, IMAGE_TASK_EXPORT},
                                                      {"handle-grow-image", begin, IMAGE_TASK_GROW},
                                                      {"handle-rename-image", begin, IMAGE_TASK_RENAME},
                                                      {"handle-delete-image", begin, IMAGE_TASK_DELETE},
                                                      {NULL, NULL, 0}};
    authority_serve(authority, skeleton, methods, images);
}

/* ---- space ---- */

void image_bus_publish_space(const struct image_bus *images, gpointer skeleton)
{
    struct pool_space space = {0};
    pool_get_space(images->pool, &space, NULL);
    rh_manager1_set_pool_size(skeleton, space.size);
    rh_manager1_set_pool_free(skeleton, space.free - space.free % FREE_STEP);
}
