/*
 * Each rule of hv/lock_order.h kept and broken, with the real locks: what breaks one stops with a message that names
 * it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "../../check.h"
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/percpu.h>
#include <hv/spinlock.h>

struct cpu cpus[NR_CPUS] = {{.id = 0}, {.id = 1}};
unsigned cpu_count = 2;
struct cpu *fake_cpu = &cpus[0];
struct vcpu *fake_current[NR_CPUS];
__thread unsigned fake_irqs_off;

static jmp_buf stopped;
static char said[256];

bool irqs_enabled(void)
{
    return !fake_irqs_off;
}

void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(said, sizeof(said), format, args);
    va_end(args);
    longjmp(stopped, 1);
}

void printk(enum log_level level, const char *format, ...)
{
    va_list args;
    size_t used = strlen(said);
    va_start(args, format);
    vsnprintf(said + used, sizeof(said) - used, format, args);
    va_end(args);
}

/* The steps must stop with words that contain `text`. */
#define check_stops(text, steps)                                                                                       \
    do {                                                                                                               \
        volatile unsigned off_ = fake_irqs_off;                                                                        \
        if (!setjmp(stopped)) {                                                                                        \
            steps;                                                                                                     \
            CHECK(!"it went on");                                                                                      \
        }                                                                                                              \
        fake_irqs_off = off_;                                                                                          \
        CHECK(strstr(said, text));                                                                                     \
    } while (0)

static struct spinlock domain = SPINLOCK_INIT(LOCK_DOMAIN), tables = SPINLOCK_INIT(LOCK_PAGE_TABLES),
                       pages = SPINLOCK_INIT(LOCK_DOMAIN_PAGES), events = SPINLOCK_INIT(LOCK_EVENTS),
                       more_events = SPINLOCK_INIT(LOCK_EVENTS), console = SPINLOCK_INIT(LOCK_CONSOLE), nowhere;

static void test_order(void)
{
    spin_lock(&domain);
    spin_lock(&tables);
    unsigned long flags = spin_lock_irqsave(&events);
    spin_lock_next(&more_events);
    lock_check_report();
    CHECK(strstr(said, "CPU 0 holds lock PAGE_TABLES"));
    spin_unlock(&more_events);
    spin_unlock(&domain); /* not the last one taken */
    check_stops("goes back to a guest with lock PAGE_TABLES", lock_check_no_lock());
    check_stops("EVENTS is waited for by its holder", spin_lock(&events));
    check_stops("EVENTS is waited for while lock EVENTS", spin_lock(&more_events));
    spin_unlock_irqrestore(&events, flags);
    check_stops("DOMAIN is waited for while lock PAGE_TABLES", spin_lock(&domain));
    CHECK(spin_trylock(&domain)); /* not waited for */
    spin_unlock(&domain);
    spin_unlock(&tables);
    lock_check_no_lock();
    check_stops("DOMAIN is given back by CPU 0, which does not hold it", spin_unlock(&domain));
    check_stops("no place in the order", spin_lock(&nowhere));
}

static void test_interrupts(void)
{
    check_stops("EVENTS is taken with interrupts on", spin_lock(&events));
    unsigned long flags = irq_save();
    check_stops("PAGE_TABLES is waited for with interrupts off", spin_lock(&tables));
    spin_lock(&pages);
    spin_unlock(&pages);
    cpus[0].irq_depth = 1;
    check_stops("DOMAIN_PAGES is taken in an interrupt handler", spin_lock(&pages));
    cpus[0].irq_depth = 0;
    irq_restore(flags);
}

static void test_calls(void)
{
    spin_lock(&domain);
    spin_lock(&tables);
    lock_check_call();
    spin_lock(&pages);
    check_stops("called while lock DOMAIN_PAGES", lock_check_call());
    fake_cpu = &cpus[1]; /* what another CPU holds is not this one's */
    lock_check_call();
    lock_check_no_lock();
    fake_cpu = &cpus[0];
    spin_unlock(&pages);
    unsigned long flags = spin_lock_irqsave(&console); /* printing works under every lock, and is no lock to a call */
    spin_unlock_irqrestore(&console, flags);
    spin_unlock(&tables);
    spin_unlock(&domain);
    lock_check_no_lock();
}

int main(void)
{
    test_order();
    test_interrupts();
    test_calls();
    return 0;
}
