/*
 * Software timers: per CPU a list sorted by deadline, whose head the local APIC timer is set to.
 *
 * The lists are short (a few timers per vcpu), so a sorted list beats cleverer structures. The APIC timer may be set to
 * a deadline that has been cancelled since: the softirq then finds nothing due and sets it anew, which is cheaper than
 * setting it at every cancellation. A timer whose `cpu` is NULL is dead: arming it does nothing.
 */
#include <hv/percpu.h>
#include <hv/spinlock.h>
#include <hv/time.h>
#include <hv/timer.h>

static struct spinlock timer_lock[NR_CPUS] = {[0 ... NR_CPUS - 1] = SPINLOCK_INIT(LOCK_TIMERS)};
static struct timer *running[NR_CPUS]; /* whose function runs now; timer_lock of that CPU */

/* Locks the CPU that t is on. NULL (nothing locked): dead. */
static struct cpu *lock_cpu_of(struct timer *t, unsigned long *flags)
{
    for (;;) {
        struct cpu *cpu = READ_ONCE(t->cpu);
        if (!cpu)
            return NULL;
        *flags = spin_lock_irqsave(&timer_lock[cpu->id]);
        if (READ_ONCE(t->cpu) == cpu)
            return cpu;
        spin_unlock_irqrestore(&timer_lock[cpu->id], *flags);
    }
}

/* True if t became the first. */
static bool insert(struct cpu *cpu, struct timer *t)
{
    struct timer *after;
    list_for_each(after, &cpu->timers, link)
        if (after->deadline > t->deadline)
            break;
    list_add_tail(&after->link, &t->link);
    t->active = true;
    return cpu->timers.next == &t->link;
}

static void remove(struct timer *t)
{
    if (t->active)
        list_remove(&t->link);
    t->active = false;
}

/* The head of cpu's list is new and earlier: arms the hardware, or has the other CPU do it. cpu's lock is held. */
static void head_changed(struct cpu *cpu)
{
    if (cpu != this_cpu()) {
        cpu_raise_softirq(cpu, SOFTIRQ_TIMER);
        return;
    }
    ns_t deadline = list_entry(cpu->timers.next, struct timer, link)->deadline;
    if (cpu->timer_deadline && cpu->timer_deadline <= deadline)
        return;
    cpu->timer_deadline = deadline;
    apic_timer_set(deadline);
}

void timer_init(struct timer *t, void (*function)(void *), void *data, struct cpu *cpu)
{
    list_init(&t->link);
    t->deadline = 0;
    t->function = function;
    t->data = data;
    t->cpu = cpu;
    t->active = false;
}

void timer_set(struct timer *t, ns_t deadline)
{
    unsigned long flags;
    struct cpu *cpu = lock_cpu_of(t, &flags);
    if (!cpu)
        return;
    remove(t);
    t->deadline = deadline ? deadline : 1; /* 0 means "off" to the hardware */
    if (insert(cpu, t))
        head_changed(cpu);
    spin_unlock_irqrestore(&timer_lock[cpu->id], flags);
}

void timer_stop(struct timer *t)
{
    unsigned long flags;
    struct cpu *cpu = lock_cpu_of(t, &flags);
    if (!cpu)
        return;
    remove(t);
    spin_unlock_irqrestore(&timer_lock[cpu->id], flags);
}

void timer_kill(struct timer *t)
{
    unsigned long flags;
    struct cpu *cpu = lock_cpu_of(t, &flags);
    if (!cpu)
        return;
    remove(t);
    WRITE_ONCE(t->cpu, NULL);
    spin_unlock_irqrestore(&timer_lock[cpu->id], flags);
    for (unsigned i = 0; i < cpu_count; i++)
        while (&cpus[i] != this_cpu() && __atomic_load_n(&running[i], __ATOMIC_ACQUIRE) == t)
            __builtin_ia32_pause();
}

void timer_migrate(struct timer *t, struct cpu *to)
{
    for (;;) {
        struct cpu *from = READ_ONCE(t->cpu);
        if (!from || from == to)
            return;
        struct cpu *first = from->id < to->id ? from : to, *second = from->id < to->id ? to : from;
        unsigned long flags = spin_lock_irqsave(&timer_lock[first->id]);
        spin_lock_next(&timer_lock[second->id]);
        bool moved = READ_ONCE(t->cpu) == from;
        if (moved) {
            bool active = t->active;
            remove(t);
            WRITE_ONCE(t->cpu, to);
            if (active && insert(to, t))
                head_changed(to);
        }
        spin_unlock(&timer_lock[second->id]);
        spin_unlock_irqrestore(&timer_lock[first->id], flags);
        if (moved)
            return;
    }
}

/* Takes the first due timer off the list and marks it running; its function and data, for t itself may be freed while
 * the function runs. Otherwise arms the hardware for the next one. */
static bool take_due(struct cpu *cpu, ns_t time, void (**function)(void *), void **data)
{
    unsigned long flags = spin_lock_irqsave(&timer_lock[cpu->id]);
    struct timer *t = list_empty(&cpu->timers) ? NULL : list_entry(cpu->timers.next, struct timer, link);
    bool due = t && t->deadline <= time;
    running[cpu->id] = due ? t : NULL;
    if (due) {
        remove(t);
        *function = t->function;
        *data = t->data;
    } else {
        cpu->timer_deadline = t ? t->deadline : 0;
        apic_timer_set(cpu->timer_deadline);
    }
    spin_unlock_irqrestore(&timer_lock[cpu->id], flags);
    return due;
}

void timer_softirq(void)
{
    struct cpu *cpu = this_cpu();
    void (*function)(void *);
    void *data;
    while (take_due(cpu, now(), &function, &data))
        function(data);
}

void timer_init_cpu(struct cpu *cpu)
{
    list_init(&cpu->timers);
    cpu->timer_deadline = 0;
}
