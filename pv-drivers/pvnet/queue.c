/* A queue's memory: two rings, a page for each of their slots, all of them granted as long as the connection. */
#include "net.h"

static struct pv_bus_interface *bus_of(struct queue *queue)
{
    return &queue->adapter->front.bus;
}

static NTSTATUS grant_page(struct queue *queue, void *page, BOOLEAN read_only, ULONG *reference)
{
    ULONGLONG frame = (ULONGLONG)MmGetPhysicalAddress(page).QuadPart / PV_PAGE_SIZE;

    return bus_of(queue)->grant(bus_of(queue)->header.Context, queue->adapter->front.domain, frame, read_only,
                                reference);
}

static NTSTATUS grant_pages(struct queue *queue, UCHAR *pages, BOOLEAN read_only, ULONG *references)
{
    NTSTATUS status = STATUS_SUCCESS;

    for (ULONG i = 0; i < RING_SLOTS && NT_SUCCESS(status); i++)
        status = grant_page(queue, pages + i * PV_PAGE_SIZE, read_only, &references[i]);
    return status;
}

static void *new_pages(ULONG count)
{
    void *pages = ExAllocatePoolWithTag(NonPagedPool, count * PV_PAGE_SIZE, PVNET_TAG);

    if (pages)
        memset(pages, 0, count * PV_PAGE_SIZE); /* nothing of what was there before is shown */
    return pages;
}

static NTSTATUS make_memory(struct queue *queue)
{
    NTSTATUS status;

    queue->transmit_ring = new_pages(1);
    queue->receive_ring = new_pages(1);
    queue->transmit_pages = new_pages(RING_SLOTS);
    queue->receive_pages = new_pages(RING_SLOTS);
    if (!queue->transmit_ring || !queue->receive_ring || !queue->transmit_pages || !queue->receive_pages)
        return STATUS_INSUFFICIENT_RESOURCES;
    queue->transmit_ring->req_event = queue->transmit_ring->rsp_event = 1;
    queue->receive_ring->req_event = queue->receive_ring->rsp_event = 1;
    status = grant_page(queue, queue->transmit_ring, FALSE, &queue->transmit_ring_reference);
    if (NT_SUCCESS(status))
        status = grant_page(queue, queue->receive_ring, FALSE, &queue->receive_ring_reference);
    if (NT_SUCCESS(status))
        status = grant_pages(queue, queue->transmit_pages, TRUE, queue->transmit_references);
    if (NT_SUCCESS(status))
        status = grant_pages(queue, queue->receive_pages, FALSE, queue->receive_references);
    return status;
}

static NTSTATUS make_events(struct queue *queue)
{
    struct pv_bus_interface *bus = bus_of(queue);
    USHORT domain = queue->adapter->front.domain;
    NTSTATUS status = bus->event_alloc(bus->header.Context, domain, receive_event, queue, &queue->receive_event);

    if (NT_SUCCESS(status) && queue->adapter->abilities.split_events)
        status = bus->event_alloc(bus->header.Context, domain, transmit_event, queue, &queue->transmit_event);
    return status;
}

static void reset(struct queue *queue)
{
    queue->requests_made = queue->responses_seen = queue->extras = 0;
    queue->posted = queue->taken = 0;
    queue->free_count = RING_SLOTS;
    for (ULONG i = 0; i < RING_SLOTS; i++) {
        queue->free_pages[i] = (USHORT)i;
        queue->busy[i] = FALSE;
    }
    queue->waiting = NULL;
    queue->waiting_end = &queue->waiting;
}

NTSTATUS queue_make(struct queue *queue)
{
    NTSTATUS status;

    if (!queue_free(queue))
        return STATUS_DEVICE_BUSY;
    reset(queue);
    status = make_memory(queue);
    return NT_SUCCESS(status) ? make_events(queue) : status;
}

void queue_start(struct queue *queue)
{
    KIRQL irql;

    KeAcquireSpinLock(&queue->transmit_lock, &irql);
    queue->transmits = TRUE;
    KeReleaseSpinLock(&queue->transmit_lock, irql);
    KeAcquireSpinLock(&queue->receive_lock, &irql);
    queue->receives = TRUE;
    receive_post(queue);
    KeReleaseSpinLock(&queue->receive_lock, irql);
}

void queue_stop(struct queue *queue)
{
    NET_BUFFER_LIST *waiting;
    KIRQL irql;

    KeAcquireSpinLock(&queue->receive_lock, &irql);
    queue->receives = FALSE;
    KeReleaseSpinLock(&queue->receive_lock, irql);
    KeAcquireSpinLock(&queue->transmit_lock, &irql);
    queue->transmits = FALSE;
    waiting = transmit_take_waiting(queue);
    KeReleaseSpinLock(&queue->transmit_lock, irql);
    transmit_end(queue->adapter, waiting, NDIS_STATUS_MEDIA_DISCONNECTED);
}

void queue_forget(struct queue *queue)
{
    queue->transmit_event = queue->receive_event = NULL;
    queue->transmit_ring_reference = queue->receive_ring_reference = 0;
    memset(queue->transmit_references, 0, sizeof(queue->transmit_references));
    memset(queue->receive_references, 0, sizeof(queue->receive_references));
}

/* FALSE: the back end has one of the pages still. */
static BOOLEAN end_grants(struct queue *queue, ULONG *references, ULONG count)
{
    struct pv_bus_interface *bus = bus_of(queue);
    BOOLEAN all = TRUE;

    for (ULONG i = 0; i < count; i++)
        if (references[i]) {
            if (NT_SUCCESS(bus->grant_end(bus->header.Context, references[i])))
                references[i] = 0;
            else
                all = FALSE;
        }
    return all;
}

/* What is left of the pages: the pointer, if the back end has one of them still. */
static void *free_pages(struct queue *queue, void *pages, ULONG *references, ULONG count)
{
    if (!end_grants(queue, references, count))
        return pages;
    if (pages)
        ExFreePoolWithTag(pages, PVNET_TAG);
    return NULL;
}

static void free_events(struct queue *queue)
{
    struct pv_bus_interface *bus = bus_of(queue);

    if (queue->transmit_event)
        bus->event_free(bus->header.Context, queue->transmit_event);
    if (queue->receive_event)
        bus->event_free(bus->header.Context, queue->receive_event);
    queue->transmit_event = queue->receive_event = NULL;
    KeRemoveQueueDpc(&queue->receive_dpc);
    KeFlushQueuedDpcs();
}

BOOLEAN queue_free(struct queue *queue)
{
    free_events(queue);
    queue->transmit_ring = free_pages(queue, queue->transmit_ring, &queue->transmit_ring_reference, 1);
    queue->receive_ring = free_pages(queue, queue->receive_ring, &queue->receive_ring_reference, 1);
    queue->transmit_pages = free_pages(queue, queue->transmit_pages, queue->transmit_references, RING_SLOTS);
    queue->receive_pages = free_pages(queue, queue->receive_pages, queue->receive_references, RING_SLOTS);
    return !queue->transmit_ring && !queue->receive_ring && !queue->transmit_pages && !queue->receive_pages;
}
