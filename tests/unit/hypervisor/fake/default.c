/*
 * What every unit test of the hypervisor may need and few care about. All weak: a test that cares defines its own.
 */
#include <hv/domain_log.h>
#include <hv/page_alloc.h>
#include <stdio.h>
#include <stdlib.h>

#define WEAK __attribute__((weak))

/* The hypervisor was asked for something of which the test has no fake (unexpected.py). */
__noreturn void fake_unexpected(const char *name);
__noreturn void fake_unexpected(const char *name)
{
    fprintf(stderr, "unexpected call of %s(): the test has no fake of it\n", name);
    abort();
}

WEAK void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("panic: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

/* Messages go nowhere unless somebody looks. */
WEAK void printk(enum log_level level, const char *format, ...)
{
    if (!getenv("VERBOSE"))
        return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

WEAK void domain_log(enum log_level level, struct domain *d, const char *format, ...)
{
}

WEAK int domain_refuse(struct domain *d, int error, const char *option)
{
    return error;
}

WEAK void *zalloc(size_t bytes)
{
    return calloc(1, bytes);
}
