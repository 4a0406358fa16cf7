/*
 * HYPERVISOR_platform_op: what Domain-0 asks about, or does to, the machine underneath. Source: xen/platform.h.
 *
 * Power management of processors is ours: what ACPI says about it is not taken from Domain-0, and the calls that would
 * hand it over are refused rather than swallowed.
 */
#include <hv/abi_internal.h>
#include <hv/acpi.h>
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/operation.h>
#include <hv/pagetable.h>
#include <hv/time.h>
#include <xen/platform.h>

_Static_assert(sizeof(struct xen_platform_op) == 136, "ABI");

static int set_time(uint64_t seconds, uint32_t nanoseconds, uint64_t at)
{
    struct domain *d;

    if (nanoseconds >= NS_PER_SECOND)
        return -EINVAL;
    wallclock_set(seconds, nanoseconds, at);
    for (domid_t next = 0; (d = domain_get_next(next)) != NULL;) {
        next = (domid_t)(d->id + 1);
        domain_update_wallclock(d);
        domain_put(d);
    }
    return 0;
}

static long settime32(struct request *r)
{
    struct xen_platform_op *op = r->argument;

    return set_time(op->u.settime32.secs, op->u.settime32.nsecs, op->u.settime32.system_time);
}

static long settime64(struct request *r)
{
    struct xen_platform_op *op = r->argument;

    if (op->u.settime64.mbz)
        return -EINVAL;
    return set_time(op->u.settime64.secs, op->u.settime64.nsecs, op->u.settime64.system_time);
}

/* UEFI specification 2.9, 4.2 and 4.3: the tables' common head, and the system table. */
struct efi_header {
    uint64_t signature;
    uint32_t revision, bytes, crc32, reserved;
};
struct efi_system_table {
    struct efi_header header;
    uint64_t vendor;
    uint32_t firmware_revision, pad;
    uint64_t console[6], runtime_services, boot_services, configuration_entries, configuration;
};
_Static_assert(sizeof(struct efi_system_table) == 120, "UEFI 4.3");
#define EFI_SYSTEM_TABLE_SIGNATURE 0x5453595320494249ULL

/* Firmware tables lie in memory that is not RAM to us; mappings stay, so this one is made once. */
static const struct efi_system_table *efi_table(void)
{
    static const struct efi_system_table *table;

    if (!table && bootinfo.efi && bootinfo.efi_system_table)
        table = ioremap(bootinfo.efi_system_table, sizeof(*table), 0);
    return table && table->header.signature == EFI_SYSTEM_TABLE_SIGNATURE ? table : NULL;
}

static uint32_t efi_runtime_revision(const struct efi_system_table *table)
{
    static const struct efi_header *runtime;

    if (!runtime && table->runtime_services)
        runtime = ioremap(table->runtime_services, sizeof(*runtime), 0);
    return runtime ? runtime->revision : 0;
}

#define EFI_VENDOR_CHARACTERS 128

/* The name is UTF-16, ended by 0; bufsz is in bytes. The page behind the name's start is all we dare to map. */
static int efi_vendor(const struct efi_system_table *table, union xenpf_efi_info *info)
{
    static const uint16_t *name;
    uint32_t characters = info->vendor.bufsz / 2;
    uint16_t zero = 0;

    if (!name && table->vendor)
        name = ioremap(table->vendor, EFI_VENDOR_CHARACTERS * sizeof(*name), 0);
    info->vendor.revision = table->firmware_revision;
    if (!name || !characters || guest_handle_is_null(info->vendor.name))
        return 0;
    for (uint32_t i = 0; i < characters; i++) {
        bool last = i == characters - 1 || i == EFI_VENDOR_CHARACTERS - 1 || !name[i];
        const uint16_t *character = last ? &zero : &name[i];

        if (copy_to_guest_va((unsigned long)info->vendor.name.p + i * 2, character, 2))
            return -EFAULT;
        if (last)
            break;
    }
    return 0;
}

/* -ENOSYS tells a kernel that the machine was not started by EFI. */
static int efi_information(struct xenpf_firmware_info *info)
{
    const struct efi_system_table *table = efi_table();
    union xenpf_efi_info *efi = &info->u.efi_info;

    if (!table)
        return -ENOSYS;
    switch (info->index) {
    case XEN_FW_EFI_VERSION:
        efi->version = table->header.revision;
        return 0;
    case XEN_FW_EFI_RT_VERSION:
        efi->version = efi_runtime_revision(table);
        return 0;
    case XEN_FW_EFI_CONFIG_TABLE:
        efi->cfg.addr = table->configuration;
        efi->cfg.nent = (uint32_t)table->configuration_entries;
        return 0;
    case XEN_FW_EFI_VENDOR:
        return efi_vendor(table, efi);
    }
    return -ENOENT;
}

/* The BIOS keeps the state of the lock keys at 0040:0017. */
#define BIOS_KEYBOARD_FLAGS 0x417

static long firmware_info(struct request *r)
{
    struct xen_platform_op *op = r->argument;
    struct xenpf_firmware_info *info = &op->u.firmware_info;

    switch (info->type) {
    case XEN_FW_EFI_INFO:
        return efi_information(info);
    case XEN_FW_KBD_SHIFT_FLAGS:
        if (info->index)
            return -ESRCH;
        info->u.kbd_shift_flags = 0;
        if (!bootinfo.efi && mfn_is_ram(0))
            info->u.kbd_shift_flags = *(const volatile uint8_t *)paddr_to_virt(BIOS_KEYBOARD_FLAGS);
        return 0;
    case XEN_FW_DISK_INFO: /* the BIOS was not asked about disks: an empty list */
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH;
    }
    return -EINVAL;
}

static long get_cpuinfo(struct request *r)
{
    struct xen_platform_op *op = r->argument;
    struct xenpf_pcpuinfo *info = &op->u.pcpu_info;

    info->max_present = cpu_count - 1;
    info->flags = XEN_PCPU_FLAGS_INVALID;
    if (info->xen_cpuid < cpu_count) {
        const struct cpu *cpu = &cpus[info->xen_cpuid];

        info->flags = cpu->online ? XEN_PCPU_FLAGS_ONLINE : 0;
        info->apic_id = cpu->apic_id;
        info->acpi_id = cpu->acpi_id;
    }
    return 0;
}

/* All processors have what the boot processor has. */
static long get_cpu_version(struct request *r)
{
    struct xen_platform_op *op = r->argument;
    struct xenpf_pcpu_version *version = &op->u.pcpu_version;
    struct cpuid identity = cpuid(0, 0);
    uint32_t signature = cpuid(1, 0).eax, family = signature >> 8 & 0xf;

    version->max_present = cpu_count - 1;
    memset(version->vendor_id, 0, sizeof(version->vendor_id));
    version->family = version->model = version->stepping = 0;
    if (version->xen_cpuid >= cpu_count)
        return 0;
    memcpy(version->vendor_id, &identity.ebx, 4);
    memcpy(version->vendor_id + 4, &identity.edx, 4);
    memcpy(version->vendor_id + 8, &identity.ecx, 4);
    version->family = family == 0xf ? family + (signature >> 20 & 0xff) : family;
    version->model = (signature >> 4 & 0xf) | (signature >> 12 & 0xf0);
    version->stepping = signature & 0xf;
    return 0;
}

static long cpu_online(struct request *r)
{
    struct xen_platform_op *op = r->argument;

    if (op->u.cpu_ol.cpuid >= cpu_count)
        return -EINVAL;
    return cpus[op->u.cpu_ol.cpuid].online ? 0 : -EOPNOTSUPP;
}

static long cpu_offline(struct request *r)
{
    struct xen_platform_op *op = r->argument;

    if (op->u.cpu_ol.cpuid >= cpu_count || !op->u.cpu_ol.cpuid)
        return -EINVAL;
    return cpus[op->u.cpu_ol.cpuid].online ? -EOPNOTSUPP : 0;
}

static uint64_t idle_time(const struct cpu *cpu, ns_t at)
{
    uint64_t since = READ_ONCE(cpu->idle_since);

    return cpu->idle_time + (since && since < at ? at - since : 0);
}

/* Processors that are asked for and do not exist get 0 and lose their bit. */
static long get_idle_time(struct request *r)
{
    struct xen_platform_op *op = r->argument;
    struct xenpf_getidletime *request = &op->u.getidletime;
    uint32_t bits = min(request->cpumap_nr_cpus, (uint32_t)NR_CPUS);
    uint8_t map[NR_CPUS / 8] = {0};

    if (copy_from_guest(map, request->cpumap_bitmap, DIV_ROUND_UP(bits, 8)))
        return -EFAULT;
    request->now = now();
    for (uint32_t i = 0; i < bits; i++) {
        uint64_t idle = i < cpu_count ? idle_time(&cpus[i], request->now) : 0;

        if (!(map[i / 8] >> (i % 8) & 1))
            continue;
        if (i >= cpu_count)
            map[i / 8] &= (uint8_t) ~(1U << (i % 8));
        if (copy_to_guest_offset(request->idletime, i, &idle, 1))
            return -EFAULT;
    }
    return copy_to_guest(request->cpumap_bitmap, map, DIV_ROUND_UP(bits, 8));
}

#define ACPI_STATE_S5 5

/* Domain-0 has prepared the machine and asks for the last step. We can switch off; sleeping is not there yet. */
static long enter_acpi_sleep(struct request *r)
{
    struct xen_platform_op *op = r->argument;

    if (op->u.enter_acpi_sleep.sleep_state != ACPI_STATE_S5)
        return -EOPNOTSUPP;
    log_info("Domain-0 switches the machine off");
    machine_power_off();
}

/* No symbols are handed out: the first one asked for is already behind the last. */
static long get_symbol(struct request *r)
{
    struct xen_platform_op *op = r->argument;

    op->u.symdata.namelen = 0;
    op->u.symdata.address = 0;
    op->u.symdata.type = 0;
    return 0;
}

static long not_supported(struct request *r)
{
    return -EOPNOTSUPP;
}

static long no_efi_runtime(struct request *r)
{
    return -ENOSYS;
}

#define OPERATION(name, handler, answer)                                                                               \
    [XENPF_##name] = {handler, sizeof(struct xen_platform_op), POLICY_HARDWARE, answer}
static const struct operation operations[] = {
    OPERATION(settime32, settime32, ANSWER_NONE),
    OPERATION(settime64, settime64, ANSWER_NONE),
    OPERATION(firmware_info, firmware_info, ANSWER_DONE),
    OPERATION(get_cpuinfo, get_cpuinfo, ANSWER_DONE),
    OPERATION(get_cpu_version, get_cpu_version, ANSWER_DONE),
    OPERATION(cpu_online, cpu_online, ANSWER_NONE),
    OPERATION(cpu_offline, cpu_offline, ANSWER_NONE),
    OPERATION(getidletime, get_idle_time, ANSWER_DONE),
    OPERATION(enter_acpi_sleep, enter_acpi_sleep, ANSWER_NONE),
    OPERATION(get_symbol, get_symbol, ANSWER_DONE),
    OPERATION(efi_runtime_call, no_efi_runtime, ANSWER_NONE),
    OPERATION(set_processor_pminfo, not_supported, ANSWER_NONE),
    OPERATION(microcode_update, not_supported, ANSWER_NONE),
    OPERATION(platform_quirk, not_supported, ANSWER_NONE),
    OPERATION(change_freq, not_supported, ANSWER_NONE),
    OPERATION(add_memtype, not_supported, ANSWER_NONE),
    OPERATION(del_memtype, not_supported, ANSWER_NONE),
    OPERATION(read_memtype, not_supported, ANSWER_NONE),
    OPERATION(cpu_hotadd, not_supported, ANSWER_NONE),
    OPERATION(mem_hotadd, not_supported, ANSWER_NONE),
    OPERATION(core_parking, not_supported, ANSWER_NONE),
    OPERATION(resource_op, not_supported, ANSWER_NONE),
};

/* One at a time: they change what the whole machine shares. */
static struct spinlock platform_lock = SPINLOCK_INIT(LOCK_PLATFORM);

/* arg[0] address of the structure, which says which operation. */
long do_platform_op(struct hypercall *call)
{
    struct xen_platform_op op;
    struct request r = {.call = call, .address = call->arg[0], .argument = &op};
    long result;

    if (copy_argument_in(&op, call->arg[0]))
        return -EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -EACCES;
    if (!spin_trylock(&platform_lock))
        return -ERESTART;
    result = operation_serve(operations, ARRAY_SIZE(operations), op.cmd, &r);
    spin_unlock(&platform_lock);
    return result;
}
