/*
 * The word that guards return addresses. lib/stack_protector.c
 */
#ifndef HV_STACK_PROTECTOR_H
#define HV_STACK_PROTECTOR_H

#include <hv/cpu.h>

extern unsigned long __stack_chk_guard;

#define CPUID_1_ECX_RDRAND (1U << 30)

/* Chooses the word of this boot. In a function that never returns, before all else: its callees return by the new one.
 * Without RDRAND it is the time since power-on in cycles, spread over the word. A zero byte stops runaway strings. */
static inline void stack_protector_init(void)
{
    unsigned long word = rdtsc() * 0x9e3779b97f4a7c15UL;
    if (cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND)
        __asm__ volatile("rdrand %0" : "=r"(word)::"cc");
    __stack_chk_guard = word & ~0xffUL;
}

#endif
