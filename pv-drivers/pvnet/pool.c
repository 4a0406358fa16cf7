/* The pool of received packets: as many as there ever are, made with the adapter. */
#include "net.h"

static void make_packet(struct adapter *adapter, struct net_packet *packet, UCHAR *data)
{
    packet->data = data;
    MmInitializeMdl(&packet->mdl, data, PACKET_ROOM);
    MmBuildMdlForNonPagedPool(&packet->mdl);
    packet->list = NdisAllocateNetBufferAndNetBufferList(adapter->list_pool, 0, 0, &packet->mdl, 0, 0);
    if (!packet->list)
        return;
    packet->list->MiniportReserved[0] = packet;
    packet->list->SourceHandle = adapter->handle;
}

NDIS_STATUS pool_make(struct adapter *adapter)
{
    NET_BUFFER_LIST_POOL_PARAMETERS parameters = {
        .Header = {NDIS_OBJECT_TYPE_DEFAULT, NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1, sizeof(parameters)},
        .fAllocateNetBuffer = TRUE,
        .PoolTag = PVNET_TAG,
    };

    KeInitializeSpinLock(&adapter->pool_lock);
    adapter->list_pool = NdisAllocateNetBufferListPool(adapter->handle, &parameters);
    adapter->packet_memory = ExAllocatePoolWithTag(NonPagedPool, PACKETS * PACKET_ROOM, PVNET_TAG);
    adapter->packets = ExAllocatePoolWithTag(NonPagedPool, PACKETS * sizeof(*adapter->packets), PVNET_TAG);
    if (adapter->packets)
        memset(adapter->packets, 0, PACKETS * sizeof(*adapter->packets)); /* none has a list yet: pool_free() asks */
    if (!adapter->list_pool || !adapter->packet_memory || !adapter->packets)
        return NDIS_STATUS_RESOURCES;
    for (ULONG i = 0; i < PACKETS; i++) {
        make_packet(adapter, &adapter->packets[i], adapter->packet_memory + i * PACKET_ROOM);
        if (!adapter->packets[i].list)
            return NDIS_STATUS_RESOURCES;
        pool_give(adapter, &adapter->packets[i]);
    }
    return NDIS_STATUS_SUCCESS;
}

void pool_free(struct adapter *adapter)
{
    for (ULONG i = 0; adapter->packets && i < PACKETS && adapter->packets[i].list; i++)
        NdisFreeNetBufferList(adapter->packets[i].list);
    if (adapter->packets)
        ExFreePoolWithTag(adapter->packets, PVNET_TAG);
    if (adapter->packet_memory)
        ExFreePoolWithTag(adapter->packet_memory, PVNET_TAG);
    if (adapter->list_pool)
        NdisFreeNetBufferListPool(adapter->list_pool);
}

struct net_packet *pool_take(struct adapter *adapter, ULONG count)
{
    struct net_packet *first = NULL, **at;
    KIRQL irql;

    KeAcquireSpinLock(&adapter->pool_lock, &irql);
    if (adapter->free_packet_count >= count) {
        first = adapter->free_packets;
        for (at = &adapter->free_packets; count; count--, at = &(*at)->next)
            adapter->free_packet_count--;
        adapter->free_packets = *at;
        *at = NULL;
    } else {
        adapter->starved = TRUE;
    }
    KeReleaseSpinLock(&adapter->pool_lock, irql);
    return first;
}

void pool_give(struct adapter *adapter, struct net_packet *packets)
{
    BOOLEAN wanted;
    KIRQL irql;

    if (!packets)
        return;
    KeAcquireSpinLock(&adapter->pool_lock, &irql);
    while (packets) {
        struct net_packet *next = packets->next;

        packets->next = adapter->free_packets;
        adapter->free_packets = packets;
        adapter->free_packet_count++;
        packets = next;
    }
    wanted = adapter->starved;
    adapter->starved = FALSE;
    KeReleaseSpinLock(&adapter->pool_lock, irql);
    if (wanted)
        receive_again(adapter);
}
