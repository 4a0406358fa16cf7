/*
 * The states of a guest, what may be asked in each, and how it moves between them. Pure: no bus, no
 * hypervisor.
 *
 *           start            started
 *     off ---------> starting ------> running <-----> paused
 *      ^                |                |  pause/unpause |
 *      |  start failed  |                |  stop asked, or the guest ended by itself
 *      +----------------+                v                |
 *      +---------------------------- stopping <-----------+
 *      gone                              |  overdue
 *                                        +----------> unresponsive: runs, and may be asked once more
 *
 *     running -> suspending: stands still while it is saved, by us or by another tool; goes on after a save that failed
 *     suspended: a saved state is there and no domain; start leaves it
 *     crashed: from any state with a domain; start leaves it
 */
#ifndef RH_GUEST_STATE_H
#define RH_GUEST_STATE_H

#include <glib.h>

#include "roundhouse_guest.h"

enum guest_request {
    REQUEST_START,
    REQUEST_SHUTDOWN,
    REQUEST_REBOOT,
    REQUEST_DESTROY,
    REQUEST_PAUSE,
    REQUEST_UNPAUSE,
    REQUEST_SUSPEND,
    REQUEST_SWITCH,
    REQUEST_COUNT
};

enum guest_event {
    EVENT_START,        /* creation has begun */
    EVENT_STARTED,      /* the domain runs */
    EVENT_START_FAILED, /* nothing of it is left */
    EVENT_PAUSED,
    EVENT_RESUMED,
    EVENT_SUSPEND,   /* being saved */
    EVENT_SUSPENDED, /* the domain exists no more, and what was saved of it is there */
    EVENT_STOP,      /* an end has been asked for, or has come by itself and is being cleaned up */
    EVENT_OVERDUE,   /* the end that was asked for has not come */
    EVENT_GONE,      /* the domain exists no more, in an orderly way */
    EVENT_CRASHED,   /* the domain runs no more, and it was its own fault */
    EVENT_COUNT
};

gboolean guest_state_allows(enum guest_state state, enum guest_request request);

/* FALSE with an RH_ERROR_WRONG_STATE sentence where the state does not allow the request. */
gboolean guest_state_check(enum guest_state state, enum guest_request request, const char *name, GError **error);

/* The state after an event. An event that has no meaning in a state leaves it as it is. */
enum guest_state guest_state_next(enum guest_state state, enum guest_event event);

#endif
