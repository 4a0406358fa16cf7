/* The local APIC: priorities, EOI, destinations, start-up, the timer's modes, both register interfaces. */
#include "rig.h"

#define BASE 0xfee00000ULL
#define V(n) (rig_domain.vcpu[n])

static void enable(unsigned vcpu)
{
    write32(vcpu, BASE + APIC_SPURIOUS, 0x1ff);
    V(vcpu)->offline = false;
}

static void enable_x2apic(unsigned vcpu)
{
    wrmsr_(vcpu, MSR_APIC_BASE, rdmsr_(vcpu, MSR_APIC_BASE) | 0x400);
    wrmsr_(vcpu, 0x80f, 0x1ff);
    V(vcpu)->offline = false;
}

static void test_registers_after_reset(void)
{
    rig_start(2, XEN_X86_EMU_LAPIC);
    EXPECT(read32(0, BASE + APIC_ID), 0);
    EXPECT(read32(1, BASE + APIC_ID), 2 << 24);
    EXPECT(read32(0, BASE + APIC_VERSION), 0x50014);
    EXPECT(read32(0, BASE + APIC_SPURIOUS), 0xff);
    EXPECT(read32(0, BASE + APIC_LVT_LINT0), 0x10000);
    EXPECT(read32(0, BASE + APIC_DESTINATION), 0xffffffff);
    EXPECT(rdmsr_(0, MSR_APIC_BASE), 0xfee00900);
    EXPECT(rdmsr_(1, MSR_APIC_BASE), 0xfee00800);
    CHECK(!vlapic_set_irq(V(0), 0x40, false), "a disabled APIC takes nothing");
    EXPECT(take(0), -1);
    rig_stop();
}

static void test_priorities(void)
{
    rig_start(1, XEN_X86_EMU_LAPIC);
    enable(0);
    vlapic_set_irq(V(0), 0x31, false);
    vlapic_set_irq(V(0), 0x52, false);
    vlapic_set_irq(V(0), 0x52, false); /* merges */
    EXPECT(read32(0, BASE + APIC_REQUEST + 0x10), 1 << 0x11);
    EXPECT(take(0), 0x52);
    EXPECT(read32(0, BASE + APIC_IN_SERVICE + 0x20), 1 << 0x12);
    EXPECT(take(0), -1); /* 0x31 is below what is in service */
    vlapic_set_irq(V(0), 0x5f, false);
    EXPECT(take(0), -1); /* same class */
    vlapic_set_irq(V(0), 0xe0, false);
    EXPECT(take(0), 0xe0);
    EXPECT(vlapic_of(V(0))->ppr, 0xe0);
    write32(0, BASE + APIC_EOI, 0);
    EXPECT(vlapic_of(V(0))->ppr, 0x50);
    write32(0, BASE + APIC_EOI, 0);
    EXPECT(take(0), 0x5f);
    write32(0, BASE + APIC_EOI, 0);
    write32(0, BASE + APIC_TASK_PRIORITY, 0x35);
    EXPECT(read32(0, BASE + APIC_TASK_PRIORITY + 0x20), 0x35);
    EXPECT(take(0), -1);
    write32(0, BASE + APIC_TASK_PRIORITY, 0x2f);
    EXPECT(take(0), 0x31);
    write32(0, BASE + APIC_EOI, 0);
    write32(0, BASE + APIC_EOI, 0); /* one too many does nothing */
    EXPECT(vlapic_of(V(0))->ppr, 0x2f);
    vlapic_set_irq(V(0), 0x05, false);
    EXPECT(take(0), -1);
    write32(0, BASE + APIC_ERROR, 0);
    EXPECT(read32(0, BASE + APIC_ERROR), APIC_ERROR_RECEIVE_VECTOR);
    rig_stop();
}

/* A halted vcpu is woken only by what can interrupt it. */
static void test_kicks(void)
{
    rig_start(1, XEN_X86_EMU_LAPIC);
    enable(0);
    write32(0, BASE + APIC_TASK_PRIORITY, 0x40);
    vlapic_set_irq(V(0), 0x41, false);
    EXPECT(rig_kicks[0], 0);
    vlapic_set_irq(V(0), 0x51, false);
    EXPECT(rig_kicks[0], 1);
    vlapic_set_irq(V(0), 0x51, false);
    EXPECT(rig_kicks[0], 1);
    rig_stop();
}

static void test_x2apic(void)
{
    uint64_t value;

    rig_start(4, XEN_X86_EMU_LAPIC);
    CHECK(!vlapic_rdmsr(V(0), 0x802, &value), "no x2APIC registers in xAPIC mode");
    for (unsigned i = 0; i < 4; i++)
        enable_x2apic(i);
    CHECK(!memory_access(0, BASE, 4, false, &value), "no page in x2APIC mode");
    EXPECT(rdmsr_(3, 0x802), 6);
    EXPECT(rdmsr_(3, 0x80d), 1 << 6);
    CHECK(!vlapic_wrmsr(V(0), 0x802, 1), "id is read-only");
    CHECK(!vlapic_wrmsr(V(0), 0x80b, 1), "EOI takes 0 only");
    CHECK(!vlapic_rdmsr(V(0), 0x80e, &value), "no destination format");
    CHECK(!vlapic_rdmsr(V(0), 0x831, &value), "no second command register");
    CHECK(!vlapic_wrmsr(V(0), MSR_APIC_BASE, 0xfee00900), "not back to xAPIC");
    CHECK(!vlapic_wrmsr(V(0), MSR_APIC_BASE, 0xfee00500), "not without enable");
    wrmsr_(0, 0x830, 4ULL << 32 | 0x61); /* physical */
    EXPECT(take(2), 0x61);
    wrmsr_(2, 0x80b, 0);
    wrmsr_(0, 0x830, 0x44ULL << 32 | 0x862); /* logical: vcpus 1 and 3 */
    EXPECT(take(0), -1);
    EXPECT(take(1), 0x62);
    EXPECT(take(2), -1);
    EXPECT(take(3), 0x62);
    wrmsr_(1, 0x80b, 0);
    wrmsr_(3, 0x80b, 0);
    wrmsr_(1, 0x83f, 0x70);
    EXPECT(take(1), 0x70);
    wrmsr_(1, 0x80b, 0);
    wrmsr_(0, 0x830, 0xffffffffULL << 32 | 0x63); /* broadcast */
    for (unsigned i = 0; i < 4; i++)
        EXPECT(take(i), 0x63);
    wrmsr_(0, 0x808, 0x30);
    wrmsr_(0, MSR_APIC_BASE, 0xfee00100); /* off: everything is forgotten */
    EXPECT(vlapic_x2apic(V(0)), false);
    CHECK(!vlapic_wrmsr(V(0), MSR_APIC_BASE, 0xfee00d00), "disabled cannot become x2APIC at once");
    wrmsr_(0, MSR_APIC_BASE, 0xfee00900);
    EXPECT(read32(0, BASE + APIC_SPURIOUS), 0xff);
    EXPECT(read32(0, BASE + APIC_TASK_PRIORITY), 0);
    rig_x2apic_hidden = true;
    CHECK(!vlapic_wrmsr(V(0), MSR_APIC_BASE, 0xfee00d00), "not offered");
    CHECK(vlapic_wrmsr(V(1), MSR_APIC_BASE, rdmsr_(1, MSR_APIC_BASE)), "who is in it already may stay");
    rig_x2apic_hidden = false;
    wrmsr_(0, MSR_APIC_BASE, 0xfee00d00);
    rig_stop();
}

static void test_destinations(void)
{
    rig_start(4, XEN_X86_EMU_LAPIC);
    for (unsigned i = 0; i < 4; i++) {
        enable(i);
        write32(i, BASE + APIC_LOGICAL_ID, 1U << (24 + i));
    }
    EXPECT(vlapic_deliver(&rig_domain, 0x0a, true, APIC_FIXED, 0x41, false), 0); /* flat: 1 and 3 */
    EXPECT(take(0), -1);
    EXPECT(take(1), 0x41);
    EXPECT(take(2), -1);
    EXPECT(take(3), 0x41);
    for (unsigned i = 0; i < 4; i++) {
        write32(i, BASE + APIC_DESTINATION, 0x0fffffff);
        write32(i, BASE + APIC_LOGICAL_ID, (i / 2) << 28 | 1U << (24 + i % 2));
    }
    EXPECT(vlapic_match(V(0), 0x01, true), true); /* cluster 0, first */
    EXPECT(vlapic_match(V(2), 0x01, true), false);
    EXPECT(vlapic_match(V(2), 0x13, true), true);
    EXPECT(vlapic_match(V(3), 0x13, true), true);
    EXPECT(vlapic_match(V(3), 0xff, true), true);
    EXPECT(vlapic_match(V(1), 2, false), true);
    EXPECT(vlapic_match(V(1), 1, false), false);
    EXPECT(vlapic_deliver(&rig_domain, 1, false, APIC_FIXED, 0x41, false), -EINVAL);
    EXPECT(vlapic_deliver(&rig_domain, 200, false, APIC_FIXED, 0x41, false), -EINVAL);
    write32(0, BASE + APIC_COMMAND, 0xc0000 | 0x44); /* all but self */
    EXPECT(take(0), -1);
    EXPECT(take(2), 0x44);
    write32(0, BASE + APIC_COMMAND, 0x40000 | 0x45); /* self */
    EXPECT(take(0), 0x45);
    write32(0, BASE + APIC_COMMAND, 0x05); /* illegal vector */
    write32(0, BASE + APIC_ERROR, 0);
    EXPECT(read32(0, BASE + APIC_ERROR), APIC_ERROR_SEND_VECTOR);
    rig_stop();
}

static void test_lowest_priority(void)
{
    unsigned got[3] = {0};

    rig_start(3, XEN_X86_EMU_LAPIC);
    for (unsigned i = 0; i < 3; i++) {
        enable(i);
        write32(i, BASE + APIC_LOGICAL_ID, 1U << (24 + i));
    }
    write32(1, BASE + APIC_TASK_PRIORITY, 0x20);
    for (unsigned i = 0; i < 8; i++) {
        EXPECT(vlapic_deliver(&rig_domain, 7, true, APIC_LOWEST, 0x91, false), 0);
        for (unsigned j = 0; j < 3; j++)
            if (take(j) == 0x91) {
                got[j]++;
                write32(j, BASE + APIC_EOI, 0);
            }
    }
    EXPECT(got[0], 4);
    EXPECT(got[1], 0);
    EXPECT(got[2], 4);
    rig_stop();
}

static void test_messages(void)
{
    rig_start(2, XEN_X86_EMU_LAPIC);
    enable(0);
    EXPECT(hvm_msi(&rig_domain, 0xfee00000, 0x4055), 0);
    EXPECT(take(0), 0x55);
    EXPECT(hvm_msi(&rig_domain, 0xfee01000, 0x55), -EINVAL); /* no such processor */
    EXPECT(hvm_msi(&rig_domain, 0xfed00000, 0x55), -EINVAL);
    EXPECT(hvm_msi(&rig_domain, 0xfee00000, 0x400), 0);
    EXPECT(V(0)->nmi_pending, true);
    EXPECT(take(0), -1); /* not to be mistaken for an interrupt */
    EXPECT(V(0)->nmi_pending, true);
    V(0)->nmi_pending = false;
    rig_stop();
}

static void test_startup(void)
{
    rig_start(2, XEN_X86_EMU_LAPIC);
    enable(0);
    EXPECT(vlapic_take_startup(V(1)), true);
    write32(0, BASE + APIC_COMMAND_HIGH, 2 << 24);
    write32(0, BASE + APIC_COMMAND, 0x4500); /* INIT to one that never ran */
    write32(0, BASE + APIC_COMMAND, 0x8500); /* de-assert */
    EXPECT(V(1)->offline, true);
    write32(0, BASE + APIC_COMMAND, 0x4609);
    EXPECT(V(1)->offline, false);
    write32(0, BASE + APIC_COMMAND, 0x4610); /* the second one is not heard */
    EXPECT(vlapic_take_startup(V(1)), true);
    EXPECT(rig_resets[1], 1);
    EXPECT(rig_startups[1], 1);
    EXPECT(rig_startup_page[1], 9);
    EXPECT(vlapic_take_startup(V(1)), true);
    write32(0, BASE + APIC_COMMAND, 0x4611); /* nor when it runs */
    EXPECT(vlapic_take_startup(V(1)), true);
    EXPECT(rig_startups[1], 1);
    enable(1);
    write32(0, BASE + APIC_COMMAND, 0x4500); /* INIT to one that runs: it stops itself */
    EXPECT(vlapic_take_startup(V(1)), false);
    EXPECT(V(1)->offline, true);
    EXPECT(vlapic_enabled(V(1)), false);
    EXPECT(rig_resets[1], 2);
    write32(0, BASE + APIC_COMMAND, 0x4612);
    EXPECT(vlapic_take_startup(V(1)), true);
    EXPECT(rig_startup_page[1], 0x12);
    EXPECT(vlapic_wait_for_startup(V(1)), true); /* cli; hlt */
    write32(0, BASE + APIC_COMMAND, 0x4617);     /* a start-up message alone does not wake it */
    EXPECT(V(1)->offline, true);
    EXPECT(rig_startups[1], 2);
    write32(0, BASE + APIC_COMMAND, 0x4500);
    write32(0, BASE + APIC_COMMAND, 0x4613);
    EXPECT(vlapic_take_startup(V(1)), true);
    write32(0, BASE + APIC_COMMAND, 0x4500);
    write32(0, BASE + APIC_COMMAND, 0x4614); /* while it is on its way to halt */
    EXPECT(vlapic_wait_for_startup(V(1)), false);
    EXPECT(V(1)->offline, false);
    EXPECT(vlapic_take_startup(V(1)), true);
    EXPECT(rig_startup_page[1], 0x14);
    rig_stop();
}

static void test_timer_one_shot(void)
{
    rig_start(1, XEN_X86_EMU_LAPIC);
    enable(0);
    write32(0, BASE + APIC_TIMER_DIVIDE, 0xb); /* by 1: 10 ns */
    write32(0, BASE + APIC_LVT_TIMER, 0x40);
    write32(0, BASE + APIC_TIMER_INITIAL, 100000); /* 1 ms */
    rig_run(MS / 4);
    EXPECT(read32(0, BASE + APIC_TIMER_CURRENT), 75000);
    EXPECT(take(0), -1);
    rig_run(MS * 3 / 4 - 1);
    EXPECT(take(0), -1);
    rig_run(1);
    EXPECT(read32(0, BASE + APIC_TIMER_CURRENT), 0);
    EXPECT(take(0), 0x40);
    write32(0, BASE + APIC_EOI, 0);
    rig_run(10 * MS);
    EXPECT(take(0), -1);
    write32(0, BASE + APIC_TIMER_INITIAL, 100000);
    write32(0, BASE + APIC_TIMER_INITIAL, 0); /* stopped */
    rig_run(10 * MS);
    EXPECT(take(0), -1);
    write32(0, BASE + APIC_TIMER_DIVIDE, 0x3); /* by 16 */
    write32(0, BASE + APIC_LVT_TIMER, 0x10040);
    write32(0, BASE + APIC_TIMER_INITIAL, 100000);
    rig_run(15 * MS);
    write32(0, BASE + APIC_LVT_TIMER, 0x41); /* unmasked in time */
    rig_run(MS);
    EXPECT(take(0), 0x41);
    rig_stop();
}

static void test_timer_periodic(void)
{
    rig_start(1, XEN_X86_EMU_LAPIC);
    enable(0);
    write32(0, BASE + APIC_TIMER_DIVIDE, 0xb);
    write32(0, BASE + APIC_LVT_TIMER, 0x20040);
    write32(0, BASE + APIC_TIMER_INITIAL, 100000); /* every ms */
    for (unsigned i = 0; i < 5; i++) {
        rig_run(MS);
        EXPECT(take(0), 0x40);
        write32(0, BASE + APIC_EOI, 0);
        EXPECT(take(0), -1);
    }
    rig_run(10 * MS + MS / 2); /* ten missed: one comes */
    EXPECT(take(0), 0x40);
    write32(0, BASE + APIC_EOI, 0);
    EXPECT(take(0), -1);
    EXPECT(read32(0, BASE + APIC_TIMER_CURRENT), 50000); /* the phase is kept */
    rig_run(MS / 2);
    EXPECT(take(0), 0x40);
    rig_timer_limit = 4; /* and nobody who does not serve them costs us timers */
    write32(0, BASE + APIC_TIMER_INITIAL, 1);
    rig_run(100 * MS);
    rig_timer_limit = 1000000;
    rig_stop();
}

static void test_timer_deadline(void)
{
    rig_start(1, XEN_X86_EMU_LAPIC);
    enable_x2apic(0);
    rig_tsc_offset = 12345;
    wrmsr_(0, MSR_TSC_DEADLINE, 1); /* ignored: other mode */
    EXPECT(rdmsr_(0, MSR_TSC_DEADLINE), 0);
    wrmsr_(0, 0x832, 0x40050);
    wrmsr_(0, MSR_TSC_DEADLINE, hvm_guest_tsc(V(0)) + TSC_KHZ * 2); /* 2 ms */
    rig_run(2 * MS - 1);
    EXPECT(take(0), -1);
    CHECK(rdmsr_(0, MSR_TSC_DEADLINE), "armed");
    rig_run(10);
    EXPECT(take(0), 0x50);
    wrmsr_(0, 0x80b, 0);
    EXPECT(rdmsr_(0, MSR_TSC_DEADLINE), 0);
    wrmsr_(0, MSR_TSC_DEADLINE, 5); /* past: at once */
    EXPECT(take(0), 0x50);
    wrmsr_(0, 0x80b, 0);
    wrmsr_(0, MSR_TSC_DEADLINE, ~0ULL); /* never, as Linux says it */
    rig_run(1000 * MS);
    EXPECT(take(0), -1);
    wrmsr_(0, MSR_TSC_DEADLINE, hvm_guest_tsc(V(0)) + TSC_KHZ);
    rig_tsc_offset += TSC_KHZ / 2; /* the guest moves its TSC: half a ms is left */
    vlapic_tsc_changed(V(0));
    rig_run(MS / 2 + 10);
    EXPECT(take(0), 0x50);
    wrmsr_(0, 0x80b, 0);
    wrmsr_(0, MSR_TSC_DEADLINE, hvm_guest_tsc(V(0)) + TSC_KHZ);
    rig_tsc_offset += TSC_KHZ * 10; /* and past the deadline: it is due */
    vlapic_tsc_changed(V(0));
    rig_run(10);
    EXPECT(take(0), 0x50);
    wrmsr_(0, 0x80b, 0);
    rig_tsc_offset += TSC_KHZ; /* what has fired does not again */
    vlapic_tsc_changed(V(0));
    rig_run(10 * MS);
    EXPECT(take(0), -1);
    wrmsr_(0, MSR_TSC_DEADLINE, hvm_guest_tsc(V(0)) + TSC_KHZ);
    wrmsr_(0, 0x832, 0x50); /* leaving the mode disarms */
    rig_run(10 * MS);
    EXPECT(take(0), -1);
    rig_stop();
}

static void test_disable(void)
{
    rig_start(1, XEN_X86_EMU_LAPIC);
    enable(0);
    write32(0, BASE + APIC_LVT_TIMER, 0x40);
    write32(0, BASE + APIC_LVT_ERROR, 0xfe);
    write32(0, BASE + APIC_SPURIOUS, 0xff);
    EXPECT(read32(0, BASE + APIC_LVT_TIMER), 0x10040);
    write32(0, BASE + APIC_LVT_TIMER, 0x40); /* stays masked while disabled */
    EXPECT(read32(0, BASE + APIC_LVT_TIMER), 0x10040);
    enable(0);
    write32(0, BASE + APIC_LVT_ERROR, 0xfe);
    (void)read32(0, BASE + 0x3f4);
    (void)read32(0, BASE + 0x2f0); /* no such register: an error, and its interrupt */
    EXPECT(take(0), 0xfe);
    rig_stop();
}

/* As Windows does it: the bit is taken instead of the EOI written. */
static void test_eoi_assist(void)
{
    static int viridian;
    rig_start(1, XEN_X86_EMU_LAPIC);
    rig_domain.hvm->viridian = (struct viridian_domain *)&viridian;
    enable_x2apic(0);
    vlapic_set_irq(V(0), 0x50, false);
    EXPECT(take(0), 0x50);
    EXPECT(rig_assist, 1);
    rig_assist = 0; /* used */
    unsigned kicks = rig_kicks[0];
    vlapic_set_irq(V(0), 0x40, false); /* a lower one, with the old still in service as far as we know */
    EXPECT(rig_kicks[0], kicks + 1);
    EXPECT(take(0), 0x40);
    EXPECT(rig_assist, 1);
    vlapic_set_irq(V(0), 0x60, false); /* its handler still runs: taken back, it writes its EOI */
    EXPECT(take(0), 0x60);
    EXPECT(rig_assist, 0); /* two in service */
    wrmsr_(0, 0x80b, 0);
    vlapic_set_irq(V(0), 0x41, false);
    EXPECT(take(0), -1);
    wrmsr_(0, 0x80b, 0);
    EXPECT(take(0), 0x41);
    EXPECT(rig_assist, 1);
    wrmsr_(0, 0x80b, 0); /* writes it nevertheless */
    EXPECT(rig_assist, 0);
    vlapic_set_irq(V(0), 0x42, false);
    vlapic_set_irq(V(0), 0x52, false);
    EXPECT(take(0), 0x52);
    EXPECT(rig_assist, 0); /* 0x42 waits for the EOI */
    wrmsr_(0, 0x80b, 0);
    EXPECT(take(0), 0x42);
    wrmsr_(0, 0x80b, 0);
    vlapic_set_irq(V(0), 0x70, true); /* level: the IO-APIC waits */
    EXPECT(take(0), 0x70);
    EXPECT(rig_assist, 0);
    rig_domain.hvm->viridian = NULL;
    rig_stop();
}

int main(void)
{
    test_registers_after_reset();
    test_priorities();
    test_kicks();
    test_x2apic();
    test_destinations();
    test_lowest_priority();
    test_messages();
    test_startup();
    test_timer_one_shot();
    test_timer_periodic();
    test_eoi_assist();
    test_timer_deadline();
    test_disable();
    return 0;
}
