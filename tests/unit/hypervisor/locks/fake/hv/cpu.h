/* hv/cpu.h for the host: whether interrupts are on is what the fake locks say. */
#ifndef FAKE_HV_CPU_H
#define FAKE_HV_CPU_H
#define irqs_enabled real_irqs_enabled
#include_next <hv/cpu.h>
#undef irqs_enabled
bool irqs_enabled(void);
#endif
