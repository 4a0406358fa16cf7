/*
 * MSI and MSI-X: finding the capability, writing the message, masking.
 *
 * The message is a physical destination (one CPU) with fixed delivery and edge trigger. The IRQ record of each message
 * carries its device, so masking needs no search.
 */
#include <hv/cpu.h>
#include <hv/lib.h>
#include <hv/msi.h>
#include <hv/page.h>
#include <hv/page_alloc.h>
#include <hv/pagetable.h>
#include <hv/pci.h>
#include <hv/percpu.h>

#define CONTROL 2 /* both capabilities */

#define MSI_ENABLE           0x0001U
#define MSI_CAPABLE(control) (1U << ((control) >> 1 & 7))
#define MSI_COUNT_MASK       0x0070U
#define MSI_COUNT_SHIFT      4
#define MSI_64BIT            0x0080U
#define MSI_MASKABLE         0x0100U
#define MSI_ADDRESS          4
#define MSI_UPPER            8
#define MSI_DATA(control)    ((control)&MSI_64BIT ? 12U : 8U)
#define MSI_MASK(control)    ((control)&MSI_64BIT ? 16U : 12U)
#define MSI_MAX              32

#define MSIX_ENABLE           0x8000U
#define MSIX_MASK_ALL         0x4000U
#define MSIX_ENTRIES(control) (((control)&0x7ff) + 1)
#define MSIX_TABLE            4
#define MSIX_ENTRY_WORDS      4 /* address, upper address, data, vector control */
#define MSIX_ENTRY_MASKED     1U

#define MESSAGE_ADDRESS 0xfee00000U

struct msi_device {
    struct list link;
    uint32_t sbdf;
    unsigned msi, msix;    /* where the capabilities are; 0: none */
    paddr_t table_address; /* what `table` maps */
    volatile uint32_t *table;
    unsigned table_entries;
};
static struct list devices = LIST_INIT(devices); /* irq_lock */

static struct msi_device *find_locked(uint32_t sbdf)
{
    struct msi_device *device;
    list_for_each(device, &devices, link)
        if (device->sbdf == sbdf)
            return device;
    return NULL;
}

struct msi_device *msi_device_find(uint32_t sbdf)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct msi_device *device = find_locked(sbdf);
    spin_unlock_irqrestore(&irq_lock, flags);
    return device;
}

/* Finds or makes the record, and looks for the capabilities afresh: another card may be in the slot now. */
static struct msi_device *device_get(uint32_t sbdf)
{
    unsigned msi = pci_find_capability(sbdf, PCI_CAPABILITY_MSI);
    unsigned msix = pci_find_capability(sbdf, PCI_CAPABILITY_MSIX);
    struct msi_device *made = zalloc(sizeof(*made));
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct msi_device *device = find_locked(sbdf);
    if (!device && made) {
        device = made;
        made = NULL;
        device->sbdf = sbdf;
        list_add_tail(&devices, &device->link);
    }
    if (device) {
        device->msi = msi;
        device->msix = msix;
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    free(made);
    return device;
}

static int map_table(struct msi_device *device, paddr_t bar)
{
    uint32_t control = pci_config_read(device->sbdf, device->msix + CONTROL, 2);
    uint32_t offset = pci_config_read(device->sbdf, device->msix + MSIX_TABLE, 4) & ~7U;
    unsigned entries = MSIX_ENTRIES(control);
    size_t bytes = entries * MSIX_ENTRY_WORDS * sizeof(uint32_t);
    paddr_t address = bar + offset;
    if (bar % 16 || address + bytes < address || address >> cpu_features.physical_address_bits)
        return -EINVAL;
    for (mfn_t mfn = address >> PAGE_SHIFT; mfn <= (address + bytes - 1) >> PAGE_SHIFT; mfn++)
        if (mfn < max_mfn && mfn_is_ram(mfn))
            return -EINVAL;
    if (device->table_address == address && device->table_entries == entries)
        return 0;
    volatile uint32_t *table = ioremap(address, bytes, PTE_UNCACHED);
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    device->table_address = address;
    device->table_entries = entries;
    device->table = table;
    spin_unlock_irqrestore(&irq_lock, flags);
    return 0;
}

int msi_prepare(const struct msi_request *request, struct msi_device **out)
{
    struct msi_device *device = device_get(PCI_SBDF(request->segment, request->bus, request->devfn));
    if (!device)
        return -ENOMEM;
    *out = device;
    if (!request->table)
        return device->msi ? 0 : -ENODEV;
    return device->msix ? map_table(device, request->table) : -ENODEV;
}

static volatile uint32_t *table_entry(const struct irq *irq)
{
    return irq->msi->table + irq->msi_entry * MSIX_ENTRY_WORDS;
}

static void msix_mask(struct irq *irq)
{
    table_entry(irq)[3] |= MSIX_ENTRY_MASKED;
    (void)table_entry(irq)[3]; /* the read pushes the posted write to the device */
}

static void msix_unmask(struct irq *irq)
{
    table_entry(irq)[3] &= ~MSIX_ENTRY_MASKED;
}

static void msi_set_mask(struct irq *irq, bool masked)
{
    struct msi_device *device = irq->msi;
    uint32_t control = pci_config_read(device->sbdf, device->msi + CONTROL, 2);
    if (!(control & MSI_MASKABLE))
        return;
    unsigned at = device->msi + MSI_MASK(control);
    uint32_t bits = pci_config_read(device->sbdf, at, 4);
    bits = masked ? bits | 1U << irq->msi_entry : bits & ~(1U << irq->msi_entry);
    pci_config_write(device->sbdf, at, 4, bits);
}

static void msi_mask(struct irq *irq)
{
    msi_set_mask(irq, true);
}

static void msi_unmask(struct irq *irq)
{
    msi_set_mask(irq, false);
}

static const struct irq_source msi_source = {"MSI", msi_mask, msi_unmask};
static const struct irq_source msix_source = {"MSI-X", msix_mask, msix_unmask};

static uint32_t message_address(const struct irq *irq)
{
    return MESSAGE_ADDRESS | irq->target->apic_id << 12;
}

/* first is the record of message 0 of a block of `count`. */
static void msi_program(struct irq *first, unsigned count)
{
    struct msi_device *device = first->msi;
    uint32_t control = pci_config_read(device->sbdf, device->msi + CONTROL, 2);
    control &= ~(MSI_ENABLE | MSI_COUNT_MASK);
    pci_config_write(device->sbdf, device->msi + CONTROL, 2, control);
    pci_config_write(device->sbdf, device->msi + MSI_ADDRESS, 4, message_address(first));
    if (control & MSI_64BIT)
        pci_config_write(device->sbdf, device->msi + MSI_UPPER, 4, 0);
    pci_config_write(device->sbdf, device->msi + MSI_DATA(control), 2, first->vector);
    control |= (unsigned)__builtin_ctz(count) << MSI_COUNT_SHIFT | MSI_ENABLE;
    pci_config_write(device->sbdf, device->msi + CONTROL, 2, control);
}

/* The entry may change only while masked; tables can be reached only with the capability enabled on some devices. */
static void msix_program(struct irq *irq)
{
    struct msi_device *device = irq->msi;
    uint32_t control = pci_config_read(device->sbdf, device->msix + CONTROL, 2);
    pci_config_write(device->sbdf, device->msix + CONTROL, 2, control | MSIX_ENABLE | MSIX_MASK_ALL);
    volatile uint32_t *entry = table_entry(irq);
    entry[3] |= MSIX_ENTRY_MASKED;
    entry[0] = message_address(irq);
    entry[1] = 0;
    entry[2] = irq->vector;
    (void)entry[2];
    /* Where the driver had it enabled already, its own choice of the common mask stays. */
    uint32_t common_mask = control & MSIX_ENABLE ? control & MSIX_MASK_ALL : 0;
    pci_config_write(device->sbdf, device->msix + CONTROL, 2, (control & ~MSIX_MASK_ALL) | MSIX_ENABLE | common_mask);
}

static struct irq *in_use(const struct msi_device *device, bool msix, unsigned entry)
{
    for (unsigned vector = VECTOR_FIRST_DEVICE; vector <= VECTOR_LAST_DEVICE; vector++) {
        struct irq *irq = irq_of_vector((uint8_t)vector);
        if (irq->source && irq->msi == device && (irq->msix != msix || irq->msi_entry == entry))
            return irq;
    }
    return NULL;
}

static int msix_setup(struct msi_device *device, unsigned entry, struct irq **out)
{
    if (entry >= device->table_entries)
        return -EINVAL;
    if (in_use(device, true, entry))
        return -EBUSY;
    if (!(pci_config_read(device->sbdf, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -ENXIO;
    struct irq *irq = irq_alloc(&msix_source, 1);
    if (!irq)
        return -ENOSPC;
    irq->msi = device;
    irq->msi_entry = entry;
    irq->msix = true;
    msix_program(irq);
    *out = irq;
    return 0;
}

int msi_setup(struct msi_device *device, const struct msi_request *request, struct irq **out)
{
    if (request->table)
        return msix_setup(device, request->entry, out);
    uint32_t control = pci_config_read(device->sbdf, device->msi + CONTROL, 2);
    if (request->count == 0 || request->count > MSI_MAX)
        return -EINVAL;
    unsigned count = 1;
    while (count < request->count)
        count *= 2;
    if (count > MSI_CAPABLE(control))
        return -EINVAL;
    if (in_use(device, false, 0))
        return -EBUSY;
    struct irq *first = irq_alloc(&msi_source, count);
    if (!first)
        return -ENOSPC;
    for (unsigned i = 0; i < count; i++) {
        first[i].msi = device;
        first[i].msi_entry = i;
        msi_mask(&first[i]);
    }
    msi_program(first, count);
    *out = first;
    return 0;
}

void msi_teardown(struct irq *first, unsigned count)
{
    struct msi_device *device = first->msi;
    bool present = pci_config_read(device->sbdf, PCI_VENDOR_ID, 2) != 0xffff;
    if (present && first->msix) {
        /* The driver, or a reset, may have turned off the decoding of the table. */
        if (pci_config_read(device->sbdf, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY)
            msix_mask(first);
    } else if (present) {
        uint32_t control = pci_config_read(device->sbdf, device->msi + CONTROL, 2);
        pci_config_write(device->sbdf, device->msi + CONTROL, 2, control & ~(MSI_ENABLE | MSI_COUNT_MASK));
    }
    unsigned rounded = 1;
    while (rounded < count)
        rounded *= 2;
    irq_free(first, rounded);
}

static unsigned block_length(const struct irq *first)
{
    unsigned count = 1;
    while (first->vector + count <= VECTOR_LAST_DEVICE && first[count].source == &msi_source &&
           first[count].msi == first->msi)
        count++;
    return count;
}

void msi_restore(struct msi_device *device)
{
    for (unsigned vector = VECTOR_FIRST_DEVICE; vector <= VECTOR_LAST_DEVICE; vector++) {
        struct irq *irq = irq_of_vector((uint8_t)vector);
        if (!irq->source || irq->msi != device)
            continue;
        if (irq->msix)
            msix_program(irq);
        else if (irq->msi_entry == 0)
            msi_program(irq, block_length(irq));
        if (irq->handler)
            irq->source->unmask(irq);
        else
            irq->source->mask(irq);
    }
}
