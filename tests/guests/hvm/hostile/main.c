/*
 * What no guest should do: registers and ports that are not there, random instructions. The guest gets
 * faults, or nothing; it and the machine go on.
 */
#include "hvm.h"

const char test_title[] = "hostile guest";
#define AREA (1UL << 39)

static void registers(void)
{
    static const uint32_t starts[] = {0,          0x400,      0xc00,      0x1000,    0x40000000,
                                      0xc0000000, 0xc0010000, 0xc0011000, 0xfffffff0};
    unsigned refused = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(starts); i++)
        for (uint32_t n = 0; n < 16; n++)
            refused += try_rdmsr(starts[i] + n * 7, NULL) != 0;
    CHECK(refused > 20);
    for (uint32_t n = 0x2000; n < 0x2040; n++)
        CHECK_IS(TRAPPED(TRAP_GP, 0), try_wrmsr(n, ~0UL));
}

/* Ports of chips that a PVH guest has not. */
static void ports(void)
{
    uint32_t value;
    for (unsigned port = 0; port < 0x10000; port += 251) {
        __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(port));
        if (port != 0xe9 && port != 0xb2)
            __asm__ volatile("outl %0, %w1" : : "a"(~0U), "d"(port));
    }
    __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(0xffff));
}

static unsigned faults;

static bool next(struct registers *regs)
{
    if (!(regs->cs & 3))
        return false;
    faults++;
    regs->rip = AREA + PAGE; /* what ends user mode */
    regs->cs = USER_CODE;
    regs->ss = USER_DATA;
    regs->rsp = AREA + 3 * PAGE - 64;
    regs->rflags = 2;
    return true;
}

static bool tick(struct registers *regs)
{
    apic_write(APIC_EOI, 0);
    return next(regs);
}

/* Random bytes in user mode; the kernel's memory is out of reach. A timer ends loops. */
static void instructions(void)
{
    uint64_t random = 88172645463325252UL;
    uint8_t *code = page_alloc();
    *entry_of(AREA) = (uint64_t)code | PTE_P | PTE_U;
    uint8_t *end = page_alloc();
    end[0] = 0xcd;
    end[1] = 0x7f;
    *entry_of(AREA + PAGE) = (uint64_t)end | PTE_P | PTE_U;
    *entry_of(AREA + 2 * PAGE) = (uint64_t)page_alloc() | PTE_P | PTE_W | PTE_U;
    root_table[0] &= ~PTE_U;
    for (unsigned v = 0; v < 20; v++)
        if (v != TRAP_DF && v != TRAP_NMI)
            trap_hooks[v] = next;
    trap_hooks[0xf0] = tick;
    apic_enable();
    apic_write(APIC_LVT_TIMER, 0xf0);
    apic_write(APIC_TIMER_DIVIDE, 0xb);
    for (unsigned round = 0; round < 400; round++) {
        for (unsigned i = 0; i < PAGE; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            code[i] = (uint8_t)(i < 64 ? random >> 11 : 0xf4); /* hlt, a fault there */
        }
        apic_write(APIC_TIMER_INITIAL, 3000000);
        user_run_at(AREA, AREA + 3 * PAGE - 64);
    }
    apic_write(APIC_LVT_TIMER, 0x100f0);
    root_table[0] |= PTE_U;
    CHECK(faults > 300);
}

void test_main(void)
{
    registers();
    ports();
    instructions();
}
