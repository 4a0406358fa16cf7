/*
 * Model-specific registers: those that keep what is written, those with checks, those that are not there.
 */
#include "hvm.h"

const char test_title[] = "model-specific registers";
#define GP        TRAPPED(TRAP_GP, 0)
#define NON_CANON 0x0000900000000000UL

static void keeps(uint32_t msr, uint64_t value)
{
    uint64_t before = 0, now = 0;
    CHECK_IS(0, try_rdmsr(msr, &before));
    uint64_t trapped = try_wrmsr(msr, value);
    try_rdmsr(msr, &now);
    if (trapped || now != value)
        failure("msr %x: writing %lx gives %lx, it reads as %lx", msr, value, trapped, now);
    CHECK_IS(0, try_wrmsr(msr, before));
}

static void refuses(uint32_t msr, uint64_t value)
{
    uint64_t before = 0, now = 0;
    CHECK_IS(0, try_rdmsr(msr, &before));
    if (try_wrmsr(msr, value) != GP)
        failure("msr %x takes %lx", msr, value);
    try_rdmsr(msr, &now);
    CHECK_IS(before, now);
}

static void bases(void)
{
    static uint64_t here = 0x5eed;
    uint64_t value, user = 0x123000;
    keeps(0xc0000102, 0xffff800000001000UL);
    wrmsr(0xc0000100, (uint64_t)&here);
    __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
    CHECK_IS(0x5eed, value);
    wrmsr(0xc0000100, 0);
    wrmsr(0xc0000101, 0x7000);
    wrmsr(0xc0000102, user);
    __asm__ volatile("swapgs" ::: "memory");
    CHECK_IS(user, rdmsr(0xc0000101));
    CHECK_IS(0x7000, rdmsr(0xc0000102));
    wrmsr(0xc0000101, 0);
}

void test_main(void)
{
    uint64_t value;
    static const uint32_t absent[] = {0x12345, 0xc0001234, 0xdeadbeef, 0x4b564d00};
    keeps(0xc0000081, 0x0023001000000000UL); /* STAR */
    keeps(0xc0000082, 0xffffffff80001234UL); /* LSTAR */
    keeps(0xc0000083, 0xffffffff80005678UL); /* CSTAR */
    keeps(0xc0000084, 0x47700);              /* SFMASK */
    keeps(0x174, 0x10);                      /* SYSENTER */
    keeps(0x175, 0x123456);
    keeps(0x176, 0x654321);
    keeps(0x277, 0x0007010600070106UL ^ 1); /* PAT */
    keeps(0x250, 0x0606060606060606UL);     /* a fixed MTRR */
    keeps(0x200, 0xf0000000UL);             /* a variable one */
    bases();
    if (!on_platform("tcg")) { /* QEMU does not check what the guest writes without an exit */
        refuses(0x277, 0x0207010600070106UL);
        refuses(0xc0000082, NON_CANON);
        refuses(0xc0000100, NON_CANON);
        refuses(0xc0000102, NON_CANON);
    }
    refuses(MSR_EFER, rdmsr(MSR_EFER) | 1UL << 40);
    refuses(MSR_EFER, rdmsr(MSR_EFER) & ~0x100UL); /* LME while paging is on */
    CHECK_IS(0xd01, rdmsr(MSR_EFER));
    CHECK_IS(0xfee00900, rdmsr(MSR_APIC_BASE));
    CHECK_IS(GP, try_rdmsr(MSR_X2APIC + 2, &value)); /* not in that mode */
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        CHECK_IS(GP, try_rdmsr(absent[i], &value));
        CHECK_IS(GP, try_wrmsr(absent[i], 0));
    }
    uint64_t before = rdtsc();
    CHECK(rdmsr(0x10) >= before);
    wrmsr(0x10, 0x1000000000000UL);
    CHECK(rdtsc() >= 0x1000000000000UL);
    CHECK(rdtsc() < 0x1100000000000UL);
}
