/*
 * hvm/vmx/check.c against the manual: a VMCS that may be entered, and for each rule one that breaks it alone. Fields
 * and values are written out from Intel SDM volume 3, 26.2, 26.3 and appendix B.
 */
#include <setjmp.h>
#include "../../check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hv/cpu_features.h>

struct vcpu *fake_current;
struct cpu_user_regs fake_guest_regs;
uint64_t fake_cr2, fake_dr6, fake_vmcs[0x8000];
bool fake_irqs_on;
unsigned fake_nmis, fake_machine_checks;
struct vmx_capabilities vmx_capabilities;
struct cpu_features cpu_features = {.physical_address_bits = 40};

struct vcpu *vmcs_begin(struct vcpu *v)
{
    return v;
}
void vmcs_end(struct vcpu *v, struct vcpu *previous)
{
}

enum { ES, CS, SS, DS, FS, GS, LDTR, TR };
#define SELECTOR(s) (0x0800U + 2 * (s))
#define LIMIT(s)    (0x4800U + 2 * (s))
#define RIGHTS(s)   (0x4814U + 2 * (s))
#define BASE(s)     (0x6806U + 2 * (s))

static void segment(unsigned which, uint16_t selector, uint64_t base, uint32_t limit, uint32_t rights)
{
    fake_vmcs[SELECTOR(which)] = selector;
    fake_vmcs[BASE(which)] = base;
    fake_vmcs[LIMIT(which)] = limit;
    fake_vmcs[RIGHTS(which)] = rights;
}

static void controls_and_host(void)
{
    vmx_capabilities = (struct vmx_capabilities){.pin = 0x3f,
                                                 .processor = 0xb5986dfa,
                                                 .secondary = 0xea,
                                                 .exit = 0x2b6fff,
                                                 .entry = 0xd3ff,
                                                 .cr0_fixed0 = 0x80000021,
                                                 .cr0_fixed1 = 0xffffffff,
                                                 .cr4_fixed0 = 0x2000,
                                                 .cr4_fixed1 = 0x3727ff};
    fake_vmcs[0x4000] = 0x3f;
    fake_vmcs[0x4002] = 0xb5986dfa;
    fake_vmcs[0x401e] = 0xea;
    fake_vmcs[0x400c] = 0x2b6fff;
    fake_vmcs[0x4012] = 0xd3ff;
    fake_vmcs[0x0000] = 5;
    fake_vmcs[0x2004] = 0x7000;
    fake_vmcs[0x201a] = 0x1234501e;
    fake_vmcs[0x2800] = ~0UL;
    fake_vmcs[0x6c00] = 0x80050033;
    fake_vmcs[0x6c02] = 0x1000;
    fake_vmcs[0x6c04] = 0x3426e0;
    fake_vmcs[0x2c00] = 0x0007040600070406;
    fake_vmcs[0x2c02] = 0xd01;
    fake_vmcs[0x0c02] = 0x08;
    fake_vmcs[0x0c04] = 0x10;
    fake_vmcs[0x0c0c] = 0x40;
    fake_vmcs[0x6c16] = 0xffff810000200000;
}

/* A 64-bit kernel. */
static void long_mode(void)
{
    memset(fake_vmcs, 0, sizeof(fake_vmcs));
    controls_and_host();
    fake_vmcs[0x6800] = 0x80050033;
    fake_vmcs[0x6804] = 0x26f0;
    fake_vmcs[0x6802] = 0x3000;
    fake_vmcs[0x681a] = 0x400;
    fake_vmcs[0x2804] = 0x0007040600070406;
    fake_vmcs[0x2806] = 0xd01;
    fake_vmcs[0x681e] = 0xffffffff81000000;
    fake_vmcs[0x6820] = 0x202;
    segment(CS, 0x10, 0, 0xffffffff, 0xa09b);
    segment(SS, 0x18, 0, 0xffffffff, 0xc093);
    for (unsigned i = DS; i <= GS; i++)
        segment(i, 0x18, 0, 0xffffffff, 0xc093);
    segment(ES, 0, 0, 0, 0x10000);
    segment(LDTR, 0, 0, 0, 0x10000);
    segment(TR, 0x40, 0xffff888000001000, 0x67, 0x8b);
}

/* 32-bit code under PAE. */
static void pae_mode(void)
{
    long_mode();
    fake_vmcs[0x4012] = 0xd1ff;
    fake_vmcs[0x2806] = 0;
    fake_vmcs[0x681e] = 0x1000;
    segment(CS, 0x10, 0, 0xffffffff, 0xc09b);
    for (unsigned i = 0; i < 4; i++)
        fake_vmcs[0x280a + 2 * i] = 0x5001;
}

static void real_mode(void)
{
    pae_mode();
    fake_vmcs[0x6800] = 0x30;
    fake_vmcs[0x6804] = 0x2040;
    for (unsigned i = ES; i <= GS; i++)
        segment(i, 0xf000, 0xf0000, 0xffff, i == CS ? 0x9b : 0x93);
}

static void virtual_8086(void)
{
    pae_mode();
    fake_vmcs[0x6820] = 0x20202;
    for (unsigned i = ES; i <= GS; i++)
        segment(i, 0x1234, 0x12340, 0xffff, 0xf3);
}

static const struct {
    void (*mode)(void);
    const char *rule;
    struct {
        unsigned field;
        uint64_t value;
    } change[3];
} rows[] = {
    {long_mode, "26.2.1.1: pin-based controls", {{0x4000, 0x1f}}},
    {long_mode, "26.2.1.1: processor-based controls", {{0x4002, 0x35986dfa}}},
    {long_mode, "26.2.1.1: secondary controls", {{0x401e, 0}}},
    {long_mode, "26.2.1.1: CR3-target count", {{0x400a, 5}}},
    {long_mode, "26.2.1.1: address of the MSR bitmap", {{0x2004, 0x7010}}},
    {long_mode, "26.2.1.1: address of the MSR bitmap", {{0x2004, 0x10000007000}}},
    {long_mode, "26.2.1.1: VPID 0", {{0x0000, 0}}},
    {long_mode, "26.2.1.1: EPT pointer", {{0x201a, 0x12345018}}},
    {long_mode, "26.2.1.1: EPT pointer", {{0x201a, 0x1234509e}}},
    {long_mode, "26.2.1.1: EPT pointer", {{0x201a, 0x1000001234501e}}},
    {long_mode, "26.2.1.2: VM-exit controls", {{0x400c, 0x2b6dff}}},
    {long_mode, "26.2.1.2: lists of MSRs", {{0x400e, 1}}},
    {long_mode, "26.2.1.2: lists of MSRs", {{0x4010, 1}}},
    {long_mode, "26.2.1.3: VM-entry controls", {{0x4012, 0x13ff}}},
    {long_mode, "26.2.1.3: list of MSRs", {{0x4014, 1}}},
    {long_mode, "26.2.1.3: type of the event", {{0x4016, 0x80000120}}},
    {long_mode, "26.2.1.3: type of the event", {{0x4016, 0x80000700}}},
    {long_mode, "26.2.1.3: an NMI's vector", {{0x4016, 0x80000203}}},
    {long_mode, "26.2.1.3: an exception's vector", {{0x4016, 0x80000320}}},
    {long_mode, "26.2.1.3: the event's error code, or its lack", {{0x4016, 0x8000030d}}},
    {long_mode, "26.2.1.3: the event's error code, or its lack", {{0x4016, 0x80000b01}}},
    {long_mode, "26.2.1.3: the event's error code, or its lack", {{0x4016, 0x80000820}}},
    {real_mode, "26.2.1.3: the event's error code, or its lack", {{0x4016, 0x80000b0d}}},
    {long_mode, "26.2.1.3: reserved bits of the event", {{0x4016, 0x80001020}}},
    {long_mode, "26.2.1.3: bits of the error code", {{0x4016, 0x80000b0d}, {0x4018, 0x10000}}},
    {long_mode, "26.2.1.3: length of the instruction", {{0x4016, 0x80000480}, {0x401a, 0}}},
    {long_mode, "26.2.1.3: length of the instruction", {{0x4016, 0x80000603}, {0x401a, 16}}},
    {long_mode, "26.2.1.3: length of the instruction", {{0x4016, 0x80000501}, {0x401a, 0}}},
    {long_mode, "26.2.2: host CR0", {{0x6c00, 0x50033}}},
    {long_mode, "26.2.2: host CR4", {{0x6c04, 0x3406e0}}},
    {long_mode, "26.2.2: host CR4", {{0x6c04, 0x203426e0}}},
    {long_mode, "26.2.2: host CR3", {{0x6c02, 0x10000001000}}},
    {long_mode, "26.2.2: host SYSENTER", {{0x6c10, 0x800000000000}}},
    {long_mode, "26.2.2: host SYSENTER", {{0x6c12, 0x800000000000}}},
    {long_mode, "26.2.2: host PAT", {{0x2c00, 0x0007040600070402}}},
    {long_mode, "26.2.2: host EFER", {{0x2c02, 0x901}}},
    {long_mode, "26.2.2: host EFER", {{0x2c02, 0x1d01}}},
    {long_mode, "26.2.3: a host selector's level or table", {{0x0c00, 3}}},
    {long_mode, "26.2.3: a host selector's level or table", {{0x0c0c, 0x44}}},
    {long_mode, "26.2.3: host CS or TR is null", {{0x0c02, 0}}},
    {long_mode, "26.2.3: host CS or TR is null", {{0x0c0c, 0}}},
    {long_mode, "26.2.3: a host base", {{0x6c06, 0x800000000000}}},
    {long_mode, "26.2.3: a host base", {{0x6c0a, 0x800000000000}}},
    {long_mode, "26.2.3: a host base", {{0x6c0e, 0x800000000000}}},
    {long_mode, "26.2.4: host CR4.PAE", {{0x6c04, 0x3426c0}}},
    {long_mode, "26.2.4: host RIP", {{0x6c16, 0x800000000000}}},
    {long_mode, "26.3.1.1: CR0", {{0x6800, 0x80050013}}},
    {long_mode, "26.3.1.1: CR0", {{0x6800, 0x180050033}}},
    {pae_mode, "26.3.1.1: CR0.PG without PE", {{0x6800, 0x80000030}}},
    {long_mode, "26.3.1.1: CR4", {{0x6804, 0x6f0}}},
    {long_mode, "26.3.1.1: CR4", {{0x6804, 0x4026f0}}},
    {long_mode, "26.3.1.1: DEBUGCTL", {{0x2802, 1}}},
    {long_mode, "26.3.1.1: long mode without paging or PAE", {{0x6804, 0x26d0}}},
    {long_mode, "26.3.1.1: long mode without paging or PAE", {{0x6800, 0x50033}}},
    {pae_mode, "26.3.1.1: CR4.PCIDE outside of long mode", {{0x6804, 0x226f0}}},
    {long_mode, "26.3.1.1: CR3", {{0x6802, 0x10000003000}}},
    {long_mode, "26.3.1.1: DR7", {{0x681a, 0x100000400}}},
    {long_mode, "26.3.1.1: SYSENTER", {{0x6824, 0x800000000000}}},
    {long_mode, "26.3.1.1: SYSENTER", {{0x6826, 0x800000000000}}},
    {long_mode, "26.3.1.1: PAT", {{0x2804, 0x0307040600070406}}},
    {long_mode, "26.3.1.1: PAT", {{0x2804, 0x0008040600070406}}},
    {long_mode, "26.3.1.1: reserved bits of EFER", {{0x2806, 0x4d01}}},
    {long_mode, "26.3.1.1: EFER.LMA against the entry control", {{0x2806, 0x901}}},
    {pae_mode, "26.3.1.1: EFER.LMA against the entry control", {{0x2806, 0x400}}},
    {pae_mode, "26.3.1.1: EFER.LMA against LME", {{0x2806, 0x100}}},
    {long_mode, "26.3.1.1: EFER.LMA against LME", {{0x2806, 0xc01}}},
    {long_mode, "26.3.1.2: base of FS or GS", {{BASE(FS), 0x800000000000}}},
    {long_mode, "26.3.1.2: base of FS or GS", {{BASE(GS), 0x800000000000}}},
    {virtual_8086, "26.3.1.2: virtual-8086 base", {{BASE(DS), 0x12350}}},
    {virtual_8086, "26.3.1.2: virtual-8086 limit", {{LIMIT(SS), 0x1ffff}}},
    {virtual_8086, "26.3.1.2: virtual-8086 rights", {{RIGHTS(GS), 0x93}}},
    {long_mode, "26.3.1.2: type of CS", {{RIGHTS(CS), 0xa098}}},
    {long_mode, "26.3.1.2: CS is none, or not present", {{RIGHTS(CS), 0xa08b}}},
    {long_mode, "26.3.1.2: CS is none, or not present", {{RIGHTS(CS), 0xa01b}}},
    {long_mode, "26.3.1.2: CS is none, or not present", {{RIGHTS(CS), 0x1a09b}}},
    {real_mode, "26.3.1.2: level of CS that is data", {{RIGHTS(CS), 0xf3}}},
    {long_mode, "26.3.1.2: level of CS", {{RIGHTS(CS), 0xa0fb}}},
    {long_mode, "26.3.1.2: level of conforming CS", {{RIGHTS(CS), 0xa0ff}}},
    {long_mode, "26.3.1.2: CS with L and D", {{RIGHTS(CS), 0xe09b}}},
    {long_mode, "26.3.1.2: type of SS", {{RIGHTS(SS), 0xc091}}},
    {real_mode, "26.3.1.2: level of SS", {{RIGHTS(SS), 0xf3}, {RIGHTS(CS), 0xfb}}},
    {pae_mode, "26.3.1.2: level of SS", {{RIGHTS(SS), 0xc0f3}, {RIGHTS(CS), 0xc093}}},
    {long_mode, "26.3.1.2: a data segment not accessed", {{RIGHTS(DS), 0xc092}}},
    {long_mode, "26.3.1.2: a data segment that cannot be read", {{RIGHTS(DS), 0xc099}}},
    {long_mode, "26.3.1.2: base above 4 GiB", {{BASE(DS), 0x100000000}}},
    {long_mode, "26.3.1.2: base above 4 GiB", {{BASE(CS), 0x100000000}}},
    {long_mode, "26.3.1.2: a segment is none, or not present", {{RIGHTS(DS), 0xc083}}},
    {long_mode, "26.3.1.2: a segment is none, or not present", {{RIGHTS(GS), 0xc013}}},
    {long_mode, "26.3.1.2: reserved bits of rights", {{RIGHTS(DS), 0xc193}}},
    {long_mode, "26.3.1.2: reserved bits of rights", {{RIGHTS(CS), 0x2a09b}}},
    {long_mode, "26.3.1.2: granularity against limit", {{LIMIT(DS), 0xfffff000}}},
    {long_mode, "26.3.1.2: granularity against limit", {{RIGHTS(DS), 0x4093}}},
    {long_mode, "26.3.1.2: TR in the LDT", {{SELECTOR(TR), 0x44}}},
    {long_mode, "26.3.1.2: base of TR", {{BASE(TR), 0x800000000000}}},
    {long_mode, "26.3.1.2: type of TR", {{RIGHTS(TR), 0x83}}},
    {pae_mode, "26.3.1.2: type of TR", {{RIGHTS(TR), 0x89}}},
    {long_mode, "26.3.1.2: TR is none", {{RIGHTS(TR), 0x9b}}},
    {long_mode, "26.3.1.2: TR is none", {{RIGHTS(TR), 0x0b}}},
    {long_mode, "26.3.1.2: TR is none", {{RIGHTS(TR), 0x1008b}}},
    {long_mode, "26.3.1.2: rights of TR", {{RIGHTS(TR), 0x18b}}},
    {long_mode, "26.3.1.2: rights of TR", {{RIGHTS(TR), 0x808b}}},
    {long_mode, "26.3.1.2: LDTR in the LDT", {{RIGHTS(LDTR), 0x82}, {SELECTOR(LDTR), 4}}},
    {long_mode, "26.3.1.2: base of LDTR", {{RIGHTS(LDTR), 0x82}, {BASE(LDTR), 0x800000000000}}},
    {long_mode, "26.3.1.2: type of LDTR", {{RIGHTS(LDTR), 0x8b}}},
    {long_mode, "26.3.1.2: rights of LDTR", {{RIGHTS(LDTR), 0x182}}},
    {long_mode, "26.3.1.3: base of GDTR or IDTR", {{0x6816, 0x800000000000}}},
    {long_mode, "26.3.1.3: base of GDTR or IDTR", {{0x6818, 0x800000000000}}},
    {long_mode, "26.3.1.3: limit of GDTR or IDTR", {{0x4810, 0x10000}}},
    {long_mode, "26.3.1.3: limit of GDTR or IDTR", {{0x4812, 0x10000}}},
    {long_mode, "26.3.1.4: RIP", {{0x681e, 0x00ff000000000000}}},
    {long_mode, "26.3.1.4: RIP", {{0x681e, 0x1000000000}, {RIGHTS(CS), 0xc09b}}},
    {pae_mode, "26.3.1.4: RIP", {{0x681e, 0x100001000}}},
    {long_mode, "26.3.1.4: reserved bits of RFLAGS", {{0x6820, 0x200}}},
    {long_mode, "26.3.1.4: reserved bits of RFLAGS", {{0x6820, 0x400202}}},
    {long_mode, "26.3.1.4: reserved bits of RFLAGS", {{0x6820, 0x20a}}},
    {long_mode, "26.3.1.4: an interrupt while RFLAGS.IF is 0", {{0x6820, 2}, {0x4016, 0x80000020}}},
    {long_mode, "26.3.1.5: activity state", {{0x4826, 1}}},
    {long_mode, "26.3.1.5: bits of the interruptibility state", {{0x4824, 4}}},
    {long_mode, "26.3.1.5: bits of the interruptibility state", {{0x4824, 0x20}}},
    {long_mode, "26.3.1.5: blocking by STI and by MOV SS", {{0x4824, 3}}},
    {long_mode, "26.3.1.5: blocking by STI while RFLAGS.IF is 0", {{0x4824, 1}, {0x6820, 2}}},
    {long_mode, "26.3.1.5: an interrupt that is blocked", {{0x4824, 1}, {0x4016, 0x80000020}}},
    {long_mode, "26.3.1.5: an interrupt that is blocked", {{0x4824, 2}, {0x4016, 0x80000020}}},
    {long_mode, "26.3.1.5: an NMI that is blocked", {{0x4824, 2}, {0x4016, 0x80000202}}},
    {long_mode, "26.3.1.5: an NMI that is blocked", {{0x4824, 8}, {0x4016, 0x80000202}}},
    {long_mode, "26.3.1.5: reserved bits of the pending debug exceptions", {{0x6822, 0x10}}},
    {long_mode, "26.3.1.5: reserved bits of the pending debug exceptions", {{0x6822, 0x20000}}},
    {long_mode, "26.3.1.5: pending single step against RFLAGS.TF", {{0x4824, 2}, {0x6820, 0x302}}},
    {long_mode, "26.3.1.5: pending single step against RFLAGS.TF", {{0x4824, 1}, {0x6822, 0x4000}}},
    {long_mode, "26.3.1.5: a pending debug exception in a transaction", {{0x6822, 0x10000}}},
    {long_mode, "26.3.1.5: link pointer", {{0x2800, 0}}},
    {pae_mode, "26.3.1.6: a page-directory pointer", {{0x280e, 0x5003}}},
    {pae_mode, "26.3.1.6: a page-directory pointer", {{0x2810, 0x10000005001}}},
};

static void expect(unsigned row)
{
    const char *broken;
    rows[row].mode();
    CHECK(!vmx_broken_rule());
    for (unsigned i = 0; i < ARRAY_SIZE(rows[row].change); i++)
        if (rows[row].change[i].field || !i)
            fake_vmcs[rows[row].change[i].field] = rows[row].change[i].value;
    broken = vmx_broken_rule();
    CHECK(broken && !strcmp(broken, rows[row].rule), "row %u: expected \"%s\", found \"%s\"", row, rows[row].rule,
          broken ? broken : "nothing");
}

/* VM86 needs protected mode and none of long mode: other rules would speak first, so the two are set up apart. */
static void expect_virtual_8086_rules(void)
{
    long_mode();
    fake_vmcs[0x681e] = 0x1000;
    fake_vmcs[0x6820] = 0x20202;
    for (unsigned i = ES; i <= GS; i++)
        segment(i, 0x1234, 0x12340, 0xffff, 0xf3);
    CHECK(!strcmp(vmx_broken_rule(), "26.3.1.4: RFLAGS.VM"));
    real_mode();
    fake_vmcs[0x6820] = 0x20202;
    for (unsigned i = ES; i <= GS; i++)
        segment(i, 0x1234, 0x12340, 0xffff, 0xf3);
    CHECK(!strcmp(vmx_broken_rule(), "26.3.1.4: RFLAGS.VM"));
}

/* What is right and looks odd. */
static void expect_none(void)
{
    long_mode();
    fake_vmcs[0x681e] = 0x0000800000000000; /* behind the last instruction below the hole */
    CHECK(!vmx_broken_rule());
    fake_vmcs[0x4016] = 0x80000b0e;
    fake_vmcs[0x4018] = 0xffff;
    CHECK(!vmx_broken_rule());
    long_mode();
    fake_vmcs[0x4002] = 0xb5986dfa ^ 0x00c01004; /* windows, RDTSC and DR exits come and go */
    CHECK(!vmx_broken_rule());
    fake_vmcs[0x4824] = 2;
    fake_vmcs[0x6820] = 0x302;
    fake_vmcs[0x6822] = 0x4000;
    CHECK(!vmx_broken_rule());
    real_mode();
    segment(CS, 0xf000, 0xffff0000, 0xffff, 0x93); /* CS as data */
    CHECK(!vmx_broken_rule());
    fake_vmcs[0x4016] = 0x8000030d;
    CHECK(!vmx_broken_rule());
    virtual_8086();
    CHECK(!vmx_broken_rule());
    pae_mode();
    segment(TR, 0x40, 0, 0x2b, 0x83);
    segment(LDTR, 0x48, 0, 0xff, 0x82);
    fake_vmcs[0x2810] = 0xfffffffffffffffe; /* not present */
    CHECK(!vmx_broken_rule());
}

int main(void)
{
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++)
        expect(row);
    expect_virtual_8086_rules();
    expect_none();
    return 0;
}
