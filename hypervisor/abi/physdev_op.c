/*
 * physdev_op: what the hardware domain's kernel asks about interrupts and PCI devices, and what any PV kernel asks
 * about port rights. Source: xen/physdev.h.
 */
#include <hv/bootinfo.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/irq.h>
#include <hv/irq_source.h>
#include <hv/operation.h>
#include <hv/page.h>
#include <hv/pci.h>
#include <xen/physdev.h>

_Static_assert(sizeof(struct physdev_map_pirq) == 40, "ABI");
_Static_assert(offsetof(struct physdev_map_pirq, table_base) == 32, "ABI");
_Static_assert(sizeof(struct physdev_apic) == 16, "ABI");
_Static_assert(sizeof(struct physdev_setup_gsi) == 8, "ABI");
_Static_assert(sizeof(struct physdev_pci_mmcfg_reserved) == 16, "ABI");
_Static_assert(sizeof(struct physdev_pci_device) == 4, "ABI");
_Static_assert(sizeof(struct physdev_dbgp_op) == 6, "ABI");
_Static_assert(offsetof(struct physdev_pci_device_add, optarr) == 12, "ABI");

#define IO_PORTS 65536

static long physdev_eoi(struct request *r)
{
    struct physdev_eoi *op = r->argument;
    return op->irq < MAX_PIRQS ? pirq_eoi(current->domain, (int)op->irq) : -EINVAL;
}

/* Version 1 would also have us unmask the event channel at each EOI; no kernel since Linux 2.6 asks for that. */
static long physdev_eoi_map(struct request *r)
{
    struct physdev_pirq_eoi_gmfn *op = r->argument;
    return pirq_set_eoi_map(current->domain, op->gmfn);
}

static long physdev_irq_status(struct request *r)
{
    struct physdev_irq_status_query *op = r->argument;
    if (op->irq >= MAX_PIRQS)
        return -EINVAL;
    /* Never XENIRQSTAT_shared: only the hardware domain has interrupts. */
    op->flags = pirq_needs_eoi(current->domain, (int)op->irq) ? XENIRQSTAT_needs_eoi : 0;
    return 0;
}

static long physdev_set_iopl(struct request *r)
{
    struct physdev_set_iopl *op = r->argument;
    if (op->iopl > 3)
        return -EINVAL;
    current->pv.iopl = (uint8_t)op->iopl;
    return 0;
}

static long physdev_set_iobitmap(struct request *r)
{
    struct physdev_set_iobitmap *op = r->argument;
    if (op->nr_ports > IO_PORTS || !guest_range_ok(guest_handle_address(op->bitmap), DIV_ROUND_UP(op->nr_ports, 8)))
        return -EINVAL;
    current->pv.iobitmap = op->bitmap.p;
    current->pv.iobitmap_ports = op->nr_ports;
    return 0;
}

/* The kernel counts pins and compares versions; routing is done by the calls below. */
static long physdev_apic_read(struct request *r)
{
    struct physdev_apic *op = r->argument;
    if (!ioapic_read_register(op->apic_physbase, op->reg, &op->value))
        return -EINVAL;
    return 0;
}

static long physdev_apic_write(struct request *r)
{
    struct physdev_apic *op = r->argument;
    uint32_t value;
    return ioapic_read_register(op->apic_physbase, op->reg, &value) ? -EPERM : -EINVAL;
}

static long physdev_alloc_vector(struct request *r)
{
    struct physdev_irq *op = r->argument;
    int vector = gsi_vector(op->irq);
    if (vector < 0)
        return vector;
    op->vector = (uint32_t)vector;
    return 0;
}

static long physdev_setup_gsi(struct request *r)
{
    struct physdev_setup_gsi *op = r->argument;
    if (op->gsi < 0)
        return -EINVAL;
    return gsi_setup((unsigned)op->gsi, op->triggering, op->polarity);
}

/* Interrupts can be mapped for the caller only: nothing can be passed through yet. */
static int check_target(domid_t id)
{
    if (id == DOMID_SELF || id == current->domain->id)
        return 0;
    struct domain *d = domain_get(id);
    if (!d)
        return -ESRCH;
    domain_put(d);
    return -EOPNOTSUPP;
}

static int map_message(const struct physdev_map_pirq *op)
{
    struct msi_request request = {
        .bus = (uint8_t)op->bus,
        .devfn = (uint8_t)op->devfn,
        .table = op->table_base,
        .count = 1,
    };
    if (op->type != MAP_PIRQ_TYPE_MSI)
        request.segment = (uint16_t)((uint32_t)op->bus >> 16);
    if (op->entry_nr < 0)
        return -EINVAL;
    if (op->type == MAP_PIRQ_TYPE_MULTI_MSI) {
        if (op->table_base || op->entry_nr == 0 || op->entry_nr > 32)
            return -EINVAL;
        request.count = (unsigned)op->entry_nr;
    } else {
        request.entry = (unsigned)op->entry_nr;
    }
    return pirq_map_msi(current->domain, &request, op->pirq);
}

static int map_one(const struct physdev_map_pirq *op)
{
    switch (op->type) {
    case MAP_PIRQ_TYPE_GSI:
        return op->index < 0 ? -EINVAL : pirq_map_gsi(current->domain, (unsigned)op->index, op->pirq);
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
    case MAP_PIRQ_TYPE_MULTI_MSI:
        return map_message(op);
    default:
        return -EINVAL;
    }
}

static long physdev_map_pirq(struct request *r)
{
    struct physdev_map_pirq *op = r->argument;
    int error = check_target(op->domid);
    if (error)
        return error;
    int pirq = map_one(op);
    if (pirq < 0)
        return pirq;
    op->pirq = pirq;
    if (!copy_argument_out(r->address, op))
        return 0;
    pirq_unmap(current->domain, pirq);
    return -EFAULT;
}

static long physdev_unmap_pirq(struct request *r)
{
    struct physdev_unmap_pirq *op = r->argument;
    int error = check_target(op->domid);
    return error ? error : pirq_unmap(current->domain, op->pirq);
}

static long physdev_free_pirq(struct request *r)
{
    struct physdev_get_free_pirq *op = r->argument;
    if (op->type != MAP_PIRQ_TYPE_MSI && op->type != MAP_PIRQ_TYPE_GSI)
        return -EINVAL;
    int pirq = pirq_reserve(current->domain, op->type == MAP_PIRQ_TYPE_MSI);
    if (pirq < 0)
        return pirq;
    op->pirq = (uint32_t)pirq;
    if (!copy_argument_out(r->address, op))
        return 0;
    pirq_unmap(current->domain, pirq);
    return -EFAULT;
}

/* Devices need no record before their interrupts are mapped: an announcement is only checked. */
static int device_added(uint32_t sbdf)
{
    log_debug("PCI %04x:%02x:%02x.%u announced", sbdf >> 16, sbdf >> 8 & 0xff, sbdf >> 3 & 0x1f, sbdf & 7);
    return 0;
}

static long physdev_manage_add(struct request *r)
{
    struct physdev_manage_pci *op = r->argument;
    return device_added(PCI_SBDF(0, op->bus, op->devfn));
}

static long physdev_manage_add_ext(struct request *r)
{
    struct physdev_manage_pci_ext *op = r->argument;
    return device_added(PCI_SBDF(0, op->bus, op->devfn));
}

static long physdev_device_add(struct request *r)
{
    struct physdev_pci_device_add *op = r->argument;
    return device_added(PCI_SBDF(op->seg, op->bus, op->devfn));
}

static long physdev_manage_remove(struct request *r)
{
    struct physdev_manage_pci *op = r->argument;
    pirq_release_device(PCI_SBDF(0, op->bus, op->devfn));
    return 0;
}

static long physdev_device_remove(struct request *r)
{
    struct physdev_pci_device *op = r->argument;
    pirq_release_device(PCI_SBDF(op->seg, op->bus, op->devfn));
    return 0;
}

static long physdev_restore_msi(struct request *r)
{
    struct physdev_restore_msi *op = r->argument;
    pirq_restore_device(PCI_SBDF(0, op->bus, op->devfn));
    return 0;
}

static long physdev_restore_msi_ext(struct request *r)
{
    struct physdev_pci_device *op = r->argument;
    pirq_restore_device(PCI_SBDF(op->seg, op->bus, op->devfn));
    return 0;
}

/* The table is mapped when its first entry is used; all there is to say now is whether there is one. */
static long physdev_msix(struct request *r)
{
    struct physdev_pci_device *op = r->argument;
    return pci_find_capability(PCI_SBDF(op->seg, op->bus, op->devfn), PCI_CAPABILITY_MSIX) ? 0 : -ENODEV;
}

/* A range beyond the processor's addresses would have bits in our page tables that it takes for an error. */
static bool can_be_device(uint64_t start, uint64_t end)
{
    uint64_t limit = 1UL << cpu_features.physical_address_bits;
    return start < limit && end > start && end <= limit;
}

static bool has_memory(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < bootinfo.memory_count; i++) {
        const struct memory_range *range = &bootinfo.memory[i];
        if (range->kind == MEMORY_RAM && start < range->end && range->start < end)
            return true;
    }
    return false;
}

static long physdev_mmcfg_reserved(struct request *r)
{
    struct physdev_pci_mmcfg_reserved *op = r->argument;
    if ((op->flags & ~XEN_PCI_MMCFG_RESERVED) || op->start_bus > op->end_bus || op->address % MiB)
        return -EINVAL;
    if (!(op->flags & XEN_PCI_MMCFG_RESERVED))
        return 0;
    /* The ABI, like the MCFG table, gives the place of bus 0. */
    uint64_t start = op->address + op->start_bus * MiB, end = op->address + (op->end_bus + 1) * MiB;
    if (!can_be_device(op->address, end) || has_memory(start, end))
        return -EINVAL;
    return pci_ecam_add(start, op->segment, op->start_bus, op->end_bus);
}

/* We never use a USB debug port, so its reset needs no care. */
static long physdev_dbgp(struct request *r)
{
    struct physdev_dbgp_op *op = r->argument;
    return op->op == PHYSDEVOP_DBGP_RESET_PREPARE || op->op == PHYSDEVOP_DBGP_RESET_DONE ? 0 : -EINVAL;
}

static const struct operation operations[] = {
    [PHYSDEVOP_set_iopl] = {physdev_set_iopl, sizeof(struct physdev_set_iopl), POLICY_PV},
    [PHYSDEVOP_set_iobitmap] = {physdev_set_iobitmap, sizeof(struct physdev_set_iobitmap), POLICY_PV},
    [PHYSDEVOP_pirq_eoi_gmfn_v2] = {physdev_eoi_map, sizeof(struct physdev_pirq_eoi_gmfn), POLICY_PV},
    [PHYSDEVOP_eoi] = {physdev_eoi, sizeof(struct physdev_eoi), POLICY_PIRQS},
    [PHYSDEVOP_irq_status_query] = {physdev_irq_status, sizeof(struct physdev_irq_status_query), POLICY_PIRQS,
                                    ANSWER_DONE},
    [PHYSDEVOP_map_pirq] = {physdev_map_pirq, sizeof(struct physdev_map_pirq), POLICY_PIRQS},
    [PHYSDEVOP_unmap_pirq] = {physdev_unmap_pirq, sizeof(struct physdev_unmap_pirq), POLICY_PIRQS},
    [PHYSDEVOP_get_free_pirq] = {physdev_free_pirq, sizeof(struct physdev_get_free_pirq), POLICY_PIRQS},
    [PHYSDEVOP_alloc_irq_vector] = {physdev_alloc_vector, sizeof(struct physdev_irq), POLICY_HARDWARE, ANSWER_DONE},
    [PHYSDEVOP_setup_gsi] = {physdev_setup_gsi, sizeof(struct physdev_setup_gsi), POLICY_HARDWARE},
    [PHYSDEVOP_apic_read] = {physdev_apic_read, sizeof(struct physdev_apic), POLICY_HARDWARE, ANSWER_DONE},
    [PHYSDEVOP_apic_write] = {physdev_apic_write, sizeof(struct physdev_apic), POLICY_HARDWARE},
    [PHYSDEVOP_pci_device_add] = {physdev_device_add, offsetof(struct physdev_pci_device_add, optarr), POLICY_HARDWARE},
    [PHYSDEVOP_pci_device_remove] = {physdev_device_remove, sizeof(struct physdev_pci_device), POLICY_HARDWARE},
    [PHYSDEVOP_manage_pci_add] = {physdev_manage_add, sizeof(struct physdev_manage_pci), POLICY_HARDWARE},
    [PHYSDEVOP_manage_pci_add_ext] = {physdev_manage_add_ext, sizeof(struct physdev_manage_pci_ext), POLICY_HARDWARE},
    [PHYSDEVOP_manage_pci_remove] = {physdev_manage_remove, sizeof(struct physdev_manage_pci), POLICY_HARDWARE},
    [PHYSDEVOP_restore_msi] = {physdev_restore_msi, sizeof(struct physdev_restore_msi), POLICY_HARDWARE},
    [PHYSDEVOP_restore_msi_ext] = {physdev_restore_msi_ext, sizeof(struct physdev_pci_device), POLICY_HARDWARE},
    [PHYSDEVOP_prepare_msix] = {physdev_msix, sizeof(struct physdev_pci_device), POLICY_HARDWARE},
    [PHYSDEVOP_release_msix] = {physdev_msix, sizeof(struct physdev_pci_device), POLICY_HARDWARE},
    [PHYSDEVOP_pci_mmcfg_reserved] = {physdev_mmcfg_reserved, sizeof(struct physdev_pci_mmcfg_reserved),
                                      POLICY_HARDWARE},
    [PHYSDEVOP_dbgp_op] = {physdev_dbgp, sizeof(struct physdev_dbgp_op), POLICY_HARDWARE},
};

/* arg[0] PHYSDEVOP_*, arg[1] address of its structure. */
long do_physdev_op(struct hypercall *call)
{
    struct request r = {.call = call, .address = call->arg[1]};

    return operation_serve(operations, ARRAY_SIZE(operations), (uint32_t)call->arg[0], &r);
}
