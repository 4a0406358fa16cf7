/* hv/cpu.h for the host: what only ring 0 may do, the test counts. */
#ifndef FAKE_CPU_H
#define FAKE_CPU_H
#include_next <hv/cpu.h>
void fake_swap_gs(void);
#define swap_gs()     fake_swap_gs()
#define irq_enable()  ((void)0)
#define irq_disable() ((void)0)
#endif
