// Readiness, and a sign of life by a timer.
#include "notify.h"

#include <stdlib.h>

#include "log.h"
#include "notify_send.h"

struct notify {
    struct wl_event_source *timer;
    int period_ms; // 0: no watchdog
};

void notify_say(const char *what, int fd)
{
    if (!notify_send(what, fd, 0))
        log_error("the service manager cannot be told \"%s\"", what);
}

static int on_timer(void *data)
{
    struct notify *notify = data;
    notify_say("WATCHDOG=1", -1);
    wl_event_source_timer_update(notify->timer, notify->period_ms);
    return 0;
}

struct notify *notify_start(struct wl_event_loop *loop)
{
    struct notify *notify = calloc(1, sizeof(*notify));
    if (!notify)
        return NULL;
    const char *watchdog = getenv("WATCHDOG_USEC");
    unsigned long long period = watchdog ? strtoull(watchdog, NULL, 10) / 3000 : 0;
    notify->period_ms = period > 60000 ? 60000 : (int)period;
    notify->timer = wl_event_loop_add_timer(loop, on_timer, notify);
    if (!notify->timer) {
        free(notify);
        return NULL;
    }
    notify_say("READY=1", -1);
    if (notify->period_ms)
        wl_event_source_timer_update(notify->timer, notify->period_ms);
    return notify;
}

void notify_stop(struct notify *notify)
{
    if (!notify)
        return;
    wl_event_source_remove(notify->timer);
    free(notify);
}
