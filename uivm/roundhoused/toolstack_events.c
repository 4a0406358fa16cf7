/* libxl's DOMAIN_SHUTDOWN and DOMAIN_DEATH events. */
#include "toolstack_events.h"
#include "errors.h"
#include "toolstack_log.h"

#include <libxl.h>
#include <libxl_event.h>

struct toolstack_events {
    libxl_ctx *ctx;
    xentoollog_logger *log;
    toolstack_end_fn end;
    gpointer user;
    GMutex lock;
    GHashTable
        *watches; /* domid -> libxl_evgen_domain_death *; under lock, which is taken before libxl's own */
};

struct news {
    struct toolstack_events *events;
    int domid;
    enum toolstack_end end;
};

static gboolean deliver(gpointer data)
{
    struct news *news = data;
    news->events->end(news->domid, news->end, news->events->user);
    return G_SOURCE_REMOVE;
}

static void tell(struct toolstack_events *events, int domid, enum toolstack_end end)
{
    struct news *news = g_new(struct news, 1);
    *news = (struct news){events, domid, end};
    g_main_context_invoke_full(NULL, G_PRIORITY_DEFAULT, deliver, news, g_free);
}

static enum toolstack_end end_of_reason(guint8 reason)
{
    switch ((libxl_shutdown_reason)reason) {
    case LIBXL_SHUTDOWN_REASON_POWEROFF:
    case LIBXL_SHUTDOWN_REASON_SUSPEND:
        return TOOLSTACK_END_POWEROFF;
    case LIBXL_SHUTDOWN_REASON_REBOOT:
    case LIBXL_SHUTDOWN_REASON_SOFT_RESET:
        return TOOLSTACK_END_REBOOT;
    default:
        return TOOLSTACK_END_CRASH;
    }
}

static void unwatch(struct toolstack_events *events, int domid)
{
    gpointer watch = NULL;
    g_mutex_lock(&events->lock);
    g_hash_table_steal_extended(events->watches, GINT_TO_POINTER(domid), NULL, &watch);
    g_mutex_unlock(&events->lock);
    if (watch)
        libxl_evdisable_domain_death(events->ctx, watch);
}

static gpointer wait_for_events(gpointer data)
{
    struct toolstack_events *events = data;
    for (;;) {
        libxl_event *event;
        int code = libxl_event_wait(events->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL);
        if (code)
            g_error("Waiting for the hypervisor's events failed (%d: %s); the service must be restarted.",
                    code, toolstack_log_first_error(events->log));
        if (event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN) {
            tell(events, (int)event->domid, end_of_reason(event->u.domain_shutdown.shutdown_reason));
        } else if (event->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH) {
            unwatch(events, (int)event->domid);
            tell(events, (int)event->domid, TOOLSTACK_END_VANISHED);
        }
        libxl_event_free(events->ctx, event);
    }
    return NULL;
}

gboolean toolstack_events_watch(struct toolstack_events *events, int domid, GError **error)
{
    libxl_evgen_domain_death *watch;
    g_mutex_lock(&events->lock);
    int code = libxl_evenable_domain_death(events->ctx, (uint32_t)domid, 0, &watch);
    if (code == 0)
        g_hash_table_insert(events->watches, GINT_TO_POINTER(domid), watch);
    g_mutex_unlock(&events->lock);
    if (code)
        g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK, "Its end could not be watched for: %s.",
                    toolstack_log_first_error(events->log));
    return code == 0;
}

struct toolstack_events *toolstack_events_new(toolstack_end_fn end, gpointer user, GError **error)
{
    struct toolstack_events *events = g_new0(struct toolstack_events, 1);
    events->log = toolstack_log_new();
    if (libxl_ctx_alloc(&events->ctx, LIBXL_VERSION, 0, events->log)) {
        g_set_error(
            error, RH_ERROR, RH_ERROR_TOOLSTACK,
            "The hypervisor's toolstack cannot be reached (%s). This service runs as root in the service "
            "machine of a booted hypervisor, after xenstored.",
            toolstack_log_first_error(events->log));
        xtl_logger_destroy(events->log);
        g_free(events);
        return NULL;
    }
    events->end = end;
    events->user = user;
    g_mutex_init(&events->lock);
    events->watches = g_hash_table_new(NULL, NULL);
    g_thread_unref(g_thread_new("libxl-events", wait_for_events, events));
    return events;
}
