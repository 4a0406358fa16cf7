/*
 * Running a function on other CPUs, and waking them.
 *
 * Each CPU has one call of its own and a set of the CPUs that have a call for it. A caller fills its call, names itself
 * at each receiver, sends the interrupt and waits for the count to drop, serving calls of others meanwhile: no lock, so
 * two callers cannot wait for each other.
 */
#include <hv/cpu.h>
#include <hv/irq.h>
#include <hv/lock_check.h>
#include <hv/percpu.h>
#include <hv/spinlock.h>

_Static_assert(NR_CPUS <= BITS_PER_LONG, "one word names all callers");

static struct call {
    void (*function)(void *data);
    void *data;
    unsigned outstanding;  /* receivers that are not done */
    unsigned long callers; /* whose calls this CPU has to run */
} __aligned(64) calls[NR_CPUS];

/* Interrupts off. */
static void serve_calls(void)
{
    unsigned long callers = __atomic_exchange_n(&calls[smp_processor_id()].callers, 0, __ATOMIC_SEQ_CST);
    for (; callers; callers &= callers - 1) {
        struct call *call = &calls[__builtin_ctzl(callers)];
        call->function(call->data);
        __atomic_sub_fetch(&call->outstanding, 1, __ATOMIC_RELEASE);
    }
}

void smp_call_interrupt(void)
{
    serve_calls();
}

static void wait_until_done(struct call *call)
{
    while (__atomic_load_n(&call->outstanding, __ATOMIC_ACQUIRE)) {
        unsigned long flags = irq_save(); /* a caller with interrupts off must serve too */
        serve_calls();
        irq_restore(flags);
        cpu_relax();
    }
}

static void call_on(unsigned long mask, void (*function)(void *data), void *data)
{
    unsigned self = smp_processor_id();
    struct call *call = &calls[self];
    lock_check_call();
    call->function = function;
    call->data = data;
    call->outstanding = 0;
    for (unsigned long left = mask; left; left &= left - 1)
        call->outstanding++;
    for (unsigned long left = mask; left; left &= left - 1) {
        unsigned cpu = (unsigned)__builtin_ctzl(left);
        /* A caller already named there has its interrupt on the way. */
        if (!__atomic_fetch_or(&calls[cpu].callers, 1UL << self, __ATOMIC_SEQ_CST))
            apic_send_ipi(&cpus[cpu], VECTOR_CALL);
    }
    wait_until_done(call);
}

static unsigned long online_others(void)
{
    unsigned long mask = 0;
    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i].online && i != smp_processor_id())
            mask |= 1UL << i;
    return mask;
}

void call_on_other_cpus(void (*function)(void *data), void *data)
{
    call_on(online_others(), function, data);
}

void call_on_cpus(const void *cpumask, void (*function)(void *data), void *data)
{
    unsigned long wanted = ((const cpumask_t *)cpumask)->bits[0];
    if (wanted >> smp_processor_id() & 1) {
        unsigned long flags = irq_save();
        function(data);
        irq_restore(flags);
    }
    call_on(wanted & online_others(), function, data);
}

void cpu_raise_softirq(struct cpu *cpu, enum softirq n)
{
    /* A bit that was set already has its interrupt on the way, or its CPU is about to look. */
    if (!test_and_set_bit(n, &cpu->softirq_pending) && cpu != this_cpu() && cpu->online)
        apic_send_ipi(cpu, VECTOR_EVENT_CHECK);
}
