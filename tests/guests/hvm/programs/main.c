/*
 * What a program of ring 3 may do to itself and not to its guest: far jumps to nowhere whose pointer the hypervisor
 * reads, and debug traps in the shadow of MOV SS or STI.
 */
#include "hvm.h"

const char test_title[] = "programs that jump and trap oddly";

#define HOLE        0xd0000000UL /* reads as ones, and is the hypervisor's to read */
#define AREA        (1UL << 39)
#define USER_CODE32 (FREE_SELECTOR | 3)
#define RFLAGS_TF   0x100UL
#define USER_STACK  (AREA + 4 * PAGE - 64)

static uint8_t *pointer, *code;
static unsigned faults, traps;
static struct registers fault;

/* Ends the program: the last instruction of its code page is int $0x7f. */
static bool faulted(struct registers *regs)
{
    fault = *regs;
    faults++;
    regs->rip = AREA + 2 * PAGE;
    regs->cs = USER_CODE;
    regs->ss = USER_DATA;
    regs->rsp = USER_STACK;
    regs->rflags = 2;
    return true;
}

static bool debugged(struct registers *regs)
{
    traps++;
    regs->rflags &= ~RFLAGS_TF;
    return true;
}

static void map(void)
{
    pointer = page_alloc();
    code = page_alloc();
    *entry_of(AREA) = HOLE | PTE_P | PTE_W | PTE_U;
    *entry_of(AREA + PAGE) = (uint64_t)pointer | PTE_P | PTE_W | PTE_U;
    *entry_of(AREA + 2 * PAGE) = (uint64_t)code | PTE_P | PTE_U;
    *entry_of(AREA + 3 * PAGE) = (uint64_t)page_alloc() | PTE_P | PTE_W | PTE_U;
    code[0] = code[0xff] = 0xcd; /* int $0x7f: at the start, and where a jump arrives */
    code[1] = code[0x100] = 0x7f;
}

/* rex.w ljmp *(AREA + PAGE - 1): the first byte of the pointer comes from the hole. */
static void jump(uint64_t target, uint16_t selector)
{
    uint8_t *at = code + 16;
    *at++ = 0x48;
    *at++ = 0xb8; /* movabs to rax */
    for (unsigned i = 0; i < 8; i++)
        *at++ = (uint8_t)((AREA + PAGE - 1) >> 8 * i);
    *at++ = 0x48;
    *at++ = 0xff;
    *at++ = 0x28;
    for (unsigned i = 0; i < 7; i++)
        pointer[i] = (uint8_t)(target >> 8 * (i + 1));
    pointer[7] = (uint8_t)selector;
    pointer[8] = (uint8_t)(selector >> 8);
    faults = 0;
    user_run_at(AREA + 2 * PAGE + 16, USER_STACK);
}

static void far_jumps(void)
{
    jump(AREA + 2 * PAGE + 0xff, USER_CODE);
    CHECK_IS(0, faults);
    jump(0x00f00000000000ffUL, USER_CODE);
    CHECK_IS(1, faults);
    CHECK_IS(TRAP_GP, fault.vector);
    CHECK_IS(AREA + 2 * PAGE + 26, fault.rip);
    jump(0x00000012000000ffUL, USER_CODE32);
    CHECK_IS(1, faults);
    CHECK_IS(TRAP_GP, fault.vector);
    CHECK_IS(0, fault.error_code);
    CHECK_IS(USER_CODE, fault.cs);
}

/* Ring 3: TF on, MOV SS, INT1 in its shadow. */
static void trap_behind_mov_ss(uint64_t argument)
{
    __asm__ volatile(
        "mov %%ss, %%eax\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tmov %%eax, %%ss\n\t.byte 0xf1\n\tnop\n\tnop" ::
            : "rax", "memory", "cc");
}

static void trap_behind_sti(void)
{
    __asm__ volatile("cli\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tsti\n\t.byte 0xf1\n\tnop\n\tcli" ::
                         : "memory", "cc");
}

void test_main(void)
{
    gdt[FREE_SELECTOR / 8] = 0x00cffb000000ffffUL; /* 32-bit code of ring 3 */
    map();
    trap_hooks[TRAP_GP] = faulted;
    far_jumps();
    if (on_platform("tcg")) /* QEMU 7.2 has no INT1 */
        return;
    trap_hooks[TRAP_DB] = debugged;
    user_run(trap_behind_mov_ss, 0);
    CHECK(traps > 0);
    traps = 0;
    trap_behind_sti();
    CHECK(traps > 0);
}
