/*
 * The time stamp counter in the mode that the toolstack chose (option "case"): what CPUID says of it, its rate against
 * the local APIC timer, writes, rdtscp, and CR4.TSD.
 */
#include "hvm.h"

const char test_title[] = "time stamp counter";
enum { MSR_TSC = 0x10, MSR_TSC_AUX = 0xc0000103, CR4_TSD = 4 };
enum { BUS_NS = 10, BY_1 = 0xb, MASKED = 0x10000, WINDOW_MS = 50 };

static uint64_t to_ns(uint64_t counts)
{
    uint32_t out[4];
    cpuid(hypervisor_leaf() + 3, 1, out);
    int8_t shift = (int8_t)out[3];
    counts = shift < 0 ? counts >> -shift : counts << shift;
    return (uint64_t)((unsigned __int128)counts * out[2] >> 32);
}

static void leaves(const char *way)
{
    uint32_t out[4];
    bool emulated = same_word(way, "emulated");
    cpuid(hypervisor_leaf() + 3, 0, out);
    if (!same_word(way, "default")) /* the reference emulates by default where the counter is not invariant */
        CHECK_IS(emulated, out[0] & 1);
    CHECK_IS(emulated ? 1 : same_word(way, "native") ? 2 : 0, out[1]);
    CHECK_IS(1, out[3]); /* set once: by the toolstack */
    say("%s: %u kHz", emulated ? "emulated" : "native or default", out[2]);
    /* A second of counts is a second. */
    uint64_t ns = to_ns(out[2] * 1000UL);
    CHECK(ns > 999990000 && ns < 1000010000);
}

static uint64_t ns_of_window(void)
{
    uint32_t first = 0xf0000000, wanted = WINDOW_MS * 1000000 / BUS_NS;
    apic_write(APIC_LVT_TIMER, MASKED);
    apic_write(APIC_TIMER_DIVIDE, BY_1);
    uint64_t start = rdtsc();
    apic_write(APIC_TIMER_INITIAL, first);
    while (first - apic_read(APIC_TIMER_CURRENT) < wanted)
        ;
    uint64_t ns = to_ns(rdtsc() - start);
    apic_write(APIC_TIMER_INITIAL, 0);
    return ns;
}

/* A processor that does something else between the two looks makes the window longer, never shorter. */
static void rate(void)
{
    uint64_t shortest = ns_of_window();
    for (unsigned tries = 0; tries < 10 && shortest >= WINDOW_MS * 1200000UL; tries++) {
        uint64_t ns = ns_of_window();
        shortest = ns < shortest ? ns : shortest;
    }
    CHECK(shortest > WINDOW_MS * 980000UL && shortest < WINDOW_MS * 1200000UL);
}

static void forward(void)
{
    uint64_t last = 0;
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t next = rdtsc();
        CHECK(next >= last);
        last = next;
    }
}

static void writes(void)
{
    uint64_t second = ticks_of(1000000), value = 5 * second;
    wrmsr(MSR_TSC, value);
    CHECK(rdtsc() - value < second);
    CHECK(rdmsr(MSR_TSC) - value < second);
}

static void with_aux(void)
{
    uint32_t out[4], low, high, aux;
    cpuid(0x80000001, 0, out);
    if (!(out[3] >> 27 & 1)) {
        say("no rdtscp here");
        return;
    }
    wrmsr(MSR_TSC_AUX, 0x1234);
    uint64_t before = rdtsc();
    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
    CHECK((((uint64_t)high << 32) | low) >= before);
    CHECK_IS(0x1234, aux);
}

/* After an exit that writes: what rdtscp does to rcx rdtsc must not do. */
static void without_aux(void)
{
    const uint64_t mark = 0x1122334455667788;
    uint64_t rcx = mark;
    wrmsr(MSR_TSC, rdtsc());
    __asm__ volatile("rdtsc" : "+c"(rcx) : : "rax", "rdx");
    CHECK_IS(mark, rcx);
}

static volatile uint64_t user_value;
static void read_as_user(uint64_t ignored)
{
    user_value = rdtsc();
}

static bool skip_two(struct registers *regs)
{
    regs->rip += 2;
    return true;
}

static void denied(void)
{
    trap_hooks[TRAP_GP] = skip_two;
    user_run(read_as_user, 0);
    CHECK(user_value);
    CHECK_IS(0, trap_counts[TRAP_GP]);
    WRITE_REGISTER("cr4", READ_REGISTER("cr4") | CR4_TSD);
    user_run(read_as_user, 0);
    CHECK_IS(1, trap_counts[TRAP_GP]);
    CHECK(rdtsc()); /* the kernel may */
    WRITE_REGISTER("cr4", READ_REGISTER("cr4") & ~(uint64_t)CR4_TSD);
    trap_hooks[TRAP_GP] = NULL;
}

void test_main(void)
{
    apic_enable();
    leaves(option("case"));
    rate();
    forward();
    with_aux();
    without_aux();
    denied();
    writes();
}
