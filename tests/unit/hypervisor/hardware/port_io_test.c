/*
 * Which ports of the machine a PV guest's access reaches: every port with every size, by the real pv/port_io.c.
 */
#include "../../check.h"
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/pci.h>
#include <hv/pv_internal.h>

static struct domain d;
static struct vcpu v = {.domain = &d};

/* How often the machine's ports and configuration space were asked, and for what last. */
static unsigned asked, configured, config_register;
static uint32_t value_seen, config_sbdf;

uint32_t fake_in_port(uint16_t port, unsigned bytes)
{
    asked++;
    return 0x11223344 & (uint32_t)((1UL << 8 * bytes) - 1);
}

void fake_out_port(uint32_t value, uint16_t port, unsigned bytes)
{
    asked++;
    value_seen = value;
}

uint32_t pci_config_read(uint32_t sbdf, unsigned reg, unsigned size)
{
    configured++;
    config_sbdf = sbdf;
    config_register = reg;
    return 0x55;
}

void pci_config_write(uint32_t sbdf, unsigned reg, unsigned size, uint32_t value)
{
    configured++;
    config_sbdf = sbdf;
    config_register = reg;
    value_seen = value;
}

static bool all_ones(uint32_t value, unsigned size)
{
    return value == (uint32_t)((1UL << 8 * size) - 1);
}

/* What nobody but us may touch. */
static bool ours(unsigned port)
{
    return port == 0x20 || port == 0x21 || port == 0xa0 || port == 0xa1 || port == 0x40 ||
           (port >= 0x3f8 && port <= 0x3ff);
}

/* Whether the access may go to the machine as it is: it has none of our ports, and none of those of configuration
 * space, which have a meaning of their own for each guest. */
static bool reaches(unsigned port, unsigned size)
{
    if (port == 0xcf8 && size == 4)
        return false;
    for (unsigned i = port; i < port + size; i++)
        if (ours(i) || (i >= 0xcfc && i <= 0xcff))
            return false;
    return true;
}

static void every_access(void)
{
    d.pci_cf8 = 0;
    for (unsigned size = 1; size <= 4; size *= 2) {
        for (unsigned port = 0; port <= 0x10000 - size; port++) {
            if (port == 0xcf8 && size == 4)
                continue;
            asked = 0;
            uint32_t value = pv_port_read(&v, (uint16_t)port, size);
            CHECK(asked == reaches(port, size) && (asked || all_ones(value, size)));
            pv_port_write(&v, (uint16_t)port, size, 7);
            CHECK(asked == 2 * reaches(port, size));
        }
    }
    CHECK(!configured);
}

/* The address is each guest's own; the data port is that of the register that it names. */
static void configuration_space(void)
{
    asked = 0;
    pv_port_write(&v, 0xcf8, 4, 0x80001a44);
    CHECK(d.pci_cf8 == 0x80001a44 && pv_port_read(&v, 0xcf8, 4) == 0x80001a44);
    CHECK(pv_port_read(&v, 0xcfe, 2) == 0x55 && config_register == 0x46 && config_sbdf == 0x1a);
    pv_port_write(&v, 0xcfc, 4, 0x99);
    CHECK(configured == 2 && value_seen == 0x99 && config_register == 0x44 && !asked);
    static const uint16_t across[][2] = {{0xcf9, 4}, {0xcfa, 4}, {0xcfb, 2}, {0xcfb, 4},
                                         {0xcfd, 4}, {0xcfe, 4}, {0xcff, 2}};
    for (unsigned i = 0; i < ARRAY_SIZE(across); i++) {
        CHECK(all_ones(pv_port_read(&v, across[i][0], across[i][1]), across[i][1]));
        pv_port_write(&v, across[i][0], across[i][1], 1);
    }
    CHECK(configured == 2 && !asked);
}

static void no_ports_of_others(void)
{
    asked = configured = 0;
    d.all_io = false;
    for (unsigned port = 0; port <= 0xffff; port++) {
        CHECK(pv_port_read(&v, (uint16_t)port, 1) == 0xff);
        pv_port_write(&v, (uint16_t)port, 1, 0);
    }
    CHECK(!asked && !configured);
}

int main(void)
{
    d.all_io = true;
    every_access();
    configuration_space();
    no_ports_of_others();
    return 0;
}
