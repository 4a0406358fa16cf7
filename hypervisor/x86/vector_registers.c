/*
 * Access to one vector register by its number. The code generator does not know these registers (no vector code is
 * generated for the hypervisor), so they need not be named as clobbered.
 */
#include <hv/vector_registers.h>

#define READ(instruction, name, n)                                                                                     \
    case n:                                                                                                            \
        __asm__ volatile(instruction " %%" name #n ", (%0)" ::"r"(to) : "memory");                                     \
        break;
#define WRITE(instruction, name, n)                                                                                    \
    case n:                                                                                                            \
        __asm__ volatile(instruction " (%0), %%" name #n ::"r"(from) : "memory");                                      \
        break;
#define EACH(what, instruction, name)                                                                                  \
    what(instruction, name, 0) what(instruction, name, 1) what(instruction, name, 2) what(instruction, name, 3)        \
        what(instruction, name, 4) what(instruction, name, 5) what(instruction, name, 6) what(instruction, name, 7)    \
            what(instruction, name, 8) what(instruction, name, 9) what(instruction, name, 10)                          \
                what(instruction, name, 11) what(instruction, name, 12) what(instruction, name, 13)                    \
                    what(instruction, name, 14) what(instruction, name, 15)

static void read_xmm(unsigned number, void *to)
{
    switch (number) {
        EACH(READ, "movups", "xmm")
    }
}

static void read_ymm(unsigned number, void *to)
{
    switch (number) {
        EACH(READ, "vmovups", "ymm")
    }
}

static void write_xmm(unsigned number, const void *from)
{
    switch (number) {
        EACH(WRITE, "movups", "xmm")
    }
}

static void write_ymm(unsigned number, const void *from)
{
    switch (number) {
        EACH(WRITE, "vmovups", "ymm")
    }
}

void read_vector_register(unsigned number, void *to, unsigned bytes)
{
    if (bytes == 32)
        read_ymm(number, to);
    else
        read_xmm(number, to);
}

void write_vector_register(unsigned number, const void *from, unsigned bytes)
{
    if (bytes == 32)
        write_ymm(number, from);
    else
        write_xmm(number, from);
}
