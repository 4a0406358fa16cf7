/* Definitions in the program come before those of the library. */
#include "libxl_fake.h"

#include <libxl_event.h>
#include <libxl_utils.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xencall.h>
#include <xenstore.h>

#include "public/roundhouse.h"

struct libxl_fake libxl_fake;

static GAsyncQueue *events;
static int event_fd = -1;
static GMutex lock;
static GCond go_on;

/* The first half of a context is libxl's own. */
#define CONTEXT_SIZE    65536
#define LOG_OF(context) (((xentoollog_logger **)(context))[CONTEXT_SIZE / 2 / sizeof(void *)])

void libxl_fake_reset(void)
{
    int contexts = libxl_fake.contexts;
    memset(&libxl_fake, 0, sizeof(libxl_fake));
    libxl_fake.contexts = contexts;
    libxl_fake.free_kib = 1024 * 1024;
    libxl_fake.cpus = 2;
    libxl_fake.foreground = G_MAXUINT64;
    if (!events) {
        events = g_async_queue_new();
        event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
}

static int complain(xentoollog_logger *log, int result)
{
    if (result && libxl_fake.complaint)
        xtl_log(log, XTL_ERROR, -1, "libxl", "%s", libxl_fake.complaint);
    return result;
}

/* ---- contexts ---- */

int libxl_ctx_alloc(libxl_ctx **context, int version, unsigned flags, xentoollog_logger *log)
{
    (void)flags;
    g_assert_cmpint(version, ==, LIBXL_VERSION);
    if (libxl_fake.no_hypervisor)
        return complain(log, ERROR_FAIL);
    *context = calloc(1, CONTEXT_SIZE);
    LOG_OF(*context) = log;
    g_atomic_int_inc(&libxl_fake.contexts);
    return 0;
}

int libxl_ctx_free(libxl_ctx *context)
{
    g_atomic_int_add(&libxl_fake.contexts, context ? -1 : 0);
    free(context);
    return 0;
}

void libxl_childproc_setmode(libxl_ctx *context, const libxl_childproc_hooks *hooks, void *user)
{
    (void)context;
    (void)user;
    g_assert_cmpint(hooks->chldowner, ==, libxl_sigchld_owner_libxl_always_selective_reap);
}

/* ---- domains ---- */

int libxl_domain_need_memory(libxl_ctx *context, libxl_domain_config *config, uint32_t domid, uint64_t *need)
{
    (void)context;
    (void)domid;
    *need = libxl_fake.need_kib ? libxl_fake.need_kib : config->b_info.max_memkb;
    return 0;
}

int libxl_flask_loadpolicy(libxl_ctx *context, void *policy, uint32_t size)
{
    (void)context;
    if (libxl_fake.result == 0)
        g_string_append_len(libxl_fake.policy, policy, size);
    return libxl_fake.result;
}

int libxl_get_free_memory(libxl_ctx *context, uint64_t *free_kib)
{
    (void)context;
    *free_kib = libxl_fake.free_kib;
    return 0;
}

int libxl_domain_create_new(libxl_ctx *context, libxl_domain_config *config, uint32_t *domid,
                            const libxl_asyncop_how *how, const libxl_asyncprogress_how *console)
{
    g_assert_true(!how && !console);
    if (libxl_fake.created)
        libxl_fake.created(config);
    *domid = 7;
    return complain(LOG_OF(context), libxl_fake.create_result);
}

int libxl_domain_create_restore(libxl_ctx *context, libxl_domain_config *config, uint32_t *domid, int fd, int back,
                                const libxl_domain_restore_params *params, const libxl_asyncop_how *how,
                                const libxl_asyncprogress_how *console)
{
    char byte;
    g_assert_true(!how && !console);
    g_assert_cmpint(back, ==, -1);
    g_assert_cmpuint(params->stream_version, ==, 2);
    g_assert_cmpint(params->checkpointed_stream, ==, 0);
    libxl_fake.restored = g_string_new("");
    while (read(fd, &byte, 1) == 1)
        g_string_append_c(libxl_fake.restored, byte);
    return libxl_domain_create_new(context, config, domid, NULL, NULL);
}

int libxl_domain_suspend(libxl_ctx *context, uint32_t domid, int fd, int flags, const libxl_asyncop_how *how)
{
    g_assert_null(how);
    g_assert_cmpint(flags, ==, 0);
    g_assert_cmpuint(domid, ==, 7);
    g_assert_cmpint(write(fd, libxl_fake.stream, strlen(libxl_fake.stream)), ==, strlen(libxl_fake.stream));
    return complain(LOG_OF(context), libxl_fake.suspend_result);
}

/* A guest that was not saved after all is told so; else it would look for another machine around it. */
int libxl_domain_resume(libxl_ctx *context, uint32_t domid, int cancel, const libxl_asyncop_how *how)
{
    g_assert_null(how);
    g_assert_cmpint(cancel, ==, 1);
    libxl_fake.call = FAKE_RESUME;
    libxl_fake.domid = domid;
    return complain(LOG_OF(context), libxl_fake.result);
}

int libxl_cdrom_insert(libxl_ctx *context, uint32_t domid, libxl_device_disk *disk, const libxl_asyncop_how *how)
{
    g_assert_null(how);
    g_assert_cmpuint(domid, ==, 7);
    libxl_fake.inserted(disk);
    return complain(LOG_OF(context), libxl_fake.result);
}

int libxl_get_max_cpus(libxl_ctx *context)
{
    (void)context;
    return libxl_fake.cpus;
}

/* The real one takes a map of the machine's size alone. */
int libxl_set_vcpuaffinity_all(libxl_ctx *context, uint32_t domid, unsigned vcpus, const libxl_bitmap *hard,
                               const libxl_bitmap *soft)
{
    g_assert_cmpuint(domid, ==, 7);
    g_assert_null(soft);
    g_assert_cmpuint(hard->size, ==, ((unsigned)libxl_fake.cpus + 7) / 8);
    libxl_fake.affinity = 0;
    for (int cpu = 0; cpu < (int)hard->size * 8; cpu++)
        libxl_fake.affinity |= (guint64)libxl_bitmap_test(hard, cpu) << cpu;
    libxl_fake.affinity_vcpus = vcpus;
    return complain(LOG_OF(context), libxl_fake.affinity_result);
}

#define OPERATION(function, which)                                                                                     \
    int function(libxl_ctx *context, uint32_t domid, const libxl_asyncop_how *how)                                     \
    {                                                                                                                  \
        g_assert_null(how);                                                                                            \
        libxl_fake.call = which;                                                                                       \
        libxl_fake.domid = domid;                                                                                      \
        return complain(LOG_OF(context), libxl_fake.result);                                                           \
    }
OPERATION(libxl_domain_pause, FAKE_PAUSE)
OPERATION(libxl_domain_unpause, FAKE_UNPAUSE)
OPERATION(libxl_domain_shutdown, FAKE_SHUTDOWN)
OPERATION(libxl_domain_reboot, FAKE_REBOOT)
#undef OPERATION

int libxl_send_trigger(libxl_ctx *context, uint32_t domid, libxl_trigger trigger, uint32_t vcpu,
                       const libxl_asyncop_how *how)
{
    g_assert_null(how);
    g_assert_cmpint(trigger, ==, LIBXL_TRIGGER_POWER);
    g_assert_cmpuint(vcpu, ==, 0);
    libxl_fake.call = FAKE_POWER_BUTTON;
    libxl_fake.domid = domid;
    return complain(LOG_OF(context), libxl_fake.result);
}

int libxl_domain_destroy(libxl_ctx *context, uint32_t domid, const libxl_asyncop_how *how)
{
    g_assert_null(how);
    libxl_fake.call = FAKE_DESTROY;
    libxl_fake.domid = domid;
    g_mutex_lock(&lock);
    while (libxl_fake.destroy_hangs)
        g_cond_wait(&go_on, &lock);
    g_mutex_unlock(&lock);
    return complain(LOG_OF(context), libxl_fake.result);
}

void libxl_fake_go_on(void)
{
    g_mutex_lock(&lock);
    libxl_fake.destroy_hangs = FALSE;
    g_cond_signal(&go_on);
    g_mutex_unlock(&lock);
}

int libxl_name_to_domid(libxl_ctx *context, const char *name, uint32_t *domid)
{
    (void)context;
    *domid = libxl_fake.info.domid;
    return g_str_equal(name, "work") ? 0 : ERROR_INVAL;
}

int libxl_domain_info(libxl_ctx *context, libxl_dominfo *info, uint32_t domid)
{
    (void)context;
    *info = libxl_fake.info;
    return domid == libxl_fake.info.domid ? 0 : ERROR_DOMAIN_NOTFOUND;
}

const libxl_version_info *libxl_get_version_info(libxl_ctx *context)
{
    static libxl_version_info version = {
        .xen_version_major = 4, .xen_version_minor = 17, .xen_version_extra = (char *)".x", .pagesize = 4096};
    (void)context;
    return &version;
}

int libxl_get_physinfo(libxl_ctx *context, libxl_physinfo *info)
{
    info->total_pages = 1000;
    info->free_pages = 10;
    return complain(LOG_OF(context), libxl_fake.result);
}

/* ---- events ---- */

int libxl_evenable_domain_death(libxl_ctx *context, uint32_t domid, libxl_ev_user user,
                                libxl_evgen_domain_death **watch)
{
    (void)user;
    *watch = GUINT_TO_POINTER(domid);
    libxl_fake.watches += !libxl_fake.result;
    libxl_fake.watches_begun++;
    return complain(LOG_OF(context), libxl_fake.result);
}

void libxl_evdisable_domain_death(libxl_ctx *context, libxl_evgen_domain_death *watch)
{
    (void)context;
    g_assert_nonnull(watch);
    libxl_fake.watches--;
}

void libxl_fake_event(libxl_event_type type, uint32_t domid, int reason)
{
    libxl_event *event = g_new0(libxl_event, 1);
    event->type = type;
    event->domid = domid;
    if (type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
        event->u.domain_shutdown.shutdown_reason = (uint8_t)reason;
    g_async_queue_push(events, event);
    g_assert_cmpint(eventfd_write(event_fd, 1), ==, 0);
}

int libxl_osevent_beforepoll(libxl_ctx *context, int *count, struct pollfd *polled, int *timeout, struct timeval now)
{
    (void)context;
    (void)timeout;
    (void)now;
    g_assert_cmpint(*count, >=, 1);
    *count = 1;
    polled[0] = (struct pollfd){.fd = event_fd, .events = POLLIN};
    return 0;
}

void libxl_osevent_afterpoll(libxl_ctx *context, int count, const struct pollfd *polled, struct timeval now)
{
    eventfd_t value;
    (void)context;
    (void)now;
    g_assert_cmpint(count, ==, 1);
    if (polled[0].revents & POLLIN)
        eventfd_read(event_fd, &value);
}

int libxl_event_check(libxl_ctx *context, libxl_event **event, uint64_t mask, libxl_event_predicate *predicate,
                      void *user)
{
    (void)context;
    (void)mask;
    (void)predicate;
    (void)user;
    *event = g_async_queue_try_pop(events);
    return *event ? 0 : ERROR_NOT_READY;
}

void libxl_event_free(libxl_ctx *context, libxl_event *event)
{
    (void)context;
    g_free(event);
}

/* ---- xenstore ---- */

struct xs_handle *xs_open(unsigned long flags)
{
    g_assert_cmpuint(flags, ==, 0);
    return (struct xs_handle *)&libxl_fake;
}

void xs_close(struct xs_handle *store)
{
    g_assert_true(store == (struct xs_handle *)&libxl_fake);
}

void *xs_read(struct xs_handle *store, xs_transaction_t transaction, const char *path, unsigned *length)
{
    (void)store;
    g_assert_cmpuint(transaction, ==, XBT_NULL);
    g_assert_null(length);
    return libxl_fake.store_path && g_str_equal(path, libxl_fake.store_path) ? strdup(libxl_fake.store_value) : NULL;
}

/* ---- xencall ---- */

xencall_handle *xencall_open(xentoollog_logger *log, unsigned flags)
{
    (void)log;
    (void)flags;
    return (xencall_handle *)&libxl_fake;
}

int xencall_close(xencall_handle *calls)
{
    (void)calls;
    return 0;
}

int xencall2(xencall_handle *calls, unsigned number, uint64_t first, uint64_t second)
{
    (void)calls;
    g_assert_cmpuint(number, ==, __HYPERVISOR_roundhouse_op);
    g_assert_cmpuint(first, ==, ROUNDHOUSEOP_set_foreground);
    libxl_fake.foreground = second;
    return 0;
}
