/*
 * Random bytes run with all rights, in long mode or in real mode (option "case", a mode and the seed's digit). The
 * guest may do to itself what it likes; tests/rig/scenarios/hvm_guests.py looks whether anything else suffers.
 */
#include "hvm.h"

const char test_title[] = "wild";
enum { ROUNDS = 300, BYTES = 64 };
extern const char wild_return[], wild_code[];
static uint64_t seed;

static uint8_t random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint8_t)(seed >> 20);
}

static uint64_t saved_stack;
static bool next(struct registers *regs)
{
    regs->rip = regs->r15;
    regs->rsp = saved_stack;
    regs->cs = CODE64;
    regs->ss = DATA;
    regs->rflags = 2;
    return true;
}

/* Each fault leads back, as long as the code leaves its tables alone. */
static void long_mode(void)
{
    uint8_t *code = page_alloc();
    for (unsigned vector = 0; vector < 32; vector++)
        trap_hooks[vector] = next;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < PAGE; i++)
            code[i] = i < BYTES ? random() : 0xcc;
        __asm__ volatile("push %%rbp\n\tpush %%rbx\n\tmov %%rsp, %0\n\tlea 1f(%%rip), %%r15\n\tjmp *%1\n1:\n\t"
                         "mov %0, %%rsp\n\tpop %%rbx\n\tpop %%rbp"
                         : "=m"(saved_stack)
                         : "r"(code)
                         : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                           "memory", "cc");
    }
}

static void real_mode(void)
{
    volatile uint8_t *code = low_address((unsigned)(uint64_t)wild_code);
    volatile uint32_t *vectors = NULL;
    __asm__("" : "+r"(vectors)); /* address 0 it is */
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 256; i++)
            vectors[i] = (uint32_t)LOW_BASE << 12 | (uint16_t)(uint64_t)wild_return;
        for (unsigned i = 0; i < BYTES; i++)
            code[i] = random();
        low_run(REAL, wild_code);
    }
}

void test_main(void)
{
    const char *way = option("case");
    bool real = way[0] == 'r';
    seed = 88172645463325252UL * (uint64_t)(way[5] + 1);
    if (real)
        real_mode();
    else
        long_mode();
}
