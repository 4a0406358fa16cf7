/*
 * Real mode: the kernel goes down to it, comes back, and compares.
 */
#include "hvm.h"

const char test_title[] = "real mode";
extern const char real_int[], real_exceptions[], real_far[], real_strings[], real_ports[], real_wide[], real_exits[],
    real_unreal[];

static uint16_t result(unsigned index)
{
    return ((volatile uint16_t *)low_address(LOW_RESULTS))[index];
}

static void strings(void)
{
    volatile char *bytes = low_address(LOW_RESULTS), *top = low_address(0xfffc), *bottom = low_address(0);
    char saved[4];
    for (unsigned i = 0; i < 4; i++)
        saved[i] = bottom[i];
    /* rep stosb has gone to the start of the segment: di = 4. scasb stopped 3 before the end; cmpsb ran to it. */
    CHECK_IS(4U << 16 | 3 << 8 | 0, low_run(REAL, real_strings));
    for (unsigned i = 0; i < 8; i++)
        CHECK_IS("abcdefgh"[i], bytes[i]);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_IS(0xa5, (uint8_t)top[i]);
        CHECK_IS(0xa5, (uint8_t)bottom[i]);
        bottom[i] = saved[i];
    }
}

static void exits(void)
{
    uint32_t leaf[4];
    cpuid(0, 0, leaf);
    uint32_t cr0 = low_run(REAL, real_exits);
    volatile uint32_t *words = low_address(LOW_RESULTS);
    CHECK_IS(leaf[1], words[0]);
    CHECK_IS(leaf[3], words[1]);
    CHECK_IS(leaf[2], words[2]);
    CHECK_IS((uint32_t)rdmsr(MSR_APIC_BASE), words[3]);
    CHECK_IS(0, cr0 & 0x80000001);
    CHECK_IS(cr0 & 0xffff, words[4] & 0xffff);
}

void test_main(void)
{
    CHECK_IS(0x1234 ^ 0x5555, low_run(REAL, real_int));
    CHECK_IS(0, result(0));     /* in the handler */
    CHECK_IS(0x200, result(1)); /* what it was called with */
    CHECK_IS(0x200, result(2)); /* after it */
    /* QEMU does not look at limits. */
    CHECK_IS(1 << 0 | 1 << 6 | !on_platform("tcg") << 13, low_run(REAL, real_exceptions));
    CHECK_IS(0, low_run(REAL, real_far));
    CHECK_IS(0x7f0, result(0));
    CHECK_IS(0x800, result(1));
    CHECK_IS(0x7e0, result(2));
    CHECK_IS(0x800, result(3));
    strings();
    CHECK_IS(0x1ffff - 0x100, low_run(REAL, real_ports) & 0x1ffff);
    CHECK_IS(0x12345678, low_run(REAL, real_wide));
    exits();
    *(volatile uint32_t *)0x400000 = 0xfeedbeef;
    CHECK_IS(0xfeedbeef, low_run(REAL, real_unreal));
}
