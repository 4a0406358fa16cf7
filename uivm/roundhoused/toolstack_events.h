/* Ends of domains: one thread waits for libxl's events and tells the default main context. */
#ifndef RH_TOOLSTACK_EVENTS_H
#define RH_TOOLSTACK_EVENTS_H

#include "toolstack.h"

struct toolstack_events;

/* Starts the thread; it lives as long as the process. */
struct toolstack_events *toolstack_events_new(toolstack_end_fn end, gpointer user, GError **error);

/* Main thread only. */
gboolean toolstack_events_watch(struct toolstack_events *events, int domid, GError **error);

#endif
