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
    CHECK_EQUAL(0, read32(0, BASE + APIC_ID));
    CHECK_EQUAL(2 << 24, read32(1, BASE + APIC_ID));
    CHECK_EQUAL(0x50014, read32(0, BASE + APIC_VERSION));
    CHECK_EQUAL(0xff, read32(0, BASE + APIC_SPURIOUS));
    CHECK_EQUAL(0x10000, read32(0, BASE + APIC_LVT_LINT0));
    CHECK_EQUAL(0xffffffff, read32(0, BASE + APIC_DESTINATION));
    CHECK_EQUAL(0xfee00900, rdmsr_(0, MSR_APIC_BASE));
    CHECK_EQUAL(0xfee00800, rdmsr_(1, MSR_APIC_BASE));
    CHECK(!vlapic_set_irq(V(0), 0x40, false), "a disabled APIC takes nothing");
    CHECK_EQUAL(-1, take(0));
    rig_stop();
}

static void test_priorities(void)
{
    rig_start(1, XEN_X86_EMU_LAPIC);
    enable(0);
    vlapic_set_irq(V(0), 0x31, false);
    vlapic_set_irq(V(0), 0x52, false);
    vlapic_set_irq(V(0), 0x52, false); /* merges */
    CHECK_EQUAL(1 << 0x11, read32(0, BASE + APIC_REQUEST + 0x10));
    CHECK_EQUAL(0x52, take(0));
    CHECK_EQUAL(1 << 0x12, read32(0, BASE + APIC_IN_SERVICE + 0x20));
    CHECK_EQUAL(-1, take(0)); /* 0x31 is below what is in service */
    vlapic_set_irq(V(0), 0x5f, false);
    CHECK_EQUAL(-1, take(0)); /* same class */
    vlapic_set_irq(V(0), 0xe0, false);
    CHECK_EQUAL(0xe0, take(0));
    CHECK_EQUAL(0xe0, vlapic_of(V(0))->ppr);
    write32(0, BASE + APIC_EOI, 0);
    CHECK_EQUAL(0x50, vlapic_of(V(0))->ppr);
    write32(0, BASE + APIC_EOI, 0);
    CHECK_EQUAL(0x5f, take(0));
    write32(0, BASE + APIC_EOI, 0);
    write32(0, BASE + APIC_TASK_PRIORITY, 0x35);
    CHECK_EQUAL(0x35, read32(0, BASE + APIC_TASK_PRIORITY + 0x20));
    CHECK_EQUAL(-1, take(0));
    write32(0, BASE + APIC_TASK_PRIORITY, 0x2f);
    CHECK_EQUAL(0x31, take(0));
    write32(0, BASE + APIC_EOI, 0);
    write32(0, BASE + APIC_EOI, 0); /* one too many does nothing */
    CHECK_EQUAL(0x2f, vlapic_of(V(0))->ppr);
    vlapic_set_irq(V(0), 0x05, false);
    CHECK_EQUAL(-1, take(0));
    write32(0, BASE + APIC_ERROR, 0);
    CHECK_EQUAL(APIC_ERROR_RECEIVE_VECTOR, read32(0, BASE + APIC_ERROR));
    rig_stop();
}

/* A halted vcpu is woken only by what can interrupt it. */
static void test_kicks(void)
{
    rig_start(1, XEN_X86_EMU_LAPIC);
    enable(0);
    write32(0, BASE + APIC_TASK_PRIORITY, 0x40);
    vlapic_set_irq(V(0), 0x41, false);
    CHECK_EQUAL(0, rig_kicks[0]);
    vlapic_set_irq(V(0), 0x51, false);
    CHECK_EQUAL(1, rig_kicks[0]);
    vlapic_set_irq(V(0), 0x51, false);
    CHECK_EQUAL(1, rig_kicks[0]);
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
    CHECK_EQUAL(6, rdmsr_(3, 0x802));
    CHECK_EQUAL(1 << 6, rdmsr_(3, 0x80d));
    CHECK(!vlapic_wrmsr(V(0), 0x802, 1), "id is read-only");
    CHECK(!vlapic_wrmsr(V(0), 0x80b, 1), "EOI takes 0 only");
    CHECK(!vlapic_rdmsr(V(0), 0x80e, &value), "no destination format");
    CHECK(!vlapic_rdmsr(V(0), 0x831, &value), "no second command register");
    CHECK(!vlapic_wrmsr(V(0), MSR_APIC_BASE, 0xfee00900), "not back to xAPIC");
    CHECK(!vlapic_wrmsr(V(0), MSR_APIC_BASE, 0xfee00500), "not without enable");
    wrmsr_(0, 0x830, 4ULL << 32 | 0x61); /* physical */
    CHECK_EQUAL(0x61, take(2));
    wrmsr_(2, 0x80b, 0);
    wrmsr_(0, 0x830, 0x44ULL << 32 | 0x862); /* logical: vcpus 1 and 3 */
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(0x62, take(1));
    CHECK_EQUAL(-1, take(2));
    CHECK_EQUAL(0x62, take(3));
    wrmsr_(1, 0x80b, 0);
    wrmsr_(3, 0x80b, 0);
    wrmsr_(1, 0x83f, 0x70);
    CHECK_EQUAL(0x70, take(1));
    wrmsr_(1, 0x80b, 0);
    wrmsr_(0, 0x830, 0xffffffffULL << 32 | 0x63); /* broadcast */
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQUAL(0x63, take(i));
    wrmsr_(0, 0x808, 0x30);
    wrmsr_(0, MSR_APIC_BASE, 0xfee00100); /* off: everything is forgotten */
    CHECK_EQUAL(false, vlapic_x2apic(V(0)));
    CHECK(!vlapic_wrmsr(V(0), MSR_APIC_BASE, 0xfee00d00), "disabled cannot become x2APIC at once");
    wrmsr_(0, MSR_APIC_BASE, 0xfee00900);
    CHECK_EQUAL(0xff, read32(0, BASE + APIC_SPURIOUS));
    CHECK_EQUAL(0, read32(0, BASE + APIC_TASK_PRIORITY));
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
    CHECK_EQUAL(0, vlapic_deliver(&rig_domain, 0x0a, true, APIC_FIXED, 0x41, false)); /* flat: 1 and 3 */
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(0x41, take(1));
    CHECK_EQUAL(-1, take(2));
    CHECK_EQUAL(0x41, take(3));
    for (unsigned i = 0; i < 4; i++) {
        write32(i, BASE + APIC_DESTINATION, 0x0fffffff);
        write32(i, BASE + APIC_LOGICAL_ID, (i / 2) << 28 | 1U << (24 + i % 2));
    }
    CHECK_EQUAL(true, vlapic_match(V(0), 0x01, true)); /* cluster 0, first */
    CHECK_EQUAL(false, vlapic_match(V(2), 0x01, true));
    CHECK_EQUAL(true, vlapic_match(V(2), 0x13, true));
    CHECK_EQUAL(true, vlapic_match(V(3), 0x13, true));
    CHECK_EQUAL(true, vlapic_match(V(3), 0xff, true));
    CHECK_EQUAL(true, vlapic_match(V(1), 2, false));
    CHECK_EQUAL(false, vlapic_match(V(1), 1, false));
    CHECK_EQUAL(-EINVAL, vlapic_deliver(&rig_domain, 1, false, APIC_FIXED, 0x41, false));
    CHECK_EQUAL(-EINVAL, vlapic_deliver(&rig_domain, 200, false, APIC_FIXED, 0x41, false));
    write32(0, BASE + APIC_COMMAND, 0xc0000 | 0x44); /* all but self */
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(0x44, take(2));
    write32(0, BASE + APIC_COMMAND, 0x40000 | 0x45); /* self */
    CHECK_EQUAL(0x45, take(0));
    write32(0, BASE + APIC_COMMAND, 0x05); /* illegal vector */
    write32(0, BASE + APIC_ERROR, 0);
    CHECK_EQUAL(APIC_ERROR_SEND_VECTOR, read32(0, BASE + APIC_ERROR));
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
        CHECK_EQUAL(0, vlapic_deliver(&rig_domain, 7, true, APIC_LOWEST, 0x91, false));
        for (unsigned j = 0; j < 3; j++)
            if (take(j) == 0x91) {
                got[j]++;
                write32(j, BASE + APIC_EOI, 0);
            }
    }
    CHECK_EQUAL(4, got[0]);
    CHECK_EQUAL(0, got[1]);
    CHECK_EQUAL(4, got[2]);
    rig_stop();
}

static void test_messages(void)
{
    rig_start(2, XEN_X86_EMU_LAPIC);
    enable(0);
    CHECK_EQUAL(0, hvm_msi(&rig_domain, 0xfee00000, 0x4055));
    CHECK_EQUAL(0x55, take(0));
    CHECK_EQUAL(-EINVAL, hvm_msi(&rig_domain, 0xfee01000, 0x55)); /* no such processor */
    CHECK_EQUAL(-EINVAL, hvm_msi(&rig_domain, 0xfed00000, 0x55));
    CHECK_EQUAL(0, hvm_msi(&rig_domain, 0xfee00000, 0x400));
    CHECK_EQUAL(true, V(0)->nmi_pending);
    CHECK_EQUAL(-1, take(0)); /* not to be mistaken for an interrupt */
    CHECK_EQUAL(true, V(0)->nmi_pending);
    V(0)->nmi_pending = false;
    rig_stop();
}

static void test_startup(void)
{
    rig_start(2, XEN_X86_EMU_LAPIC);
    enable(0);
    CHECK_EQUAL(true, vlapic_take_startup(V(1)));
    write32(0, BASE + APIC_COMMAND_HIGH, 2 << 24);
    write32(0, BASE + APIC_COMMAND, 0x4500); /* INIT to one that never ran */
    write32(0, BASE + APIC_COMMAND, 0x8500); /* de-assert */
    CHECK_EQUAL(true, V(1)->offline);
    write32(0, BASE + APIC_COMMAND, 0x4609);
    CHECK_EQUAL(false, V(1)->offline);
    write32(0, BASE + APIC_COMMAND, 0x4610); /* the second one is not heard */
    CHECK_EQUAL(true, vlapic_take_startup(V(1)));
    CHECK_EQUAL(1, rig_resets[1]);
    CHECK_EQUAL(1, rig_startups[1]);
    CHECK_EQUAL(9, rig_startup_page[1]);
    CHECK_EQUAL(true, vlapic_take_startup(V(1)));
    write32(0, BASE + APIC_COMMAND, 0x4611); /* nor when it runs */
    CHECK_EQUAL(true, vlapic_take_startup(V(1)));
    CHECK_EQUAL(1, rig_startups[1]);
    enable(1);
    write32(0, BASE + APIC_COMMAND, 0x4500); /* INIT to one that runs: it stops itself */
    CHECK_EQUAL(false, vlapic_take_startup(V(1)));
    CHECK_EQUAL(true, V(1)->offline);
    CHECK_EQUAL(false, vlapic_enabled(V(1)));
    CHECK_EQUAL(2, rig_resets[1]);
    write32(0, BASE + APIC_COMMAND, 0x4612);
    CHECK_EQUAL(true, vlapic_take_startup(V(1)));
    CHECK_EQUAL(0x12, rig_startup_page[1]);
    CHECK_EQUAL(true, vlapic_wait_for_startup(V(1))); /* cli; hlt */
    write32(0, BASE + APIC_COMMAND, 0x4617);          /* a start-up message alone does not wake it */
    CHECK_EQUAL(true, V(1)->offline);
    CHECK_EQUAL(2, rig_startups[1]);
    write32(0, BASE + APIC_COMMAND, 0x4500);
    write32(0, BASE + APIC_COMMAND, 0x4613);
    CHECK_EQUAL(true, vlapic_take_startup(V(1)));
    write32(0, BASE + APIC_COMMAND, 0x4500);
    write32(0, BASE + APIC_COMMAND, 0x4614); /* while it is on its way to halt */
    CHECK_EQUAL(false, vlapic_wait_for_startup(V(1)));
    CHECK_EQUAL(false, V(1)->offline);
    CHECK_EQUAL(true, vlapic_take_startup(V(1)));
    CHECK_EQUAL(0x14, rig_startup_page[1]);
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
    CHECK_EQUAL(75000, read32(0, BASE + APIC_TIMER_CURRENT));
    CHECK_EQUAL(-1, take(0));
    rig_run(MS * 3 / 4 - 1);
    CHECK_EQUAL(-1, take(0));
    rig_run(1);
    CHECK_EQUAL(0, read32(0, BASE + APIC_TIMER_CURRENT));
    CHECK_EQUAL(0x40, take(0));
    write32(0, BASE + APIC_EOI, 0);
    rig_run(10 * MS);
    CHECK_EQUAL(-1, take(0));
    write32(0, BASE + APIC_TIMER_INITIAL, 100000);
    write32(0, BASE + APIC_TIMER_INITIAL, 0); /* stopped */
    rig_run(10 * MS);
    CHECK_EQUAL(-1, take(0));
    write32(0, BASE + APIC_TIMER_DIVIDE, 0x3); /* by 16 */
    write32(0, BASE + APIC_LVT_TIMER, 0x10040);
    write32(0, BASE + APIC_TIMER_INITIAL, 100000);
    rig_run(15 * MS);
    write32(0, BASE + APIC_LVT_TIMER, 0x41); /* unmasked in time */
    rig_run(MS);
    CHECK_EQUAL(0x41, take(0));
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
        CHECK_EQUAL(0x40, take(0));
        write32(0, BASE + APIC_EOI, 0);
        CHECK_EQUAL(-1, take(0));
    }
    rig_run(10 * MS + MS / 2); /* ten missed: one comes */
    CHECK_EQUAL(0x40, take(0));
    write32(0, BASE + APIC_EOI, 0);
    CHECK_EQUAL(-1, take(0));
    CHECK_EQUAL(50000, read32(0, BASE + APIC_TIMER_CURRENT)); /* the phase is kept */
    rig_run(MS / 2);
    CHECK_EQUAL(0x40, take(0));
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
    CHECK_EQUAL(0, rdmsr_(0, MSR_TSC_DEADLINE));
    wrmsr_(0, 0x832, 0x40050);
    wrmsr_(0, MSR_TSC_DEADLINE, hvm_guest_tsc(V(0)) + TSC_KHZ * 2); /* 2 ms */
    rig_run(2 * MS - 1);
    CHECK_EQUAL(-1, take(0));
    CHECK(rdmsr_(0, MSR_TSC_DEADLINE), "armed");
    rig_run(10);
    CHECK_EQUAL(0x50, take(0));
    wrmsr_(0, 0x80b, 0);
    CHECK_EQUAL(0, rdmsr_(0, MSR_TSC_DEADLINE));
    wrmsr_(0, MSR_TSC_DEADLINE, 5); /* past: at once */
    CHECK_EQUAL(0x50, take(0));
    wrmsr_(0, 0x80b, 0);
    wrmsr_(0, MSR_TSC_DEADLINE, ~0ULL); /* never, as Linux says it */
    rig_run(1000 * MS);
    CHECK_EQUAL(-1, take(0));
    wrmsr_(0, MSR_TSC_DEADLINE, hvm_guest_tsc(V(0)) + TSC_KHZ);
    rig_tsc_offset += TSC_KHZ / 2; /* the guest moves its TSC: half a ms is left */
    vlapic_tsc_changed(V(0));
    rig_run(MS / 2 + 10);
    CHECK_EQUAL(0x50, take(0));
    wrmsr_(0, 0x80b, 0);
    wrmsr_(0, MSR_TSC_DEADLINE, hvm_guest_tsc(V(0)) + TSC_KHZ);
    rig_tsc_offset += TSC_KHZ * 10; /* and past the deadline: it is due */
    vlapic_tsc_changed(V(0));
    rig_run(10);
    CHECK_EQUAL(0x50, take(0));
    wrmsr_(0, 0x80b, 0);
    rig_tsc_offset += TSC_KHZ; /* what has fired does not again */
    vlapic_tsc_changed(V(0));
    rig_run(10 * MS);
    CHECK_EQUAL(-1, take(0));
    wrmsr_(0, MSR_TSC_DEADLINE, hvm_guest_tsc(V(0)) + TSC_KHZ);
    wrmsr_(0, 0x832, 0x50); /* leaving the mode disarms */
    rig_run(10 * MS);
    CHECK_EQUAL(-1, take(0));
    rig_stop();
}

static void test_disable(void)
{
    rig_start(1, XEN_X86_EMU_LAPIC);
    enable(0);
    write32(0, BASE + APIC_LVT_TIMER, 0x40);
    write32(0, BASE + APIC_LVT_ERROR, 0xfe);
    write32(0, BASE + APIC_SPURIOUS, 0xff);
    CHECK_EQUAL(0x10040, read32(0, BASE + APIC_LVT_TIMER));
    write32(0, BASE + APIC_LVT_TIMER, 0x40); /* stays masked while disabled */
    CHECK_EQUAL(0x10040, read32(0, BASE + APIC_LVT_TIMER));
    enable(0);
    write32(0, BASE + APIC_LVT_ERROR, 0xfe);
    (void)read32(0, BASE + 0x3f4);
    (void)read32(0, BASE + 0x2f0); /* no such register: an error, and its interrupt */
    CHECK_EQUAL(0xfe, take(0));
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
    CHECK_EQUAL(0x50, take(0));
    CHECK_EQUAL(1, rig_assist);
    rig_assist = 0; /* used */
    unsigned kicks = rig_kicks[0];
    vlapic_set_irq(V(0), 0x40, false); /* a lower one, with the old still in service as far as we know */
    CHECK_EQUAL(kicks + 1, rig_kicks[0]);
    CHECK_EQUAL(0x40, take(0));
    CHECK_EQUAL(1, rig_assist);
    vlapic_set_irq(V(0), 0x60, false); /* its handler still runs: taken back, it writes its EOI */
    CHECK_EQUAL(0x60, take(0));
    CHECK_EQUAL(0, rig_assist); /* two in service */
    wrmsr_(0, 0x80b, 0);
    vlapic_set_irq(V(0), 0x41, false);
    CHECK_EQUAL(-1, take(0));
    wrmsr_(0, 0x80b, 0);
    CHECK_EQUAL(0x41, take(0));
    CHECK_EQUAL(1, rig_assist);
    wrmsr_(0, 0x80b, 0); /* writes it nevertheless */
    CHECK_EQUAL(0, rig_assist);
    vlapic_set_irq(V(0), 0x42, false);
    vlapic_set_irq(V(0), 0x52, false);
    CHECK_EQUAL(0x52, take(0));
    CHECK_EQUAL(0, rig_assist); /* 0x42 waits for the EOI */
    wrmsr_(0, 0x80b, 0);
    CHECK_EQUAL(0x42, take(0));
    wrmsr_(0, 0x80b, 0);
    vlapic_set_irq(V(0), 0x70, true); /* level: the IO-APIC waits */
    CHECK_EQUAL(0x70, take(0));
    CHECK_EQUAL(0, rig_assist);
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
