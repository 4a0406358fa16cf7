/* hv/cpu.h for the host: the machine's ports are the test's. */
#ifndef FAKE_CPU_H
#define FAKE_CPU_H
#include_next <hv/cpu.h>
uint32_t fake_in_port(uint16_t port, unsigned bytes);
void fake_out_port(uint32_t value, uint16_t port, unsigned bytes);
#define in_port(port, bytes)         fake_in_port(port, bytes)
#define out_port(value, port, bytes) fake_out_port(value, port, bytes)
#endif
