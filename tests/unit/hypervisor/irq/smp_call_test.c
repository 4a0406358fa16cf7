/*
 * Calls between CPUs with threads as CPUs: all call all at the same time, which must neither hang nor lose a call.
 * An inter-processor interrupt is a flag that a CPU looks at when it would have interrupts on.
 */
#include <pthread.h>
#include "../../check.h"
#include <stdio.h>
#include <stdlib.h>
#include <hv/cpu.h>
#include <hv/irq.h>
#include <hv/percpu.h>

#define CPUS   6
#define ROUNDS 3000

struct cpu cpus[NR_CPUS];
unsigned cpu_count = CPUS;
_Thread_local struct cpu *fake_cpu;
static unsigned interrupt[NR_CPUS]; /* vector + 1, 0: none */
static unsigned event_checks[NR_CPUS];
static unsigned ran_on[NR_CPUS];
static unsigned busy = CPUS;

void apic_send_ipi(struct cpu *cpu, uint8_t vector)
{
    CHECK(cpu->online && cpu != fake_cpu);
    if (vector == VECTOR_EVENT_CHECK)
        __atomic_add_fetch(&event_checks[cpu->id], 1, __ATOMIC_SEQ_CST);
    else
        __atomic_store_n(&interrupt[cpu->id], vector + 1U, __ATOMIC_SEQ_CST);
}

static void take_interrupt(void)
{
    unsigned vector = __atomic_exchange_n(&interrupt[fake_cpu->id], 0, __ATOMIC_SEQ_CST);
    if (vector) {
        CHECK(vector == VECTOR_CALL + 1);
        smp_call_interrupt();
    }
}

struct round {
    unsigned caller, done[CPUS];
};

static void called(void *data)
{
    struct round *r = data;
    __atomic_add_fetch(&r->done[fake_cpu->id], 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&ran_on[fake_cpu->id], 1, __ATOMIC_RELAXED);
}

static void call_some(unsigned self, unsigned turn)
{
    struct round r = {.caller = self};
    cpumask_t mask = {{(turn * 2654435761U) >> 7 & ((1U << CPUS) - 1)}};
    if (turn % 2) {
        call_on_other_cpus(called, &r);
        mask.bits[0] = ((1U << CPUS) - 1) & ~(1U << self);
    } else {
        call_on_cpus(&mask, called, &r);
    }
    /* The call has returned: all of the mask have run it, once, and nobody else. */
    for (unsigned i = 0; i < CPUS; i++)
        CHECK(r.done[i] == (mask.bits[0] >> i & 1));
}

static void *cpu_thread(void *cpu)
{
    fake_cpu = cpu;
    for (unsigned turn = 0; turn < ROUNDS; turn++) {
        call_some(fake_cpu->id, turn);
        take_interrupt();
    }
    __atomic_sub_fetch(&busy, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&busy, __ATOMIC_SEQ_CST)) {
        take_interrupt();
        cpu_relax();
    }
    return NULL;
}

static void test_mutual_calls(void)
{
    pthread_t thread[CPUS];
    for (unsigned i = 0; i < CPUS; i++)
        CHECK(!pthread_create(&thread[i], NULL, cpu_thread, &cpus[i]));
    for (unsigned i = 0; i < CPUS; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < CPUS; i++)
        CHECK(ran_on[i] >= ROUNDS / 2 * (CPUS - 1));
}

static void test_softirqs(void)
{
    fake_cpu = &cpus[0];
    cpu_raise_softirq(&cpus[0], SOFTIRQ_SCHEDULE);
    CHECK(cpus[0].softirq_pending == 1UL << SOFTIRQ_SCHEDULE && event_checks[0] == 0);
    cpu_raise_softirq(&cpus[1], SOFTIRQ_SCHEDULE);
    cpu_raise_softirq(&cpus[1], SOFTIRQ_SCHEDULE);
    CHECK(cpus[1].softirq_pending == 1UL << SOFTIRQ_SCHEDULE && event_checks[1] == 1);
    cpu_raise_softirq(&cpus[1], SOFTIRQ_TIMER);
    CHECK(event_checks[1] == 2);
    cpus[2].online = false;
    cpu_raise_softirq(&cpus[2], SOFTIRQ_TIMER);
    CHECK(test_bit(SOFTIRQ_TIMER, &cpus[2].softirq_pending) && event_checks[2] == 0);
    struct round r = {0};
    call_on_other_cpus(called, &r); /* would hang if it waited for an absent CPU; the others are served below */
}

static void *serve_forever(void *cpu)
{
    fake_cpu = cpu;
    while (!__atomic_load_n(&busy, __ATOMIC_SEQ_CST)) {
        take_interrupt();
        cpu_relax();
    }
    return NULL;
}

int main(void)
{
    for (unsigned i = 0; i < CPUS; i++)
        cpus[i] = (struct cpu){.id = i, .online = true};
    test_mutual_calls();
    pthread_t server[CPUS];
    for (unsigned i = 1; i < CPUS; i++)
        CHECK(i == 2 || !pthread_create(&server[i], NULL, serve_forever, &cpus[i]));
    test_softirqs();
    __atomic_store_n(&busy, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 1; i < CPUS; i++)
        CHECK(i == 2 || !pthread_join(server[i], NULL));
    puts("smp_call: ok");
    return 0;
}
