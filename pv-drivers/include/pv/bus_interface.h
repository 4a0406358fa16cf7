/*
 * What pvbus offers the drivers of its devices: IRP_MN_QUERY_INTERFACE with this GUID, sent to the device's own stack,
 * fills a struct pv_bus_interface. A later version appends members; Size and Version of the request say what the caller
 * knows. InterfaceReference is done by the query; InterfaceDereference is the caller's duty before it lets its device
 * go. Every function takes the table's Context first. IRQL is what a caller may be at, at most.
 */
#ifndef PV_BUS_INTERFACE_H
#define PV_BUS_INTERFACE_H

#include "pv/nt.h"

/* {5a1f7f5e-0d0a-4c41-9d0e-6f5c7b1e2a31} */
#define PV_BUS_INTERFACE_GUID                                                                                          \
    {                                                                                                                  \
        0x5a1f7f5e, 0x0d0a, 0x4c41,                                                                                    \
        {                                                                                                              \
            0x9d, 0x0e, 0x6f, 0x5c, 0x7b, 0x1e, 0x2a, 0x31                                                             \
        }                                                                                                              \
    }
#define PV_BUS_INTERFACE_VERSION 1

#define PV_UNPLUG_DISKS    1
#define PV_UNPLUG_NETWORKS 2

/* An event came for the port: at DISPATCH_LEVEL. Never called any more when event_free has returned. */
typedef void(NTAPI *pv_event_handler)(void *context);
/* Something changed at or below the watched path, or the watch is new, or the machine was resumed: at PASSIVE_LEVEL. */
typedef void(NTAPI *pv_watch_handler)(void *context);
/* The machine goes on elsewhere: all ports and all grants of before are gone. At PASSIVE_LEVEL, before the watches
 * fire. */
typedef void(NTAPI *pv_resume_handler)(void *context);

struct pv_event;
struct pv_watch;

struct pv_bus_interface {
    INTERFACE header;
    /* The device's folder in xenstore ("device/vif/0"), the class alone for one device of all ("device/vbd"). Lives as
     * long as the reference. */
    const char *path;

    /* Xenstore, PASSIVE_LEVEL. Paths are relative to the domain's, or absolute. STATUS_OBJECT_NAME_NOT_FOUND: no such
     * node, STATUS_BUFFER_OVERFLOW: more than `size` bytes with the end mark, STATUS_IO_TIMEOUT,
     * STATUS_DEVICE_NOT_CONNECTED: the ring is broken or gone. store_list gives names one after the other, each with
     * its end mark, and an empty one. */
    NTSTATUS(NTAPI *store_read)(void *bus, const char *path, char *value, ULONG size);
    NTSTATUS(NTAPI *store_write)(void *bus, const char *path, const char *value);
    NTSTATUS(NTAPI *store_remove)(void *bus, const char *path);
    NTSTATUS(NTAPI *store_list)(void *bus, const char *path, char *names, ULONG size);
    NTSTATUS(NTAPI *watch_add)
    (void *bus, const char *path, pv_watch_handler handler, void *context, struct pv_watch **watch);
    void(NTAPI *watch_remove)(void *bus, struct pv_watch *watch);

    /* Event channels: alloc and free at PASSIVE_LEVEL, notify at any up to HIGH_LEVEL. A new port is open for `domain`.
     */
    NTSTATUS(NTAPI *event_alloc)
    (void *bus, USHORT domain, pv_event_handler handler, void *context, struct pv_event **event);
    void(NTAPI *event_free)(void *bus, struct pv_event *event);
    ULONG(NTAPI *event_port)(void *bus, struct pv_event *event);
    void(NTAPI *event_notify)(void *bus, struct pv_event *event);

    /* Grants, DISPATCH_LEVEL. grant_end: STATUS_DEVICE_BUSY while the other side has the page mapped, and it stays
     * granted. */
    NTSTATUS(NTAPI *grant)(void *bus, USHORT domain, ULONGLONG frame, BOOLEAN read_only, ULONG *reference);
    NTSTATUS(NTAPI *grant_end)(void *bus, ULONG reference);

    /* One handler for each device, NULL to have none any more. PASSIVE_LEVEL. */
    void(NTAPI *set_resume_handler)(void *bus, pv_resume_handler handler, void *context);
    /* The driver serves its devices well: their emulated twins may go at the next boot. PASSIVE_LEVEL. */
    NTSTATUS(NTAPI *arm_unplug)(void *bus, ULONG what);
};

#endif
