/*
 * Storport's declarations, which mingw-w64 lacks: its srb.h ends with SCSI port's. Order, sizes and offsets of members
 * are those of Microsoft's reference pages (HW_INITIALIZATION_DATA (Storport), PORT_CONFIGURATION_INFORMATION
 * (Storport), ...), as of the oldest version: StorPortInitialize refuses a size that its Windows does not know, and
 * every Windows knows the first one.
 */
#ifndef PV_STORPORT_H
#define PV_STORPORT_H

#include "pv/nt.h"
#include <srb.h>

#ifndef DECLSPEC_STORPORT
#define DECLSPEC_STORPORT __declspec(dllimport)
#endif

typedef BOOLEAN(NTAPI *pv_hw_build_io)(PVOID extension, PSCSI_REQUEST_BLOCK srb);

struct pv_hw_initialization {
    HW_INITIALIZATION_DATA scsi;
    pv_hw_build_io build_io;
};
PV_SIZE(HW_INITIALIZATION_DATA, 0x80);
PV_SIZE(struct pv_hw_initialization, 0x88);
PV_SIZE(SCSI_REQUEST_BLOCK, 0x58);
PV_OFFSET(PORT_CONFIGURATION_INFORMATION, Dma64BitAddresses, 144);
PV_OFFSET(PORT_CONFIGURATION_INFORMATION, WmiDataProvider, 147);

/* MapBuffers: the data of all requests but reads and writes has a virtual address. */
#define PV_MAP_NON_READ_WRITE 2
/* SynchronizationModel: requests are started while others end. */
#define PV_FULL_DUPLEX 1

/* The member behind those that srb.h has, which a nested structure would put after the padding. */
static inline ULONG *pv_synchronization_model(PORT_CONFIGURATION_INFORMATION *configuration)
{
    return (ULONG *)((char *)configuration + 148);
}

struct pv_scatter_gather_element {
    PHYSICAL_ADDRESS address;
    ULONG length;
    ULONG_PTR reserved;
};
PV_SIZE(struct pv_scatter_gather_element, 0x18);

struct pv_scatter_gather_list {
    ULONG count;
    ULONG_PTR reserved;
    struct pv_scatter_gather_element elements[];
};

DECLSPEC_STORPORT ULONG NTAPI StorPortInitialize(PVOID driver, PVOID service, struct pv_hw_initialization *data,
                                                 PVOID context);
DECLSPEC_STORPORT VOID __cdecl StorPortNotification(SCSI_NOTIFICATION_TYPE type, PVOID extension, ...);
DECLSPEC_STORPORT struct pv_scatter_gather_list *NTAPI StorPortGetScatterGatherList(PVOID extension,
                                                                                    PSCSI_REQUEST_BLOCK srb);

#endif
