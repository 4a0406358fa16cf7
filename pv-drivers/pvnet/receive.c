/*
 * The rings from the back end. A slot's answer is in the place of its request, and so is its page. What a packet's
 * answers say is read once, checked, and then its bytes are copied; a large one is cut into such as the network's. The
 * pages are given back at once. When the pool has no room for a packet the answers stay in the ring, and the back end
 * has to wait.
 */
#include "net.h"

#define BUDGET 256 /* slots in a turn */

/* A packet as the back end describes it. */
struct arrival {
    struct {
        ULONG slot, offset, size;
    } parts[MOST_SLOTS];
    ULONG count, length;
    ULONG slots; /* with those of extra information */
    BOOLEAN failed, blank, validated;
    ULONG segment_size, large_type;
};

enum verdict { WHOLE, UNFINISHED, IMPOSSIBLE };

/* Where the copying of an arrival is. */
struct source {
    const struct queue *queue;
    const struct arrival *arrival;
    ULONG part, offset;
};

/* To NULL: skips. */
static void copy_from(struct source *source, UCHAR *to, ULONG count)
{
    while (count) {
        ULONG slot = source->arrival->parts[source->part].slot;
        ULONG from = source->arrival->parts[source->part].offset + source->offset;
        ULONG here = source->arrival->parts[source->part].size - source->offset;

        if (here > count)
            here = count;
        if (to) {
            memcpy(to, source->queue->receive_pages + slot * PV_PAGE_SIZE + from, here);
            to += here;
        }
        count -= here;
        source->offset += here;
        if (source->offset == source->arrival->parts[source->part].size) {
            source->part++;
            source->offset = 0;
        }
    }
}

static ULONGLONG read_slot(const struct queue *queue, ULONG index)
{
    return *(volatile ULONGLONG *)&queue->receive_ring->ring[index % RING_SLOTS];
}

/* Extra information: kinds that were not asked for are none of this protocol. */
static enum verdict read_extra(const struct queue *queue, struct arrival *arrival, BOOLEAN *more)
{
    ULONGLONG word = read_slot(queue, queue->taken + arrival->slots++);
    struct netif_extra_info extra;

    memcpy(&extra, &word, sizeof(extra));
    *more = extra.flags & XEN_NETIF_EXTRA_FLAG_MORE;
    if (extra.type != XEN_NETIF_EXTRA_TYPE_GSO || arrival->segment_size || !extra.u.gso.size ||
        (extra.u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 && extra.u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6))
        return IMPOSSIBLE;
    arrival->segment_size = extra.u.gso.size;
    arrival->large_type = extra.u.gso.type;
    return WHOLE;
}

static enum verdict read_extras(const struct queue *queue, struct arrival *arrival, ULONG available)
{
    BOOLEAN more = TRUE;
    enum verdict verdict = WHOLE;

    while (more && verdict == WHOLE) {
        if (arrival->slots == available)
            return UNFINISHED;
        verdict = read_extra(queue, arrival, &more);
    }
    return verdict;
}

/* One answer that is a part of the packet. */
static enum verdict read_part(const struct queue *queue, struct arrival *arrival, BOOLEAN *more, BOOLEAN *extra)
{
    ULONG index = queue->taken + arrival->slots++;
    ULONGLONG word = read_slot(queue, index);
    netif_rx_response_t response;

    memcpy(&response, &word, sizeof(response));
    *more = (response.flags & NETRXF_more_data) != 0;
    *extra = (response.flags & NETRXF_extra_info) != 0;
    if (response.id != index % RING_SLOTS || arrival->count == MOST_SLOTS)
        return IMPOSSIBLE;
    if (response.status > 0 && response.offset + (ULONG)response.status > PV_PAGE_SIZE)
        return IMPOSSIBLE;
    if (!arrival->count) {
        arrival->blank = (response.flags & NETRXF_csum_blank) != 0;
        arrival->validated = (response.flags & NETRXF_data_validated) != 0;
    }
    if (response.status <= 0) { /* this packet is lost, and the ring is well */
        arrival->failed = TRUE;
        response.status = 0;
    }
    arrival->parts[arrival->count].slot = index % RING_SLOTS;
    arrival->parts[arrival->count].offset = response.offset;
    arrival->parts[arrival->count++].size = (ULONG)response.status;
    arrival->length += (ULONG)response.status;
    return WHOLE;
}

static enum verdict read_arrival(const struct queue *queue, ULONG produced, struct arrival *arrival)
{
    ULONG available = produced - queue->taken;
    BOOLEAN more = TRUE, extra = FALSE;
    enum verdict verdict = WHOLE;

    memset(arrival, 0, sizeof(*arrival));
    while (more && verdict == WHOLE) {
        if (arrival->slots == available)
            return UNFINISHED;
        verdict = read_part(queue, arrival, &more, &extra);
        if (verdict == WHOLE && extra)
            verdict = arrival->count == 1 ? read_extras(queue, arrival, available) : IMPOSSIBLE;
    }
    return verdict;
}

/* The pages of the ring that have no request go to the back end again. */
void receive_post(struct queue *queue)
{
    struct pv_bus_interface *bus = &queue->adapter->front.bus;
    ULONG before = queue->posted;

    for (; queue->posted - queue->taken < RING_SLOTS; queue->posted++) {
        ULONG slot = queue->posted % RING_SLOTS;
        netif_rx_request_t request = {(uint16_t)slot, 0, queue->receive_references[slot]};

        memcpy(&queue->receive_ring->ring[slot].req, &request, sizeof(request));
    }
    if (queue->posted == before)
        return;
    __atomic_store_n(&queue->receive_ring->req_prod, queue->posted, __ATOMIC_SEQ_CST);
    if (queue->posted - __atomic_load_n(&queue->receive_ring->req_event, __ATOMIC_SEQ_CST) < queue->posted - before)
        bus->event_notify(bus->header.Context, queue->receive_event);
}

/* --- one packet of Windows --- */

static BOOLEAN is_member(struct adapter *adapter, const UCHAR *address)
{
    BOOLEAN found = FALSE;
    KIRQL irql;

    KeAcquireSpinLock(&adapter->filter_lock, &irql);
    for (ULONG i = 0; i < adapter->multicast_count && !found; i++)
        found = !memcmp(adapter->multicast[i], address, ADDRESS_SIZE);
    KeReleaseSpinLock(&adapter->filter_lock, irql);
    return found;
}

static BOOLEAN is_wanted(struct adapter *adapter, const UCHAR *data)
{
    ULONG filter = (ULONG)adapter->filter;

    if (filter & NDIS_PACKET_TYPE_PROMISCUOUS)
        return TRUE;
    switch (packet_cast(data)) {
    case UNICAST:
        return filter & NDIS_PACKET_TYPE_DIRECTED && !memcmp(data, adapter->permanent, ADDRESS_SIZE);
    case BROADCAST:
        return (filter & NDIS_PACKET_TYPE_BROADCAST) != 0;
    default:
        return filter & NDIS_PACKET_TYPE_ALL_MULTICAST ||
               (filter & NDIS_PACKET_TYPE_MULTICAST && is_member(adapter, data));
    }
}

static void say_checked(struct adapter *adapter, NET_BUFFER_LIST *list, const struct headers *headers)
{
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO info = {.Value = NULL};
    LONG checks = adapter->receive_checks;

    if (headers->protocol == PROTOCOL_TCP)
        info.Receive.TcpChecksumSucceeded = (checks & (headers->version == 4 ? CHECK_TCP_V4 : CHECK_TCP_V6)) != 0;
    else
        info.Receive.UdpChecksumSucceeded = (checks & (headers->version == 4 ? CHECK_UDP_V4 : CHECK_UDP_V6)) != 0;
    list->NetBufferListInfo[TcpIpChecksumNetBufferListInfo] = info.Value;
}

/* The hash of the packet, said to NDIS; the target that it belongs to, NULL: none. */
static struct target *choose_target(struct adapter *adapter, struct net_packet *packet, const struct headers *headers)
{
    struct scaling *scaling = &adapter->scaling;
    struct target *target = NULL;
    ULONG types = headers->version == 4 ? NDIS_HASH_TCP_IPV4 | NDIS_HASH_IPV4 : NDIS_HASH_TCP_IPV6 | NDIS_HASH_IPV6;
    KIRQL irql;

    KeAcquireSpinLock(&adapter->scaling_lock, &irql);
    types &= headers->version ? scaling->types : 0;
    if (headers->protocol != PROTOCOL_TCP)
        types &= NDIS_HASH_IPV4 | NDIS_HASH_IPV6;
    if (scaling->enabled && types) {
        BOOLEAN ports = (types & (NDIS_HASH_TCP_IPV4 | NDIS_HASH_TCP_IPV6)) != 0;
        ULONG hash = packet_hash(packet->data, headers, ports, scaling->key);
        ULONG type = ports ? types & (NDIS_HASH_TCP_IPV4 | NDIS_HASH_TCP_IPV6) : types;

        packet->list->NetBufferListInfo[NetBufferListHashValue] = (PVOID)(ULONG_PTR)hash;
        packet->list->NetBufferListInfo[NetBufferListHashInfo] = (PVOID)(ULONG_PTR)(type | NdisHashFunctionToeplitz);
        target = &adapter->targets[scaling->table[hash & (scaling->entries - 1)]];
    }
    KeReleaseSpinLock(&adapter->scaling_lock, irql);
    return target;
}

static void give_to_target(struct target *target, struct net_packet *packet)
{
    KIRQL irql;

    KeAcquireSpinLock(&target->lock, &irql);
    *target->end = packet;
    target->end = &packet->next;
    KeReleaseSpinLock(&target->lock, irql);
    KeInsertQueueDpc(&target->dpc, NULL, NULL);
}

/* A packet whose bytes stand in its memory: to its target, or behind those of this turn. */
static void deliver(struct queue *queue, struct net_packet *packet, const struct headers *headers, BOOLEAN checked,
                    struct net_packet ***end)
{
    struct adapter *adapter = queue->adapter;
    NET_BUFFER *buffer = packet->list->FirstNetBuffer;
    enum cast cast = packet_cast(packet->data);
    struct target *target;

    queue->received.packets[cast]++;
    queue->received.octets[cast] += packet->length;
    memset(packet->list->NetBufferListInfo, 0, sizeof(packet->list->NetBufferListInfo));
    packet->list->Next = NULL;
    packet->list->Status = NDIS_STATUS_SUCCESS;
    buffer->MdlChain = buffer->CurrentMdl = &packet->mdl;
    buffer->DataOffset = buffer->CurrentMdlOffset = 0;
    buffer->DataLength = packet->length;
    if (checked && headers->protocol)
        say_checked(adapter, packet->list, headers);
    target = choose_target(adapter, packet, headers);
    if (target) {
        give_to_target(target, packet);
    } else {
        **end = packet;
        *end = &packet->next;
    }
}

/* --- an arrival becomes packets, which are there for it already --- */

static struct net_packet *next_of(struct net_packet **supply)
{
    struct net_packet *packet = *supply;

    *supply = packet->next;
    packet->next = NULL;
    return packet;
}

static void take_plain(struct queue *queue, const struct arrival *arrival, struct net_packet **supply,
                       struct net_packet ***end)
{
    struct source source = {queue, arrival, 0, 0};
    struct net_packet *packet = *supply;
    struct headers headers;

    copy_from(&source, packet->data, arrival->length);
    packet->length = arrival->length;
    packet_parse(packet->data, packet->length, packet->length, &headers);
    if (!is_wanted(queue->adapter, packet->data) || (arrival->blank && !headers.protocol)) {
        queue->received.discards++;
        return;
    }
    if (arrival->blank)
        packet_put_checksum(packet->data, &headers, packet->length);
    deliver(queue, next_of(supply), &headers, arrival->blank || arrival->validated, end);
}

static ULONG longest(const struct queue *queue)
{
    return queue->adapter->mtu + ETHERNET_HEADER + 4; /* a VLAN's tag */
}

/* The headers of a large packet; FALSE: it is none, or nothing that a network's packets could be made of. */
static BOOLEAN read_start(struct queue *queue, const struct arrival *arrival, UCHAR *start, struct headers *headers)
{
    struct source source = {queue, arrival, 0, 0};
    ULONG present = arrival->length < MOST_HEADERS ? arrival->length : MOST_HEADERS;

    copy_from(&source, start, present);
    packet_parse(start, present, arrival->length, headers);
    return headers->protocol == PROTOCOL_TCP && arrival->length > headers->payload &&
           headers->version == (arrival->large_type == XEN_NETIF_GSO_TYPE_TCPV4 ? 4 : 6) &&
           headers->payload + arrival->segment_size <= longest(queue) && is_wanted(queue->adapter, start);
}

static void take_large(struct queue *queue, const struct arrival *arrival, struct net_packet **supply,
                       struct net_packet ***end)
{
    struct source source = {queue, arrival, 0, 0};
    UCHAR start[MOST_HEADERS];
    struct headers headers;
    ULONG total, segment = 0;

    if (!read_start(queue, arrival, start, &headers)) {
        queue->received.discards++;
        return;
    }
    copy_from(&source, NULL, headers.payload);
    total = arrival->length - headers.payload;
    for (ULONG offset = 0; offset < total; offset += arrival->segment_size) {
        struct net_packet *packet = next_of(supply);
        ULONG count = total - offset < arrival->segment_size ? total - offset : arrival->segment_size;

        memcpy(packet->data, start, headers.payload);
        copy_from(&source, packet->data + headers.payload, count);
        packet->length = headers.payload + count;
        packet_make_segment(packet->data, &headers, offset, count, total, segment++);
        deliver(queue, packet, &headers, TRUE, end);
    }
}

/* How many packets it may become at most; 0: it is lost. */
static ULONG packets_of(const struct queue *queue, const struct arrival *arrival)
{
    ULONG segments;

    if (arrival->failed || arrival->length < ETHERNET_HEADER)
        return 0;
    if (!arrival->segment_size)
        return arrival->length <= longest(queue);
    segments = (arrival->length + arrival->segment_size - 1) / arrival->segment_size;
    return segments <= MOST_SEGMENTS ? segments : 0;
}

/* FALSE: nothing more is to be had now. */
static BOOLEAN take_arrival(struct queue *queue, ULONG produced, struct net_packet ***end)
{
    struct arrival arrival;
    struct net_packet *supply = NULL;
    enum verdict verdict = read_arrival(queue, produced, &arrival);
    ULONG packets = verdict == WHOLE ? packets_of(queue, &arrival) : 0;

    if (verdict == IMPOSSIBLE)
        front_break(&queue->adapter->front, "describes a packet that cannot be");
    if (packets)
        supply = pool_take(queue->adapter, packets);
    if (verdict != WHOLE || (packets && !supply))
        return FALSE;
    if (!packets)
        queue->received.errors++;
    else if (arrival.segment_size)
        take_large(queue, &arrival, &supply, end);
    else
        take_plain(queue, &arrival, &supply, end);
    pool_give(queue->adapter, supply);
    queue->taken += arrival.slots;
    return TRUE;
}

/* TRUE: there is more at once. What is left because it is not whole waits for the back end, what there is no room for
 * waits for the pool. */
static BOOLEAN take_arrivals(struct queue *queue, struct net_packet ***end)
{
    ULONG produced = __atomic_load_n(&queue->receive_ring->rsp_prod, __ATOMIC_SEQ_CST), before = queue->taken;

    if (produced - queue->taken > queue->posted - queue->taken) {
        front_break(&queue->adapter->front, "fills more pages than it was given");
        return FALSE;
    }
    while (queue->taken != produced && queue->taken - before < BUDGET && take_arrival(queue, produced, end)) {
    }
    if (queue->adapter->front.broken)
        return FALSE;
    receive_post(queue);
    __atomic_store_n(&queue->receive_ring->rsp_event, produced + 1, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&queue->receive_ring->rsp_prod, __ATOMIC_SEQ_CST) != produced ||
           queue->taken - before >= BUDGET;
}

/* --- to NDIS --- */

static void indicate(struct adapter *adapter, struct net_packet *packets)
{
    NET_BUFFER_LIST *lists = packets ? packets->list : NULL;
    ULONG count = 0;

    for (struct net_packet *packet = packets; packet; packet = packet->next) {
        packet->list->Next = packet->next ? packet->next->list : NULL;
        count++;
    }
    if (!count)
        return;
    __atomic_add_fetch(&adapter->outstanding, (LONG)count, __ATOMIC_SEQ_CST);
    NdisMIndicateReceiveNetBufferLists(adapter->handle, lists, NDIS_DEFAULT_PORT_NUMBER, count,
                                       NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
}

void NTAPI receive_run(PKDPC dpc, PVOID context, PVOID first, PVOID second)
{
    struct queue *queue = context;
    struct net_packet *packets = NULL, **end = &packets;
    BOOLEAN more = FALSE;

    UNREFERENCED_PARAMETER(first);
    UNREFERENCED_PARAMETER(second);
    KeAcquireSpinLockAtDpcLevel(&queue->receive_lock);
    if (queue->receives && queue->adapter->running && !queue->adapter->front.broken)
        more = take_arrivals(queue, &end);
    KeReleaseSpinLockFromDpcLevel(&queue->receive_lock);
    *end = NULL;
    indicate(queue->adapter, packets);
    if (more)
        KeInsertQueueDpc(dpc, NULL, NULL);
}

static struct net_packet *take_all(struct target *target)
{
    struct net_packet *packets;
    KIRQL irql;

    KeAcquireSpinLock(&target->lock, &irql);
    packets = target->first;
    target->first = NULL;
    target->end = &target->first;
    KeReleaseSpinLock(&target->lock, irql);
    return packets;
}

void NTAPI target_run(PKDPC dpc, PVOID context, PVOID first, PVOID second)
{
    struct target *target = context;
    struct net_packet *packets = take_all(target);

    UNREFERENCED_PARAMETER(dpc);
    UNREFERENCED_PARAMETER(first);
    UNREFERENCED_PARAMETER(second);
    if (target->adapter->running)
        indicate(target->adapter, packets);
    else
        pool_give(target->adapter, packets);
}

void receive_drop_queued(struct adapter *adapter)
{
    for (ULONG i = 0; i < MOST_TARGETS; i++)
        pool_give(adapter, take_all(&adapter->targets[i]));
}

void NTAPI receive_event(void *context)
{
    struct queue *queue = context;

    KeInsertQueueDpc(&queue->receive_dpc, NULL, NULL);
    if (!queue->transmit_event)
        transmit_event(queue);
}

void receive_again(struct adapter *adapter)
{
    for (ULONG i = 0; i < MOST_QUEUES; i++)
        KeInsertQueueDpc(&adapter->queues[i].receive_dpc, NULL, NULL);
}
