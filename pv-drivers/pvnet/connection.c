/* The connection to the back end: what it offers, and how many queues there are of it. */
#include "net.h"

static const char *const feature_names[] = {"feature-rx-notify", "request-rx-copy",   "feature-sg",
                                            "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload"};

static struct adapter *adapter_of(struct front *front)
{
    return CONTAINING_RECORD(front, struct adapter, front);
}

static ULONG back_number(struct adapter *adapter, const char *name, ULONG otherwise)
{
    return front_back_number(&adapter->front, name, otherwise);
}

/* --- the link, as NDIS sees it --- */

static void indicate_link(struct adapter *adapter, BOOLEAN up)
{
    NDIS_LINK_STATE state = {
        .Header = {NDIS_OBJECT_TYPE_DEFAULT, NDIS_LINK_STATE_REVISION_1, NDIS_SIZEOF_LINK_STATE_REVISION_1},
        .MediaConnectState = up ? MediaConnectStateConnected : MediaConnectStateDisconnected,
        .MediaDuplexState = up ? MediaDuplexStateFull : MediaDuplexStateUnknown,
        .XmitLinkSpeed = up ? LINK_SPEED : NDIS_LINK_SPEED_UNKNOWN,
        .RcvLinkSpeed = up ? LINK_SPEED : NDIS_LINK_SPEED_UNKNOWN,
        .PauseFunctions = NdisPauseFunctionsUnsupported,
    };
    NDIS_STATUS_INDICATION indication = {
        .Header = {NDIS_OBJECT_TYPE_STATUS_INDICATION, NDIS_STATUS_INDICATION_REVISION_1, sizeof(indication)},
        .SourceHandle = adapter->handle,
        .StatusCode = NDIS_STATUS_LINK_STATE,
        .StatusBuffer = &state,
        .StatusBufferSize = sizeof(state),
    };

    NdisMIndicateStatusEx(adapter->handle, &indication);
}

/* With the front's lock. */
static void set_link(struct adapter *adapter, BOOLEAN up)
{
    if (adapter->up == up || !adapter->started)
        return;
    adapter->up = up;
    indicate_link(adapter, up);
}

/* --- connecting, with the front's lock --- */

static void read_abilities(struct adapter *adapter)
{
    struct abilities *abilities = &adapter->abilities;

    abilities->split_events = back_number(adapter, "feature-split-event-channels", 0) == 1;
    abilities->scatter = back_number(adapter, "feature-sg", 0) == 1;
    abilities->checksum_v4 = back_number(adapter, "feature-no-csum-offload", 0) == 0;
    abilities->checksum_v6 = back_number(adapter, "feature-ipv6-csum-offload", 0) == 1;
    abilities->large_v4 = back_number(adapter, "feature-gso-tcpv4", 0) == 1;
    abilities->large_v6 = back_number(adapter, "feature-gso-tcpv6", 0) == 1;
}

static ULONG choose_count(struct adapter *adapter)
{
    ULONG count = back_number(adapter, "multi-queue-max-queues", 1);
    ULONG processors = KeQueryActiveProcessorCount(NULL);

    if (count > processors)
        count = processors;
    if (count > MOST_QUEUES)
        count = MOST_QUEUES;
    return count ? count : 1;
}

static NTSTATUS publish_events(struct queue *queue, const char *folder)
{
    struct pv_bus_interface *bus = &queue->adapter->front.bus;
    ULONG port = bus->event_port(bus->header.Context, queue->receive_event);
    NTSTATUS status;

    if (!queue->transmit_event)
        return bus_write_number(bus, folder, "event-channel", port);
    status = bus_write_number(bus, folder, "event-channel-rx", port);
    if (!NT_SUCCESS(status))
        return status;
    port = bus->event_port(bus->header.Context, queue->transmit_event);
    return bus_write_number(bus, folder, "event-channel-tx", port);
}

/* One queue stands in the device's own folder, several in folders of theirs. */
static NTSTATUS publish_queue(struct queue *queue, ULONG count)
{
    struct pv_bus_interface *bus = &queue->adapter->front.bus;
    char folder[PATH_SIZE + 16];
    NTSTATUS status;

    strcpy(folder, bus->path);
    if (count > 1) {
        strcat(folder, "/queue-");
        write_decimal(folder + strlen(folder), queue->number);
    }
    status = bus_write_number(bus, folder, "tx-ring-ref", queue->transmit_ring_reference);
    if (NT_SUCCESS(status))
        status = bus_write_number(bus, folder, "rx-ring-ref", queue->receive_ring_reference);
    return NT_SUCCESS(status) ? publish_events(queue, folder) : status;
}

static NTSTATUS publish_all(struct adapter *adapter, ULONG count)
{
    NTSTATUS status = STATUS_SUCCESS;

    if (count > 1)
        status = front_publish(&adapter->front, "multi-queue-num-queues", count);
    for (ULONG i = 0; i < count && NT_SUCCESS(status); i++)
        status = publish_queue(&adapter->queues[i], count);
    for (ULONG i = 0; i < RTL_NUMBER_OF(feature_names) && NT_SUCCESS(status); i++)
        status = front_publish(&adapter->front, feature_names[i], 1);
    return NT_SUCCESS(status) ? front_publish(&adapter->front, "state", XenbusStateConnected) : status;
}

/* What a connection of before with another number of queues has left there would be read as this one's. */
static void remove_old(struct adapter *adapter)
{
    static const char *const names[] = {
        "multi-queue-num-queues", "queue-0",          "queue-1",          "queue-2",     "queue-3",
        "event-channel",          "event-channel-tx", "event-channel-rx", "tx-ring-ref", "rx-ring-ref"};
    char path[PATH_SIZE + 32];

    for (ULONG i = 0; i < RTL_NUMBER_OF(names); i++) {
        join_path(path, adapter->front.bus.path, names[i]);
        adapter->front.bus.store_remove(adapter->front.bus.header.Context, path);
    }
}

static NTSTATUS connect(struct front *front)
{
    struct adapter *adapter = adapter_of(front);
    ULONG count = choose_count(adapter);
    NTSTATUS status = STATUS_SUCCESS;

    read_abilities(adapter);
    remove_old(adapter);
    for (ULONG i = 0; i < count && NT_SUCCESS(status); i++)
        status = queue_make(&adapter->queues[i]);
    if (!NT_SUCCESS(status))
        return status;
    adapter->queue_count = (LONG)count;
    for (ULONG i = 0; i < count; i++)
        queue_start(&adapter->queues[i]);
    return publish_all(adapter, count);
}

static void connected(struct front *front)
{
    struct adapter *adapter = adapter_of(front);

    set_link(adapter, back_number(adapter, "carrier", 1) != 0);
}

/* --- and going, with the front's lock --- */

static void stop(struct front *front)
{
    struct adapter *adapter = adapter_of(front);

    for (ULONG i = 0; i < MOST_QUEUES; i++)
        queue_stop(&adapter->queues[i]);
    set_link(adapter, FALSE);
}

static BOOLEAN release(struct front *front)
{
    struct adapter *adapter = adapter_of(front);
    BOOLEAN all = TRUE;

    for (ULONG i = 0; i < MOST_QUEUES; i++)
        all = queue_free(&adapter->queues[i]) && all;
    return all;
}

static void forget(struct front *front)
{
    struct adapter *adapter = adapter_of(front);

    for (ULONG i = 0; i < MOST_QUEUES; i++)
        queue_forget(&adapter->queues[i]);
}

static void failed(struct front *front)
{
    NdisWriteErrorLogEntry(adapter_of(front)->handle, NDIS_ERROR_CODE_HARDWARE_FAILURE, 1, (ULONG)front->domain);
}

const struct front_ops connection_front = {
    .driver = "pvnet",
    .tag = PVNET_TAG,
    .connect = connect,
    .connected = connected,
    .stop = stop,
    .release = release,
    .forget = forget,
    .failed = failed,
};

void connection_open(struct adapter *adapter)
{
    front_open(&adapter->front);
    front_look(&adapter->front);
}

void connection_close(struct adapter *adapter)
{
    InterlockedExchange(&adapter->started, 0);
    front_close(&adapter->front);
}

void connection_tell(struct adapter *adapter)
{
    InterlockedExchange(&adapter->started, 1);
    front_look(&adapter->front);
}
