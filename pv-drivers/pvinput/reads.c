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

/* A read too small for what is there takes nothing away. */
NTSTATUS reads_add(struct device *device, PIRP irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    BOOLEAN closed, waits = FALSE;
    KIRQL irql;

    if (stack->Parameters.DeviceIoControl.OutputBufferLength < report_longest(&device->input) || !irp->UserBuffer)
        return complete(irp, STATUS_BUFFER_TOO_SMALL, 0);
    KeAcquireSpinLock(&device->lock, &irql);
    closed = device->closed;
    if (!closed)
        waits = irp_queue_add(&device->reads, irp);
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
    PIRP irp = irp_queue_take(&device->reads);
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
            goes_on = !IsListEmpty(&device->reads.irps) && ring_apply_next(device);
            room = room || goes_on;
        }
    }
    if (room)
        shared_ring_notify(&device->front, &device->shared);
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
        irp = irp_queue_take(&device->reads);
        KeReleaseSpinLock(&device->lock, irql);
        if (irp)
            complete(irp, STATUS_DEVICE_NOT_CONNECTED, 0);
    } while (irp);
}
