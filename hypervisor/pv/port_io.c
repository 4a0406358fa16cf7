/*
 * Port I/O of PV guests. The hardware domain reaches every port but those we keep; to the others, and of those we keep,
 * a port reads all ones and forgets what is written.
 */
#include <hv/cpu.h>
#include <hv/pci.h>
#include <hv/pv_internal.h>

struct port_range {
    uint16_t first, last;
};

/* Ours: interrupt controllers, the timer we calibrated with (channel 0), the serial line. */
static const struct port_range kept[] = {{0x20, 0x21}, {0xa0, 0xa1}, {0x40, 0x40}, {0x3f8, 0x3ff}};
static const struct port_range config_data = {0xcfc, 0xcff};

/* Whether any of an access's ports is of the range: it may begin below. */
static bool touches(uint16_t port, unsigned size, struct port_range range)
{
    return port <= range.last && port + size > range.first;
}

static bool is_kept(uint16_t port, unsigned size)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        if (touches(port, size, kept[i]))
            return true;
    return false;
}

static uint32_t all_ones(unsigned size)
{
    return size == 4 ? ~0U : (1U << (8 * size)) - 1;
}

/* Address port format: PCI Local Bus 3.0, section 3.2.2.3.2; bits 24-27 extend the register number on AMD. An access
 * that begins below the data port or goes on beyond it is none of configuration space. */
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

uint32_t pv_port_read(struct vcpu *v, uint16_t port, unsigned size)
{
    if (!v->domain->all_io || is_kept(port, size))
        return all_ones(size);
    if (touches(port, size, config_data))
        return config_access(v, port, size, NULL);
    if (port == 0xcf8 && size == 4)
        return v->domain->pci_cf8;
    return in_port(port, size);
}

void pv_port_write(struct vcpu *v, uint16_t port, unsigned size, uint32_t value)
{
    if (!v->domain->all_io || is_kept(port, size))
        return;
    if (touches(port, size, config_data))
        config_access(v, port, size, &value);
    else if (port == 0xcf8 && size == 4)
        v->domain->pci_cf8 = value;
    else
        out_port(value, port, size);
}
