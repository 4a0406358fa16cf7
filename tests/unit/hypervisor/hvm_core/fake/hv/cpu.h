/* hv/cpu.h for the host: no privileged instruction. */
#ifndef FAKE_CPU_H
#define FAKE_CPU_H
#define irq_enable  real_irq_enable
#define irq_disable real_irq_disable
#define read_dr0    real_read_dr0
#define read_dr1    real_read_dr1
#define read_dr2    real_read_dr2
#define read_dr3    real_read_dr3
#include_next <hv/cpu.h>
#undef irq_enable
#undef irq_disable
#undef read_dr0
#undef read_dr1
#undef read_dr2
#undef read_dr3
void fake_interrupts(bool on);
uint64_t fake_debug_register(unsigned number);
#define irq_enable()  fake_interrupts(true)
#define irq_disable() fake_interrupts(false)
#define read_dr0()    fake_debug_register(0)
#define read_dr1()    fake_debug_register(1)
#define read_dr2()    fake_debug_register(2)
#define read_dr3()    fake_debug_register(3)
#endif
