/*
 * Debug registers and single step.
 */
#include "hvm.h"

const char test_title[] = "debug registers and single step";

enum { DR7_L0 = 1, DR7_GD = 0x2000, DR7_WRITE = 1 << 16, DR7_READ = 3 << 16, DR7_FOUR = 3 << 18, DR7_FIXED = 0x400 };
enum { DR6_B0 = 1, DR6_BD = 0x2000, DR6_BS = 0x4000, DR6_FIXED = 0xffff0ff0 };
#define CR4_DE    8UL
#define RFLAGS_TF 0x100UL
#define RFLAGS_RF 0x10000UL

static uint64_t stops[16], statuses[16];
static unsigned count;

static bool stopped(struct registers *regs)
{
    stops[count & 15] = regs->rip;
    statuses[count & 15] = READ_REGISTER("dr6");
    count++;
    WRITE_REGISTER("dr6", DR6_FIXED);
    regs->rflags |= RFLAGS_RF;
    if (!(regs->rflags & RFLAGS_TF) && statuses[(count - 1) & 15] & DR6_BD)
        WRITE_REGISTER("dr7", DR7_FIXED);
    return true;
}

static void registers(void)
{
    for (unsigned i = 0; i < 3; i++) {
        uint64_t value = 0x123456789000UL + i;
        WRITE_REGISTER("dr0", value);
        WRITE_REGISTER("dr3", ~value);
        CHECK_IS(value, READ_REGISTER("dr0"));
        CHECK_IS(~value, READ_REGISTER("dr3"));
    }
    CHECK_IS(DR6_FIXED, READ_REGISTER("dr6"));
    CHECK_IS(DR7_FIXED, READ_REGISTER("dr7"));
    CHECK_IS(0, TRY("mov %%db4, %%rcx", NO_OUT, "c"(0)));
    uint64_t cr4 = READ_REGISTER("cr4");
    WRITE_REGISTER("cr4", cr4 | CR4_DE);
    CHECK_IS(TRAPPED(TRAP_UD, 0), TRY("mov %%db4, %%rcx", NO_OUT, "c"(0)));
    WRITE_REGISTER("cr4", cr4);
    CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("mov %1, %%db7", NO_OUT, "r"(1UL << 40)));
}

static void breakpoint(void)
{
    uint64_t at;
    count = 0;
    __asm__ volatile("lea 1f(%%rip), %0\n\tmov %0, %%db0\n\tmov %1, %%db7\n\tnop\n1:\tnop\n\tnop\n\tmov %2, %%db7"
                     : "=&r"(at)
                     : "r"((uint64_t)(DR7_L0 | DR7_FIXED)), "r"((uint64_t)DR7_FIXED)
                     : "memory");
    CHECK_IS(1, count);
    CHECK_IS(at, stops[0]);
    CHECK_IS(DR6_FIXED | DR6_B0, statuses[0]);
}

static void watchpoint(void)
{
    static volatile uint32_t watched;
    uint64_t after;
    count = 0;
    WRITE_REGISTER("dr0", &watched);
    WRITE_REGISTER("dr7", DR7_L0 | DR7_WRITE | DR7_FOUR | DR7_FIXED);
    (void)watched;
    __asm__ volatile("lea 1f(%%rip), %0\n\tmovl $5, %1\n1:\tnop" : "=&r"(after), "=m"(watched));
    WRITE_REGISTER("dr7", DR7_FIXED);
    CHECK_IS(1, count);
    CHECK_IS(after, stops[0]);
    CHECK_IS(DR6_FIXED | DR6_B0, statuses[0]);
    count = 0;
    WRITE_REGISTER("dr7", DR7_L0 | DR7_READ | DR7_FOUR | DR7_FIXED);
    (void)watched;
    WRITE_REGISTER("dr7", DR7_FIXED);
    CHECK_IS(1, count);
}

/* A stop after each instruction, also after those that the hypervisor serves. */
static void single_step(void)
{
    uint64_t at[4];
    count = 0;
    __asm__ volatile("lea 1f(%%rip), %%rcx\n\tmov %%rcx, %0\n\tlea 2f(%%rip), %%rcx\n\tmov %%rcx, %1\n\t"
                     "lea 3f(%%rip), %%rcx\n\tmov %%rcx, %2\n\tlea 4f(%%rip), %%rcx\n\tmov %%rcx, %3\n\t"
                     "mov $0x1b, %%ecx\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop\n1:\trdmsr\n2:\t"
                     "xor %%eax, %%eax\n3:\tcpuid\n4:\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tnop"
                     : "=m"(at[0]), "=m"(at[1]), "=m"(at[2]), "=m"(at[3])
                     :
                     : "rax", "rbx", "rcx", "rdx", "memory", "cc");
    CHECK_IS(7, count); /* nop, rdmsr, xor, cpuid, pushf, and, popf */
    for (unsigned i = 0; i < 4; i++) {
        CHECK_IS(at[i], stops[i]);
        CHECK_IS(DR6_FIXED | DR6_BS, statuses[i]);
    }
}

/* Reading a debug register stops, once. */
static void general_detect(void)
{
    uint64_t at;
    count = 0;
    WRITE_REGISTER("dr7", DR7_FIXED | DR7_GD);
    __asm__ volatile("lea 1f(%%rip), %0\n1:\tmov %%db0, %%rcx" : "=&r"(at)::"rcx", "memory");
    CHECK_IS(1, count);
    CHECK_IS(at, stops[0]);
    CHECK_IS(DR6_FIXED | DR6_BD, statuses[0]);
    WRITE_REGISTER("dr7", DR7_FIXED);
}

void test_main(void)
{
    trap_hooks[TRAP_DB] = stopped;
    say("registers");
    registers();
    say("breakpoint");
    breakpoint();
    say("watchpoint");
    watchpoint();
    say("single step");
    single_step();
    if (!on_platform("tcg")) { /* QEMU does not know DR7.GD */
        say("general detect");
        general_detect();
    }
}
