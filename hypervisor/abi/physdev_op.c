/*
 * physdev_op: what the hardware domain's kernel asks about interrupts and PCI devices, and what any PV kernel asks
 * about port rights. Source: xen/physdev.h.
 */
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/irq_source.h>
#include <hv/page.h>
#include <hv/pci.h>
#include <hv/policy.h>
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

/* Handlers: argument = the guest's pointer. */

static int physdev_eoi(uint64_t argument)
{
    struct physdev_eoi op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    return op.irq < MAX_PIRQS ? pirq_eoi(current->domain, (int)op.irq) : -EINVAL;
}

/* Version 1 would also have us unmask the event channel at each EOI; no kernel since Linux 2.6 asks for that. */
static int physdev_eoi_map(uint64_t argument)
{
    struct physdev_pirq_eoi_gmfn op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    return pirq_set_eoi_map(current->domain, op.gmfn);
}

static int physdev_irq_status(uint64_t argument)
{
    struct physdev_irq_status_query op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    if (op.irq >= MAX_PIRQS)
        return -EINVAL;
    /* Never XENIRQSTAT_shared: only the hardware domain has interrupts. */
    op.flags = pirq_needs_eoi(current->domain, (int)op.irq) ? XENIRQSTAT_needs_eoi : 0;
    return copy_argument_out(argument, &op) ? -EFAULT : 0;
}

static int physdev_set_iopl(uint64_t argument)
{
    struct physdev_set_iopl op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    if (op.iopl > 3)
        return -EINVAL;
    current->pv.iopl = (uint8_t)op.iopl;
    return 0;
}

static int physdev_set_iobitmap(uint64_t argument)
{
    struct physdev_set_iobitmap op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    if (op.nr_ports > IO_PORTS || !guest_range_ok(guest_handle_address(op.bitmap), DIV_ROUND_UP(op.nr_ports, 8)))
        return -EINVAL;
    current->pv.iobitmap = op.bitmap.p;
    current->pv.iobitmap_ports = op.nr_ports;
    return 0;
}

/* The kernel counts pins and compares versions; routing is done by the calls below. */
static int physdev_apic_read(uint64_t argument)
{
    struct physdev_apic op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    if (!ioapic_read_register(op.apic_physbase, op.reg, &op.value))
        return -EINVAL;
    return copy_argument_out(argument, &op) ? -EFAULT : 0;
}

static int physdev_apic_write(uint64_t argument)
{
    struct physdev_apic op;
    uint32_t value;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    return ioapic_read_register(op.apic_physbase, op.reg, &value) ? -EPERM : -EINVAL;
}

static int physdev_alloc_vector(uint64_t argument)
{
    struct physdev_irq op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    int vector = gsi_vector(op.irq);
    if (vector < 0)
        return vector;
    op.vector = (uint32_t)vector;
    return copy_argument_out(argument, &op) ? -EFAULT : 0;
}

static int physdev_setup_gsi(uint64_t argument)
{
    struct physdev_setup_gsi op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    if (op.gsi < 0)
        return -EINVAL;
    return gsi_setup((unsigned)op.gsi, op.triggering, op.polarity);
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

static int physdev_map_pirq(uint64_t argument)
{
    struct physdev_map_pirq op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    int error = check_target(op.domid);
    if (error)
        return error;
    int pirq = map_one(&op);
    if (pirq < 0)
        return pirq;
    op.pirq = pirq;
    if (!copy_argument_out(argument, &op))
        return 0;
    pirq_unmap(current->domain, pirq);
    return -EFAULT;
}

static int physdev_unmap_pirq(uint64_t argument)
{
    struct physdev_unmap_pirq op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    int error = check_target(op.domid);
    return error ? error : pirq_unmap(current->domain, op.pirq);
}

static int physdev_free_pirq(uint64_t argument)
{
    struct physdev_get_free_pirq op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    if (op.type != MAP_PIRQ_TYPE_MSI && op.type != MAP_PIRQ_TYPE_GSI)
        return -EINVAL;
    int pirq = pirq_reserve(current->domain, op.type == MAP_PIRQ_TYPE_MSI);
    if (pirq < 0)
        return pirq;
    op.pirq = (uint32_t)pirq;
    if (!copy_argument_out(argument, &op))
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

static int physdev_manage_add(uint64_t argument)
{
    struct physdev_manage_pci op;
    return copy_argument_in(&op, argument) ? -EFAULT : device_added(PCI_SBDF(0, op.bus, op.devfn));
}

static int physdev_manage_add_ext(uint64_t argument)
{
    struct physdev_manage_pci_ext op;
    return copy_argument_in(&op, argument) ? -EFAULT : device_added(PCI_SBDF(0, op.bus, op.devfn));
}

static int physdev_device_add(uint64_t argument)
{
    struct physdev_pci_device_add op;
    if (copy_from_guest_va(&op, argument, offsetof(struct physdev_pci_device_add, optarr)))
        return -EFAULT;
    return device_added(PCI_SBDF(op.seg, op.bus, op.devfn));
}

static int physdev_manage_remove(uint64_t argument)
{
    struct physdev_manage_pci op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    pirq_release_device(PCI_SBDF(0, op.bus, op.devfn));
    return 0;
}

static int physdev_device_remove(uint64_t argument)
{
    struct physdev_pci_device op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    pirq_release_device(PCI_SBDF(op.seg, op.bus, op.devfn));
    return 0;
}

static int physdev_restore_msi(uint64_t argument)
{
    struct physdev_restore_msi op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    pirq_restore_device(PCI_SBDF(0, op.bus, op.devfn));
    return 0;
}

static int physdev_restore_msi_ext(uint64_t argument)
{
    struct physdev_pci_device op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    pirq_restore_device(PCI_SBDF(op.seg, op.bus, op.devfn));
    return 0;
}

/* The table is mapped when its first entry is used; all there is to say now is whether there is one. */
static int physdev_msix(uint64_t argument)
{
    struct physdev_pci_device op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    return pci_find_capability(PCI_SBDF(op.seg, op.bus, op.devfn), PCI_CAPABILITY_MSIX) ? 0 : -ENODEV;
}

static int physdev_mmcfg_reserved(uint64_t argument)
{
    struct physdev_pci_mmcfg_reserved op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    if ((op.flags & ~XEN_PCI_MMCFG_RESERVED) || op.start_bus > op.end_bus || op.address % MiB)
        return -EINVAL;
    if (!(op.flags & XEN_PCI_MMCFG_RESERVED))
        return 0;
    uint64_t start = op.address + op.start_bus * MiB; /* the ABI, like the MCFG table, gives the place of bus 0 */
    if (start < op.address || mfn_is_ram(start >> PAGE_SHIFT))
        return -EINVAL;
    return pci_ecam_add(start, op.segment, op.start_bus, op.end_bus);
}

/* We never use a USB debug port, so its reset needs no care. */
static int physdev_dbgp(uint64_t argument)
{
    struct physdev_dbgp_op op;
    if (copy_argument_in(&op, argument))
        return -EFAULT;
    return op.op == PHYSDEVOP_DBGP_RESET_PREPARE || op.op == PHYSDEVOP_DBGP_RESET_DONE ? 0 : -EINVAL;
}

static const struct {
    unsigned command;
    enum policy_class who;
    int (*handle)(uint64_t argument);
} operations[] = {
    {PHYSDEVOP_set_iopl, POLICY_PV, physdev_set_iopl},
    {PHYSDEVOP_set_iobitmap, POLICY_PV, physdev_set_iobitmap},
    {PHYSDEVOP_pirq_eoi_gmfn_v2, POLICY_PV, physdev_eoi_map},
    {PHYSDEVOP_eoi, POLICY_PIRQS, physdev_eoi},
    {PHYSDEVOP_irq_status_query, POLICY_PIRQS, physdev_irq_status},
    {PHYSDEVOP_map_pirq, POLICY_PIRQS, physdev_map_pirq},
    {PHYSDEVOP_unmap_pirq, POLICY_PIRQS, physdev_unmap_pirq},
    {PHYSDEVOP_get_free_pirq, POLICY_PIRQS, physdev_free_pirq},
    {PHYSDEVOP_alloc_irq_vector, POLICY_HARDWARE, physdev_alloc_vector},
    {PHYSDEVOP_setup_gsi, POLICY_HARDWARE, physdev_setup_gsi},
    {PHYSDEVOP_apic_read, POLICY_HARDWARE, physdev_apic_read},
    {PHYSDEVOP_apic_write, POLICY_HARDWARE, physdev_apic_write},
    {PHYSDEVOP_pci_device_add, POLICY_HARDWARE, physdev_device_add},
    {PHYSDEVOP_pci_device_remove, POLICY_HARDWARE, physdev_device_remove},
    {PHYSDEVOP_manage_pci_add, POLICY_HARDWARE, physdev_manage_add},
    {PHYSDEVOP_manage_pci_add_ext, POLICY_HARDWARE, physdev_manage_add_ext},
    {PHYSDEVOP_manage_pci_remove, POLICY_HARDWARE, physdev_manage_remove},
    {PHYSDEVOP_restore_msi, POLICY_HARDWARE, physdev_restore_msi},
    {PHYSDEVOP_restore_msi_ext, POLICY_HARDWARE, physdev_restore_msi_ext},
    {PHYSDEVOP_prepare_msix, POLICY_HARDWARE, physdev_msix},
    {PHYSDEVOP_release_msix, POLICY_HARDWARE, physdev_msix},
    {PHYSDEVOP_pci_mmcfg_reserved, POLICY_HARDWARE, physdev_mmcfg_reserved},
    {PHYSDEVOP_dbgp_op, POLICY_HARDWARE, physdev_dbgp},
};

long do_physdev_op(struct hypercall *call)
{
    for (unsigned i = 0; i < ARRAY_SIZE(operations); i++) {
        if (operations[i].command != (uint32_t)call->arg[0])
            continue;
        int error = allowed_call(current->domain, operations[i].who);
        return error ? error : operations[i].handle(call->arg[1]);
    }
    return -ENOSYS;
}
