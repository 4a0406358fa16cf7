/*
 * Whether locks are taken by the rules of hv/lock_order.h, in builds for tests.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/percpu.h>
#include <hv/spinlock.h>

#define MAX_HELD 16

enum lock_kind { CALLED, SHORT, IRQ };

#define LOCK_RULE(lock_name, lock_kind) [LOCK_##lock_name] = {#lock_name, lock_kind},
static const struct {
    const char *name;
    enum lock_kind kind;
} rules[LOCK_RANKS] = {LOCK_ORDER(LOCK_RULE)};

static struct {
    const struct spinlock *lock[MAX_HELD];
    unsigned count;
} held[NR_CPUS];

static const char *name(const struct spinlock *lock)
{
    return lock->rank && lock->rank < LOCK_RANKS ? rules[lock->rank].name : "without a rank";
}

/* A dump prints under any lock there is, and so does a warning from an NMI; neither waits for a lock that its own CPU
 * holds (core/console.c). */
static bool exempt(const struct spinlock *lock)
{
    return lock->rank == LOCK_CONSOLE;
}

static void check_interrupts(const struct spinlock *lock)
{
    if (!lock->rank || lock->rank >= LOCK_RANKS)
        panic("the lock at %p has no place in the order", lock);
    if (rules[lock->rank].kind == IRQ && irqs_enabled())
        panic("lock %s is taken with interrupts on", name(lock));
    if (rules[lock->rank].kind == CALLED && !irqs_enabled())
        panic("lock %s is waited for with interrupts off, so that its holder's call is not answered", name(lock));
    if (rules[lock->rank].kind == SHORT && this_cpu()->irq_depth)
        panic("lock %s is taken in an interrupt handler", name(lock));
}

static void check_order(const struct spinlock *lock, unsigned lowest)
{
    unsigned cpu = smp_processor_id();
    for (unsigned i = 0; i < held[cpu].count; i++) {
        const struct spinlock *other = held[cpu].lock[i];
        if (other == lock)
            panic("lock %s is waited for by its holder", name(lock));
        if (other->rank >= lowest)
            panic("lock %s is waited for while lock %s is held: against the order", name(lock), name(other));
    }
}

void lock_check_wait(const struct spinlock *lock)
{
    if (exempt(lock))
        return;
    check_interrupts(lock);
    check_order(lock, lock->rank);
}

void lock_check_wait_next(const struct spinlock *lock)
{
    check_interrupts(lock);
    check_order(lock, lock->rank + 1U);
}

void lock_check_taken(const struct spinlock *lock)
{
    if (exempt(lock))
        return;
    unsigned long flags = irq_save();
    unsigned cpu = smp_processor_id(), count = held[cpu].count;
    if (count == MAX_HELD)
        panic("CPU %u holds %u locks", cpu, count);
    held[cpu].lock[count] = lock;
    held[cpu].count = count + 1;
    irq_restore(flags);
}

void lock_check_release(const struct spinlock *lock)
{
    if (exempt(lock))
        return;
    unsigned long flags = irq_save();
    unsigned cpu = smp_processor_id(), count = held[cpu].count, at = count;
    while (at && held[cpu].lock[at - 1] != lock)
        at--;
    if (!at)
        panic("lock %s is given back by CPU %u, which does not hold it", name(lock), cpu);
    for (; at < count; at++)
        held[cpu].lock[at - 1] = held[cpu].lock[at];
    held[cpu].count = count - 1;
    irq_restore(flags);
}

void lock_check_call(void)
{
    unsigned cpu = smp_processor_id();
    for (unsigned i = 0; i < held[cpu].count; i++)
        if (rules[held[cpu].lock[i]->rank].kind != CALLED)
            panic("other CPUs are called while lock %s is held", name(held[cpu].lock[i]));
}

void lock_check_no_lock(void)
{
    unsigned cpu = smp_processor_id();
    if (held[cpu].count)
        panic("CPU %u goes back to a guest with lock %s held", cpu, name(held[cpu].lock[0]));
}

void lock_check_report(void)
{
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        for (unsigned i = 0; i < held[cpu].count; i++)
            printk(LOG_ERROR, "CPU %u holds lock %s", cpu, name(held[cpu].lock[i]));
}
