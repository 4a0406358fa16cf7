/*
 * hvm/svm/check.c against the manual: a control block that VMRUN takes, and for each rule one that breaks it alone.
 * Values are written out from AMD APM volume 2, 15.5.1 and 15.20.
 */
#include <hv/svm.h>
#include "machine.h"

static struct vmcb b;

/* A 64-bit kernel. */
static void long_mode(void)
{
    b = (struct vmcb){.intercept_2 = 1,
                      .asid = 1,
                      .msr_map = 0x8000,
                      .io_map = 0x10000,
                      .nested_root = 0x1000,
                      .efer = 0x1d01,
                      .cr0 = 0x80050033,
                      .cr3 = 0x3000,
                      .cr4 = 0x6f0,
                      .dr6 = 0xffff0ff0,
                      .dr7 = 0x400,
                      .pat = 0x0007040600070406};
    b.cs.attributes = 0xa9b;
}

/* The change breaks this rule and no other. */
#define BREAKS(rule, ...)                                                                                              \
    do {                                                                                                               \
        long_mode();                                                                                                   \
        CHECK(!svm_broken_rule(&b));                                                                                   \
        __VA_ARGS__;                                                                                                   \
        CHECK(svm_broken_rule(&b) && !strcmp(svm_broken_rule(&b), rule));                                              \
    } while (0)

static void test_registers(void)
{
    BREAKS("15.5.1: EFER.SVME", b.efer = 0xd01);
    BREAKS("15.5.1: CR0.NW without CD", b.cr0 |= 0x20000000);
    BREAKS("15.5.1: CR0 above bit 31", b.cr0 |= 1UL << 32);
    BREAKS("15.5.1: reserved bits of CR3", b.cr3 |= 1UL << 52);
    BREAKS("15.5.1: reserved bits of CR4", b.cr4 |= 1UL << 15);
    BREAKS("15.5.1: reserved bits of CR4", b.cr4 |= 1UL << 32);
    BREAKS("15.5.1: DR6 above bit 31", b.dr6 |= 1UL << 32);
    BREAKS("15.5.1: DR7 above bit 31", b.dr7 |= 1UL << 63);
    BREAKS("15.5.1: reserved bits of EFER", b.efer |= 2);
    BREAKS("15.5.1: reserved bits of EFER", b.efer |= 1UL << 32);
    BREAKS("15.25.3: PAT", b.pat = 0x0007040600070402);
    BREAKS("15.25.3: PAT", b.pat = 0x0807040600070406);
    BREAKS("15.5.1: long mode without PAE", b.cr4 &= ~0x20UL);
    BREAKS("15.5.1: long mode without protection", b.cr0 &= ~1UL);
    BREAKS("15.5.1: CS with L and D", b.cs.attributes = 0xe9b);
}

static void test_controls(void)
{
    BREAKS("15.5.1: VMRUN is not intercepted", b.intercept_2 = 0);
    BREAKS("15.5.1: ASID 0", b.asid = 0);
    BREAKS("15.5.1: address of the MSR map", b.msr_map = (1UL << 40) - 0x1000);
    BREAKS("15.5.1: address of the I/O map", b.io_map = (1UL << 40) - 0x1000);
    BREAKS("15.25.3: nested root", b.nested_root = 1UL << 40);
}

static void test_events(void)
{
    BREAKS("15.20: type of the event", b.event_injection = 0x80000120);
    BREAKS("15.20: type of the event", b.event_injection = 0x80000503);
    BREAKS("15.20: an exception's vector", b.event_injection = 0x80000302);
    BREAKS("15.20: an exception's vector", b.event_injection = 0x80000320);
    BREAKS("15.20: reserved bits of the event", b.event_injection = 0x80001020);
    BREAKS("15.20: an error code for an event that has none", b.event_injection = 0x80000b03);
    BREAKS("15.20: an error code for an event that has none", b.event_injection = 0x80000820);
    static const uint64_t right[] = {0, 0x320, 0x80000020, 0x80000202, 0x80000b0e | 7UL << 32, 0x80000480, 0x80000303};
    for (unsigned i = 0; i < ARRAY_SIZE(right); i++) {
        long_mode();
        b.event_injection = right[i];
        CHECK(!svm_broken_rule(&b) && !svm_broken_event(&b));
    }
}

/* Real mode, protected mode, caches off: as odd as they are, VMRUN takes them. */
static void test_other_modes(void)
{
    long_mode();
    b.efer = 0x1000;
    b.cr0 = 0x60000010;
    b.cr4 = 0;
    b.cs.attributes = 0x9b;
    CHECK(!svm_broken_rule(&b));
    b.cr0 = 0x80000011;
    b.cs.attributes = 0xe9b; /* L means nothing outside of long mode */
    CHECK(!svm_broken_rule(&b));
    b.efer = 0x1100;
    b.cr0 = 0x11; /* long mode enabled, not active */
    CHECK(!svm_broken_rule(&b));
}

int main(void)
{
    machine_reset();
    test_registers();
    test_controls();
    test_events();
    test_other_modes();
    return 0;
}
