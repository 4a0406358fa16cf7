/*
 * The local APIC's timer: one shot, periodic, TSC deadline; hlt; the masks and registers around it; x2APIC.
 */
#include "hvm.h"

const char test_title[] = "local APIC timer";
enum { VECTOR = 0x80 };
enum { MASKED = 0x10000, PERIODIC = 0x20000, DEADLINE = 0x40000, BY_1 = 0xb };

static volatile unsigned ticks;
static bool x2;

static void eoi(void)
{
    if (x2)
        wrmsr(MSR_X2APIC + (APIC_EOI >> 4), 0);
    else
        apic_write(APIC_EOI, 0);
}

static bool tick(struct registers *regs)
{
    ticks++;
    eoi();
    return true;
}

static void one_shot(void)
{
    ticks = 0;
    apic_write(APIC_LVT_TIMER, VECTOR);
    apic_write(APIC_TIMER_DIVIDE, BY_1);
    CHECK_IS(0, apic_read(APIC_TIMER_CURRENT));
    apic_write(APIC_TIMER_INITIAL, 0x10000000);
    uint32_t first = apic_read(APIC_TIMER_CURRENT);
    CHECK(first > 0 && first <= 0x10000000);
    CHECK(WITHIN_MS(1000, apic_read(APIC_TIMER_CURRENT) < first));
    apic_write(APIC_TIMER_INITIAL, 100000);
    CHECK(WITHIN_MS(5000, apic_read(APIC_IRR + 0x40) & 1)); /* pending while IF is off */
    CHECK_IS(0, ticks);
    CHECK_IS(0, apic_read(APIC_TIMER_CURRENT));
    interrupts_on();
    CHECK_IS(1, ticks);
    CHECK(!WITHIN_MS(20, ticks > 1));
    interrupts_off();
}

static void halted(void)
{
    ticks = 0;
    uint64_t start = rdtsc();
    apic_write(APIC_TIMER_INITIAL, 10000000);
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
    CHECK_IS(1, ticks);
    CHECK(rdtsc() - start > ticks_of(1000));
}

static void periodic(void)
{
    ticks = 0;
    apic_write(APIC_LVT_TIMER, VECTOR | PERIODIC);
    apic_write(APIC_TIMER_INITIAL, 1000000);
    interrupts_on();
    CHECK(WITHIN_MS(10000, ticks >= 5));
    apic_write(APIC_LVT_TIMER, VECTOR | PERIODIC | MASKED);
    unsigned now = ticks;
    CHECK(!WITHIN_MS(50, ticks > now + 1));
    apic_write(APIC_TIMER_INITIAL, 0);
    interrupts_off();
}

static void deadline(void)
{
    uint32_t out[4];
    uint64_t value;
    cpuid(1, 0, out);
    if (!(out[2] >> 24 & 1)) {
        say("no TSC deadline here");
        return;
    }
    ticks = 0;
    apic_write(APIC_LVT_TIMER, VECTOR | DEADLINE);
    CHECK_IS(0, try_rdmsr(MSR_TSC_DEADLINE, &value));
    CHECK_IS(0, value);
    uint64_t when = rdtsc() + ticks_of(20000);
    wrmsr(MSR_TSC_DEADLINE, when);
    CHECK_IS(when, rdmsr(MSR_TSC_DEADLINE));
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
    CHECK(rdtsc() >= when);
    CHECK_IS(1, ticks);
    CHECK_IS(0, rdmsr(MSR_TSC_DEADLINE));
    interrupts_on();
    wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1); /* past: at once */
    CHECK(WITHIN_MS(1000, ticks == 2));
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + ticks_of(10000));
    wrmsr(MSR_TSC_DEADLINE, 0);
    CHECK(!WITHIN_MS(30, ticks != 2));
    interrupts_off();
}

static void x2apic(void)
{
    uint64_t value;
    uint32_t version = apic_read(APIC_VERSION);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0x400);
    x2 = true;
    CHECK_IS(version, rdmsr(MSR_X2APIC + (APIC_VERSION >> 4)));
    CHECK_IS(0, rdmsr(MSR_X2APIC + (APIC_ID >> 4)));
    CHECK_IS(1, rdmsr(MSR_X2APIC + (APIC_LDR >> 4)));
    CHECK_IS(TRAPPED(TRAP_GP, 0), try_wrmsr(MSR_X2APIC + (APIC_EOI >> 4), 1));
    CHECK_IS(TRAPPED(TRAP_GP, 0), try_wrmsr(MSR_X2APIC + (APIC_VERSION >> 4), 0));
    if (!on_reference()) /* where VT-x virtualises the registers, and the reference lets it, reserved ones read as 0 */
        CHECK_IS(TRAPPED(TRAP_GP, 0), try_rdmsr(MSR_X2APIC + 0x1, &value));
    CHECK_IS(TRAPPED(TRAP_GP, 0), try_wrmsr(MSR_X2APIC + (APIC_TPR >> 4), 0x100));
    ticks = 0;
    wrmsr(MSR_X2APIC + (APIC_LVT_TIMER >> 4), VECTOR);
    wrmsr(MSR_X2APIC + (APIC_TIMER_INITIAL >> 4), 100000);
    interrupts_on();
    CHECK(WITHIN_MS(5000, ticks == 1));
    wrmsr(MSR_X2APIC + 0x3f, VECTOR); /* self */
    CHECK(WITHIN_MS(1000, ticks == 2));
    interrupts_off();
    CHECK_IS(TRAPPED(TRAP_GP, 0), try_wrmsr(MSR_APIC_BASE, 0xfee00900)); /* not straight back */
}

void test_main(void)
{
    trap_hooks[VECTOR] = tick;
    apic_enable();
    one_shot();
    halted();
    periodic();
    deadline();
    x2apic();
}
