/*
 * PCI configuration space. x86/pci.c
 * Source: PCI Local Bus 3.0, section 3.2.2.3.2 (0xcf8/0xcfc); PCI Express 4.0, section 7.2.2 (ECAM).
 *
 * A function is named by sbdf = segment << 16 | bus << 8 | device << 3 | function.
 * One lock (a leaf) makes address and data one access, against other CPUs and against a guest's port accesses, which
 * must come here too (pv/port_io.c keeps the guest's idea of 0xcf8).
 */
#ifndef HV_PCI_H
#define HV_PCI_H

#include <hv/types.h>

#define PCI_SBDF(segment, bus, devfn) ((uint32_t)(segment) << 16 | (uint32_t)(bus) << 8 | (devfn))

#define PCI_VENDOR_ID                  0x00
#define PCI_COMMAND                    0x04
#define PCI_COMMAND_MEMORY             0x0002
#define PCI_STATUS                     0x06
#define PCI_STATUS_CAPABILITIES        0x0010
#define PCI_HEADER_TYPE                0x0e
#define PCI_CAPABILITY_POINTER         0x34
#define PCI_CAPABILITY_POINTER_CARDBUS 0x14
#define PCI_CAPABILITY_MSI             0x05
#define PCI_CAPABILITY_MSIX            0x11

/* Takes over the MCFG ranges. */
void pci_init(void);
/* Domain-0 says that this ECAM range may be used (PHYSDEVOP_pci_mmcfg_reserved). -ENOSPC */
int pci_ecam_add(paddr_t address, uint16_t segment, uint8_t first_bus, uint8_t last_bus);

/* size: 1, 2, 4 bytes, within one aligned double word below 4096. What cannot be reached reads as all ones and ignores
 * writes. */
uint32_t pci_config_read(uint32_t sbdf, unsigned reg, unsigned size);
void pci_config_write(uint32_t sbdf, unsigned reg, unsigned size, uint32_t value);

/* Offset of a capability of the standard list; 0: none. */
unsigned pci_find_capability(uint32_t sbdf, uint8_t id);

#endif
