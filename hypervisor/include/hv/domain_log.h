/*
 * What a domain makes us log, by whatever it, its device model or those who build it do: the one place where that is
 * limited. core/domain_log.c
 *
 * A line that a domain can cause goes through here and never through printk: tests/style/check_style.py holds the list
 * of those that do not, each with its reason.
 */
#ifndef HV_DOMAIN_LOG_H
#define HV_DOMAIN_LOG_H

#include <hv/console.h>
#include <hv/rate_limit.h>

struct domain;
struct domain_log {
    struct rate_limit limit;
    uint32_t left_out; /* [a] lines since the last one that was let through */
};

/* "d3v1: " or, if not of the running vcpu's doing, "d3: " stands in front. Lines above the domain's limit are left out;
 * the next one that is not comes with their number. Errors have some room of their own, so that no flood hides why a
 * guest ended. From any context but an NMI. */
void domain_log(enum log_level level, struct domain *d, const char *format, ...) __printf(3, 4);

/* d, or who makes or changes it, is refused `option`: one line that names it. Returns the error. */
int domain_refuse(struct domain *d, int error, const char *option);

#endif
