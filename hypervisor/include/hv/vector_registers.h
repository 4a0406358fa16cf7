/*
 * Single SSE and AVX registers of this CPU, 0 to 15. x86/vector_registers.c
 * 16 bytes: xmm; writing leaves the upper part of the ymm register alone. 32 bytes: ymm; XCR0 must have AVX on. CR0.TS
 * must be clear.
 */
#ifndef HV_VECTOR_REGISTERS_H
#define HV_VECTOR_REGISTERS_H

#include <hv/types.h>

void read_vector_register(unsigned number, void *to, unsigned bytes);
void write_vector_register(unsigned number, const void *from, unsigned bytes);

#endif
