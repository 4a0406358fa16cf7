/*
 * PCI configuration space: ports 0xcf8/0xcfc for what they reach (segment 0, registers below 256), ECAM for the rest.
 *
 * The ports are preferred because they always work; ECAM ranges come from firmware tables that are sometimes wrong.
 */
#include <hv/acpi.h>
#include <hv/cpu.h>
#include <hv/pagetable.h>
#include <hv/pci.h>
#include <hv/spinlock.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000U
#define PORT_SPACE     256
#define EXTENDED_SPACE 4096
#define BUS_BYTES      MiB /* 256 functions of 4 KiB */

static struct ecam {
    paddr_t address; /* of first_bus */
    uint16_t segment;
    uint8_t first_bus, last_bus;
    volatile uint8_t *bus[256]; /* mapped on first use, then for good */
} ecams[MAX_ECAM];
static unsigned ecam_count;
static struct spinlock config_lock = SPINLOCK_INIT(LOCK_PCI_CONFIG);

int pci_ecam_add(paddr_t address, uint16_t segment, uint8_t first_bus, uint8_t last_bus)
{
    unsigned long flags = spin_lock_irqsave(&config_lock);
    int error = 0;
    unsigned i = 0;
    while (i < ecam_count &&
           !(ecams[i].segment == segment && ecams[i].first_bus <= first_bus && ecams[i].last_bus >= last_bus))
        i++;
    if (i == MAX_ECAM) {
        error = -ENOSPC;
    } else if (i == ecam_count) {
        ecams[i] = (struct ecam){.address = address, .segment = segment, .first_bus = first_bus, .last_bus = last_bus};
        __atomic_store_n(&ecam_count, ecam_count + 1, __ATOMIC_RELEASE); /* readers take no lock */
    }
    spin_unlock_irqrestore(&config_lock, flags);
    return error;
}

void pci_init(void)
{
    for (unsigned i = 0; i < acpi.ecam_count; i++) {
        /* The table gives the address that bus 0 would have. */
        paddr_t address = acpi.ecam[i].address + acpi.ecam[i].first_bus * BUS_BYTES;
        pci_ecam_add(address, acpi.ecam[i].segment, acpi.ecam[i].first_bus, acpi.ecam[i].last_bus);
    }
}

/* Maps outside the lock: ioremap takes the page allocator's. Two CPUs that map the same bus at
 * once waste one mapping. */
static volatile uint8_t *ecam_function(uint32_t sbdf)
{
    unsigned bus = sbdf >> 8 & 0xff;
    for (unsigned i = 0; i < __atomic_load_n(&ecam_count, __ATOMIC_ACQUIRE); i++) {
        struct ecam *e = &ecams[i];
        if (e->segment != sbdf >> 16 || bus < e->first_bus || bus > e->last_bus)
            continue;
        if (!READ_ONCE(e->bus[bus]))
            WRITE_ONCE(e->bus[bus], ioremap(e->address + (bus - e->first_bus) * BUS_BYTES, BUS_BYTES, PTE_UNCACHED));
        return e->bus[bus] + (sbdf & 0xff) * EXTENDED_SPACE;
    }
    return NULL;
}

static bool by_port(uint32_t sbdf, unsigned reg)
{
    return sbdf >> 16 == 0 && reg < PORT_SPACE;
}

static uint32_t all_ones(unsigned size)
{
    return size == 4 ? 0xffffffffU : (1U << size * 8) - 1;
}

static bool access_ok(unsigned reg, unsigned size)
{
    return (size == 1 || size == 2 || size == 4) && (reg & 3) + size <= 4 && reg < EXTENDED_SPACE;
}

static uint32_t port_read(uint32_t sbdf, unsigned reg, unsigned size)
{
    outl(CONFIG_ENABLE | sbdf << 8 | (reg & ~3U), CONFIG_ADDRESS);
    return in_port(CONFIG_DATA + (reg & 3), size);
}

static void port_write(uint32_t sbdf, unsigned reg, unsigned size, uint32_t value)
{
    outl(CONFIG_ENABLE | sbdf << 8 | (reg & ~3U), CONFIG_ADDRESS);
    out_port(value, CONFIG_DATA + (reg & 3), size);
}

/* AMD's processors take ECAM accesses through al/ax/eax only; the asm makes that so. */
static uint32_t memory_read(volatile uint8_t *at, unsigned size)
{
    uint32_t value = 0;
    if (size == 1)
        __asm__ volatile("movb %1, %%al" : "+a"(value) : "m"(*at));
    else if (size == 2)
        __asm__ volatile("movw %1, %%ax" : "+a"(value) : "m"(*(volatile uint16_t *)at));
    else
        __asm__ volatile("movl %1, %%eax" : "+a"(value) : "m"(*(volatile uint32_t *)at));
    return value;
}

static void memory_write(volatile uint8_t *at, unsigned size, uint32_t value)
{
    if (size == 1)
        __asm__ volatile("movb %%al, %0" : "=m"(*at) : "a"(value));
    else if (size == 2)
        __asm__ volatile("movw %%ax, %0" : "=m"(*(volatile uint16_t *)at) : "a"(value));
    else
        __asm__ volatile("movl %%eax, %0" : "=m"(*(volatile uint32_t *)at) : "a"(value));
}

uint32_t pci_config_read(uint32_t sbdf, unsigned reg, unsigned size)
{
    if (!access_ok(reg, size))
        return all_ones(size);
    volatile uint8_t *function = NULL;
    if (!by_port(sbdf, reg) && !(function = ecam_function(sbdf)))
        return all_ones(size);
    unsigned long flags = spin_lock_irqsave(&config_lock);
    uint32_t value = function ? memory_read(function + reg, size) : port_read(sbdf, reg, size);
    spin_unlock_irqrestore(&config_lock, flags);
    return value;
}

void pci_config_write(uint32_t sbdf, unsigned reg, unsigned size, uint32_t value)
{
    if (!access_ok(reg, size))
        return;
    volatile uint8_t *function = NULL;
    if (!by_port(sbdf, reg) && !(function = ecam_function(sbdf)))
        return;
    unsigned long flags = spin_lock_irqsave(&config_lock);
    if (function)
        memory_write(function + reg, size, value);
    else
        port_write(sbdf, reg, size, value);
    spin_unlock_irqrestore(&config_lock, flags);
}

unsigned pci_find_capability(uint32_t sbdf, uint8_t id)
{
    if (pci_config_read(sbdf, PCI_VENDOR_ID, 2) == 0xffff ||
        !(pci_config_read(sbdf, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
        return 0;
    bool cardbus = (pci_config_read(sbdf, PCI_HEADER_TYPE, 1) & 0x7f) == 2;
    unsigned at = pci_config_read(sbdf, cardbus ? PCI_CAPABILITY_POINTER_CARDBUS : PCI_CAPABILITY_POINTER, 1) & ~3U;
    /* At most 48 fit in the space; a broken list that loops ends here too. */
    for (unsigned turns = 0; at >= 0x40 && turns < 48; turns++) {
        uint32_t header = pci_config_read(sbdf, at, 2);
        if ((header & 0xff) == id)
            return at;
        at = header >> 8 & ~3U;
    }
    return 0;
}
