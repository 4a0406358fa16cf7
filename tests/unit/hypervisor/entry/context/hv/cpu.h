/* hv/cpu.h for the host: the registers that only ring 0 has are the test's. */
#ifndef FAKE_CONTEXT_CPU_H
#define FAKE_CONTEXT_CPU_H
#include_next <hv/cpu.h>
extern unsigned long fake_cr3, fake_cr4, fake_dr7;
uint64_t *fake_msr(uint32_t msr);
#define read_cr4()         (fake_cr4)
#define write_cr4(value)   ((void)(fake_cr4 = (value)))
#define write_cr3(value)   ((void)(fake_cr3 = (value)))
#define write_dr7(value)   ((void)(fake_dr7 = (value)))
#define rdmsr(msr)         (*fake_msr(msr))
#define wrmsr(msr, value)  ((void)(*fake_msr(msr) = (value)))
#endif
