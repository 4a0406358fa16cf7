/*
 * GDT, IDT, TSS and the syscall MSRs of a CPU. x86/descriptor_tables.c
 */
#ifndef HV_DESCRIPTOR_TABLES_H
#define HV_DESCRIPTOR_TABLES_H

#include <hv/percpu.h>

struct __packed tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap_base;
};
_Static_assert(sizeof(struct tss) == 104, "SDM volume 3, figure 8-11");

/* Interrupt stack table indices: their stacks are the lowest pages of the per-CPU block. */
enum ist { IST_NONE, IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK, IST_DEBUG };

/* Once, on the boot CPU, before the first descriptor_tables_init_cpu. */
void descriptor_tables_init(void);
/* Loads all of them on this CPU; its stack block is where the stack pointer is. */
void descriptor_tables_init_cpu(struct cpu *cpu);
/* GDTR to this CPU's own descriptors, which are there whatever happens to guests. */
void descriptor_tables_load(const struct cpu *cpu);
/* No PV guest is to run on this CPU: none of its tables may be in use, for they may go while the CPU stays as it is.
 * x86/context.c */
void leave_guest_tables(struct cpu *cpu);
/* The frame that holds this CPU's own descriptors (ABI: GDT page 14). */
mfn_t cpu_gdt_mfn(const struct cpu *cpu);

#endif
