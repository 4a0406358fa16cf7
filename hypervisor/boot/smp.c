/*
 * Bringing up the other processors, one at a time.
 *
 * A page below 1 MiB is borrowed for the trampoline: its contents are put back afterwards, so it matters to nobody
 * whose it is. A processor that answers too late finds no ticket in it and parks.
 */
#include <hv/acpi.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu_features.h>
#include <hv/descriptor_tables.h>
#include <hv/exit.h>
#include <hv/hvm.h>
#include <hv/irq.h>
#include <hv/pagetable.h>
#include <hv/percpu.h>
#include <hv/protection.h>
#include <hv/sched.h>
#include <hv/smp.h>
#include <hv/time.h>
#include <hv/tlb.h>
#include <hv/trampoline.h>
#include <hv/xstate.h>

#define LOW_MEMORY_END 0xa0000UL

#define INIT_WAIT_US    10000
#define STARTUP_WAIT_US 100000
#define ONLINE_WAIT_US  5000000
#define POLL_US         50

static uint8_t saved_page[PAGE_SIZE];

/* The last page of RAM below the video memory; 0: none. */
static paddr_t find_low_page(void)
{
    paddr_t found = 0;
    for (unsigned i = 0; i < bootinfo.memory_count; i++) {
        const struct memory_range *range = &bootinfo.memory[i];
        paddr_t end = min(range->end, (paddr_t)LOW_MEMORY_END) & PAGE_MASK;
        if (range->kind == MEMORY_RAM && end >= range->start + PAGE_SIZE && end > 2 * PAGE_SIZE)
            found = max(found, end - PAGE_SIZE);
    }
    return found;
}

static struct trampoline_data *install_trampoline(paddr_t page)
{
    uint8_t *code = paddr_to_virt(page);
    memcpy(saved_page, code, PAGE_SIZE);
    memcpy(code, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    struct trampoline_data *data = (void *)(code + (trampoline_data - trampoline_start));
    uint32_t base = (uint32_t)page;
    *data = (struct trampoline_data){
        .cr0 = (uint32_t)(read_cr0() & ~X86_CR0_TS),
        .root = (uint32_t)read_cr3(),
        .efer = (uint32_t)(rdmsr(MSR_EFER) & (EFER_SCE | EFER_NXE)) | EFER_LME,
        .entry = (uint64_t)ap_entry,
        .protected_entry = {base + (uint32_t)(trampoline_protected - trampoline_start), TRAMPOLINE_CS32, 0},
        .long_entry = {base + (uint32_t)(trampoline_long - trampoline_start), TRAMPOLINE_CS64, 0},
        .gdt_limit = sizeof(data->gdt) - 1,
        .gdt_base = (uint32_t)(page + (paddr_t)((uint8_t *)data->gdt - code)),
        .gdt = {0, 0x00cf9b000000ffffUL, 0x00cf93000000ffffUL, 0x00af9b000000ffffUL},
    };
    return data;
}

void ap_main(struct cpu *cpu)
{
    descriptor_tables_init_cpu(cpu);
    cpu_features_init_cpu();
    protection_check_cpu();
    xstate_init_cpu();
    hvm_init_cpu();
    apic_init_cpu();
    time_init_cpu();
    timer_init_cpu(cpu);
    sched_init_cpu(cpu);
    __atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
    cpu_start_idle();
}

static bool wait_for(bool (*done)(void *), void *what, unsigned microseconds)
{
    for (unsigned waited = 0; waited < microseconds; waited += POLL_US) {
        if (done(what))
            return true;
        udelay(POLL_US);
    }
    return done(what);
}

static bool ticket_taken(void *data)
{
    return __atomic_load_n(&((struct trampoline_data *)data)->ticket, __ATOMIC_ACQUIRE) == 0;
}

static bool is_online(void *cpu)
{
    return __atomic_load_n(&((struct cpu *)cpu)->online, __ATOMIC_ACQUIRE);
}

/* INIT, then STARTUP, then once more for processors that missed it. */
static bool start(const struct cpu *cpu, struct trampoline_data *data, paddr_t page)
{
    __atomic_store_n(&data->ticket, 1, __ATOMIC_SEQ_CST);
    apic_send_init(cpu->apic_id);
    udelay(INIT_WAIT_US);
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        apic_send_startup(cpu->apic_id, (uint8_t)(page >> PAGE_SHIFT));
        if (wait_for(ticket_taken, data, STARTUP_WAIT_US))
            return true;
    }
    return __atomic_exchange_n(&data->ticket, 0, __ATOMIC_SEQ_CST) == 0;
}

static bool bring_up(struct cpu *cpu, struct trampoline_data *data, paddr_t page)
{
    uint8_t *stack = map_stack(cpu->id);
    if (!stack) {
        log_error("CPU %u (APIC id %u): no memory for its stack; left out", cpu->id, cpu->apic_id);
        return false;
    }
    struct cpu_info *info = (struct cpu_info *)(stack + STACK_SIZE) - 1;
    info->cpu = cpu;
    data->cpu = (uint64_t)cpu;
    data->stack = (uint64_t)info & ~15UL;
    if (!start(cpu, data, page)) {
        log_warning("CPU %u (APIC id %u) does not start; left out", cpu->id, cpu->apic_id);
        return false;
    }
    if (wait_for(is_online, cpu, ONLINE_WAIT_US))
        return true;
    /* It runs on its stack somewhere, which the next one gets: stop it. */
    apic_send_init(cpu->apic_id);
    log_error("CPU %u (APIC id %u) started and did not get ready; stopped and left out", cpu->id, cpu->apic_id);
    return false;
}

static void bring_up_all(struct trampoline_data *data, paddr_t page, unsigned limit)
{
    uint32_t self = apic_id();
    for (unsigned i = 0; i < acpi.cpu_count && cpu_count < limit; i++) {
        if (!acpi.cpu[i].enabled || acpi.cpu[i].apic_id == self)
            continue;
        if (!apic_can_address(acpi.cpu[i].apic_id)) {
            log_warning("APIC id %u cannot be reached in this mode; left out", acpi.cpu[i].apic_id);
            continue;
        }
        struct cpu *cpu = &cpus[cpu_count];
        *cpu = (struct cpu){.id = cpu_count, .apic_id = acpi.cpu[i].apic_id, .acpi_id = acpi.cpu[i].acpi_id};
        cpu->root_table = cpu->current_cr3 = read_cr3();
        cpu_count++; /* what it calls may look itself up */
        if (!bring_up(cpu, data, page))
            cpu_count--;
    }
}

void smp_init(void)
{
    unsigned limit = bootinfo.options.max_cpus ? min(bootinfo.options.max_cpus, (unsigned)NR_CPUS) : NR_CPUS;
    paddr_t page = find_low_page();
    if (!page) {
        log_warning("No RAM below 640 KiB: only one processor can be used");
        return;
    }
    if (read_cr3() >> 32)
        panic("the idle page table is not below 4 GiB, where starting processors reach it");
    bring_up_all(install_trampoline(page), page, limit);
    memcpy(paddr_to_virt(page), saved_page, PAGE_SIZE);
    idle_root[0] = 0; /* the one-to-one map of the trampoline: from now on address 0 faults */
    tlb_flush_all();
    log_info("%u of %u processors in use", cpu_count, acpi.cpu_count);
}
