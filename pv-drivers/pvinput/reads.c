/*
 * HIDCLASS's reads. A read waits until there is a report; one thread at a time makes reports, so that they are answered
 * in order, and whoever comes meanwhile leaves it to that one.
 */
#include "input.h"

#define TURN 128 /* events and reports at once, before others get the processor */

static NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, status == STATUS_SUCCESS ? IO_KEYBOARD_INCREMENT : IO_NO_INCREMENT);
    return status;
}

static VOID NTAPI cancel(PDEVICE_OBJECT functional, PIRP irp)
{
    HID_DEVICE_EXTENSION *extension = functional->DeviceExtension;
    struct device *device = extension->MiniDeviceExtension;
    KIRQL irql;

    IoReleaseCancelSpinLock(irp->CancelIrql);
    KeAcquireSpinLock(&device->lock, &irql);
    RemoveEntryList(&irp->Tail.Overlay.ListEntry); /* of the list, or of itself */
    KeReleaseSpinLock(&device->lock, irql);
    complete(irp, STATUS_CANCELLED, 0);
}

/* The first one that is not being cancelled; the cancelling function completes those. With the lock. */
static PIRP take_read(struct device *device)
{
    while (!IsListEmpty(&device->reads)) {
        LIST_ENTRY *entry = RemoveHeadList(&device->reads);
        PIRP irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry);

        if (IoSetCancelRoutine(irp, NULL))
            return irp;
        InitializeListHead(entry);
    }
    return NULL;
}

/* With the lock. FALSE: it was cancelled before it could wait, and is the caller's. */
static BOOLEAN wait_in_list(struct device *device, PIRP irp)
{
    IoMarkIrpPending(irp);
    InsertTailList(&device->reads, &irp->Tail.Overlay.ListEntry);
    IoSetCancelRoutine(irp, cancel);
    if (!irp->Cancel || !IoSetCancelRoutine(irp, NULL))
        return TRUE;
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    return FALSE;
}

/* A read too small for what is there takes nothing away. */
NTSTATUS reads_add(struct device *device, PIRP irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    BOOLEAN closed, waits = FALSE;
    KIRQL irql;

    if (stack->Parameters.DeviceIoControl.OutputBufferLength < REPORT_MOST || !irp->UserBuffer)
        return complete(irp, STATUS_BUFFER_TOO_SMALL, 0);
    KeAcquireSpinLock(&device->lock, &irql);
    closed = device->closed;
    if (!closed)
        waits = wait_in_list(device, irp);
    KeReleaseSpinLock(&device->lock, irql);
    if (closed)
        return complete(irp, STATUS_DEVICE_NOT_CONNECTED, 0);
    if (waits)
        reads_pump(device);
    else
        complete(irp, STATUS_CANCELLED, 0);
    return STATUS_PENDING;
}

/* With the lock, which is given away while the request is completed. FALSE: there is no read. */
static BOOLEAN answer(struct device *device, KIRQL *irql)
{
    PIRP irp = take_read(device);
    ULONG size;

    if (!irp)
        return FALSE;
    size = report_take(&device->input, irp->UserBuffer);
    KeReleaseSpinLock(&device->lock, *irql);
    complete(irp, STATUS_SUCCESS, size);
    KeAcquireSpinLock(&device->lock, irql);
    return TRUE;
}

/* With the lock. The back end hears of room in the ring once. */
static void turn(struct device *device, KIRQL *irql)
{
    BOOLEAN goes_on = TRUE, room = FALSE;
    ULONG step;

    for (step = 0; step < TURN && goes_on; step++) {
        if (device->input.due) {
            goes_on = answer(device, irql);
        } else {
            goes_on = !IsListEmpty(&device->reads) && ring_apply_next(device);
            room = room || goes_on;
        }
    }
    if (room && device->event)
        device->front.bus.event_notify(device->front.bus.header.Context, device->event);
    device->tired = goes_on;
    if (goes_on)
        KeInsertQueueDpc(&device->dpc, NULL, NULL);
}

static void pump(struct device *device, BOOLEAN tired)
{
    KIRQL irql;

    KeAcquireSpinLock(&device->lock, &irql);
    if (!device->pumping && device->tired == tired) {
        device->pumping = TRUE;
        turn(device, &irql);
        device->pumping = FALSE;
    }
    KeReleaseSpinLock(&device->lock, irql);
}

void reads_pump(struct device *device)
{
    pump(device, FALSE);
}

VOID NTAPI reads_go_on(PKDPC dpc, PVOID context, PVOID first, PVOID second)
{
    UNREFERENCED_PARAMETER(dpc);
    UNREFERENCED_PARAMETER(first);
    UNREFERENCED_PARAMETER(second);
    pump(context, TRUE);
}

void reads_open(struct device *device)
{
    KIRQL irql;

    KeAcquireSpinLock(&device->lock, &irql);
    device->closed = FALSE;
    KeReleaseSpinLock(&device->lock, irql);
}

void reads_close(struct device *device)
{
    PIRP irp;
    KIRQL irql;

    do {
        KeAcquireSpinLock(&device->lock, &irql);
        device->closed = TRUE;
        device->tired = FALSE;
        irp = take_read(device);
        KeReleaseSpinLock(&device->lock, irql);
        if (irp)
            complete(irp, STATUS_DEVICE_NOT_CONNECTED, 0);
    } while (irp);
}
