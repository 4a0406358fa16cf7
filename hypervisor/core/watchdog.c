/*
 * Watchdogs of domains: two each, in a list because few have any. Bits of watchdog_mask: in use.
 */
#include <hv/domain_log.h>
#include <hv/page_alloc.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <xen/sched.h>

#define WATCHDOGS 2

struct watchdogs {
    struct list link;
    struct domain *domain;
    struct timer timer[WATCHDOGS];
};

static struct list watchdog_list = LIST_INIT(watchdog_list);
static struct spinlock watchdog_lock = SPINLOCK_INIT(LOCK_WATCHDOG);

static void watchdog_bit(void *data)
{
    struct domain *d = data;
    domain_log(LOG_WARNING, d, "its watchdog was not fed");
    domain_shutdown(d, SHUTDOWN_watchdog);
}

static struct watchdogs *watchdogs_of(const struct domain *d)
{
    struct watchdogs *w;
    list_for_each(w, &watchdog_list, link)
        if (w->domain == d)
            return w;
    return NULL;
}

static struct watchdogs *watchdogs_make(struct domain *d)
{
    struct watchdogs *w = zalloc(sizeof(*w));
    if (!w)
        return NULL;
    w->domain = d;
    for (unsigned i = 0; i < WATCHDOGS; i++)
        timer_init(&w->timer[i], watchdog_bit, d, this_cpu());
    return w;
}

/* Lock held. Returns the id of a new watchdog. Takes *made if the domain has none yet. */
static long watchdog_start(struct domain *d, uint32_t seconds, struct watchdogs **made)
{
    if (!seconds)
        return -EINVAL;
    if (d->dying != DOMAIN_ALIVE || d->watchdog_mask == (1UL << WATCHDOGS) - 1)
        return -ENOSPC;
    struct watchdogs *w = watchdogs_of(d);
    if (!w) {
        w = *made;
        if (!w)
            return -ENOMEM;
        list_add(&watchdog_list, &w->link);
        *made = NULL;
    }
    unsigned i = d->watchdog_mask & 1 ? 1 : 0;
    d->watchdog_mask |= 1UL << i;
    timer_set(&w->timer[i], now() + seconds * NS_PER_SECOND);
    return i + 1;
}

static long watchdog_change(struct domain *d, uint32_t id, uint32_t seconds)
{
    if (id > WATCHDOGS || !(d->watchdog_mask >> (id - 1) & 1))
        return -EINVAL;
    struct timer *t = &watchdogs_of(d)->timer[id - 1];
    if (seconds) {
        timer_set(t, now() + seconds * NS_PER_SECOND);
        return 0;
    }
    timer_stop(t);
    d->watchdog_mask &= ~(1UL << (id - 1));
    return 0;
}

long domain_watchdog_set(struct domain *d, uint32_t id, uint32_t seconds)
{
    /* Before the lock: to give out memory may take a flush of other CPUs' TLBs. */
    struct watchdogs *made = id ? NULL : watchdogs_make(d);
    spin_lock(&watchdog_lock);
    long result = id ? watchdog_change(d, id, seconds) : watchdog_start(d, seconds, &made);
    spin_unlock(&watchdog_lock);
    free(made);
    return result;
}

void domain_watchdogs_kill(struct domain *d)
{
    spin_lock(&watchdog_lock);
    struct watchdogs *w = watchdogs_of(d);
    if (w)
        list_remove(&w->link);
    d->watchdog_mask = 0;
    spin_unlock(&watchdog_lock);
    for (unsigned i = 0; w && i < WATCHDOGS; i++)
        timer_kill(&w->timer[i]);
    free(w);
}
