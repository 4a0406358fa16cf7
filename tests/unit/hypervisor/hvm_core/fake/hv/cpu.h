/* hv/cpu.h for the host: no privileged instruction. A test that needs one of these has to say what it does. */
#ifndef FAKE_CPU_H
#define FAKE_CPU_H
#define rdmsr             real_rdmsr
#define wrmsr             real_wrmsr
#define irq_enable        real_irq_enable
#define irq_disable       real_irq_disable
#define read_breakpoints  real_read_breakpoints
#define write_breakpoints real_write_breakpoints
#include_next <hv/cpu.h>
#undef rdmsr
#undef wrmsr
#undef irq_enable
#undef irq_disable
#undef read_breakpoints
#undef write_breakpoints
struct cpuid fake_cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t value);
void read_breakpoints(uint64_t address[4]);
void write_breakpoints(const uint64_t address[4]);
void fake_interrupts(bool on);
#define cpuid(leaf, subleaf) fake_cpuid(leaf, subleaf)
#define irq_enable()         fake_interrupts(true)
#define irq_disable()        fake_interrupts(false)
#endif
