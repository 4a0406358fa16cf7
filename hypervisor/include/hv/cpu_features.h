/*
 * Finding out what the processors can do, and switching it on. x86/cpu_features.c
 * The results are in cpu_features (hv/cpu.h).
 */
#ifndef HV_CPU_FEATURES_H
#define HV_CPU_FEATURES_H

#include <hv/cpu.h>

/* Boot CPU, once, before everything that reads cpu_features. Panics without what we cannot do without (long mode, NX,
 * PGE, SSE2, SYSCALL). */
void cpu_features_init(void);

/* Every CPU, the boot CPU too, after protection_init(): PAT, EFER.NXE, CR0, CR4 as we run with them. Panics if this CPU
 * lacks something that the boot CPU has. Leaves to others: EFER.SCE (entry code), CR4.OSXSAVE and XCR0
 * (xstate_init_cpu). */
void cpu_features_init_cpu(void);

#endif
