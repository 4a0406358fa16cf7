/* Ends of domains: libxl's events, waited for in the default main context. Main thread only. */
#ifndef RH_TOOLSTACK_EVENTS_H
#define RH_TOOLSTACK_EVENTS_H

#include "toolstack.h"

struct toolstack_events;

struct toolstack_events *toolstack_events_new(toolstack_end_fn end, gpointer user, GError **error);
void toolstack_events_free(struct toolstack_events *events);

/* An end that has come already is told as well. */
gboolean toolstack_events_watch(struct toolstack_events *events, int domid, GError **error);

#endif
