/*
 * What VT-x says about an exit against what the neutral code is told, event and segment forms both ways. The numbers
 * are written out from the manual's tables here, not taken from the code under test.
 */
#include <setjmp.h>
#include "../../check.h"
#include "../../random.h"
#include <stdio.h>
#include <stdlib.h>

#include <hv/hvm_exit.h>
#include <hv/traps.h>

struct vcpu *fake_current;
struct cpu_user_regs fake_guest_regs;
uint64_t fake_cr2, fake_dr6, fake_vmcs[0x8000];
bool fake_irqs_on;
unsigned fake_nmis, fake_machine_checks;
struct vmx_capabilities vmx_capabilities;

static struct domain domain;
static struct hvm_domain hvm_domain;
static struct hvm_vcpu hvm;
static struct vmx_vcpu vmx;
static struct vcpu vcpu = {.domain = &domain, .hvm = &hvm};
static struct hvm_exit seen;
static unsigned handled, crashes, debug_loads;

void hvm_handle_exit(struct vcpu *v, struct cpu_user_regs *regs, const struct hvm_exit *e)
{
    CHECK(v == &vcpu && regs == &fake_guest_regs && fake_irqs_on);
    seen = *e;
    handled++;
}
void domain_crash(struct domain *d, const char *format, ...)
{
    CHECK(d == &domain);
    crashes++;
}
struct vcpu *vmcs_begin(struct vcpu *v)
{
    return v;
}
void vmcs_end(struct vcpu *v, struct vcpu *previous)
{
}
void vmx_flush_before_entry(struct vcpu *v)
{
}
void vmx_sync(struct vcpu *v)
{
    v->hvm->cr3 = fake_vmcs[0x6802];
}
void vmx_load_debug_registers(struct vcpu *v)
{
    debug_loads++;
}
static const char *broken;
static unsigned checks;
const char *vmx_broken_rule(void)
{
    checks++;
    return broken;
}

static void begin(void)
{
    memset(fake_vmcs, 0, sizeof(fake_vmcs));
    memset(&seen, 0, sizeof(seen));
    hvm = (struct hvm_vcpu){.vendor = &vmx, .cr0 = 0x80000033};
    vmx = (struct vmx_vcpu){0};
    domain.hvm = &hvm_domain;
    fake_current = &vcpu;
    fake_irqs_on = false;
    fake_guest_regs = (struct cpu_user_regs){0};
    handled = crashes = debug_loads = 0;
}

static void leave(unsigned reason, uint64_t qualification, unsigned length)
{
    fake_vmcs[0x4402] = reason;
    fake_vmcs[0x6400] = qualification;
    fake_vmcs[0x440c] = length;
    vmx_exit();
    CHECK(fake_irqs_on);
}

static void test_registers(void)
{
    begin();
    fake_vmcs[0x681e] = 0x1111;
    fake_vmcs[0x681c] = 0x2222;
    fake_vmcs[0x6820] = 0x202;
    fake_vmcs[0x6802] = 0x3000;
    fake_cr2 = 0x4444;
    leave(10, 0, 2);
    CHECK(handled == 1 && seen.reason == EXIT_CPUID && seen.length == 2 && seen.code == 10);
    CHECK(fake_guest_regs.rip == 0x1111 && fake_guest_regs.rsp == 0x2222 && fake_guest_regs.rflags == 0x202);
    CHECK(hvm.cr3 == 0x3000 && hvm.cr2 == 0x4444 && vmx.launched);
    fake_guest_regs.rip = 0x1113;
    fake_guest_regs.rflags = 0;
    hvm.cr2 = 0x5555;
    CHECK(vmx_prepare_entry() == VMX_RESUME);
    CHECK(fake_vmcs[0x681e] == 0x1113 && fake_vmcs[0x6820] == 2 && fake_cr2 == 0x5555);
}

static void test_plain_reasons(void)
{
    static const struct {
        unsigned code, reason;
        bool write;
    } expected[] = {
        {2, EXIT_SHUTDOWN, false},
        {12, EXIT_HLT, false},
        {13, EXIT_INVD, false},
        {15, EXIT_RDPMC, false},
        {18, EXIT_HYPERCALL, false},
        {19, EXIT_VIRTUALISATION, false},
        {27, EXIT_VIRTUALISATION, false},
        {31, EXIT_MSR, false},
        {32, EXIT_MSR, true},
        {36, EXIT_MONITOR, false},
        {39, EXIT_MONITOR, false},
        {40, EXIT_PAUSE, false},
        {51, EXIT_RDTSC, true},
        {54, EXIT_INVD, false},
        {55, EXIT_XSETBV, false},
        {49, EXIT_UNKNOWN, false},
        {3, EXIT_UNKNOWN, false},
        {44, EXIT_UNKNOWN, false},
        {500, EXIT_UNKNOWN, false},
        {7, EXIT_INTERRUPT_WINDOW, false},
        {8, EXIT_INTERRUPT_WINDOW, false},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
        begin();
        leave(expected[i].code, 0, 3);
        CHECK(handled == 1 && seen.reason == expected[i].reason && seen.write == expected[i].write);
    }
}

static void test_interrupt(void)
{
    begin();
    leave(1, 0, 0);
    CHECK(handled == 0); /* enabling interrupts has taken it */
    begin();
    fake_vmcs[0x4408] = 0x80000000U | 0x31; /* while vector 0x31 was being delivered */
    leave(1, 0, 0);
    CHECK(handled == 1 && seen.reason == EXIT_NOTHING && seen.interrupted.valid && seen.interrupted.vector == 0x31 &&
          seen.interrupted.kind == HVM_EVENT_EXTERNAL);
}

static void test_windows(void)
{
    begin();
    vmx_want_window(&vcpu, false);
    vmx_want_window(&vcpu, true);
    CHECK(fake_vmcs[0x4002] == 0x00400004);
    leave(7, 0, 0);
    CHECK(fake_vmcs[0x4002] == 0x00400000);
    leave(8, 0, 0);
    CHECK(fake_vmcs[0x4002] == 0);
}

static void test_control_registers(void)
{
    begin();
    leave(28, 0x0904, 4); /* mov r9, cr4 */
    CHECK(seen.reason == EXIT_CR_WRITE && seen.write && seen.cr == 4 && seen.reg == 9 && seen.length == 4);
    leave(28, 0x0318, 3); /* mov cr8, rbx as a read */
    CHECK(seen.reason == EXIT_CR_READ && !seen.write && seen.cr == 8 && seen.reg == 3);
    hvm.cr0 = 0x8000003b;
    leave(28, 0x20, 2); /* clts */
    CHECK(seen.reason == EXIT_CR_WRITE && seen.cr == 0 && seen.reg == 0xff && seen.value == 0x80000033);
    hvm.cr0 = 0x10;
    leave(28, 0xfff30030, 3); /* lmsw 0xfff3: only four bits of it count */
    CHECK(seen.cr == 0 && seen.reg == 0xff && seen.value == 0x13);
    hvm.cr0 = 0x1b;
    leave(28, 0x00000030, 3); /* lmsw 0: PE stays */
    CHECK(seen.value == 0x11);
}

static void test_ports(void)
{
    begin();
    leave(30, 0x03f80009, 2); /* in ax, dx */
    CHECK(seen.reason == EXIT_PORT && seen.port.port == 0x3f8 && seen.port.bytes == 2 && seen.port.in &&
          !seen.port.string && !seen.write);
    leave(30, 0xffff0033, 3); /* rep outsd */
    CHECK(seen.port.port == 0xffff && seen.port.bytes == 4 && !seen.port.in && seen.port.string && seen.write);
    leave(30, 0x00600018, 1); /* insb */
    CHECK(seen.port.bytes == 1 && seen.port.in && seen.port.string);
}

static void test_nested_faults(void)
{
    begin();
    fake_vmcs[0x2400] = 0xfee000b0;
    leave(48, 0x182, 0); /* write, nothing mapped, final translation of a linear address */
    CHECK(seen.reason == EXIT_NESTED_FAULT && seen.fault.gpa == 0xfee000b0 && seen.fault.write && !seen.fault.read &&
          !seen.fault.fetch && !seen.fault.present && !seen.fault.in_walk && seen.length == 0);
    leave(48, 0x0a9, 0); /* read of a page table that may be read and executed */
    CHECK(seen.fault.read && seen.fault.present && seen.fault.in_walk);
    leave(48, 0x004, 0); /* a fetch without a linear address */
    CHECK(seen.fault.fetch && !seen.fault.in_walk);
    fake_vmcs[0x4824] = 0;
    leave(48, 0x1181, 0); /* of an IRET that had unblocked NMIs */
    CHECK(fake_vmcs[0x4824] == 8);
}

static void test_task_switch(void)
{
    begin();
    leave(9, 0x80000028, 5); /* jmp */
    CHECK(seen.reason == EXIT_TASK_SWITCH && seen.task.selector == 0x28 && seen.task.reason == 2 && seen.length == 5);
    fake_vmcs[0x4408] = 0x80000b08; /* #DF through a task gate */
    fake_vmcs[0x440a] = 0;
    leave(9, 0xc0000030, 7);
    CHECK(seen.task.reason == 3 && seen.task.has_error_code && seen.length == 0 && seen.interrupted.valid);
    fake_vmcs[0x4408] = 0x80000480; /* int 0x80 through one */
    leave(9, 0xc0000030, 2);
    CHECK(seen.task.reason == 3 && !seen.task.has_error_code && seen.length == 2);
}

static void test_exceptions(void)
{
    begin();
    hvm.dr6 = 0xffff0ff1;
    fake_vmcs[0x4404] = 0x80000301;
    leave(0, 0x4000, 0); /* single step */
    CHECK(seen.reason == EXIT_EXCEPTION && seen.event.vector == 1 && seen.event.kind == HVM_EVENT_EXCEPTION &&
          !seen.event.length && hvm.dr6 == 0xffff4ff0);
    fake_vmcs[0x4404] = 0x80000b11;
    fake_vmcs[0x4406] = 0;
    leave(0, 0, 0); /* #AC */
    CHECK(seen.event.vector == 17 && seen.event.has_error_code);
    fake_vmcs[0x4404] = 0x80000501;
    leave(0, 0, 1); /* INT1 */
    CHECK(seen.event.vector == 1 && seen.event.kind == HVM_EVENT_EXCEPTION && seen.event.length == 1);
    leave(29, 0, 3);
    CHECK(debug_loads == 1 && seen.reason == EXIT_NOTHING);
}

/* An event cut short is told as it must be injected again; one of the guest's own instruction is not. */
static void test_interrupted(void)
{
    begin();
    fake_cr2 = 0x7008;
    fake_vmcs[0x4408] = 0x80000b0e;
    fake_vmcs[0x440a] = 2;
    leave(48, 0x182, 0);
    CHECK(seen.interrupted.valid && seen.interrupted.vector == 14 && seen.interrupted.has_error_code &&
          seen.interrupted.error_code == 2 && seen.interrupted.cr2 == 0x7008);
    vmx_inject(&vcpu, &seen.interrupted);
    CHECK(fake_vmcs[0x4016] == 0x80000b0e && fake_vmcs[0x4018] == 2 && hvm.cr2 == 0x7008);
    fake_vmcs[0x4408] = 0x80000603; /* INT3 */
    leave(48, 0x182, 1);
    CHECK(!seen.interrupted.valid);
    fake_vmcs[0x4408] = 0x80000202; /* NMI */
    leave(48, 0x182, 1);
    CHECK(seen.interrupted.valid && seen.interrupted.kind == HVM_EVENT_NMI);
    fake_vmcs[0x4824] = 8; /* its delivery had begun */
    vmx_inject(&vcpu, &seen.interrupted);
    CHECK(fake_vmcs[0x4016] == 0x80000202 && fake_vmcs[0x4824] == 0);
}

static void test_injection(void)
{
    begin();
    vmx_inject(&vcpu, &(struct hvm_event){.valid = true, .vector = 0xf3, .kind = HVM_EVENT_EXTERNAL});
    CHECK(fake_vmcs[0x4016] == 0x800000f3);
    vmx_inject(&vcpu, &(struct hvm_event){.valid = true, .vector = 3, .kind = HVM_EVENT_EXCEPTION, .length = 1});
    CHECK(fake_vmcs[0x4016] == 0x80000603 && fake_vmcs[0x401a] == 1);
    vmx_inject(&vcpu, &(struct hvm_event){.valid = true, .vector = 0x80, .kind = HVM_EVENT_SOFTWARE, .length = 2});
    CHECK(fake_vmcs[0x4016] == 0x80000480 && fake_vmcs[0x401a] == 2);
    struct hvm_event gp = {.valid = true, .vector = 13, .kind = HVM_EVENT_EXCEPTION, .has_error_code = true};
    vmx_inject(&vcpu, &gp);
    CHECK(fake_vmcs[0x4016] == 0x80000b0d);
    hvm.cr0 = 0x10; /* real mode */
    vmx_inject(&vcpu, &gp);
    CHECK(fake_vmcs[0x4016] == 0x8000030d);
}

static void test_blocking(void)
{
    begin();
    CHECK(!vmx_can_interrupt(&vcpu, false) && vmx_can_interrupt(&vcpu, true));
    fake_guest_regs.rflags = 0x202;
    CHECK(vmx_can_interrupt(&vcpu, false));
    vmx_set_shadow(&vcpu, 1);
    CHECK(fake_vmcs[0x4824] == 1 && vmx_get_shadow(&vcpu) == 1 && !vmx_can_interrupt(&vcpu, false));
    vmx_set_shadow(&vcpu, 3);
    CHECK(fake_vmcs[0x4824] == 2);
    fake_vmcs[0x4824] = 8 | 2;
    vmx_set_shadow(&vcpu, 0);
    CHECK(fake_vmcs[0x4824] == 8 && vmx_can_interrupt(&vcpu, false) && !vmx_can_interrupt(&vcpu, true));
}

/* SDM volume 3, 26.3.1.5: with blocking by STI or MOV SS a single step is pending if and only if TF is set. */
static bool single_step_agrees(void)
{
    bool shadow = fake_vmcs[0x4824] & 3, tf = fake_vmcs[0x6820] & 0x100, step = fake_vmcs[0x6822] & 0x4000;
    return !shadow || tf == step;
}

/* A #DB of a program that has TF set, behind MOV SS or STI: the exit has taken the pending step away. */
static void test_debug_in_shadow(void)
{
    static const struct {
        uint32_t shadow, event;
        unsigned length;
    } cases[] = {{2, 0x80000501, 1}, {1, 0x80000301, 0}, {2, 0x80000301, 0}, {1, 0x80000501, 1}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        begin();
        fake_vmcs[0x4824] = cases[i].shadow;
        fake_vmcs[0x6820] = 0x302;
        fake_vmcs[0x4404] = cases[i].event;
        leave(0, 0x4000, cases[i].length);
        vmx_inject(&vcpu, &seen.event);
        CHECK(vmx_prepare_entry() == VMX_RESUME && single_step_agrees());
        CHECK((fake_vmcs[0x4824] & 3) == 0 && (fake_vmcs[0x4016] & 0x800000ff) == 0x80000001);
    }
}

/* The same without an event: whoever changes TF or the shadow. */
static void test_settled_single_step(void)
{
    for (unsigned shadow = 0; shadow < 3; shadow++)
        for (unsigned n = 0; n < 4; n++) {
            begin();
            fake_guest_regs.rflags = 0x202 | (n & 1 ? 0x100 : 0);
            fake_vmcs[0x6822] = n & 2 ? 0x4001 : 1;
            vmx_set_shadow(&vcpu, shadow);
            vmx_prepare_entry();
            CHECK(single_step_agrees() && fake_vmcs[0x6822] & 1);
            CHECK(shadow || fake_vmcs[0x6822] == (n & 2 ? 0x4001 : 1U));
        }
}

/* Checked is what we changed, and nothing of what a guest does all the time. */
static void test_when_checked(void)
{
    begin();
    fake_vmcs[0x681e] = 0x1000;
    fake_vmcs[0x6820] = 0x202;
    leave(10, 0, 2);
    vmx.changed = false;
    checks = 0;
    fake_guest_regs.rip += 2; /* an instruction skipped */
    fake_guest_regs.rflags |= 0x8d5;
    vmx_inject(&vcpu, &(struct hvm_event){.valid = true, .vector = 0xf3, .kind = HVM_EVENT_EXTERNAL});
    CHECK(vmx_prepare_entry() == VMX_RESUME && checks == 0);
    fake_guest_regs.rip = 0x1010;
    CHECK(vmx_prepare_entry() == VMX_RESUME && checks == 1);
    fake_guest_regs.rip = 0xfff;
    CHECK(vmx_prepare_entry() == VMX_RESUME && checks == 2);
    fake_guest_regs.rip = 0x1000;
    fake_guest_regs.rflags = 2;
    CHECK(vmx_prepare_entry() == VMX_RESUME && checks == 3);
    fake_guest_regs.rflags = 0x202;
    CHECK(vmx_prepare_entry() == VMX_RESUME && checks == 3);
    vmx_set_segment(&vcpu, SEG_DS, &(struct hvm_segment_register){0});
    CHECK(vmx_prepare_entry() == VMX_RESUME && checks == 4);
    vmx_set_shadow(&vcpu, 1);
    CHECK(vmx_prepare_entry() == VMX_RESUME && checks == 5);
    vmx_set_shadow(&vcpu, 1);
    CHECK(vmx_prepare_entry() == VMX_RESUME && checks == 5);
    vmx_inject(&vcpu, &(struct hvm_event){.valid = true, .vector = 13, .kind = HVM_EVENT_EXCEPTION});
    CHECK(vmx_prepare_entry() == VMX_RESUME && checks == 6 && !crashes);
}

/* A state that no processor enters ends its guest, and nothing else. */
static void test_broken_rule(void)
{
    begin();
    vmx.changed = true;
    broken = "a rule";
    CHECK(vmx_prepare_entry() == VMX_NO_ENTRY && crashes == 1 && fake_irqs_on);
    broken = NULL;
    CHECK(vmx_prepare_entry() == VMX_LAUNCH && crashes == 1);
}

static void set(enum hvm_segment which, uint16_t selector, uint64_t base, uint32_t limit, uint16_t attributes)
{
    struct hvm_segment_register s = {.base = base, .limit = limit, .selector = selector, .attributes = attributes};
    vmx_set_segment(&vcpu, which, &s);
}

static void test_segments(void)
{
    struct hvm_segment_register s;
    begin();
    set(SEG_CS, 0x10, 0, 0xffffffff, 0xa9b); /* 64-bit code */
    CHECK(fake_vmcs[0x0802] == 0x10 && fake_vmcs[0x4802] == 0xffffffff && fake_vmcs[0x4816] == 0xa09b);
    vmx_get_segment(&vcpu, SEG_CS, &s);
    CHECK(s.selector == 0x10 && s.limit == 0xffffffff && s.attributes == 0xa9b);
    set(SEG_SS, 0, 0, 0, 0x060); /* null, ring 3 */
    CHECK(fake_vmcs[0x4818] == 0x10060 && vmx_cpl(&vcpu) == 3);
    vmx_get_segment(&vcpu, SEG_SS, &s);
    CHECK(s.attributes == 0x060);
    set(SEG_DS, 8, 0, 0xfffff000, 0x493); /* pages without G, accessed or not */
    CHECK(fake_vmcs[0x481a] == 0xc093 && fake_vmcs[0x4806] == 0xffffffff);
    set(SEG_ES, 8, 0, 0x12345, 0xc92);
    CHECK(fake_vmcs[0x4814] == 0x4093 && fake_vmcs[0x4800] == 0x12345);
    set(SEG_TR, 0x44, 0xffff800000001000, 0x67, 0x089); /* not busy, TI set */
    CHECK(fake_vmcs[0x080e] == 0x40 && fake_vmcs[0x4822] == 0x008b && fake_vmcs[0x6814] == 0xffff800000001000);
    set(SEG_LDTR, 0, 0, 0, 0);
    CHECK(fake_vmcs[0x4820] == 0x10000);
    set(SEG_GS, 0, 0x0000900000000000, 0, 0); /* not canonical */
    CHECK(fake_vmcs[0x6810] == 0xffff900000000000);
    set(SEG_IDTR, 0, 0x1000, 0x12345, 0);
    CHECK(fake_vmcs[0x6818] == 0x1000 && fake_vmcs[0x4812] == 0x2345);
    vmx_get_segment(&vcpu, SEG_IDTR, &s);
    CHECK(s.base == 0x1000 && s.limit == 0x2345);
}

static void test_refusals(void)
{
    begin();
    leave(0x80000021, 0, 0);
    CHECK(crashes == 1 && handled == 0 && !vmx.launched);
    begin();
    vmx_entry_refused();
    CHECK(crashes == 1 && fake_irqs_on);
}

/* NMIs and machine checks are the host's, and no guest ends for them; also where one cuts an entry short. */
static void test_host_events(void)
{
    begin();
    fake_vmcs[0x4404] = 0x80000202;
    leave(0, 0, 0);
    CHECK(fake_nmis == 1 && seen.reason == EXIT_NOTHING);
    fake_vmcs[0x4404] = 0x80000312;
    leave(0, 0, 0);
    CHECK(fake_machine_checks == 1 && seen.reason == EXIT_NOTHING);
    begin();
    fake_vmcs[0x4016] = 0x80000b0e;
    leave(0x80000029, 0, 0);
    CHECK(fake_machine_checks == 2 && !crashes && !handled && fake_vmcs[0x4016] == 0x80000b0e);
}

/* Whatever the guest ran and the processor says of it: a record that hvm/exit.c can index its tables with. Exceptions
 * and interrupts are apart: some of them are the machine's own. */
static void test_random_exits(void)
{
    static const uint8_t widths[] = {0, 1, 3};
    for (unsigned round = 0; round < 500000; round++) {
        begin();
        unsigned reason = round % 8 ? 2 + random_below(68) : random_below(0x10000);
        if (reason < 2 || reason == 41) /* exceptions, interrupts, machine check at entry */
            continue;
        uint64_t qualification = random64();
        if (reason == 30)
            qualification = (qualification & ~7UL) | widths[round % 3];
        fake_vmcs[0x6402] = random64(); /* addresses */
        fake_vmcs[0x640a] = random64();
        fake_vmcs[0x2400] = random64();
        fake_vmcs[0x440e] = (uint32_t)random64();                       /* instruction information */
        fake_vmcs[0x4408] = random_below(2) ? (uint32_t)random64() : 0; /* what was being delivered */
        fake_vmcs[0x440a] = (uint32_t)random64();
        fake_vmcs[0x4816] = random64() & 0x1f0ff;
        leave(reason, qualification, random_below(16));
        CHECK(handled == 1 && !crashes);
        CHECK(seen.reason < EXIT_COUNT && seen.length <= 15 && seen.code == reason);
        CHECK(seen.reason != EXIT_PORT || seen.port.bytes == 1 || seen.port.bytes == 2 || seen.port.bytes == 4);
        CHECK((seen.reason != EXIT_CR_READ && seen.reason != EXIT_CR_WRITE) || seen.reg < 16 || seen.reg == 0xff);
        CHECK(seen.reason != EXIT_TASK_SWITCH || seen.task.reason <= 3);
        CHECK(seen.reason != EXIT_MACHINE_CHECK);
        CHECK(!seen.interrupted.valid || seen.interrupted.kind != HVM_EVENT_SOFTWARE || reason == 9);
    }
}

int main(void)
{
    test_random_exits();
    test_registers();
    test_plain_reasons();
    test_interrupt();
    test_windows();
    test_control_registers();
    test_ports();
    test_nested_faults();
    test_task_switch();
    test_exceptions();
    test_interrupted();
    test_injection();
    test_blocking();
    test_debug_in_shadow();
    test_settled_single_step();
    test_when_checked();
    test_broken_rule();
    test_segments();
    test_refusals();
    test_host_events();
    return 0;
}
