/* The connection of one disk: xenstore's handshake, the ring's page, and what the back end says of the disk. */
#include "block.h"

#define WAIT (-10ll * 10 * 1000 * 1000) /* 10 s, relative, in units of 100 ns */

static struct pv_bus_interface *bus_of(struct disk *disk)
{
    return &disk->adapter->bus;
}

static ULONGLONG number_of(struct disk *disk, const char *name, ULONGLONG otherwise)
{
    return bus_read_number(bus_of(disk), disk->back, name, otherwise);
}

static NTSTATUS publish(struct disk *disk, const char *name, ULONG value)
{
    return bus_write_number(bus_of(disk), disk->path, name, value);
}

/* Waits for the back end to be in this state, or beyond it while it closes. */
static NTSTATUS wait_for(struct disk *disk, ULONG state)
{
    LARGE_INTEGER timeout = {.QuadPart = WAIT};

    for (;;) {
        ULONG now = (ULONG)number_of(disk, "state", XenbusStateUnknown);

        if (now == state)
            return STATUS_SUCCESS;
        if (now > state)
            return STATUS_DEVICE_NOT_CONNECTED;
        if (KeWaitForSingleObject(&disk->back_changed, Executive, KernelMode, FALSE, &timeout) == STATUS_TIMEOUT)
            return STATUS_IO_TIMEOUT;
    }
}

/* Is the size that the back end tells one that this driver can serve? Nothing of the disk changes if not. */
static BOOLEAN take_size(struct disk *disk)
{
    ULONGLONG sector_size = number_of(disk, "sector-size", SECTOR);
    ULONGLONG sectors = number_of(disk, "sectors", 0);
    KIRQL irql;

    if ((sector_size != SECTOR && sector_size != PV_PAGE_SIZE) || !sectors || sectors > 1ull << 50 ||
        sectors % (sector_size / SECTOR))
        return FALSE;
    KeAcquireSpinLock(&disk->lock, &irql);
    disk->sector_size = (ULONG)sector_size;
    disk->sectors = sectors;
    KeReleaseSpinLock(&disk->lock, irql);
    return TRUE;
}

static NTSTATUS take_properties(struct disk *disk)
{
    if (!take_size(disk))
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    disk->read_only = (number_of(disk, "info", 0) & VDISK_READONLY) != 0;
    disk->can_flush = number_of(disk, "feature-flush-cache", 0) == 1;
    disk->can_discard = number_of(disk, "feature-discard", 0) == 1;
    return STATUS_SUCCESS;
}

static void NTAPI back_changed(void *context)
{
    struct disk *disk = context;
    ULONGLONG before = disk->sectors;

    KeSetEvent(&disk->back_changed, IO_NO_INCREMENT, FALSE);
    if (disk->state != DISK_READY || !take_size(disk) || disk->sectors == before)
        return;
    LOG("disk %u has another size", disk->number);
    StorPortNotification(BusChangeDetected, disk->adapter->extension, 0);
}

static void end_ring(struct disk *disk)
{
    if (disk->ring_reference && bus_of(disk)->grant_end(bus_of(disk)->header.Context, disk->ring_reference)) {
        LOG("the back end of disk %u keeps the ring", disk->number); /* and so the page stays with it */
        disk->ring = NULL;
    }
    disk->ring_reference = 0;
    if (disk->ring)
        ExFreePoolWithTag(disk->ring, PVBLK_TAG);
    disk->ring = NULL;
}

static NTSTATUS make_ring(struct disk *disk)
{
    ULONGLONG frame;
    NTSTATUS status;

    disk->ring = ExAllocatePoolWithTag(NonPagedPool, PV_PAGE_SIZE, PVBLK_TAG);
    if (!disk->ring)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(disk->ring, 0, PV_PAGE_SIZE);
    disk->ring->req_event = disk->ring->rsp_event = 1;
    disk->requests_made = disk->responses_seen = 0;
    frame = (ULONGLONG)MmGetPhysicalAddress(disk->ring).QuadPart / PV_PAGE_SIZE;
    status = bus_of(disk)->grant(bus_of(disk)->header.Context, disk->domain, frame, FALSE, &disk->ring_reference);
    if (!NT_SUCCESS(status)) {
        disk->ring_reference = 0;
        end_ring(disk);
    }
    return status;
}

static NTSTATUS find_back(struct disk *disk)
{
    char path[2 * PATH_SIZE];

    join_path(path, disk->path, "backend");
    disk->domain = (USHORT)bus_read_number(bus_of(disk), disk->path, "backend-id", 0);
    return bus_of(disk)->store_read(bus_of(disk)->header.Context, path, disk->back, sizeof(disk->back));
}

static NTSTATUS shake_hands(struct disk *disk)
{
    char path[2 * PATH_SIZE];
    NTSTATUS status = publish(disk, "ring-ref", disk->ring_reference);

    join_path(path, disk->path, "protocol");
    if (NT_SUCCESS(status))
        status = publish(disk, "event-channel", bus_of(disk)->event_port(bus_of(disk)->header.Context, disk->event));
    if (NT_SUCCESS(status))
        status = bus_of(disk)->store_write(bus_of(disk)->header.Context, path, XEN_IO_PROTO_ABI_X86_64);
    if (NT_SUCCESS(status))
        status = publish(disk, "state", XenbusStateInitialised);
    if (NT_SUCCESS(status))
        status = wait_for(disk, XenbusStateConnected);
    if (NT_SUCCESS(status))
        status = take_properties(disk);
    if (NT_SUCCESS(status))
        status = publish(disk, "state", XenbusStateConnected);
    return status;
}

static NTSTATUS connect(struct disk *disk)
{
    NTSTATUS status = make_ring(disk);

    if (NT_SUCCESS(status))
        status = bus_of(disk)->event_alloc(bus_of(disk)->header.Context, disk->domain, ring_event, disk, &disk->event);
    if (NT_SUCCESS(status))
        status = shake_hands(disk);
    return status;
}

static void set_state(struct disk *disk, enum disk_state state)
{
    KIRQL irql;

    KeAcquireSpinLock(&disk->lock, &irql);
    disk->state = state;
    KeReleaseSpinLock(&disk->lock, irql);
}

void disk_break(struct disk *disk)
{
    set_state(disk, DISK_BROKEN);
    ring_end(disk);
}

/* The back end gives up the ring when it has closed. */
void disk_remove(struct disk *disk)
{
    set_state(disk, DISK_BROKEN);
    publish(disk, "state", XenbusStateClosing);
    if (disk->watch) {
        wait_for(disk, XenbusStateClosed);
        bus_of(disk)->watch_remove(bus_of(disk)->header.Context, disk->watch);
    }
    if (disk->event)
        bus_of(disk)->event_free(bus_of(disk)->header.Context, disk->event);
    ring_end(disk);
    end_ring(disk);
    publish(disk, "state", XenbusStateClosed);
    ExFreePoolWithTag(disk, PVBLK_TAG);
}

static struct disk *new_disk(struct adapter *adapter, ULONG number)
{
    struct disk *disk = ExAllocatePoolWithTag(NonPagedPool, sizeof(*disk), PVBLK_TAG);

    if (!disk)
        return NULL;
    memset(disk, 0, sizeof(*disk));
    disk->adapter = adapter;
    disk->number = number;
    join_path(disk->path, adapter->bus.path, "");
    write_decimal(disk->path + strlen(disk->path), number);
    write_decimal(disk->serial, number);
    KeInitializeEvent(&disk->back_changed, SynchronizationEvent, FALSE);
    KeInitializeSpinLock(&disk->lock);
    InitializeListHead(&disk->waiting);
    return disk;
}

NTSTATUS disk_add(struct adapter *adapter, ULONG number, struct disk **added)
{
    struct disk *disk = new_disk(adapter, number);
    char path[2 * PATH_SIZE];
    NTSTATUS status;

    if (!disk)
        return STATUS_INSUFFICIENT_RESOURCES;
    status = find_back(disk);
    join_path(path, disk->back, "");
    path[strlen(path) - 1] = 0;
    if (NT_SUCCESS(status))
        status = adapter->bus.watch_add(adapter->bus.header.Context, path, back_changed, disk, &disk->watch);
    if (NT_SUCCESS(status))
        status = connect(disk);
    if (!NT_SUCCESS(status)) {
        disk_remove(disk);
        return status;
    }
    set_state(disk, DISK_READY);
    *added = disk;
    return STATUS_SUCCESS;
}

/* The event and the grants are gone with the old domain; the page is ours still. */
void disk_reconnect(struct disk *disk)
{
    set_state(disk, DISK_CONNECTING);
    disk->event = NULL;
    disk->ring_reference = 0;
    end_ring(disk);
    if (NT_SUCCESS(find_back(disk)) && NT_SUCCESS(connect(disk))) {
        ring_again(disk);
        return;
    }
    LOG("disk %u does not come back after the resume", disk->number);
    set_state(disk, DISK_BROKEN);
    ring_end(disk);
}
