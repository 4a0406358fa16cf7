/*
 * The lines that domains cause, within the limits of each.
 */
#include <hv/domain_log.h>
#include <hv/domain.h>
#include <hv/time.h>

/* A domain may cause BURST lines at once and one per INTERVAL from then on; ERRORS more if they are errors. */
#define BURST    32U
#define ERRORS   8U
#define INTERVAL (100 * 1000000ULL)

static __printf(3, 0) void say(enum log_level level, const struct domain *d, const char *format, va_list args)
{
    char prefix[24];
    if (current && current->domain == d)
        snprintf(prefix, sizeof(prefix), "d%uv%u: ", d->id, current->id);
    else
        snprintf(prefix, sizeof(prefix), "d%u: ", d->id);
    vprintk(level, prefix, format, args);
}

/* The number of those left out is a line, too. */
static bool may_say(enum log_level level, struct domain *d)
{
    unsigned lines = READ_ONCE(d->log.left_out) ? 2 : 1;
    return rate_limit_take(&d->log.limit, now(), lines, level == LOG_ERROR ? BURST + ERRORS : BURST, INTERVAL);
}

void domain_log(enum log_level level, struct domain *d, const char *format, ...)
{
    if (!may_say(level, d)) {
        __atomic_add_fetch(&d->log.left_out, 1, __ATOMIC_RELAXED);
        return;
    }
    uint32_t left_out = __atomic_exchange_n(&d->log.left_out, 0, __ATOMIC_RELAXED);
    if (left_out)
        printk(LOG_WARNING, "d%u: %u lines are left out here", d->id, left_out);
    va_list args;
    va_start(args, format);
    say(level, d, format, args);
    va_end(args);
}

int domain_refuse(struct domain *d, int error, const char *option)
{
    domain_log(LOG_WARNING, d, "refused (error %d): %s", -error, option);
    return error;
}
