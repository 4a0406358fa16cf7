/*
 * The ring: requests are cut into parts, of as many pages as one message names, and are done when all their parts are.
 * What the back end writes is checked: an answer to nothing, or indices that run away, break the disk, and its requests
 * fail.
 */
#include "block.h"

static struct pv_bus_interface *bus_of(struct disk *disk)
{
    return &disk->adapter->bus;
}

static ULONG free_slot(const struct disk *disk)
{
    for (ULONG i = 0; i < RING_SLOTS; i++)
        if (!disk->parts[i].request)
            return i;
    return NO_SLOT;
}

static void end_grants(struct disk *disk, const blkif_request_t *message)
{
    if (message->operation == BLKIF_OP_DISCARD)
        return;
    for (ULONG i = 0; i < message->nr_segments; i++)
        if (bus_of(disk)->grant_end(bus_of(disk)->header.Context, message->seg[i].gref))
            LOG("the back end of disk %u keeps a page", disk->number);
}

/* Gives the back end the pages of a part; none if it cannot be all. */
static BOOLEAN grant_pages(struct disk *disk, struct part *part)
{
    BOOLEAN read_only = part->message.operation == BLKIF_OP_WRITE;
    ULONG count = part->message.operation == BLKIF_OP_DISCARD ? 0 : part->message.nr_segments;

    for (ULONG i = 0; i < count; i++) {
        ULONG reference;

        if (!NT_SUCCESS(bus_of(disk)->grant(bus_of(disk)->header.Context, disk->domain, part->frames[i], read_only,
                                            &reference))) {
            part->message.nr_segments = (UCHAR)i;
            end_grants(disk, &part->message);
            part->message.nr_segments = (UCHAR)count;
            return FALSE;
        }
        part->message.seg[i].gref = reference;
    }
    return TRUE;
}

static void put(struct disk *disk, const struct part *part)
{
    union blkif_sring_entry *entry = &disk->ring->ring[disk->requests_made++ % RING_SLOTS];

    memcpy(&entry->req, &part->message, sizeof(entry->req));
}

/* Shows the back end what was put, and wakes it if it asked for that. */
static void push(struct disk *disk, ULONG before)
{
    ULONG now = disk->requests_made;

    if (now == before)
        return;
    __atomic_store_n(&disk->ring->req_prod, now, __ATOMIC_SEQ_CST);
    if (now - __atomic_load_n(&disk->ring->req_event, __ATOMIC_SEQ_CST) < now - before)
        bus_of(disk)->event_notify(bus_of(disk)->header.Context, disk->event);
}

/* The next segment of a request: as much of one page as follows. FALSE at the end of the list. */
static BOOLEAN next_segment(struct request *request, const struct pv_scatter_gather_list *list, struct part *part)
{
    const struct pv_scatter_gather_element *element;
    struct blkif_request_segment *segment = &part->message.seg[part->message.nr_segments];
    ULONGLONG address;
    ULONG in_page, length;

    if (request->element == list->count)
        return FALSE;
    element = &list->elements[request->element];
    address = (ULONGLONG)element->address.QuadPart + request->offset;
    in_page = (ULONG)(address % PV_PAGE_SIZE);
    length = element->length - request->offset;
    if (length > PV_PAGE_SIZE - in_page)
        length = PV_PAGE_SIZE - in_page;
    segment->first_sect = (uint8_t)(in_page / SECTOR);
    segment->last_sect = (uint8_t)((in_page + length) / SECTOR - 1);
    part->frames[part->message.nr_segments++] = address / PV_PAGE_SIZE;
    request->sector += length / SECTOR;
    request->offset += length;
    if (request->offset == element->length) {
        request->element++;
        request->offset = 0;
    }
    return TRUE;
}

static void fill_discard(const struct request *request, struct part *part)
{
    struct blkif_request_discard *discard = (struct blkif_request_discard *)&part->message;

    discard->flag = 0;
    discard->nr_sectors = request->count;
}

/* Cuts the next part off a request. */
static void fill(struct disk *disk, struct request *request, ULONG slot)
{
    struct part *part = &disk->parts[slot];

    memset(&part->message, 0, sizeof(part->message));
    part->message.operation = request->operation;
    part->message.id = slot;
    part->message.sector_number = request->sector;
    request->all_in = TRUE;
    if (request->operation == BLKIF_OP_DISCARD) {
        fill_discard(request, part);
    } else if (request->operation != BLKIF_OP_FLUSH_DISKCACHE) {
        const struct pv_scatter_gather_list *list =
            StorPortGetScatterGatherList(disk->adapter->extension, request->srb);

        while (part->message.nr_segments < SEGMENTS && next_segment(request, list, part)) {
        }
        request->all_in = request->element == list->count;
    }
}

/* As much of what waits as there is room for, and as can be granted. */
static void submit(struct disk *disk)
{
    ULONG before = disk->requests_made, slot;

    while (disk->state == DISK_READY && !IsListEmpty(&disk->waiting) && (slot = free_slot(disk)) != NO_SLOT) {
        struct request *request = CONTAINING_RECORD(disk->waiting.Flink, struct request, link), kept = *request;

        fill(disk, request, slot);
        if (!grant_pages(disk, &disk->parts[slot])) {
            *request = kept; /* again when grants came back */
            break;
        }
        disk->parts[slot].request = request;
        request->parts++;
        if (request->all_in)
            RemoveEntryList(&request->link);
        put(disk, &disk->parts[slot]);
    }
    push(disk, before);
}

static void finish(struct disk *disk, struct request *request)
{
    SCSI_REQUEST_BLOCK *srb = request->srb;

    if (request->failed) {
        scsi_sense(srb, SENSE_MEDIUM_ERROR, 0);
    } else {
        srb->SrbStatus = SRB_STATUS_SUCCESS;
        if (request->operation == BLKIF_OP_READ)
            adapter_worked(disk->adapter);
    }
    scsi_complete(disk->adapter, srb, srb->SrbStatus);
}

/* A request whose failure is known is not cut further. */
static void end_part(struct disk *disk, struct part *part, BOOLEAN good)
{
    struct request *request = part->request;

    part->request = NULL;
    request->parts--;
    if (!good && !request->failed) {
        request->failed = TRUE;
        if (!request->all_in)
            RemoveEntryList(&request->link);
        request->all_in = TRUE;
    }
    if (request->all_in && !request->parts)
        finish(disk, request);
}

static void fail_all(struct disk *disk)
{
    disk->state = DISK_BROKEN;
    for (ULONG i = 0; i < RING_SLOTS; i++)
        if (disk->parts[i].request) {
            end_grants(disk, &disk->parts[i].message);
            end_part(disk, &disk->parts[i], FALSE);
        }
    while (!IsListEmpty(&disk->waiting)) {
        struct request *request = CONTAINING_RECORD(RemoveHeadList(&disk->waiting), struct request, link);

        request->failed = TRUE;
        finish(disk, request);
    }
}

/* FALSE: the back end does not keep to the protocol. */
static BOOLEAN take_response(struct disk *disk)
{
    blkif_response_t response;
    struct part *part;

    memcpy(&response, &disk->ring->ring[disk->responses_seen++ % RING_SLOTS].rsp, sizeof(response));
    if (response.id >= RING_SLOTS || !disk->parts[response.id].request)
        return FALSE;
    part = &disk->parts[response.id];
    end_grants(disk, &part->message);
    end_part(disk, part, response.status == BLKIF_RSP_OKAY);
    return TRUE;
}

/* Asks to be woken for the next response; TRUE if one came meanwhile. */
static BOOLEAN more_came(struct disk *disk)
{
    __atomic_store_n(&disk->ring->rsp_event, disk->responses_seen + 1, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&disk->ring->rsp_prod, __ATOMIC_SEQ_CST) != disk->responses_seen;
}

static void take_responses(struct disk *disk)
{
    do {
        ULONG produced = __atomic_load_n(&disk->ring->rsp_prod, __ATOMIC_SEQ_CST);

        if (produced - disk->responses_seen > disk->requests_made - disk->responses_seen) {
            LOG("the ring of disk %u is broken", disk->number);
            fail_all(disk);
            return;
        }
        while (disk->responses_seen != produced)
            if (!take_response(disk)) {
                LOG("the back end of disk %u answers what was not asked", disk->number);
                fail_all(disk);
                return;
            }
    } while (more_came(disk));
}

void NTAPI ring_event(void *context)
{
    struct disk *disk = context;

    KeAcquireSpinLockAtDpcLevel(&disk->lock);
    if (disk->state == DISK_READY)
        take_responses(disk);
    submit(disk);
    KeReleaseSpinLockFromDpcLevel(&disk->lock);
}

void ring_submit(struct disk *disk, struct request *request)
{
    KIRQL irql;

    KeAcquireSpinLock(&disk->lock, &irql);
    InsertTailList(&disk->waiting, &request->link);
    if (disk->state == DISK_BROKEN)
        fail_all(disk);
    else
        submit(disk);
    KeReleaseSpinLock(&disk->lock, irql);
}

void ring_again(struct disk *disk)
{
    ULONG before;
    KIRQL irql;

    KeAcquireSpinLock(&disk->lock, &irql);
    disk->state = DISK_READY;
    before = disk->requests_made;
    for (ULONG i = 0; i < RING_SLOTS; i++)
        if (disk->parts[i].request) {
            if (grant_pages(disk, &disk->parts[i]))
                put(disk, &disk->parts[i]);
            else
                end_part(disk, &disk->parts[i], FALSE);
        }
    push(disk, before);
    submit(disk);
    KeReleaseSpinLock(&disk->lock, irql);
}

void ring_end(struct disk *disk)
{
    KIRQL irql;

    KeAcquireSpinLock(&disk->lock, &irql);
    fail_all(disk);
    KeReleaseSpinLock(&disk->lock, irql);
}
