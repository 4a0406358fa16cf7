/*
 * What every unit test of the hypervisor may need and few care about. All weak: a test that cares defines its own.
 */
#include "default.h"
#include <hv/bootinfo.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/domain_log.h>
#include <hv/guest_copy.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <hv/hypercall.h>
#include <hv/policy.h>
#include <hv/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

/* These are compiled with the real locks, a test maybe with those of one_thread: a domain has one layout all the same.
 */
_Static_assert(sizeof(struct spinlock) == 8 && _Alignof(struct spinlock) == 2, "change one_thread/hv/spinlock.h too");

WEAK struct bootinfo bootinfo;
WEAK const struct pirq_operations hardware_pirqs, hvm_pirqs;
WEAK struct cpu_features cpu_features;
WEAK unsigned cpu_count = 1;
uint64_t fake_now = 1000, fake_tsc_khz = 2500000;
unsigned fake_yields;
static unsigned yield_every, yield_calls;

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

/* Of the locks of tests with one thread (one_thread). */
void fake_deadlock(void);
WEAK void fake_deadlock(void)
{
    panic("a lock is taken twice, or given back twice");
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

/* There is no policy. */
WEAK int policy_ask(const struct domain *subject, enum policy_verb verb, const struct domain *object)
{
    return 0;
}

WEAK int policy_ask_label(const struct domain *subject, enum policy_verb verb, uint32_t sid)
{
    return 0;
}

WEAK void policy_label(struct domain *d)
{
}

WEAK bool policy_sid_is_of_guest(uint32_t sid)
{
    return true;
}

WEAK uint32_t policy_sid_of(const struct domain *d)
{
    return d->ssidref;
}

WEAK void *zalloc(size_t bytes)
{
    return calloc(1, bytes);
}

WEAK struct vcpu *domain_vcpu(const struct domain *d, unsigned id)
{
    return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

WEAK ns_t now(void)
{
    return fake_now;
}

WEAK uint64_t tsc_khz(void)
{
    return fake_tsc_khz;
}

void fake_yield_every(unsigned n)
{
    yield_every = n;
    yield_calls = fake_yields = 0;
}

/* Several threads may ask. */
WEAK bool hypercall_should_yield(void)
{
    if (!yield_every || __atomic_add_fetch(&yield_calls, 1, __ATOMIC_RELAXED) % yield_every)
        return false;
    __atomic_add_fetch(&fake_yields, 1, __ATOMIC_RELAXED);
    return true;
}

WEAK void domain_hold(struct domain *d)
{
    __atomic_add_fetch(&d->references, 1, __ATOMIC_SEQ_CST);
}

/* The one that whoever made it holds stays. */
WEAK void domain_put(struct domain *d)
{
    if (__atomic_sub_fetch(&d->references, 1, __ATOMIC_SEQ_CST) < 1)
        panic("reference count of d%u below its creator's", d->id);
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
