/*
 * Port I/O of PV guests. The hardware domain reaches every port but those we keep; to the others a port reads all ones,
 * except the timer ports that every kernel calibrates with.
 */
#include <hv/acpi.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/pci.h>
#include <hv/pv_internal.h>
#include <hv/time.h>

/* Ours: interrupt controllers, the timer we calibrated with (channel 0), the serial line. */
static const struct {
    uint16_t first, last;
} kept[] = {{0x20, 0x21}, {0xa0, 0xa1}, {0x40, 0x40}, {0x3f8, 0x3ff}};

static bool is_kept(uint16_t port)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        if (port >= kept[i].first && port <= kept[i].last)
            return true;
    return false;
}

static uint32_t all_ones(unsigned size)
{
    return size == 4 ? ~0U : (1U << (8 * size)) - 1;
}

static bool is_config_data(uint16_t port)
{
    return (port & ~3) == 0xcfc;
}

/* Address port format: PCI Local Bus 3.0, section 3.2.2.3.2; bits 24-27 extend the register number on AMD. */
static uint32_t config_access(struct vcpu *v, uint16_t port, unsigned size, const uint32_t *write)
{
    uint32_t address = v->domain->pci_cf8;
    unsigned reg = (address & 0xfc) | (port & 3) | (address >> 16 & 0xf00);
    uint32_t sbdf = PCI_SBDF(0, address >> 16 & 0xff, address >> 8 & 0xff);
    if (!(address >> 31) || (port & 3) + size > 4)
        return all_ones(size);
    if (!write)
        return pci_config_read(sbdf, reg, size);
    pci_config_write(sbdf, reg, size, *write);
    return 0;
}

bool pv_port_read(struct vcpu *v, uint16_t port, unsigned size, uint32_t *value)
{
    *value = all_ones(size);
    if (!v->domain->all_io || is_kept(port))
        return true;
    if (is_config_data(port)) {
        *value = config_access(v, port, size, NULL);
        return true;
    }
    if (port == 0xcf8 && size == 4) {
        *value = v->domain->pci_cf8;
        return true;
    }
    *value = in_port(port, size);
    return true;
}

bool pv_port_write(struct vcpu *v, uint16_t port, unsigned size, uint32_t value)
{
    if (!v->domain->all_io || is_kept(port))
        return true;
    if (is_config_data(port)) {
        config_access(v, port, size, &value);
        return true;
    }
    if (port == 0xcf8 && size == 4) {
        v->domain->pci_cf8 = value;
        return true;
    }
    out_port(value, port, size);
    return true;
}
