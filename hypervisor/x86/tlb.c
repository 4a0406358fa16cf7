/*
 * Flushing translation caches, here and on other CPUs.
 */
#include <hv/cpu.h>
#include <hv/irq.h>
#include <hv/lock_check.h>
#include <hv/page.h>
#include <hv/spinlock.h>
#include <hv/tlb.h>

volatile uint64_t tlbflush_clock = 1;

/* Toggling CR4.PGE flushes global entries too. The clock ticks before the flush: a stamp taken in between is older than
 * the flush only if the flush really came after it. */
void tlb_flush_local(void)
{
    uint64_t time = __atomic_add_fetch(&tlbflush_clock, 1, __ATOMIC_SEQ_CST);
    unsigned long flags = irq_save();
    unsigned long cr4 = read_cr4();
    if (cr4 & X86_CR4_PGE) {
        write_cr4(cr4 & ~X86_CR4_PGE);
        write_cr4(cr4);
    } else {
        write_cr3(read_cr3());
    }
    this_cpu()->tlbflush_time = time;
    irq_restore(flags);
}

void tlb_flush_local_va(unsigned long va)
{
    invlpg(va);
}

static void flush_call(void *data)
{
    unsigned long va = *(unsigned long *)data;
    if (va)
        tlb_flush_local_va(va);
    else
        tlb_flush_local();
}

void tlb_flush_mask(const cpumask_t *mask, unsigned long va)
{
    cpumask_t others = *mask;
    if (test_and_clear_bit(smp_processor_id(), others.bits))
        flush_call(&va);
    for (unsigned i = 0; i < ARRAY_SIZE(others.bits); i++) {
        if (others.bits[i]) {
            call_on_cpus(&others, flush_call, &va);
            return;
        }
    }
}

void tlb_flush_all(void)
{
    cpumask_t all = {0};
    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i].online)
            set_bit(i, all.bits);
    tlb_flush_mask(&all, 0);
}

void tlb_filter_and_flush(uint64_t stamp)
{
    lock_check_call(); /* also where, this time, nobody is late */
    cpumask_t late = {0};
    bool any = false;
    for (unsigned i = 0; i < cpu_count; i++) {
        if (cpus[i].online && cpus[i].tlbflush_time <= stamp) {
            set_bit(i, late.bits);
            any = true;
        }
    }
    if (any)
        tlb_flush_mask(&late, 0);
}
