/*
 * libxl's DOMAIN_SHUTDOWN and DOMAIN_DEATH events. libxl names the descriptors and the timeout it waits for
 * (libxl_event.h, libxl_osevent_beforepoll); a GSource waits for them. libxl_event_wait() in a thread would
 * not do: a watch that another thread sets up does not wake it.
 */
#include "toolstack_events.h"
#include "errors.h"
#include "toolstack_context.h"
#include "toolstack_log.h"

#include <libxl.h>
#include <libxl_event.h>
#include <sys/time.h>

#define DESCRIPTORS_MAX 16
#ifndef LOOK_MILLISECONDS
#define LOOK_MILLISECONDS 1000
#endif

struct toolstack_events {
    libxl_ctx *ctx;
    xentoollog_logger *log;
    toolstack_end_fn end;
    gpointer user;
    GHashTable *watches;   /* domid -> libxl_evgen_domain_death * */
    GHashTable *suspended; /* domids */
    guint look_again;      /* source id while there are such, 0: none */
    GSource *source;
};

struct events_source {
    GSource base; /* first: GLib knows the source by this address */
    struct toolstack_events *events;
    GPollFD polled[DESCRIPTORS_MAX];
    struct pollfd wanted[DESCRIPTORS_MAX];
    int count;
    gint64 deadline; /* monotonic microseconds, -1: none */
};

static struct timeval now(void)
{
    struct timeval time;
    gettimeofday(&time, NULL);
    return time;
}

/* ---- events ---- */

static enum toolstack_end end_of_reason(guint8 reason)
{
    switch ((libxl_shutdown_reason)reason) {
    case LIBXL_SHUTDOWN_REASON_POWEROFF:
        return TOOLSTACK_END_POWEROFF;
    case LIBXL_SHUTDOWN_REASON_SUSPEND:
        return TOOLSTACK_END_SUSPENDED;
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
    if (g_hash_table_steal_extended(events->watches, GINT_TO_POINTER(domid), NULL, &watch))
        libxl_evdisable_domain_death(events->ctx, watch);
}

/*
 * ---- domains that are being saved ----
 * A watch tells of one shutdown only, and a domain that goes on after a suspend may shut down for good later: then it
 * is watched anew. That it goes on libxl does not tell.
 */

static gboolean goes_on(struct toolstack_events *events, int domid)
{
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    gboolean there = libxl_domain_info(events->ctx, &info, (uint32_t)domid) == 0 && !info.dying;
    gboolean suspended = info.shutdown && info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;
    libxl_dominfo_dispose(&info);
    return there && !suspended;
}

static void watch_anew(struct toolstack_events *events, int domid)
{
    g_autoptr(GError) error = NULL;
    unwatch(events, domid);
    if (!toolstack_events_watch(events, domid, &error))
        g_warning("domain %d: %s", domid, error->message);
    events->end(domid, TOOLSTACK_END_RESUMED, events->user);
}

static gboolean look_at_suspended(gpointer data)
{
    struct toolstack_events *events = data;
    g_autoptr(GList) domids = g_hash_table_get_keys(events->suspended);
    for (GList *item = domids; item; item = item->next) {
        int domid = GPOINTER_TO_INT(item->data);
        if (goes_on(events, domid) && g_hash_table_remove(events->suspended, item->data))
            watch_anew(events, domid);
    }
    if (g_hash_table_size(events->suspended) > 0)
        return G_SOURCE_CONTINUE;
    events->look_again = 0;
    return G_SOURCE_REMOVE;
}

static void note_suspended(struct toolstack_events *events, int domid)
{
    g_hash_table_add(events->suspended, GINT_TO_POINTER(domid));
    if (!events->look_again)
        events->look_again = g_timeout_add(LOOK_MILLISECONDS, look_at_suspended, events);
}

static void handle(struct toolstack_events *events, const libxl_event *event)
{
    int domid = (int)event->domid;
    if (event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN) {
        enum toolstack_end end = end_of_reason(event->u.domain_shutdown.shutdown_reason);
        if (end == TOOLSTACK_END_SUSPENDED)
            note_suspended(events, domid);
        events->end(domid, end, events->user);
    } else if (event->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH) {
        unwatch(events, domid);
        g_hash_table_remove(events->suspended, GINT_TO_POINTER(domid));
        events->end(domid, TOOLSTACK_END_VANISHED, events->user);
    }
}

/* ---- the source ---- */

static gboolean same_descriptors(const struct events_source *source, int count)
{
    for (int i = 0; i < count; i++)
        if (source->polled[i].fd != source->wanted[i].fd ||
            source->polled[i].events != (gushort)source->wanted[i].events)
            return FALSE;
    return count == source->count;
}

/* Adding a descriptor wakes the loop that is about to sleep: done each time, the loop would never sleep. */
static void poll_wanted(struct events_source *source, int count)
{
    if (same_descriptors(source, count))
        return;
    for (int i = 0; i < source->count; i++)
        g_source_remove_poll(&source->base, &source->polled[i]);
    for (int i = 0; i < count; i++) {
        source->polled[i] = (GPollFD){.fd = source->wanted[i].fd, .events = (gushort)source->wanted[i].events};
        g_source_add_poll(&source->base, &source->polled[i]);
    }
    source->count = count;
}

static gboolean source_prepare(GSource *base, int *timeout)
{
    struct events_source *source = (struct events_source *)base;
    int count = DESCRIPTORS_MAX;
    *timeout = -1;
    if (libxl_osevent_beforepoll(source->events->ctx, &count, source->wanted, timeout, now()))
        g_error("libxl waits for more than %d descriptors.", DESCRIPTORS_MAX);
    source->deadline = *timeout < 0 ? -1 : g_get_monotonic_time() + (gint64)*timeout * 1000;
    poll_wanted(source, count);
    return FALSE;
}

static gboolean source_check(GSource *base)
{
    struct events_source *source = (struct events_source *)base;
    gboolean ready = source->deadline >= 0 && g_get_monotonic_time() >= source->deadline;
    for (int i = 0; i < source->count; i++) {
        source->wanted[i].revents = (short)source->polled[i].revents;
        ready = ready || source->wanted[i].revents;
    }
    return ready;
}

static gboolean source_dispatch(GSource *base, GSourceFunc callback, gpointer user)
{
    struct events_source *source = (struct events_source *)base;
    struct toolstack_events *events = source->events;
    libxl_event *event;
    (void)callback;
    (void)user;
    libxl_osevent_afterpoll(events->ctx, source->count, source->wanted, now());
    while (libxl_event_check(events->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
        handle(events, event);
        libxl_event_free(events->ctx, event);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_functions = {
    .prepare = source_prepare,
    .check = source_check,
    .dispatch = source_dispatch,
};

/* ---- watches and life ---- */

gboolean toolstack_events_watch(struct toolstack_events *events, int domid, GError **error)
{
    libxl_evgen_domain_death *watch;
    if (libxl_evenable_domain_death(events->ctx, (uint32_t)domid, 0, &watch)) {
        g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK,
                    "Its end could not be watched for: %s. Force it off, and start it again.",
                    toolstack_log_first_error(events->log));
        return FALSE;
    }
    g_hash_table_insert(events->watches, GINT_TO_POINTER(domid), watch);
    return TRUE;
}

struct toolstack_events *toolstack_events_new(toolstack_end_fn end, gpointer user, GError **error)
{
    struct toolstack_events *events = g_new0(struct toolstack_events, 1);
    events->log = toolstack_log_new();
    events->ctx = toolstack_context_new(events->log);
    if (!events->ctx) {
        g_set_error(error, RH_ERROR, RH_ERROR_TOOLSTACK,
                    "The hypervisor's toolstack cannot be reached (%s). This service runs as root in the service "
                    "machine of a booted hypervisor, after xenstored.",
                    toolstack_log_first_error(events->log));
        xtl_logger_destroy(events->log);
        g_free(events);
        return NULL;
    }
    events->end = end;
    events->user = user;
    events->watches = g_hash_table_new(NULL, NULL);
    events->suspended = g_hash_table_new(NULL, NULL);
    events->source = g_source_new(&source_functions, sizeof(struct events_source));
    ((struct events_source *)events->source)->events = events;
    g_source_attach(events->source, NULL);
    return events;
}

void toolstack_events_free(struct toolstack_events *events)
{
    GHashTableIter iter;
    gpointer watch;
    g_source_destroy(events->source);
    g_source_unref(events->source);
    g_hash_table_iter_init(&iter, events->watches);
    while (g_hash_table_iter_next(&iter, NULL, &watch))
        libxl_evdisable_domain_death(events->ctx, watch);
    g_hash_table_unref(events->watches);
    g_hash_table_unref(events->suspended);
    g_clear_handle_id(&events->look_again, g_source_remove);
    libxl_ctx_free(events->ctx);
    xtl_logger_destroy(events->log);
    g_free(events);
}
