/*
 * What every unit test of the hypervisor may need and few care about. All weak: a test that cares defines its own.
 */
#include <hv/bootinfo.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/domain_log.h>
#include <hv/guest_copy.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

WEAK struct bootinfo bootinfo;
WEAK const struct pirq_operations hardware_pirqs, hvm_pirqs;
WEAK struct cpu_features cpu_features;

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

WEAK struct vcpu *domain_vcpu(const struct domain *d, unsigned id)
{
    return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

/* A guest's address is one of ours, and its first page is not mapped. */
WEAK int copy_from_guest_va(void *to, unsigned long from, size_t bytes)
{
    return from < PAGE_SIZE ? -EFAULT : (memcpy(to, (const void *)from, bytes), 0);
}

WEAK int copy_to_guest_va(unsigned long to, const void *from, size_t bytes)
{
    return to < PAGE_SIZE ? -EFAULT : (memcpy((void *)to, from, bytes), 0);
}
