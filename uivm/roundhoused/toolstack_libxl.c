/*
 * The toolstack on libxl. Each operation runs in a worker thread with a context of its own: libxl holds a
 * context's lock while it builds a domain, and a slow build must hold up neither the bus nor a destroy. Ends
 * of domains come over one more context, in the main loop (toolstack_events.c).
 */
#include "toolstack.h"
#include "device_model.h"
#include "domain_config.h"
#include "errors.h"
#include "guest_images.h"
#include "saved_state.h"
#include "storage/pool.h"
#include "toolstack_affinity.h"
#include "toolstack_events.h"
#include "toolstack_context.h"
#include "toolstack_log.h"

#include <errno.h>
#include <fcntl.h>
#include <libxl.h>
#include <libxl_utils.h>
#include <stdlib.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xencall.h>
#include <xenstore.h>

#include "public/roundhouse.h"

typedef struct {
    libxl_ctx *ctx;
    xentoollog_logger *log;
} connection;

static void connection_close(connection *link)
{
    if (link->ctx)
        libxl_ctx_free(link->ctx);
    if (link->log)
        xtl_logger_destroy(link->log);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(connection, connection_close)

struct toolstack {
    struct toolstack_events *events;
    toolstack_end_fn end;
    gpointer user;
    char *pool_path;
    GHashTable *holds; /* domid -> GArray of int: descriptors that keep the domain's loop devices */
    connection host;   /* for questions about the host, which come often; one worker at a time has it */
    gboolean host_open, host_asked;
    xencall_handle *calls; /* NULL: cannot be had; only what libxl does not know goes this way */
};

static gboolean connection_open(connection *link, GError **error)
{
    link->log = toolstack_log_new();
    link->ctx = toolstack_context_new(link->log);
    if (link->ctx)
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "The hypervisor does not answer (%s). Restart this machine.",
                toolstack_log_first_error(link->log));
    return FALSE;
}

static void set_libxl_error(GError **error, connection *link, const char *advice)
{
    const char *cause = toolstack_log_first_error(link->log);
    g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "%s%s%s%s", *cause ? "The toolstack says: " : advice, cause,
                *cause ? ". " : "", *cause ? advice : "");
}

/* ---- create ---- */

static gboolean check_memory(connection *link, libxl_domain_config *domain, GError **error)
{
    guint64 need_kib = 0, free_kib = 0;
    if (libxl_domain_need_memory(link->ctx, domain, INVALID_DOMID, &need_kib) ||
        libxl_get_free_memory(link->ctx, &free_kib)) {
        set_libxl_error(error, link, "Try again; if it fails each time, restart this machine.");
        return FALSE;
    }
    if (need_kib <= free_kib)
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_NO_MEMORY,
                "It needs %" G_GUINT64_FORMAT " MiB of memory and %" G_GUINT64_FORMAT
                " MiB are free. Shut another guest down, or lower memory_mib in its definition.",
                (need_kib + 1023) / 1024, free_kib / 1024);
    return FALSE;
}

/*
 * A disk behind a loop device is lost when its descriptor is closed before the backend has opened it, and
 * when that is nobody says: the descriptors are kept as long as the domain.
 */
struct creation {
    struct guest_config *config;
    struct guest_screen screen;
    char *pool_path;
    GArray *holds;
    int saved; /* -1: none */
};

/* A stream of version 2 is what libxl_domain_suspend() writes (libxl.h, LIBXL_HAVE_STREAM_V2). */
static int make_domain(libxl_ctx *ctx, libxl_domain_config *domain, uint32_t *domid, int saved)
{
    libxl_domain_restore_params params;
    if (saved < 0)
        return libxl_domain_create_new(ctx, domain, domid, NULL, NULL);
    libxl_domain_restore_params_init(&params);
    params.stream_version = 2;
    int code = libxl_domain_create_restore(ctx, domain, domid, saved, -1, &params, NULL, NULL);
    libxl_domain_restore_params_dispose(&params);
    return code;
}

#ifndef GUEST_RAN_MARK
#define GUEST_RAN_MARK "/run/roundhouse-guest-ran"
#endif

/*
 * Says that a guest has run since this machine was started: from then on nothing may be installed from here
 * (roundhouse-installer@.service). A guest does not start without it.
 */
static gboolean mark_guest_ran(GError **error)
{
    int fd = open(GUEST_RAN_MARK, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd >= 0)
        close(fd);
    else
        g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK,
                    GUEST_RAN_MARK " cannot be made: %s. Restart this machine.", g_strerror(errno));
    return fd >= 0;
}

static int create_domain(connection *link, struct creation *wanted, GError **error)
{
    libxl_domain_config domain;
    uint32_t domid = INVALID_DOMID;
    int result = -1;
    libxl_domain_config_init(&domain);
    if (!guest_images_find(wanted->config, wanted->pool_path, error) ||
        !domain_config_fill(&domain, link->ctx, wanted->config, wanted->screen, wanted->holds, error) ||
        !check_memory(link, &domain, error) || !mark_guest_ran(error))
        goto out;
    if (make_domain(link->ctx, &domain, &domid, wanted->saved)) {
        set_libxl_error(error, link,
                        wanted->saved < 0
                            ? "Try again; if it fails each time, restart this machine."
                            : "Try again; if it fails each time, force it off, which gives up what was saved "
                              "of it, and start it anew.");
        goto out;
    }
    toolstack_affinity_set(link->ctx, domid, wanted->config);
    result = (int)domid;
out:
    libxl_domain_config_dispose(&domain);
    return result;
}

static void holds_free(gpointer data)
{
    GArray *holds = data;
    for (guint i = 0; i < holds->len; i++)
        close(g_array_index(holds, int, i));
    g_array_unref(holds);
}

static void creation_free(gpointer data)
{
    struct creation *creation = data;
    guest_config_free(creation->config);
    g_free(creation->pool_path);
    g_clear_pointer(&creation->holds, holds_free);
    if (creation->saved >= 0)
        close(creation->saved);
    g_free(creation);
}

static void create_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_auto(connection) link = {0};
    struct creation *creation = data;
    GError *error = NULL;
    int domid = -1;
    (void)source;
    (void)cancellable;
    if (connection_open(&link, &error))
        domid = create_domain(&link, creation, &error);
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_int(task, domid);
}

void toolstack_create(struct toolstack *toolstack, const struct guest_config *config, struct guest_screen screen,
                      int saved, GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    struct creation *creation = g_new(struct creation, 1);
    *creation = (struct creation){guest_config_copy(config), screen, g_strdup(toolstack->pool_path),
                                  g_array_new(FALSE, FALSE, sizeof(int)), saved};
    g_task_set_task_data(task, creation, creation_free);
    g_task_run_in_thread(task, create_in_thread);
}

int toolstack_create_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error)
{
    struct creation *creation = g_task_get_task_data(G_TASK(result));
    int domid = (int)g_task_propagate_int(G_TASK(result), error);
    if (domid >= 0)
        g_hash_table_insert(toolstack->holds, GINT_TO_POINTER(domid), g_steal_pointer(&creation->holds));
    return domid;
}

/* ---- operations on a domain ---- */

/* Whether the guest's system reads what the toolstack writes into control/: its driver says so there. */
static gboolean hears(uint32_t domid, const char *feature)
{
    struct xs_handle *store = xs_open(0);
    g_autofree char *path = g_strdup_printf("/local/domain/%u/control/%s", domid, feature);
    char *value = store ? xs_read(store, XBT_NULL, path, NULL) : NULL;
    gboolean yes = g_strcmp0(value, "1") == 0;
    free(value);
    if (store)
        xs_close(store);
    return yes;
}

static gboolean is_pc(libxl_ctx *ctx, uint32_t domid)
{
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    gboolean pc = libxl_domain_info(ctx, &info, domid) == 0 && info.domain_type == LIBXL_DOMAIN_TYPE_HVM;
    libxl_dominfo_dispose(&info);
    return pc;
}

/* libxl would go by the guest's event interrupt, which firmware and a system that is still booting may have set up. */
static int shut_down(libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
    if (is_pc(ctx, domid) && !hears(domid, "feature-poweroff"))
        return libxl_send_trigger(ctx, domid, LIBXL_TRIGGER_POWER, 0, how);
    return libxl_domain_shutdown(ctx, domid, how);
}

static int restart(libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
    if (is_pc(ctx, domid) && !hears(domid, "feature-reboot"))
        return libxl_send_trigger(ctx, domid, LIBXL_TRIGGER_POWER, 0, how);
    return libxl_domain_reboot(ctx, domid, how);
}

/* The guest's system learns that it was not saved, and goes on. */
static int resume(libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
    return libxl_domain_resume(ctx, domid, 1, how);
}

static const struct {
    int (*call)(libxl_ctx *, uint32_t domid, const libxl_asyncop_how *);
    const char *advice;
} operations[TOOLSTACK_OPERATION_COUNT] = {
    [TOOLSTACK_PAUSE] = {libxl_domain_pause, "Try again."},
    [TOOLSTACK_UNPAUSE] = {libxl_domain_unpause, "Try again, or force it off."},
    [TOOLSTACK_SHUTDOWN] = {shut_down, "Its system does not listen. Force it off if it hangs."},
    [TOOLSTACK_REBOOT] = {restart, "Its system does not listen. Force it off if it hangs."},
    [TOOLSTACK_DESTROY] = {libxl_domain_destroy, "Try again."},
    [TOOLSTACK_RESUME] = {resume, "Force it off."},
};

#ifndef DESTROY_PATIENCE_SECONDS
#define DESTROY_PATIENCE_SECONDS 20
#endif

struct operation {
    enum toolstack_operation kind;
    int domid;
    guint overdue; /* source id while a destroy is under way, 0: none */
};

/* libxl waits for a device model that does not answer; the domain's memory is free when it is dead. */
static gboolean destroy_overdue(gpointer data)
{
    struct operation *operation = data;
    operation->overdue = 0;
    device_model_kill(operation->domid);
    return G_SOURCE_REMOVE;
}

static void operate_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_auto(connection) link = {0};
    const struct operation *operation = data;
    GError *error = NULL;
    (void)source;
    (void)cancellable;
    if (connection_open(&link, &error)) {
        int code = operations[operation->kind].call(link.ctx, (uint32_t)operation->domid, NULL);
        gboolean gone =
            operation->kind == TOOLSTACK_DESTROY && (code == ERROR_DOMAIN_NOTFOUND || code == ERROR_DOMAIN_DESTROYED);
        if (code && !gone)
            set_libxl_error(&error, &link, operations[operation->kind].advice);
    }
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
}

void toolstack_operate(struct toolstack *toolstack, enum toolstack_operation operation, int domid,
                       GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    struct operation *data = g_new(struct operation, 1);
    (void)toolstack;
    *data = (struct operation){operation, domid, 0};
    if (operation == TOOLSTACK_DESTROY)
        data->overdue = g_timeout_add_seconds(DESTROY_PATIENCE_SECONDS, destroy_overdue, data);
    g_task_set_task_data(task, data, g_free);
    g_task_run_in_thread(task, operate_in_thread);
}

/* A destroyed domain's device model is dead when libxl has seen to it; one that it missed would keep the memory. */
gboolean toolstack_operate_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error)
{
    struct operation *operation = g_task_get_task_data(G_TASK(result));
    (void)toolstack;
    g_clear_handle_id(&operation->overdue, g_source_remove);
    if (operation->kind == TOOLSTACK_DESTROY)
        device_model_kill(operation->domid);
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- suspend to disk ---- */

struct saving {
    struct guest_config *config;
    char *folder;
    int domid;
};

static void saving_free(gpointer data)
{
    struct saving *saving = data;
    guest_config_free(saving->config);
    g_free(saving->folder);
    g_free(saving);
}

static void stands_still(GError **error)
{
    g_autofree char *cause = g_steal_pointer(&(*error)->message);
    (*error)->message = g_strdup_printf("%s It stands still now. Force it off.", cause);
}

/* libxl waits for the guest's system, stops it, and writes what it is. */
static gboolean save_domain(connection *link, const struct saving *saving, GError **error)
{
    const char *folder = saving->folder, *name = saving->config->name;
    int fd = saved_state_create(folder, saving->config, error);
    if (fd < 0)
        return FALSE;
    if (libxl_domain_suspend(link->ctx, (uint32_t)saving->domid, fd, 0, NULL)) {
        set_libxl_error(error, link, "It runs on. Try again, or shut it down instead.");
        close(fd);
    } else if (saved_state_keep(folder, name, fd, error)) {
        return TRUE;
    }
    saved_state_drop(folder, name);
    if (resume(link->ctx, (uint32_t)saving->domid, NULL))
        stands_still(error);
    return FALSE;
}

static void save_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_auto(connection) link = {0};
    GError *error = NULL;
    (void)source;
    (void)cancellable;
    if (connection_open(&link, &error) && save_domain(&link, data, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

void toolstack_save(struct toolstack *toolstack, const struct guest_config *config, int domid, const char *folder,
                    GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    struct saving *saving = g_new(struct saving, 1);
    (void)toolstack;
    *saving = (struct saving){guest_config_copy(config), g_strdup(folder), domid};
    g_task_set_task_data(task, saving, saving_free);
    g_task_run_in_thread(task, save_in_thread);
}

gboolean toolstack_save_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error)
{
    (void)toolstack;
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- another CD ---- */

struct cd_change {
    int domid;
    char *image;
};

static void cd_change_free(gpointer data)
{
    struct cd_change *change = data;
    g_free(change->image);
    g_free(change);
}

/* QEMU takes a descriptor for a file's alone. */
static gboolean check_image(const char *image, GError **error)
{
    if (g_str_equal(image, GUEST_CDROM_EMPTY) || g_file_test(image, G_FILE_TEST_IS_REGULAR))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_BAD_CONFIG,
                "%s is no image file, and only those can be put in while the guest runs. Take another one, or shut it "
                "down first.",
                image);
    return FALSE;
}

static void change_cd_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_auto(connection) link = {0};
    const struct cd_change *change = data;
    libxl_device_disk disk;
    GError *error = NULL;
    (void)source;
    (void)cancellable;
    libxl_device_disk_init(&disk);
    if (check_image(change->image, &error) &&
        domain_config_fill_cdrom(&disk, GUEST_CDROM_VDEV, change->image, &error) && connection_open(&link, &error) &&
        libxl_cdrom_insert(link.ctx, (uint32_t)change->domid, &disk, NULL))
        set_libxl_error(&error, &link, "Take the CD out in the guest first, and try again.");
    libxl_device_disk_dispose(&disk);
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
}

void toolstack_change_cd(struct toolstack *toolstack, int domid, const char *image, GAsyncReadyCallback done,
                         gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    struct cd_change *change = g_new(struct cd_change, 1);
    (void)toolstack;
    *change = (struct cd_change){domid, g_strdup(image)};
    g_task_set_task_data(task, change, cd_change_free);
    g_task_run_in_thread(task, change_cd_in_thread);
}

gboolean toolstack_change_cd_finish(struct toolstack *toolstack, GAsyncResult *result, GError **error)
{
    (void)toolstack;
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- the host ---- */

struct host_query {
    struct toolstack *toolstack;
    struct toolstack_host host;
};

static gboolean read_host(connection *link, struct toolstack_host *host, GError **error)
{
    const libxl_version_info *version = libxl_get_version_info(link->ctx);
    libxl_physinfo info;
    libxl_physinfo_init(&info);
    gboolean good = version && libxl_get_physinfo(link->ctx, &info) == 0;
    if (good) {
        g_snprintf(host->version, sizeof(host->version), "%d.%d%s", version->xen_version_major,
                   version->xen_version_minor, version->xen_version_extra);
        host->total_kib = info.total_pages * ((guint64)version->pagesize / 1024);
        host->free_kib = info.free_pages * ((guint64)version->pagesize / 1024);
    } else {
        set_libxl_error(error, link, "The hypervisor's facts could not be read.");
    }
    libxl_physinfo_dispose(&info);
    return good;
}

static void query_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    struct host_query *query = data;
    struct toolstack *toolstack = query->toolstack;
    GError *error = NULL;
    (void)source;
    (void)cancellable;
    if (!toolstack->host_open)
        toolstack->host_open = connection_open(&toolstack->host, &error);
    if (toolstack->host_open && read_host(&toolstack->host, &query->host, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
    if (!toolstack->host_open) {
        connection_close(&toolstack->host);
        toolstack->host = (connection){0};
    }
}

void toolstack_query_host(struct toolstack *toolstack, GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    struct host_query *query = g_new0(struct host_query, 1);
    query->toolstack = toolstack;
    toolstack->host_asked = TRUE;
    g_task_set_task_data(task, query, g_free);
    g_task_run_in_thread(task, query_in_thread);
}

gboolean toolstack_query_host_finish(struct toolstack *toolstack, GAsyncResult *result, struct toolstack_host *host,
                                     GError **error)
{
    toolstack->host_asked = FALSE;
    if (!g_task_propagate_boolean(G_TASK(result), error))
        return FALSE;
    *host = ((struct host_query *)g_task_get_task_data(G_TASK(result)))->host;
    return TRUE;
}

struct toolstack_domain toolstack_find(struct toolstack *toolstack, const char *name)
{
    g_auto(connection) link = {0};
    struct toolstack_domain domain = {.domid = -1};
    libxl_dominfo info;
    uint32_t domid;
    (void)toolstack;
    libxl_dominfo_init(&info);
    if (connection_open(&link, NULL) && libxl_name_to_domid(link.ctx, name, &domid) == 0 &&
        libxl_domain_info(link.ctx, &info, domid) == 0 && !info.dying)
        domain = (struct toolstack_domain){(int)domid, info.paused, info.cpu_time > 0,
                                           info.shutdown && info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND};
    libxl_dominfo_dispose(&info);
    return domain;
}

/* ---- the whole ---- */

gboolean toolstack_load_policy(struct toolstack *toolstack, const void *table, gsize size, GError **error)
{
    g_auto(connection) link = {NULL, NULL};
    (void)toolstack;
    if (!connection_open(&link, error))
        return FALSE;
    g_autofree void *copy = g_memdup2(table, size); /* libxl takes what may be written */
    if (libxl_flask_loadpolicy(link.ctx, copy, (uint32_t)size) == 0)
        return TRUE;
    set_libxl_error(error, &link, "The hypervisor refuses the policy, \"xl dmesg\" says why; or it takes none.");
    return FALSE;
}

gboolean toolstack_watch(struct toolstack *toolstack, int domid, GError **error)
{
    return toolstack_events_watch(toolstack->events, domid, error);
}

void toolstack_set_foreground(struct toolstack *toolstack, int domid)
{
    if (toolstack->calls)
        xencall2(toolstack->calls, __HYPERVISOR_roundhouse_op, ROUNDHOUSEOP_set_foreground,
                 domid < 0 ? DOMID_INVALID : (uint64_t)domid);
}

static void domain_ended(int domid, enum toolstack_end end, gpointer data)
{
    struct toolstack *toolstack = data;
    if (end == TOOLSTACK_END_VANISHED) {
        g_hash_table_remove(toolstack->holds, GINT_TO_POINTER(domid));
        device_model_kill(domid);
    }
    toolstack->end(domid, end, toolstack->user);
}

void toolstack_set_pool(struct toolstack *toolstack, const char *path)
{
    g_free(toolstack->pool_path);
    toolstack->pool_path = g_strdup(path);
}

struct toolstack *toolstack_new(toolstack_end_fn end, gpointer user, GError **error)
{
    struct toolstack *toolstack = g_new0(struct toolstack, 1);
    toolstack->events = toolstack_events_new(domain_ended, toolstack, error);
    if (!toolstack->events) {
        g_free(toolstack);
        return NULL;
    }
    toolstack->end = end;
    toolstack->user = user;
    toolstack->pool_path = g_strdup(POOL_PATH);
    toolstack->calls = xencall_open(NULL, 0);
    toolstack->holds = g_hash_table_new_full(NULL, NULL, NULL, holds_free);
    return toolstack;
}

void toolstack_free(struct toolstack *toolstack)
{
    toolstack_events_free(toolstack->events);
    g_hash_table_unref(toolstack->holds);
    g_free(toolstack->pool_path);
    if (toolstack->calls)
        xencall_close(toolstack->calls);
    if (toolstack->host_asked)
        return; /* a worker uses the rest, which ends with the process */
    connection_close(&toolstack->host);
    g_free(toolstack);
}
