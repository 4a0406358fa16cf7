/*
 * What exits of an HVM guest cost. Under QEMU's -icount the time stamp counter advances by one with each instruction,
 * of this guest, of the hypervisor and of Domain-0, so these figures are numbers of instructions.
 *
 * Started three times: as a PVH guest it measures what needs no device model; as one with the command line "tracked",
 * whose writes the toolstack wants to know of, the fault that tells it; with a device model (in the place of hvmloader)
 * the chips that only such guests have, and the way to the device model and back.
 *
 * Each thing is done in batches; the smallest batch counts (in a larger one something else came between), less what the
 * same loop costs with nothing in it. Lines of result, "BENCH name instructions", go to port 0xe9.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define ROUNDS  64
#define BATCHES 32

#define VECTOR_IPI     0x80
#define VECTOR_TIMER   0x81
#define VECTOR_REQUEST 0x82

#define MSR_APIC_BASE    0x1b
#define MSR_EFER         0xc0000080U
#define APIC_BASE_X2APIC (1UL << 10 | 1UL << 11)
/* x2APIC registers, SDM volume 3, table 11-6 */
#define X2APIC_ID           0x802
#define X2APIC_EOI          0x80b
#define X2APIC_SPURIOUS     0x80f
#define X2APIC_ICR          0x830
#define X2APIC_LVT_TIMER    0x832
#define X2APIC_TIMER_COUNT  0x838
#define X2APIC_TIMER_DIVIDE 0x83e
#define SECOND_APIC_ID      2

#define TIMER_PERIOD 10000U /* of 10 ns */
#define SPIN_ROUNDS  1000000U

#define APIC_PAGE_EOI    0xfee000b0UL
#define HPET_COUNTER     0xfed000f0UL
#define NOTHING_THERE    0xc0000000UL
#define UNTOUCHED_MEMORY 0x1800000UL /* behind this image and what the toolstack has put there */
#define PORT_PIT         0x42
#define PORT_PM_TIMER    0x1f48 /* before HVM_PARAM_ACPI_IOPORTS_LOCATION is set */
#define PORT_KEYBOARD    0x64   /* status of the keyboard controller, which is the device model's */
#define PORT_PCI_ADDRESS 0xcf8
#define PORT_PCI_DATA    0xcfc

struct gate {
    uint16_t low, selector, flags, middle;
    uint32_t high, zero;
};

extern char on_ipi[], on_timer[], on_request[], on_exception[], second_start[], root_table[];
volatile uint64_t interrupts_taken, requests_taken;
uint32_t timer_count, answer, start_info;
static struct gate gates[256];
static volatile bool second_is_ready;
static uint64_t empty;
static bool calls_by_vmcall;

/* ---- the processor ---- */

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t read_memory(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(address));
    return value;
}

static inline void write_memory(uint64_t address, uint32_t value)
{
    __asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

/* Its EBX. */
static inline uint32_t cpuid(uint32_t leaf)
{
    uint32_t a = leaf, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return b;
}

static inline long hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c)
{
    long result = number;
    if (calls_by_vmcall)
        __asm__ volatile("vmcall" : "+a"(result), "+D"(a), "+S"(b), "+d"(c) : : "r10", "r8", "r9", "memory");
    else
        __asm__ volatile("vmmcall" : "+a"(result), "+D"(a), "+S"(b), "+d"(c) : : "r10", "r8", "r9", "memory");
    return result;
}

/* ---- text ---- */

static void text(const char *s)
{
    for (; *s; s++)
        outb(0xe9, (uint8_t)*s);
}

static void number(uint64_t value)
{
    char digits[24], *at = digits + sizeof(digits);
    for (*--at = 0; value || !*at; value /= 10)
        *--at = (char)('0' + value % 10);
    text(at);
}

static void __attribute__((noreturn)) stop(void)
{
    struct sched_shutdown off = {SHUTDOWN_poweroff};
    for (;;)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (uint64_t)&off, 0);
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    text("BENCH-ERROR in the HVM guest: it does not work, so its cost says nothing: ");
    text(what);
    text("\n");
    stop();
}

void __attribute__((noreturn)) exception(uint64_t first, uint64_t second)
{
    text("BENCH-ERROR in the HVM guest: exception, on the stack ");
    number(first);
    text(" ");
    number(second);
    text("\n");
    stop();
}

static void report(const char *name, uint64_t value)
{
    text("BENCH ");
    text(name);
    text(" ");
    number(value);
    text("\n");
}

/* ---- measuring ---- */

/* A loop of ROUNDS around one statement; yields the smallest time of a batch after which `good` holds. */
#define SMALLEST_IF(good, statement)                                                                                   \
    ({                                                                                                                 \
        uint64_t best_ = ~0UL;                                                                                         \
        for (unsigned batch_ = 0; batch_ < BATCHES; batch_++) {                                                        \
            uint64_t start_ = rdtsc();                                                                                 \
            for (unsigned round_ = 0; round_ < ROUNDS; round_++) {                                                     \
                __asm__ volatile("" ::: "memory");                                                                     \
                statement;                                                                                             \
            }                                                                                                          \
            uint64_t time_ = rdtsc() - start_;                                                                         \
            best_ = (good) && time_ < best_ ? time_ : best_;                                                           \
        }                                                                                                              \
        best_;                                                                                                         \
    })
#define SMALLEST(statement)      SMALLEST_IF(true, statement)
#define MEASURE(name, statement) report(name, (SMALLEST(statement) - empty + ROUNDS / 2) / ROUNDS)

/* The reference loses an interrupt now and then: a batch counts in which all have come. */
static bool all_taken(volatile uint64_t *counter)
{
    uint64_t count = *counter;
    *counter = 0;
    return count == ROUNDS;
}

static uint64_t spin(void)
{
    uint32_t rounds = SPIN_ROUNDS;
    uint64_t start = rdtsc();
    __asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(rounds));
    return rdtsc() - start;
}

/* The timer, armed again by its handler as kernels do: what it takes from the program it interrupts. */
static void measure_timer(void)
{
    uint64_t alone = ~0UL, best = ~0UL;
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        uint64_t time = spin();
        alone = time < alone ? time : alone;
    }
    timer_count = TIMER_PERIOD;
    wrmsr(X2APIC_TIMER_DIVIDE, 0xb);
    wrmsr(X2APIC_LVT_TIMER, VECTOR_TIMER);
    wrmsr(X2APIC_TIMER_COUNT, TIMER_PERIOD);
    __asm__ volatile("sti");
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        uint64_t before = interrupts_taken, time = spin(), ticks = interrupts_taken - before;
        must(ticks > 5, "timer of the local APIC");
        time = (time - alone + ticks / 2) / ticks;
        best = time < best ? time : best;
    }
    __asm__ volatile("cli");
    timer_count = 0;
    wrmsr(X2APIC_TIMER_COUNT, 0);
    __asm__ volatile("sti; nop; nop; cli"); /* one that was due */
    report("hvm_apic_timer", best);
}

static inline void ipi_self(void)
{
    wrmsr(X2APIC_ICR, 1UL << 18 | VECTOR_IPI);
}

/* To the second processor, which sleeps, and back to this one, which sleeps by then. */
static inline void ipi_other(void)
{
    wrmsr(X2APIC_ICR, (uint64_t)SECOND_APIC_ID << 32 | VECTOR_REQUEST);
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* ---- both processors ---- */

static void set_gate(unsigned vector, const char *address)
{
    uint64_t a = (uint64_t)address;
    gates[vector] = (struct gate){(uint16_t)a, 8, 0x8e00, (uint16_t)(a >> 16), (uint32_t)(a >> 32), 0};
}

static void load_gates(void)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        struct gate *base;
    } pointer = {sizeof(gates) - 1, gates};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void enable_x2apic(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    wrmsr(X2APIC_SPURIOUS, 0x1ff);
}

void __attribute__((noreturn)) second_main(void)
{
    load_gates();
    enable_x2apic();
    must(rdmsr(X2APIC_ID) == SECOND_APIC_ID, "id of the second local APIC");
    second_is_ready = true;
    for (;;)
        __asm__ volatile("sti; hlt" : : : "memory");
}

static void start_second(void)
{
    static struct vcpu_hvm_context context;
    context.mode = VCPU_HVM_MODE_64B;
    context.cpu_regs.x86_64.rip = (uint64_t)second_start;
    context.cpu_regs.x86_64.rflags = 2;
    context.cpu_regs.x86_64.cr0 = 0x80000011;
    context.cpu_regs.x86_64.cr3 = (uint64_t)root_table;
    context.cpu_regs.x86_64.cr4 = 0x20;
    context.cpu_regs.x86_64.efer = 0x500;
    must(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, (uint64_t)&context) == 0, "VCPUOP_initialise");
    must(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0) == 0, "VCPUOP_up");
    while (!second_is_ready)
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
}

/* ---- the figures ---- */

static void measure_exits(void)
{
    MEASURE("hvm_cpuid", cpuid(1));
    MEASURE("hvm_msr_read", rdmsr(MSR_APIC_BASE));
    uint64_t efer = rdmsr(MSR_EFER);
    MEASURE("hvm_msr_write", wrmsr(MSR_EFER, efer));
    must(hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0) == (4 << 16 | 17), "xen_version");
    MEASURE("hvm_hypercall", hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0));
    must(read_memory(NOTHING_THERE) == ~0U, "an address without memory");
    MEASURE("hvm_unmapped_read", read_memory(NOTHING_THERE));
}

static void measure_interrupts(void)
{
    MEASURE("hvm_x2apic_eoi", wrmsr(X2APIC_EOI, 0));
    __asm__ volatile("sti");
    uint64_t time = SMALLEST_IF(all_taken(&interrupts_taken), ipi_self());
    __asm__ volatile("cli");
    must(time != ~0UL, "interrupt to self");
    report("hvm_ipi_self", (time - empty + ROUNDS / 2) / ROUNDS);
    measure_timer();
    start_second();
    answer = VECTOR_IPI;
    time = SMALLEST_IF(all_taken(&requests_taken), ipi_other());
    must(time != ~0UL, "interrupt to another");
    report("hvm_ipi_other", (time - empty) / (2 * ROUNDS));
}

/* Each page is written once. */
static void measure_tracking(void)
{
    volatile uint8_t *page = (volatile uint8_t *)UNTOUCHED_MEMORY;
    MEASURE("hvm_tracked_write", (*page = 1, page += 4096));
}

static void measure_chips(void)
{
    MEASURE("hvm_pit_read", inb(PORT_PIT));
    uint32_t time = inl(PORT_PM_TIMER);
    must(time >> 24 == 0 && time != inl(PORT_PM_TIMER), "PM timer");
    MEASURE("hvm_pm_timer_read", inl(PORT_PM_TIMER));
    MEASURE("hvm_hpet_read", read_memory(HPET_COUNTER));
    MEASURE("hvm_apic_page_eoi", write_memory(APIC_PAGE_EOI, 0));
    MEASURE("hvm_port_device_model", inb(PORT_KEYBOARD));
}

static bool is_tracked(void)
{
    static const char word[] = "tracked";
    const char *line = (const char *)((const struct hvm_start_info *)(uint64_t)start_info)->cmdline_paddr;
    for (unsigned i = 0; line && i < sizeof(word); i++)
        if (line[i] != word[i])
            return false;
    return line;
}

void __attribute__((noreturn)) main(void)
{
    for (unsigned i = 0; i < 32; i++)
        set_gate(i, on_exception);
    set_gate(VECTOR_IPI, on_ipi);
    set_gate(VECTOR_TIMER, on_timer);
    set_gate(VECTOR_REQUEST, on_request);
    load_gates();
    calls_by_vmcall = cpuid(0) == 0x756e6547; /* Genu: Intel */
    empty = SMALLEST((void)0);
    outl(PORT_PCI_ADDRESS, 0x80000000);
    if (inl(PORT_PCI_DATA) == 0x12378086) {
        measure_chips();
    } else if (is_tracked()) {
        measure_tracking();
    } else {
        measure_exits();
        enable_x2apic();
        measure_interrupts();
    }
    text("BENCH-DONE\n");
    stop();
}
