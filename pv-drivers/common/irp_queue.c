#include "pv/irp_queue.h"

void irp_queue_init(struct irp_queue *queue, KSPIN_LOCK *lock)
{
    queue->lock = lock;
    InitializeListHead(&queue->irps);
}

static VOID NTAPI cancel(PDEVICE_OBJECT device, PIRP irp)
{
    struct irp_queue *queue = irp->Tail.Overlay.DriverContext[0];
    KIRQL irql;

    UNREFERENCED_PARAMETER(device);
    IoReleaseCancelSpinLock(irp->CancelIrql);
    KeAcquireSpinLock(queue->lock, &irql);
    RemoveEntryList(&irp->Tail.Overlay.ListEntry); /* of the list, or of itself */
    KeReleaseSpinLock(queue->lock, irql);
    irp->IoStatus.Status = STATUS_CANCELLED;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
}

/* Once it is in the list. */
static BOOLEAN may_wait(struct irp_queue *queue, PIRP irp)
{
    irp->Tail.Overlay.DriverContext[0] = queue;
    IoSetCancelRoutine(irp, cancel);
    if (!irp->Cancel || !IoSetCancelRoutine(irp, NULL))
        return TRUE;
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    return FALSE;
}

BOOLEAN irp_queue_add(struct irp_queue *queue, PIRP irp)
{
    IoMarkIrpPending(irp);
    InsertTailList(&queue->irps, &irp->Tail.Overlay.ListEntry);
    return may_wait(queue, irp);
}

BOOLEAN irp_queue_put_back(struct irp_queue *queue, PIRP irp)
{
    InsertHeadList(&queue->irps, &irp->Tail.Overlay.ListEntry);
    return may_wait(queue, irp);
}

/* One that is being cancelled is completed by that function. */
PIRP irp_queue_take(struct irp_queue *queue)
{
    while (!IsListEmpty(&queue->irps)) {
        LIST_ENTRY *entry = RemoveHeadList(&queue->irps);
        PIRP irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry);

        if (IoSetCancelRoutine(irp, NULL))
            return irp;
        InitializeListHead(entry);
    }
    return NULL;
}
