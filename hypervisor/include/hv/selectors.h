/*
 * Selectors of this CPU's data segments, and of its LDT.
 */
#ifndef HV_SELECTORS_H
#define HV_SELECTORS_H

#include <hv/traps.h>
#include <hv/types.h>

/* name: ds, es, fs, gs. */
#define read_selector(name)                                                                                            \
    ({                                                                                                                 \
        uint16_t _selector;                                                                                            \
        __asm__ volatile("mov %%" #name ", %0" : "=rm"(_selector));                                                    \
        _selector;                                                                                                     \
    })

/* False: the tables do not have it, and the register is null. */
#define load_selector(name, value)                                                                                     \
    ({                                                                                                                 \
        unsigned _selector = (value);                                                                                  \
        bool _lost = false;                                                                                            \
        __asm__ volatile("1: mov %k0, %%" #name                                                                        \
                         "\n\tjmp 3f\n2: xorl %k0, %k0\n\tmovb $1, %1\n\tjmp 1b\n3:\n\t" EXTABLE_ENTRY("1b", "2b")     \
                         : "+r"(_selector), "+m"(_lost));                                                              \
        !_lost;                                                                                                        \
    })

static inline void lldt(uint16_t selector)
{
    __asm__ volatile("lldt %w0" ::"r"(selector) : "memory");
}

#endif
