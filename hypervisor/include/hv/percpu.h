/*
 * Per-CPU data and the per-CPU stack block.
 *
 * Each CPU has one block of STACK_SIZE bytes, aligned to its size: four IST stacks of a page each (#DF, NMI,
 * #MC, #DB) at the bottom, the main stack above them, and at the very top struct cpu_info. Any stack pointer in the
 * block therefore leads to it by masking; no segment register is needed, FS and GS stay the guest's. Below each of the
 * five stacks a page is not mapped: pages 0, 2, 4, 6 and 8 of the block.
 */
#ifndef HV_PERCPU_H
#define HV_PERCPU_H

#include <hv/asm_offsets.h>
#include <hv/types.h>
#include <hv/lib.h>
#include <hv/xen.h>

#define NR_CPUS 64

struct vcpu;

struct cpu_info {
    struct cpu_user_regs guest_regs; /* where entry from a guest stores its registers; must be first */
    struct vcpu *running;            /* the vcpu whose registers and address space are on this CPU */
    struct cpu *cpu;
    paddr_t hvm_host; /* hvm/svm: where this CPU's own segment state is kept while a guest runs */
    uint64_t reserved;
};

/* Bits of struct cpu.softirq_pending, served on the way back to the guest in this order. */
enum softirq { SOFTIRQ_TIMER, SOFTIRQ_SCHEDULE };

struct cpu {
    unsigned id;
    uint32_t apic_id, acpi_id;
    bool online;
    volatile unsigned long softirq_pending;
    struct vcpu *idle; /* its idle vcpu */
    struct tss *tss;
    paddr_t root_table; /* machine address of the idle page table (all CPUs share one) */
    paddr_t current_cr3;
    uint64_t tlbflush_time; /* value of tlbflush_clock at this CPU's last full flush */
    unsigned irq_depth;     /* > 0 inside an interrupt handler */
    struct {                /* x86/time.c: TSC to system time on this CPU */
        uint64_t tsc;
        ns_t time;
        uint32_t multiplier;
        int8_t shift;
    } clock;
    struct list timers;     /* core/timer.c, sorted by deadline; interrupts off */
    ns_t timer_deadline;    /* what the local APIC timer is set to; 0 = off */
    struct vcpu *fpu_owner; /* x86/xstate.c */
    uint64_t idle_time, idle_since;
    uint64_t irq_count;
};

extern struct cpu cpus[NR_CPUS];
extern unsigned cpu_count; /* cpus[0 .. cpu_count-1] exist; set before Domain-0 runs and constant then */

static inline struct cpu_info *cpu_info(void)
{
    unsigned long sp;
    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1 - sizeof(struct cpu_info));
}
/* Whether an address in a block lies in a page that is not mapped. */
static inline bool is_stack_guard(unsigned long address)
{
    unsigned long page = (address & (STACK_SIZE - 1)) / 4096;
    return page <= 8 && page % 2 == 0;
}
#define this_cpu()         (cpu_info()->cpu)
#define smp_processor_id() (this_cpu()->id)
#define current            (cpu_info()->running)
#define guest_regs()       (&cpu_info()->guest_regs)

static inline void raise_softirq(enum softirq n)
{
    set_bit(n, &this_cpu()->softirq_pending);
}
/* Also for another CPU: sets the bit and sends the event-check interrupt if it is not this one. x86/smp_call.c */
void cpu_raise_softirq(struct cpu *cpu, enum softirq n);

typedef struct {
    BITMAP(bits, NR_CPUS);
} cpumask_t;

#endif
