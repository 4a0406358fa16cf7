/*
 * The rings to the back end. A packet is copied into pages of the ring's own, with its headers made as the back end
 * wants them, and is complete then. What a back end cannot do of checksums and segments is done here, so that what NDIS
 * was told holds for any of them. Packets for which there is no room wait, in order.
 */
#include "net.h"

/* Where a packet's copying is: in its buffer's chain of MDLs. */
struct source {
    PMDL mdl;
    ULONG offset;
    BOOLEAN good; /* all that was asked for was there */
};

/* How far a list of buffers is sent; kept in its MiniportReserved while it waits. */
#define NEXT_BUFFER(list)    (*(NET_BUFFER **)&(list)->MiniportReserved[0])
#define PAYLOAD_OFFSET(list) (*(ULONG_PTR *)&(list)->MiniportReserved[1])

/* What is to be done to the buffer that is next. */
struct job {
    NET_BUFFER *buffer;
    ULONG length;
    struct headers headers;
    ULONG segment_size; /* 0: no large packet */
    BOOLEAN transport_checksum, header_checksum;
    UCHAR start[MOST_HEADERS];
};

static struct source source_of(const NET_BUFFER *buffer)
{
    return (struct source){buffer->CurrentMdl, buffer->CurrentMdlOffset, TRUE};
}

/* To NULL: skips. */
static void copy_from(struct source *source, UCHAR *to, ULONG count)
{
    while (count) {
        ULONG here;
        UCHAR *from;

        while (source->mdl && source->offset >= source->mdl->ByteCount) {
            source->offset -= source->mdl->ByteCount;
            source->mdl = source->mdl->Next;
        }
        from = source->mdl ? MmGetSystemAddressForMdlSafe(source->mdl, NormalPagePriority) : NULL;
        if (!from) {
            source->good = FALSE;
            return;
        }
        here = source->mdl->ByteCount - source->offset;
        if (here > count)
            here = count;
        if (to) {
            memcpy(to, from + source->offset, here);
            to += here;
        }
        source->offset += here;
        count -= here;
    }
}

/* FALSE: it asks for what this driver did not offer. */
static BOOLEAN make_job(NET_BUFFER_LIST *list, struct job *job)
{
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO checksum = {.Value =
                                                              list->NetBufferListInfo[TcpIpChecksumNetBufferListInfo]};
    NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO large = {
        .Value = list->NetBufferListInfo[TcpLargeSendNetBufferListInfo]};
    struct source source;
    ULONG present;

    job->buffer = NEXT_BUFFER(list);
    job->length = (ULONG)job->buffer->DataLength;
    job->segment_size = large.LsoV2Transmit.MSS;
    job->transport_checksum = checksum.Transmit.TcpChecksum || checksum.Transmit.UdpChecksum || job->segment_size;
    job->header_checksum = checksum.Transmit.IpHeaderChecksum || job->segment_size;
    present = job->length < MOST_HEADERS ? job->length : MOST_HEADERS;
    source = source_of(job->buffer);
    copy_from(&source, job->start, present);
    copy_from(&source, NULL, job->length - present); /* all of it is there, and has addresses */
    packet_parse(job->start, present, job->length, &job->headers);
    if (!source.good || job->length < ETHERNET_HEADER)
        return FALSE;
    if (job->header_checksum && job->headers.version != 4)
        job->header_checksum = FALSE;
    if (job->transport_checksum && !job->headers.transport)
        return FALSE;
    if (!job->segment_size)
        return job->length <= PV_PAGE_SIZE;
    return job->headers.protocol == PROTOCOL_TCP && job->length > job->headers.payload &&
           job->length - job->headers.payload <= MOST_LARGE && job->headers.payload + job->segment_size <= PV_PAGE_SIZE;
}

/* Behind a VLAN's tag Linux' back end does not look for what to sum. */
static BOOLEAN back_checks(const struct queue *queue, const struct job *job)
{
    const struct abilities *abilities = &queue->adapter->abilities;

    if (job->headers.network != ETHERNET_HEADER)
        return FALSE;
    return job->headers.version == 4 ? abilities->checksum_v4 : abilities->checksum_v6;
}

static BOOLEAN back_segments(const struct queue *queue, const struct job *job)
{
    const struct abilities *abilities = &queue->adapter->abilities;

    return abilities->scatter && back_checks(queue, job) &&
           (job->headers.version == 4 ? abilities->large_v4 : abilities->large_v6);
}

static ULONG free_slots(const struct queue *queue)
{
    return RING_SLOTS - (queue->requests_made - queue->responses_seen);
}

static BOOLEAN has_room(const struct queue *queue, ULONG pages, ULONG extras)
{
    return queue->free_count >= pages && free_slots(queue) >= pages + extras;
}

static union netif_tx_sring_entry *next_slot(struct queue *queue)
{
    return &queue->transmit_ring->ring[queue->requests_made++ % RING_SLOTS];
}

static UCHAR *page_of(struct queue *queue, ULONG page)
{
    return queue->transmit_pages + page * PV_PAGE_SIZE;
}

static ULONG take_page(struct queue *queue)
{
    ULONG page = queue->free_pages[--queue->free_count];

    queue->busy[page] = TRUE;
    return page;
}

static void put_request(struct queue *queue, ULONG page, ULONG size, ULONG flags)
{
    netif_tx_request_t request = {queue->transmit_references[page], 0, (uint16_t)flags, (uint16_t)page, (uint16_t)size};

    memcpy(&next_slot(queue)->req, &request, sizeof(request));
}

static void put_large(struct queue *queue, const struct job *job)
{
    struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO};

    extra.u.gso.size = (uint16_t)job->segment_size;
    extra.u.gso.type = job->headers.version == 4 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6;
    memcpy(next_slot(queue), &extra, sizeof(extra));
    queue->extras++;
}

static void count_sent(struct queue *queue, const UCHAR *data, ULONG length)
{
    enum cast cast = packet_cast(data);

    queue->sent.packets[cast]++;
    queue->sent.octets[cast] += length;
}

/* A packet that goes out as it is, but for checksums. */
static void send_plain(struct queue *queue, const struct job *job)
{
    struct source source = source_of(job->buffer);
    ULONG page = take_page(queue), flags = 0;
    UCHAR *data = page_of(queue, page);

    copy_from(&source, data, job->length);
    if (job->header_checksum)
        packet_put_header_checksum(data, &job->headers);
    if (job->transport_checksum && back_checks(queue, job)) {
        packet_put_pseudo(data, &job->headers, job->length - job->headers.transport);
        flags = NETTXF_csum_blank | NETTXF_data_validated;
    } else if (job->transport_checksum) {
        packet_put_checksum(data, &job->headers, job->length);
    }
    count_sent(queue, data, job->length);
    put_request(queue, page, job->length, flags);
}

/* A large packet that the back end cuts: the first request tells its whole length. */
static void send_large(struct queue *queue, const struct job *job)
{
    struct source source = source_of(job->buffer);
    ULONG flags = NETTXF_csum_blank | NETTXF_data_validated | NETTXF_extra_info, size = job->length;

    for (ULONG at = 0; at < job->length; at += PV_PAGE_SIZE) {
        ULONG page = take_page(queue), here = job->length - at < PV_PAGE_SIZE ? job->length - at : PV_PAGE_SIZE;
        UCHAR *data = page_of(queue, page);

        copy_from(&source, data, here);
        if (!at) {
            packet_put_length(data, &job->headers, job->length);
            if (job->header_checksum)
                packet_put_header_checksum(data, &job->headers);
            packet_put_pseudo(data, &job->headers, job->length - job->headers.transport);
            count_sent(queue, data, job->length);
        } else {
            size = here;
            flags = 0;
        }
        put_request(queue, page, size, flags | (at + here < job->length ? NETTXF_more_data : 0));
        if (!at)
            put_large(queue, job);
    }
}

/* One segment of a large packet that is cut here. */
static void send_segment(struct queue *queue, const struct job *job, ULONG offset)
{
    struct source source = source_of(job->buffer);
    ULONG total = job->length - job->headers.payload, count = total - offset, page = take_page(queue);
    UCHAR *data = page_of(queue, page);

    if (count > job->segment_size)
        count = job->segment_size;
    memcpy(data, job->start, job->headers.payload);
    copy_from(&source, NULL, job->headers.payload + offset);
    copy_from(&source, data + job->headers.payload, count);
    packet_make_segment(data, &job->headers, offset, count, total, offset / job->segment_size);
    count_sent(queue, data, job->headers.payload + count);
    put_request(queue, page, job->headers.payload + count, 0);
}

/* All segments that there is room for; TRUE when it was the last one. */
static BOOLEAN send_segments(struct queue *queue, const struct job *job, ULONG_PTR *offset)
{
    ULONG total = job->length - job->headers.payload;

    for (; *offset < total && has_room(queue, 1, 0); *offset += job->segment_size)
        send_segment(queue, job, (ULONG)*offset);
    return *offset >= total;
}

/* FALSE: there is no room for the rest of the buffer. */
static BOOLEAN send_buffer(struct queue *queue, NET_BUFFER_LIST *list, const struct job *job)
{
    ULONG pages = (job->length + PV_PAGE_SIZE - 1) / PV_PAGE_SIZE;

    if (job->segment_size && !back_segments(queue, job))
        return send_segments(queue, job, &PAYLOAD_OFFSET(list));
    if (!has_room(queue, pages, job->segment_size ? 1 : 0))
        return FALSE;
    if (job->segment_size)
        send_large(queue, job);
    else
        send_plain(queue, job);
    return TRUE;
}

/* FALSE: the list has to wait. */
static BOOLEAN send_list(struct queue *queue, NET_BUFFER_LIST *list)
{
    struct job job;

    for (; NEXT_BUFFER(list); NEXT_BUFFER(list) = NEXT_BUFFER(list)->Next, PAYLOAD_OFFSET(list) = 0) {
        if (!make_job(list, &job)) {
            queue->sent.errors++;
            list->Status = NDIS_STATUS_FAILURE;
            continue;
        }
        if (!send_buffer(queue, list, &job))
            return FALSE;
    }
    return TRUE;
}

static void kick(struct queue *queue, ULONG before)
{
    struct pv_bus_interface *bus = &queue->adapter->front.bus;
    ULONG now = queue->requests_made;

    if (now == before)
        return;
    __atomic_store_n(&queue->transmit_ring->req_prod, now, __ATOMIC_SEQ_CST);
    if (now - __atomic_load_n(&queue->transmit_ring->req_event, __ATOMIC_SEQ_CST) < now - before)
        bus->event_notify(bus->header.Context, queue->transmit_event ? queue->transmit_event : queue->receive_event);
}

/* Of the lists that wait, those that are sent now. */
static NET_BUFFER_LIST *send_waiting(struct queue *queue)
{
    NET_BUFFER_LIST *done = NULL, **end = &done;
    ULONG before = queue->requests_made;

    while (queue->waiting && send_list(queue, queue->waiting)) {
        *end = queue->waiting;
        end = &queue->waiting->Next;
        queue->waiting = queue->waiting->Next;
    }
    *end = NULL;
    if (!queue->waiting)
        queue->waiting_end = &queue->waiting;
    kick(queue, before);
    return done;
}

/* One answer, of which each part is read once. FALSE: there is no such request. */
static BOOLEAN take_response(struct queue *queue)
{
    netif_tx_response_t response;
    volatile ULONG *slot = (volatile ULONG *)&queue->transmit_ring->ring[queue->responses_seen++ % RING_SLOTS];
    ULONG word = *slot;

    memcpy(&response, &word, sizeof(response));
    if (response.status == NETIF_RSP_NULL)
        return queue->extras && queue->extras--;
    if (response.id >= RING_SLOTS || !queue->busy[response.id])
        return FALSE;
    if (response.status != NETIF_RSP_OKAY)
        queue->sent.errors++;
    queue->busy[response.id] = FALSE;
    queue->free_pages[queue->free_count++] = response.id;
    return TRUE;
}

/* Asks to be woken when half of what is out has come back; TRUE if something came meanwhile. */
static BOOLEAN more_came(struct queue *queue)
{
    ULONG out = queue->requests_made - queue->responses_seen;

    __atomic_store_n(&queue->transmit_ring->rsp_event, queue->responses_seen + out / 2 + 1, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&queue->transmit_ring->rsp_prod, __ATOMIC_SEQ_CST) - queue->responses_seen >= out / 2 + 1 &&
           out;
}

static void take_responses(struct queue *queue)
{
    do {
        ULONG produced = __atomic_load_n(&queue->transmit_ring->rsp_prod, __ATOMIC_SEQ_CST);

        if (produced - queue->responses_seen > queue->requests_made - queue->responses_seen) {
            front_break(&queue->adapter->front, "answers more sends than there were");
            return;
        }
        while (queue->responses_seen != produced)
            if (!take_response(queue)) {
                front_break(&queue->adapter->front, "answers a send that there was not");
                return;
            }
    } while (more_came(queue));
}

static NET_BUFFER_LIST *run(struct queue *queue)
{
    if (!queue->transmits || queue->adapter->front.broken)
        return NULL;
    take_responses(queue);
    return queue->adapter->front.broken ? NULL : send_waiting(queue);
}

void NTAPI transmit_event(void *context)
{
    struct queue *queue = context;
    NET_BUFFER_LIST *done;

    KeAcquireSpinLockAtDpcLevel(&queue->transmit_lock);
    done = run(queue);
    KeReleaseSpinLockFromDpcLevel(&queue->transmit_lock);
    transmit_end(queue->adapter, done, NDIS_STATUS_SUCCESS);
}

static struct queue *queue_for(struct adapter *adapter, const NET_BUFFER_LIST *list)
{
    ULONG hash = (ULONG)(ULONG_PTR)list->NetBufferListInfo[NetBufferListHashValue];
    ULONG count = (ULONG)adapter->queue_count;

    return &adapter->queues[count ? hash % count : 0]; /* packets of one connection stay in order */
}

static NDIS_STATUS refusal(const struct queue *queue)
{
    if (!queue->adapter->running)
        return NDIS_STATUS_PAUSED;
    return queue->transmits && !queue->adapter->front.broken ? NDIS_STATUS_SUCCESS : NDIS_STATUS_MEDIA_DISCONNECTED;
}

static void start_list(struct adapter *adapter, NET_BUFFER_LIST *list)
{
    struct queue *queue = queue_for(adapter, list);
    NET_BUFFER_LIST *done = NULL;
    NDIS_STATUS status;
    KIRQL irql;

    list->Next = NULL;
    list->Status = NDIS_STATUS_SUCCESS;
    NEXT_BUFFER(list) = list->FirstNetBuffer;
    PAYLOAD_OFFSET(list) = 0;
    KeAcquireSpinLock(&queue->transmit_lock, &irql);
    status = refusal(queue);
    if (status == NDIS_STATUS_SUCCESS) {
        *queue->waiting_end = list;
        queue->waiting_end = &list->Next;
        done = free_slots(queue) < RING_SLOTS / 2 ? run(queue) : send_waiting(queue);
    } else {
        queue->sent.discards++;
    }
    KeReleaseSpinLock(&queue->transmit_lock, irql);
    if (status != NDIS_STATUS_SUCCESS)
        done = list;
    transmit_end(adapter, done, status);
}

void transmit_start(struct adapter *adapter, NET_BUFFER_LIST *lists)
{
    while (lists) {
        NET_BUFFER_LIST *next = lists->Next;

        start_list(adapter, lists);
        lists = next;
    }
}

NET_BUFFER_LIST *transmit_take_waiting(struct queue *queue)
{
    NET_BUFFER_LIST *waiting = queue->waiting;

    queue->waiting = NULL;
    queue->waiting_end = &queue->waiting;
    return waiting;
}

/* A large send that was done tells of no bytes that are left; so says its documentation for version 2. */
static void finish_info(NET_BUFFER_LIST *list)
{
    NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO large = {
        .Value = list->NetBufferListInfo[TcpLargeSendNetBufferListInfo]};

    if (!large.LsoV2Transmit.MSS)
        return;
    large.Value = NULL;
    large.LsoV2TransmitComplete.Type = NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE;
    list->NetBufferListInfo[TcpLargeSendNetBufferListInfo] = large.Value;
}

void transmit_end(struct adapter *adapter, NET_BUFFER_LIST *lists, NDIS_STATUS status)
{
    if (!lists)
        return;
    for (NET_BUFFER_LIST *list = lists; list; list = list->Next) {
        if (status != NDIS_STATUS_SUCCESS)
            list->Status = status;
        finish_info(list);
    }
    NdisMSendNetBufferListsComplete(adapter->handle, lists, 0);
}

static NET_BUFFER_LIST *take_cancelled(struct queue *queue, PVOID id)
{
    NET_BUFFER_LIST **at = &queue->waiting, *taken = NULL;

    while (*at) {
        NET_BUFFER_LIST *list = *at;

        if (list->NetBufferListInfo[NetBufferListCancelId] == id) {
            *at = list->Next;
            list->Next = taken;
            taken = list;
        } else {
            at = &list->Next;
        }
    }
    queue->waiting_end = at;
    return taken;
}

void transmit_cancel(struct adapter *adapter, PVOID id)
{
    for (ULONG i = 0; i < MOST_QUEUES; i++) {
        struct queue *queue = &adapter->queues[i];
        NET_BUFFER_LIST *taken;
        KIRQL irql;

        KeAcquireSpinLock(&queue->transmit_lock, &irql);
        taken = take_cancelled(queue, id);
        KeReleaseSpinLock(&queue->transmit_lock, irql);
        transmit_end(adapter, taken, NDIS_STATUS_SEND_ABORTED);
    }
}
