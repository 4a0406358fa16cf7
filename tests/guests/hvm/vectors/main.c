/*
 * Vector and x87 registers of two vcpus that take turns on processors: each finds its own.
 *
 * QEMU 7.2 does not leave the guest at XSETBV, so neither hypervisor there knows of the upper halves.
 */
#include "hvm.h"

const char test_title[] = "vector registers across vcpus";
enum { ROUNDS = 300 };
#define CR4_OSXSAVE (1UL << 18)

static volatile bool stop, wide;
static volatile unsigned changed[2], rounds[2];

/* Fills the registers, leaves the processor (a hypercall that yields, an exit), looks again. */
static void turn(unsigned who, uint64_t seed)
{
    uint64_t in[4] = {seed, ~seed, seed * 3, seed ^ 0x5a5a5a5a5a5a5a5aUL}, out[4] = {0};
    uint32_t regs[4];
    if (wide)
        __asm__ volatile("vmovdqu %0, %%ymm5\n\tvmovdqu %0, %%ymm15" : : "m"(in));
    else
        __asm__ volatile("movdqu %0, %%xmm5\n\tmovdqu %0, %%xmm15" : : "m"(in));
    __asm__ volatile("fninit\n\tfildll %0" : : "m"(in[0]));
    HYPERCALL(sched_op, SCHEDOP_yield, 0);
    cpuid(0, 0, regs);
    uint64_t number = 0;
    __asm__ volatile("fistpll %0" : "=m"(number));
    if (wide)
        __asm__ volatile("vmovdqu %%ymm15, %0" : "=m"(out));
    else
        __asm__ volatile("movdqu %%xmm15, %0" : "=m"(out));
    for (unsigned i = 0; i < (wide ? 4 : 2); i++)
        changed[who] += out[i] != in[i];
    changed[who] += number != in[0];
    rounds[who]++;
}

static void enable(void)
{
    uint32_t out[4];
    cpuid(1, 0, out);
    if (on_platform("tcg") || !(out[2] >> 28 & 1 && out[2] >> 26 & 1))
        return;
    WRITE_REGISTER("cr4", READ_REGISTER("cr4") | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "a"(7), "c"(0), "d"(0));
    wide = true;
}

static void second(void)
{
    enable();
    for (uint64_t seed = 0x1111; !stop; seed += 0x10001)
        turn(1, seed);
}

void test_main(void)
{
    apic_enable();
    enable();
    say("256 bits: %s", wide ? "yes" : "no");
    second_start(second);
    for (uint64_t seed = 0x777777; rounds[0] < ROUNDS || rounds[1] < 20; seed += 0x333) {
        turn(0, seed);
        if (rounds[0] > 1000 * ROUNDS)
            error("the second vcpu does not get on");
    }
    stop = true;
    CHECK_IS(0, changed[0]);
    CHECK_IS(0, changed[1]);
}
