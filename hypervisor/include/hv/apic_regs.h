/*
 * Registers of this CPU's local APIC. x86/apic.c
 * Source: Intel SDM volume 3, 11.4.1; AMD APM volume 2, 16.3.2.
 *
 * A register is named by its offset in the memory-mapped page; in x2APIC mode it is MSR 0x800 + offset / 16.
 */
#ifndef HV_APIC_REGS_H
#define HV_APIC_REGS_H

#include <hv/types.h>

#define APIC_ID            0x020
#define APIC_VERSION       0x030
#define APIC_TASK_PRIORITY 0x080
#define APIC_EOI           0x0b0
#define APIC_LOGICAL_ID    0x0d0
#define APIC_DESTINATION   0x0e0
#define APIC_SPURIOUS      0x0f0
#define APIC_IN_SERVICE    0x100
#define APIC_REQUEST       0x200
#define APIC_ERROR         0x280
#define APIC_COMMAND       0x300 /* low half; 64 bits in x2APIC mode: x86/apic.c only */
#define APIC_COMMAND_HIGH  0x310
#define APIC_LVT_TIMER     0x320
#define APIC_LVT_THERMAL   0x330
#define APIC_LVT_COUNTERS  0x340
#define APIC_LVT_LINT0     0x350
#define APIC_LVT_LINT1     0x360
#define APIC_LVT_ERROR     0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE  0x3e0

#define APIC_LVT_MASKED         0x00010000U
#define APIC_LVT_TIMER_ONESHOT  0x00000000U
#define APIC_LVT_TIMER_DEADLINE 0x00040000U
#define APIC_DIVIDE_BY_1        0x0000000bU

/* Only after apic_init (boot CPU) or apic_init_cpu (others). */
uint32_t apic_read(unsigned reg);
void apic_write(unsigned reg, uint32_t value);

#endif
