/*
 * The local APIC of each CPU: mode, set-up, inter-processor interrupts, end of interrupt.
 *
 * Destinations are physical APIC ids everywhere. xAPIC mode reaches ids below 255; x2APIC mode reaches all, but
 * without interrupt remapping the manuals do not allow it on bare hardware, so it is used only where the firmware left
 * it on, where an id needs it, or under a hypervisor. Sources: Intel SDM volume 3, chapter 11; AMD APM volume 2,
 * chapter 16.
 */
#include <hv/acpi.h>
#include <hv/apic_regs.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/irq.h>
#include <hv/pagetable.h>
#include <hv/spinlock.h>

#define APIC_BASE_ENABLE  (1UL << 11)
#define APIC_BASE_X2APIC  (1UL << 10)
#define APIC_BASE_ADDRESS 0x000ffffffffff000UL

#define SPURIOUS_ENABLE 0x100U

#define COMMAND_FIXED   0x00000U
#define COMMAND_NMI     0x00400U
#define COMMAND_INIT    0x00500U
#define COMMAND_STARTUP 0x00600U
#define COMMAND_PENDING 0x01000U
#define COMMAND_ASSERT  0x04000U
#define COMMAND_LEVEL   0x08000U

#define LVT_NMI          0x00400U
#define XAPIC_MAX_ID     254U
#define CPUID_HYPERVISOR (1U << 31)

static bool x2apic;
static volatile uint8_t *xapic;

uint32_t apic_read(unsigned reg)
{
    if (x2apic)
        return (uint32_t)rdmsr(MSR_X2APIC_FIRST + (reg >> 4));
    return *(volatile uint32_t *)(xapic + reg);
}

void apic_write(unsigned reg, uint32_t value)
{
    if (x2apic)
        wrmsr(MSR_X2APIC_FIRST + (reg >> 4), value);
    else
        *(volatile uint32_t *)(xapic + reg) = value;
}

uint32_t apic_id(void)
{
    uint32_t id = apic_read(APIC_ID);
    return x2apic ? id : id >> 24;
}

bool apic_can_address(uint32_t id)
{
    return x2apic ? id != 0xffffffffU : id <= XAPIC_MAX_ID;
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

/*
 * The processor may still hold the previous command. It gives it up within microseconds; should it never, sending over
 * it is better than hanging here.
 */
static void wait_command_sent(void)
{
    for (unsigned turns = 0; turns < 1000000 && (apic_read(APIC_COMMAND) & COMMAND_PENDING); turns++)
        cpu_relax();
}

static void send_command(uint32_t id, uint32_t command)
{
    if (x2apic) {
        /* The MSR write does not wait for earlier stores, which the receiver is to see. */
        __asm__ volatile("mfence; lfence" ::: "memory");
        wrmsr(MSR_X2APIC_FIRST + (APIC_COMMAND >> 4), (uint64_t)id << 32 | command);
        return;
    }
    unsigned long flags = irq_save(); /* a handler that sends too would change the destination in between */
    wait_command_sent();
    apic_write(APIC_COMMAND_HIGH, id << 24);
    apic_write(APIC_COMMAND, command);
    irq_restore(flags);
}

void apic_send_ipi(struct cpu *cpu, uint8_t vector)
{
    send_command(cpu->apic_id, COMMAND_FIXED | COMMAND_ASSERT | vector);
}

/* One by one: the "all but self" shorthand would also reach processors that we left out. */
static void send_to_others(uint32_t command)
{
    unsigned self = smp_processor_id();
    for (unsigned i = 0; i < cpu_count; i++)
        if (i != self && cpus[i].online)
            send_command(cpus[i].apic_id, command);
}

void apic_send_nmi_all_but_self(void)
{
    send_to_others(COMMAND_NMI | COMMAND_ASSERT);
}

void apic_send_init(uint32_t id)
{
    send_command(id, COMMAND_INIT | COMMAND_LEVEL | COMMAND_ASSERT);
    if (!x2apic) {
        wait_command_sent();
        send_command(id, COMMAND_INIT | COMMAND_LEVEL); /* de-assert; ignored by all but the oldest */
        wait_command_sent();
    }
}

void apic_send_startup(uint32_t id, uint8_t page)
{
    send_command(id, COMMAND_STARTUP | COMMAND_ASSERT | page);
    if (!x2apic)
        wait_command_sent();
}

static bool wants_x2apic(void)
{
    if (!cpu_features.x2apic)
        return false;
    if ((rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC) || (cpuid(1, 0).ecx & CPUID_HYPERVISOR))
        return true;
    for (unsigned i = 0; i < acpi.cpu_count; i++)
        if (acpi.cpu[i].enabled && acpi.cpu[i].apic_id > XAPIC_MAX_ID)
            return true;
    return false;
}

static void set_mode(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if (!x2apic && (base & APIC_BASE_X2APIC)) {
        /* Only through "disabled" does a processor leave x2APIC mode. */
        wrmsr(MSR_APIC_BASE, base & ~(APIC_BASE_X2APIC | APIC_BASE_ENABLE));
        base &= ~APIC_BASE_X2APIC;
    }
    wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    if (x2apic)
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
}

/* Interrupts the firmware or an earlier kernel left in service would block ours of lower priority for good. */
static void clear_in_service(void)
{
    for (unsigned turns = 0; turns < 256; turns++) {
        uint32_t any = 0;
        for (unsigned i = 0; i < 8; i++)
            any |= apic_read(APIC_IN_SERVICE + i * 0x10);
        if (!any)
            return;
        apic_eoi();
    }
}

void apic_init_cpu(void)
{
    set_mode();
    unsigned last_lvt = apic_read(APIC_VERSION) >> 16 & 0xff;
    apic_write(APIC_TASK_PRIORITY, 0);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
    apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED); /* where the 8259 would come in */
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    if (last_lvt >= 4)
        apic_write(APIC_LVT_COUNTERS, APIC_LVT_MASKED);
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    if (last_lvt >= 3)
        apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
    apic_write(APIC_ERROR, 0);
    clear_in_service();
}

void apic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);
    x2apic = wants_x2apic();
    if (!x2apic) {
        paddr_t address = acpi.lapic_address ? acpi.lapic_address : base & APIC_BASE_ADDRESS;
        xapic = ioremap(address, PAGE_SIZE, PTE_UNCACHED);
    }
    apic_init_cpu();
    struct cpu *self = this_cpu();
    self->apic_id = apic_id();
    for (unsigned i = 0; i < acpi.cpu_count; i++)
        if (acpi.cpu[i].apic_id == self->apic_id)
            self->acpi_id = acpi.cpu[i].acpi_id;
    log_info("APIC: %s mode, version %#x, boot CPU has id %u", x2apic ? "x2APIC" : "xAPIC",
             apic_read(APIC_VERSION) & 0xff, apic_id());
}
