/*
 * Bringing up the other processors. boot/smp.c, boot/trampoline.S
 * Source: Intel SDM volume 3, 9.4.4 (INIT, STARTUP); AMD APM volume 2, 14.8.
 */
#ifndef HV_SMP_H
#define HV_SMP_H

struct cpu;

/* Starts every enabled processor of the MADT, up to maxcpus= and NR_CPUS, one after another; one that does not come up is
 * logged and left out. Boot CPU, on the idle page table, after apic_init, time_init, sched_init and page_alloc_init;
 * cpus[0] is filled. Afterwards cpu_count is final. */
void smp_init(void);

/* What a started processor needs of others: its GDT, IDT, TSS and entry MSRs; and its idle vcpu's loop, for good. */
void descriptor_tables_init_cpu(struct cpu *cpu);
void cpu_start_idle(void) __attribute__((noreturn));

/* Where a started processor enters C, on its own stack. */
void ap_main(struct cpu *cpu) __attribute__((noreturn));

#endif
