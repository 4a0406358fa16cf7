/* hv/cpu.h for the host: ports do not exist, and a CPU that waits lets another thread run. */
#ifndef FAKE_CPU_H
#define FAKE_CPU_H
#include_next <hv/cpu.h>
#include <sched.h>
#define cpu_relax sched_yield
#define outb      fake_outb
void fake_outb(uint8_t value, uint16_t port);
#endif
