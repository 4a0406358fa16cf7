/*
 * The boot, top to bottom. Each step says in its header what it needs from those before.
 */
#include <hv/acpi.h>
#include <hv/boot.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/cpu_policy.h>
#include <hv/descriptor_tables.h>
#include <hv/domain.h>
#include <hv/exit.h>
#include <hv/hvm.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <hv/pagetable.h>
#include <hv/pci.h>
#include <hv/protection.h>
#include <hv/provoke.h>
#include <hv/pv.h>
#include <hv/sched.h>
#include <hv/smp.h>
#include <hv/stack_protector.h>
#include <hv/time.h>
#include <hv/timer.h>
#include <hv/xstate.h>

void boot_main(uint32_t magic, paddr_t info);

static void boot_cpu_prepare(void)
{
    struct cpu_info *ci = cpu_info();
    memset(ci, 0, sizeof(*ci));
    ci->cpu = &cpus[0];
    cpus[0].online = true;
}

void boot_main(uint32_t magic, paddr_t info)
{
    stack_protector_init();
    boot_cpu_prepare();
    bool multiboot = bootinfo_parse(magic, info);
    console_init_early();
    if (!multiboot)
        panic("not started by a Multiboot2 loader (magic %#x): boot the image with GRUB's multiboot2 command", magic);
    log_info("Roundhouse hypervisor, loaded by %s at %#lx", bootinfo.loader, image_physical_base);
    bootinfo_report();
    descriptor_tables_init();
    descriptor_tables_init_cpu(&cpus[0]);
    cpu_features_init();
    protection_init();
    cpu_features_init_cpu();
    pagetable_init();
    protection_check_cpu();
    page_alloc_init();
    console_init_screen();
    acpi_init();
    pci_init();
    domain_init();
    xstate_init_cpu();
    hvm_init();
    cpu_policy_init();
    hvm_init_cpu();
    apic_init();
    ioapic_init();
    apic_init_cpu();
    irq_enable();
    time_init();
    wallclock_set(cmos_seconds(), 0, now());
    timer_init_cpu(&cpus[0]);
    sched_init();
    sched_init_cpu(&cpus[0]);
    console_init_irq();
    smp_init();
    provoke_fault();
    boot_policy();
    dom0_build();
    log_info("%lu MiB free; starting Domain-0", free_page_count() >> (20 - PAGE_SHIFT));
    console_release_screen();
    domain_unpause_by_controller(dom0);
    cpu_start_idle();
}
