/* The guest's state machine as two tables. */
#include "guest_state.h"
#include "errors.h"

static const guint8 allowed[GUEST_STATE_COUNT][REQUEST_COUNT] = {
    [GUEST_OFF] = {[REQUEST_START] = 1},
    [GUEST_STARTING] = {[REQUEST_SWITCH] = 1},
    [GUEST_RUNNING] = {[REQUEST_SHUTDOWN] = 1,
                       [REQUEST_REBOOT] = 1,
                       [REQUEST_DESTROY] = 1,
                       [REQUEST_PAUSE] = 1,
                       [REQUEST_SUSPEND] = 1,
                       [REQUEST_SWITCH] = 1},
    [GUEST_PAUSED] = {[REQUEST_DESTROY] = 1, [REQUEST_UNPAUSE] = 1, [REQUEST_SWITCH] = 1},
    [GUEST_STOPPING] = {[REQUEST_DESTROY] = 1, [REQUEST_SWITCH] = 1},
    [GUEST_UNRESPONSIVE] = {[REQUEST_SHUTDOWN] = 1,
                            [REQUEST_REBOOT] = 1,
                            [REQUEST_DESTROY] = 1,
                            [REQUEST_PAUSE] = 1,
                            [REQUEST_SUSPEND] = 1,
                            [REQUEST_SWITCH] = 1},
    [GUEST_SUSPENDING] = {[REQUEST_DESTROY] = 1, [REQUEST_SWITCH] = 1},
    [GUEST_SUSPENDED] = {[REQUEST_START] = 1, [REQUEST_DESTROY] = 1},
    [GUEST_CRASHED] = {[REQUEST_START] = 1},
};

/* What to do instead, for the requests a user can meet refused. */
static const char *const advice[GUEST_STATE_COUNT] = {
    [GUEST_OFF] = "is off. Start it first",
    [GUEST_STARTING] = "is still starting. Wait until it runs",
    [GUEST_RUNNING] = "is already running. Switch to it",
    [GUEST_PAUSED] = "is paused. Unpause it first",
    [GUEST_STOPPING] = "is stopping. Wait until it is off, or force it off",
    [GUEST_UNRESPONSIVE] = "does not answer. Shut it down once more, or force it off",
    [GUEST_SUSPENDING] = "is being suspended. Wait until that is done, or force it off",
    [GUEST_SUSPENDED] = "is suspended. Start it first, and it goes on where it was",
    [GUEST_CRASHED] = "has crashed. Start it again first",
};

/* 0 means that the event is ignored; otherwise the next state plus one. */
#define TO(state) ((state) + 1)
static const guint8 next[GUEST_STATE_COUNT][EVENT_COUNT] = {
    [GUEST_OFF] = {[EVENT_START] = TO(GUEST_STARTING), [EVENT_SUSPENDED] = TO(GUEST_SUSPENDED)},
    [GUEST_STARTING] = {[EVENT_STARTED] = TO(GUEST_RUNNING),
                        [EVENT_SUSPENDED] = TO(GUEST_SUSPENDED),
                        [EVENT_START_FAILED] = TO(GUEST_OFF),
                        [EVENT_STOP] = TO(GUEST_STOPPING),
                        [EVENT_CRASHED] = TO(GUEST_CRASHED)},
    [GUEST_RUNNING] = {[EVENT_PAUSED] = TO(GUEST_PAUSED),
                       [EVENT_SUSPEND] = TO(GUEST_SUSPENDING),
                       [EVENT_STOP] = TO(GUEST_STOPPING),
                       [EVENT_GONE] = TO(GUEST_OFF),
                       [EVENT_CRASHED] = TO(GUEST_CRASHED)},
    [GUEST_PAUSED] = {[EVENT_RESUMED] = TO(GUEST_RUNNING),
                      [EVENT_STOP] = TO(GUEST_STOPPING),
                      [EVENT_GONE] = TO(GUEST_OFF),
                      [EVENT_CRASHED] = TO(GUEST_CRASHED)},
    [GUEST_STOPPING] = {[EVENT_OVERDUE] = TO(GUEST_UNRESPONSIVE),
                        [EVENT_SUSPENDED] = TO(GUEST_SUSPENDED),
                        [EVENT_GONE] = TO(GUEST_OFF),
                        [EVENT_CRASHED] = TO(GUEST_CRASHED)},
    [GUEST_UNRESPONSIVE] = {[EVENT_PAUSED] = TO(GUEST_PAUSED),
                            [EVENT_SUSPEND] = TO(GUEST_SUSPENDING),
                            [EVENT_STOP] = TO(GUEST_STOPPING),
                            [EVENT_GONE] = TO(GUEST_OFF),
                            [EVENT_CRASHED] = TO(GUEST_CRASHED)},
    [GUEST_SUSPENDING] = {[EVENT_RESUMED] = TO(GUEST_RUNNING),
                          [EVENT_SUSPENDED] = TO(GUEST_SUSPENDED),
                          [EVENT_STOP] = TO(GUEST_STOPPING),
                          [EVENT_GONE] = TO(GUEST_OFF),
                          [EVENT_CRASHED] = TO(GUEST_CRASHED)},
    [GUEST_SUSPENDED] = {[EVENT_START] = TO(GUEST_STARTING), [EVENT_GONE] = TO(GUEST_OFF)},
    [GUEST_CRASHED] = {[EVENT_START] = TO(GUEST_STARTING)},
};

gboolean guest_state_allows(enum guest_state state, enum guest_request request)
{
    return allowed[state][request];
}

gboolean guest_state_check(enum guest_state state, enum guest_request request, const char *name, GError **error)
{
    if (guest_state_allows(state, request))
        return TRUE;
    g_set_error(error, RH_ERROR, RH_ERROR_WRONG_STATE, "%s %s.", name,
                state == GUEST_RUNNING && request == REQUEST_UNPAUSE ? "is running; it is not paused" : advice[state]);
    return FALSE;
}

enum guest_state guest_state_next(enum guest_state state, enum guest_event event)
{
    return next[state][event] ? (enum guest_state)(next[state][event] - 1) : state;
}
