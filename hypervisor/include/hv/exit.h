/*
 * The way back to a guest. x86/entry.S, core/exit_work.c
 */
#ifndef HV_EXIT_H
#define HV_EXIT_H

#include <hv/percpu.h>

/* Serves softirqs, waits while idle, delivers events: one of these, interrupts off before and after. False: nothing is
 * left, `current`, a PV vcpu, may run; otherwise it is called again. An HVM vcpu is entered from here (hvm.h). */
bool exit_work(void);
/* Forgets the present stack and leaves to whatever is to run. End of a CPU's start-up. */
void cpu_start_idle(void) __noreturn;

#endif
