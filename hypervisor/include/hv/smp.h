/*
 * Bringing up the other processors. boot/smp.c, boot/trampoline.S
 * Source: Intel SDM volume 3, 9.4.4 (INIT, STARTUP); AMD APM volume 2, 14.8.
 */
#ifndef HV_SMP_H
#define HV_SMP_H

struct cpu;

/* Starts every enabled processor of the MADT, up to maxcpus= and NR_CPUS, one after another; one that does not come up
 * is logged and left out. Boot CPU, on the idle page table, whose one-to-one map of the first 2 MiB is needed and taken
 * away; after apic_init, time_init, sched_init_cpu and page_alloc_init. Interrupts on.
 * Afterwards cpu_count is final. */
void smp_init(void);

/* Where a started processor enters C, on its own stack. */
void ap_main(struct cpu *cpu) __attribute__((noreturn));

#endif
