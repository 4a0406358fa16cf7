/*
 * The IO-APICs: which pin is which global interrupt (GSI), and the routing entry of each pin.
 * Sources: Intel 82093AA data sheet; ACPI specification 6.4, sections 5.2.12.3 and 5.2.12.5.
 */
#include <hv/acpi.h>
#include <hv/console.h>
#include <hv/irq.h>
#include <hv/irq_source.h>
#include <hv/pagetable.h>

#define SELECT          0x00
#define WINDOW          0x10
#define REG_ID          0x00
#define REG_VERSION     0x01
#define REG_ARBITRATION 0x02
#define REG_ENTRY(pin)  (0x10 + 2 * (pin))

#define ENTRY_LOW_ACTIVE 0x02000U
#define ENTRY_LEVEL      0x08000U
#define ENTRY_MASKED     0x10000U

#define MAX_GSIS 256
#define MAX_PINS 120 /* entries 0x10..0xff */
#define ISA_IRQS 16

static struct ioapic {
    volatile uint8_t *registers;
    unsigned pins;
} ioapics[MAX_IOAPICS];
static struct gsi gsis[MAX_GSIS];
static unsigned gsi_count;

static uint32_t ioapic_read(struct ioapic *io, unsigned reg)
{
    *(volatile uint32_t *)(io->registers + SELECT) = reg;
    return *(volatile uint32_t *)(io->registers + WINDOW);
}

static void ioapic_write(struct ioapic *io, unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)(io->registers + SELECT) = reg;
    *(volatile uint32_t *)(io->registers + WINDOW) = value;
}

static uint32_t entry_low(const struct gsi *g)
{
    return g->vector | (g->low ? ENTRY_LOW_ACTIVE : 0) | (g->level ? ENTRY_LEVEL : 0);
}

static void pin_mask(struct irq *irq)
{
    struct gsi *g = &gsis[irq->gsi];
    ioapic_write(&ioapics[g->ioapic], REG_ENTRY(g->pin), entry_low(g) | ENTRY_MASKED);
}

static void pin_unmask(struct irq *irq)
{
    struct gsi *g = &gsis[irq->gsi];
    ioapic_write(&ioapics[g->ioapic], REG_ENTRY(g->pin), entry_low(g));
}

static const struct irq_source ioapic_source = {"IO-APIC", pin_mask, pin_unmask};

unsigned irq_gsi_count(void)
{
    return gsi_count;
}

struct gsi *gsi_get(unsigned gsi)
{
    return gsi < gsi_count && gsis[gsi].exists ? &gsis[gsi] : NULL;
}

int gsi_route(unsigned gsi, struct irq **out)
{
    struct gsi *g = gsi_get(gsi);
    if (!g)
        return -EINVAL;
    if (!g->vector) {
        struct irq *irq = irq_alloc(&ioapic_source, 1);
        if (!irq)
            return -ENOSPC;
        irq->gsi = gsi;
        irq->level = g->level;
        g->vector = irq->vector;
        /* The upper half first: the entry is masked until the lower half says otherwise. */
        ioapic_write(&ioapics[g->ioapic], REG_ENTRY(g->pin) + 1, irq->target->apic_id << 24);
        pin_mask(irq);
    }
    *out = irq_of_vector(g->vector);
    return 0;
}

void gsi_unroute(unsigned gsi)
{
    struct gsi *g = gsi_get(gsi);
    if (!g || !g->vector)
        return;
    struct irq *irq = irq_of_vector(g->vector);
    if (irq->handler)
        return;
    pin_mask(irq);
    g->vector = 0;
    irq_free(irq, 1);
}

int gsi_vector(unsigned gsi)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq *irq;
    int error = gsi_route(gsi, &irq);
    spin_unlock_irqrestore(&irq_lock, flags);
    return error ? error : irq->vector;
}

int gsi_setup(unsigned gsi, bool level, bool low)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct gsi *g = gsi_get(gsi);
    int error = 0;
    if (!g) {
        error = -EINVAL;
    } else if (g->set_up || (g->vector && irq_of_vector(g->vector)->handler)) {
        error = -EEXIST;
    } else {
        g->level = level;
        g->low = low;
        g->set_up = true;
        if (g->vector) {
            struct irq *irq = irq_of_vector(g->vector);
            irq->level = level;
            pin_mask(irq);
        }
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return error;
}

int irq_request_gsi(unsigned gsi, void (*handler)(void *data), void *data)
{
    unsigned long flags = spin_lock_irqsave(&irq_lock);
    struct irq *irq;
    int error = gsi_route(gsi, &irq);
    if (!error && irq->handler)
        error = -EBUSY;
    if (!error) {
        gsis[gsi].set_up = true;
        irq->data = data;
        irq->handler = handler;
        pin_unmask(irq);
    }
    spin_unlock_irqrestore(&irq_lock, flags);
    return error;
}

bool ioapic_read_register(uint64_t base, unsigned reg, uint32_t *value)
{
    for (unsigned i = 0; i < acpi.ioapic_count; i++) {
        struct ioapic *io = &ioapics[i];
        if (acpi.ioapic[i].address != base || !io->registers || reg >= REG_ENTRY(io->pins))
            continue;
        if (reg > REG_ARBITRATION && reg < REG_ENTRY(0))
            return false;
        unsigned long flags = spin_lock_irqsave(&irq_lock);
        *value = ioapic_read(io, reg);
        spin_unlock_irqrestore(&irq_lock, flags);
        return true;
    }
    return false;
}

static void init_one(unsigned index)
{
    struct ioapic *io = &ioapics[index];
    unsigned base = acpi.ioapic[index].gsi_base;
    io->registers = ioremap(acpi.ioapic[index].address, WINDOW + 4, PTE_UNCACHED);
    uint32_t version = ioapic_read(io, REG_VERSION);
    if (version == 0xffffffffU || base >= MAX_GSIS) {
        log_warning("IO-APIC %u at %#lx does not answer or is out of range; left out", acpi.ioapic[index].id,
                    acpi.ioapic[index].address);
        io->registers = NULL;
        return;
    }
    io->pins = min((version >> 16 & 0xff) + 1, (uint32_t)MAX_PINS);
    io->pins = min(io->pins, MAX_GSIS - base);
    for (unsigned pin = 0; pin < io->pins; pin++) {
        struct gsi *g = &gsis[base + pin];
        *g = (struct gsi){.exists = true, .ioapic = (uint8_t)index, .pin = (uint8_t)pin};
        g->level = g->low = base + pin >= ISA_IRQS; /* ISA: edge, high; PCI: level, low */
        ioapic_write(io, REG_ENTRY(pin), ENTRY_MASKED);
        ioapic_write(io, REG_ENTRY(pin) + 1, 0);
    }
    gsi_count = max(gsi_count, base + io->pins);
    log_info("IO-APIC %u at %#lx: version %#x, GSI %u-%u", acpi.ioapic[index].id, acpi.ioapic[index].address,
             version & 0xff, base, base + io->pins - 1);
}

static void apply_overrides(void)
{
    bool sci_named = false;
    for (unsigned i = 0; i < acpi.override_count; i++) {
        struct gsi *g = gsi_get(acpi.override[i].gsi);
        if (!g) {
            log_warning("MADT: ISA interrupt %u goes to GSI %u, which no IO-APIC has", acpi.override[i].isa_irq,
                        acpi.override[i].gsi);
            continue;
        }
        g->level = acpi.override[i].level;
        g->low = acpi.override[i].low;
        sci_named |= acpi.override[i].isa_irq == acpi.sci || acpi.override[i].gsi == acpi.sci;
    }
    struct gsi *sci = gsi_get(acpi.sci);
    if (sci && acpi.sci && !sci_named)
        sci->level = sci->low = true; /* ACPI 5.2.9: shareable, level, active low unless the MADT says else */
}

void ioapic_init(void)
{
    pic_silence();
    for (unsigned i = 0; i < acpi.ioapic_count; i++)
        init_one(i);
    if (!gsi_count)
        panic("No IO-APIC works: turn on \"APIC mode\" in the firmware settings");
    apply_overrides();
}
