/* hv/cpu.h for the host: no privileged instruction. */
#ifndef FAKE_CPU_H
#define FAKE_CPU_H
#define irq_enable  real_irq_enable
#define irq_disable real_irq_disable
#include_next <hv/cpu.h>
#undef irq_enable
#undef irq_disable
void fake_interrupts(bool on);
#define irq_enable()  fake_interrupts(true)
#define irq_disable() fake_interrupts(false)
#endif
