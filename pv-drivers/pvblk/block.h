/*
 * pvblk: a Storport miniport on pvbus's device VBD, one adapter for all disks: each is a target with one unit, and one
 * page of ring to its back end. A request of Windows goes as several of the ring's if it has too many pages for one.
 */
#ifndef PVBLK_BLOCK_H
#define PVBLK_BLOCK_H

#include "pv/bus_client.h"
#include "pv/storport.h"
#include "pv/xen.h"

#define PVBLK_TAG   ((ULONG)0x6b6c6270) /* "pblk" */
#define TARGETS     16
#define RING_SLOTS  32
#define SEGMENTS    BLKIF_MAX_SEGMENTS_PER_REQUEST
#define SECTOR      512u
#define PATH_SIZE   96
#define SERIAL_SIZE 20
#define NO_SLOT     0xff

/* Of SPC-3, and missing in srb.h's neighbours. */
#define SENSE_MEDIUM_ERROR    0x03
#define SENSE_ILLEGAL_REQUEST 0x05
#define SENSE_DATA_PROTECT    0x07

#define LOG(format, ...) DbgPrint("pvblk: " format "\n" __VA_OPT__(, ) __VA_ARGS__)

/* What Storport keeps with each request. */
struct request {
    LIST_ENTRY link; /* disk->waiting, until all its parts are in the ring */
    SCSI_REQUEST_BLOCK *srb;
    UCHAR operation;
    ULONGLONG sector;      /* of the next part, in units of 512 bytes */
    ULONGLONG count;       /* of a discard */
    ULONG element, offset; /* how far the scatter gather list is in parts */
    ULONG parts;           /* in the ring */
    BOOLEAN all_in, failed;
};

/* One request in the ring. Frames are kept, so that it can be made again after a resume. */
struct part {
    struct request *request; /* NULL: the slot is free */
    blkif_request_t message;
    ULONGLONG frames[SEGMENTS];
};

enum disk_state { DISK_CONNECTING, DISK_READY, DISK_BROKEN };

struct disk {
    struct adapter *adapter;
    ULONG number; /* the toolstack's */
    char path[PATH_SIZE], back[PATH_SIZE];
    USHORT domain;
    struct pv_event *event;
    struct pv_watch *watch;
    KEVENT back_changed; /* synchronisation */
    KSPIN_LOCK lock;     /* of what follows */
    enum disk_state state;
    LIST_ENTRY waiting;
    struct part parts[RING_SLOTS];
    blkif_sring_t *ring;
    ULONG ring_reference;
    ULONG requests_made, responses_seen;
    ULONGLONG sectors; /* of 512 bytes */
    ULONG sector_size;
    BOOLEAN read_only, can_flush, can_discard;
    char serial[SERIAL_SIZE + 1];
};

struct adapter {
    struct pv_bus_interface bus;
    PDEVICE_OBJECT device;
    PVOID extension; /* Storport's, NULL before it has one */
    struct disk *disks[TARGETS];
    PIO_WORKITEM arm;
    KEVENT arm_done;     /* notification: it does not run, and will not */
    volatile LONG armed; /* a disk was read: once */
};

/* disk.c, PASSIVE_LEVEL: the connection of one disk. */
NTSTATUS disk_add(struct adapter *adapter, ULONG number, struct disk **disk);
void disk_remove(struct disk *disk);
void disk_break(struct disk *disk);     /* all requests fail from now on */
void disk_reconnect(struct disk *disk); /* the machine was resumed */

/* ring.c, DISPATCH_LEVEL. */
void ring_submit(struct disk *disk, struct request *request);
void NTAPI ring_event(void *disk);
void ring_again(struct disk *disk); /* what was in the ring goes into the new one */
void ring_end(struct disk *disk);   /* all that waits or was in the ring fails */

/* scsi.c, DISPATCH_LEVEL: TRUE if the request is complete, with its status; FALSE if the ring has it. */
BOOLEAN scsi_start(struct disk *disk, SCSI_REQUEST_BLOCK *srb);
void scsi_complete(struct adapter *adapter, SCSI_REQUEST_BLOCK *srb, UCHAR status);
void scsi_sense(SCSI_REQUEST_BLOCK *srb, UCHAR key, UCHAR code);

/* adapter.c */
void adapter_worked(struct adapter *adapter); /* a disk was read: DISPATCH_LEVEL */

#endif
