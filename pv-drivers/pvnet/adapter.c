/* The miniport: its life as NDIS drives it, from DriverEntry to unload. */
#include "net.h"

DRIVER_INITIALIZE DriverEntry;

static NDIS_HANDLE driver_handle;

/* --- making one --- */

static int digit_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Six pairs of hexadecimal digits and colons between them; an address of one card, and not nobody's. */
static BOOLEAN read_address(const char *text, UCHAR *address)
{
    ULONG sum = 0;

    if (strlen(text) != 3 * ADDRESS_SIZE - 1)
        return FALSE;
    for (ULONG i = 0; i < ADDRESS_SIZE; i++) {
        int high = digit_of(text[3 * i]), low = digit_of(text[3 * i + 1]);

        if (high < 0 || low < 0 || (i + 1 < ADDRESS_SIZE && text[3 * i + 2] != ':'))
            return FALSE;
        address[i] = (UCHAR)(high << 4 | low);
        sum += address[i];
    }
    return sum && !(address[0] & 1);
}

static NDIS_STATUS read_settings(struct adapter *adapter)
{
    char path[PATH_SIZE + 8], text[32];
    ULONGLONG mtu = bus_read_number(&adapter->front.bus, adapter->front.bus.path, "mtu", MOST_MTU);

    adapter->mtu = mtu >= LEAST_MTU && mtu <= MOST_MTU ? (ULONG)mtu : MOST_MTU;
    join_path(path, adapter->front.bus.path, "mac");
    if (NT_SUCCESS(adapter->front.bus.store_read(adapter->front.bus.header.Context, path, text, sizeof(text))) &&
        read_address(text, adapter->permanent))
        return NDIS_STATUS_SUCCESS;
    LOG("%s has no address", adapter->front.bus.path);
    return NDIS_STATUS_FAILURE;
}

static void make_queues(struct adapter *adapter)
{
    for (ULONG i = 0; i < MOST_QUEUES; i++) {
        struct queue *queue = &adapter->queues[i];

        queue->adapter = adapter;
        queue->number = i;
        queue->waiting_end = &queue->waiting;
        KeInitializeSpinLock(&queue->transmit_lock);
        KeInitializeSpinLock(&queue->receive_lock);
        KeInitializeDpc(&queue->receive_dpc, receive_run, queue);
    }
    for (ULONG i = 0; i < MOST_TARGETS; i++) {
        struct target *target = &adapter->targets[i];

        target->adapter = adapter;
        target->end = &target->first;
        KeInitializeSpinLock(&target->lock);
        KeInitializeDpc(&target->dpc, target_run, target);
    }
}

static struct adapter *new_adapter(NDIS_HANDLE handle)
{
    struct adapter *adapter = ExAllocatePoolWithTag(NonPagedPool, sizeof(*adapter), PVNET_TAG);
    SIZE_T size = MOST_QUEUES * sizeof(struct queue);

    if (!adapter)
        return NULL;
    memset(adapter, 0, sizeof(*adapter));
    adapter->handle = handle;
    adapter->lookahead = MOST_MTU;
    KeInitializeSpinLock(&adapter->filter_lock);
    KeInitializeSpinLock(&adapter->scaling_lock);
    adapter->queues = ExAllocatePoolWithTag(NonPagedPool, size, PVNET_TAG);
    if (!adapter->queues) {
        ExFreePoolWithTag(adapter, PVNET_TAG);
        return NULL;
    }
    memset(adapter->queues, 0, size);
    make_queues(adapter);
    return adapter;
}

static void free_adapter(struct adapter *adapter)
{
    pool_free(adapter);
    if (adapter->front.work)
        front_free(&adapter->front);
    ExFreePoolWithTag(adapter->queues, PVNET_TAG);
    ExFreePoolWithTag(adapter, PVNET_TAG);
}

/* --- what NDIS is told of it --- */

static NDIS_STATUS set_registration(struct adapter *adapter)
{
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES attributes = {
        .Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
                   NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1, sizeof(attributes)},
        .MiniportAdapterContext = adapter,
        .AttributeFlags = NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM |
                          NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK | NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND,
        .InterfaceType = NdisInterfaceInternal,
    };

    return NdisMSetMiniportAttributes(adapter->handle, &attributes);
}

static ULONG target_limit(void)
{
    ULONG processors = KeQueryActiveProcessorCount(NULL);

    return processors < MOST_TARGETS ? processors : MOST_TARGETS;
}

static NDIS_STATUS set_general(struct adapter *adapter)
{
    NDIS_PM_CAPABILITIES power = {.Header = {NDIS_OBJECT_TYPE_DEFAULT, NDIS_PM_CAPABILITIES_REVISION_1,
                                             NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_1}};
    NDIS_RECEIVE_SCALE_CAPABILITIES scaling = {
        .Header = {NDIS_OBJECT_TYPE_RSS_CAPABILITIES, NDIS_RECEIVE_SCALE_CAPABILITIES_REVISION_1,
                   NDIS_SIZEOF_RECEIVE_SCALE_CAPABILITIES_REVISION_1},
        .CapabilitiesFlags = NDIS_RSS_CAPS_CLASSIFICATION_AT_DPC | NDIS_RSS_CAPS_HASH_TYPE_TCP_IPV4 |
                             NDIS_RSS_CAPS_HASH_TYPE_TCP_IPV6 | NdisHashFunctionToeplitz,
        .NumberOfInterruptMessages = 1,
        .NumberOfReceiveQueues = target_limit(),
    };
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES attributes = {
        .Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
                   NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2, sizeof(attributes)},
        .MediaType = NdisMedium802_3,
        .PhysicalMediumType = NdisPhysicalMedium802_3,
        .MtuSize = adapter->mtu,
        .MaxXmitLinkSpeed = LINK_SPEED,
        .XmitLinkSpeed = NDIS_LINK_SPEED_UNKNOWN,
        .MaxRcvLinkSpeed = LINK_SPEED,
        .RcvLinkSpeed = NDIS_LINK_SPEED_UNKNOWN,
        .MediaConnectState = MediaConnectStateDisconnected,
        .MediaDuplexState = MediaDuplexStateUnknown,
        .LookaheadSize = adapter->mtu,
        .MacOptions = NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA | NDIS_MAC_OPTION_TRANSFERS_NOT_PEND |
                      NDIS_MAC_OPTION_NO_LOOPBACK | NDIS_MAC_OPTION_FULL_DUPLEX,
        .SupportedPacketFilters = FILTERS,
        .MaxMulticastListSize = MOST_MULTICAST,
        .MacAddressLength = ADDRESS_SIZE,
        .RecvScaleCapabilities = &scaling,
        .AccessType = NET_IF_ACCESS_BROADCAST,
        .DirectionType = NET_IF_DIRECTION_SENDRECEIVE,
        .ConnectionType = NET_IF_CONNECTION_DEDICATED,
        .IfType = PV_IF_TYPE_ETHERNET,
        .IfConnectorPresent = FALSE,
        .SupportedStatistics = OID_STATISTICS,
        .SupportedPauseFunctions = NdisPauseFunctionsUnsupported,
        .SupportedOidList = oid_list,
        .SupportedOidListLength = oid_list_size,
        .PowerManagementCapabilitiesEx = &power,
    };

    memcpy(attributes.PermanentMacAddress, adapter->permanent, ADDRESS_SIZE);
    memcpy(attributes.CurrentMacAddress, adapter->permanent, ADDRESS_SIZE);
    return NdisMSetMiniportAttributes(adapter->handle, &attributes);
}

static NDIS_STATUS set_offload(struct adapter *adapter)
{
    NDIS_OFFLOAD hardware;
    NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES attributes = {
        .Header = {NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES,
                   NDIS_MINIPORT_ADAPTER_OFFLOAD_ATTRIBUTES_REVISION_1, sizeof(attributes)},
        .DefaultOffloadConfiguration = &adapter->offload,
        .HardwareOffloadCapabilities = &hardware,
    };

    oid_offload_full(&hardware);
    oid_offload_full(&adapter->offload);
    adapter->receive_checks = CHECK_TCP_V4 | CHECK_UDP_V4 | CHECK_TCP_V6 | CHECK_UDP_V6;
    return NdisMSetMiniportAttributes(adapter->handle, &attributes);
}

static NDIS_STATUS prepare(struct adapter *adapter)
{
    PDEVICE_OBJECT physical = NULL;
    NDIS_STATUS status = set_registration(adapter);

    if (status != NDIS_STATUS_SUCCESS)
        return status;
    NdisMGetDeviceProperty(adapter->handle, &physical, &adapter->functional, NULL, NULL, NULL);
    if (!NT_SUCCESS(front_init(&adapter->front, &connection_front, physical, adapter->functional)))
        return NDIS_STATUS_FAILURE;
    status = read_settings(adapter);
    if (status == NDIS_STATUS_SUCCESS)
        status = pool_make(adapter);
    if (status == NDIS_STATUS_SUCCESS)
        status = set_general(adapter);
    return status == NDIS_STATUS_SUCCESS ? set_offload(adapter) : status;
}

static NDIS_STATUS NTAPI initialize(NDIS_HANDLE handle, NDIS_HANDLE driver, PVOID parameters)
{
    struct adapter *adapter = new_adapter(handle);
    NDIS_STATUS status;

    UNREFERENCED_PARAMETER(driver);
    UNREFERENCED_PARAMETER(parameters);
    if (!adapter)
        return NDIS_STATUS_RESOURCES;
    status = prepare(adapter);
    if (status == NDIS_STATUS_SUCCESS)
        connection_open(adapter);
    else
        free_adapter(adapter);
    return status;
}

/* --- its life --- */

/* What is given back to the pool may queue DPCs: they are taken away last. */
static void stop_dpcs(struct adapter *adapter)
{
    KeFlushQueuedDpcs();
    receive_drop_queued(adapter);
    for (ULONG i = 0; i < MOST_TARGETS; i++)
        KeRemoveQueueDpc(&adapter->targets[i].dpc);
    for (ULONG i = 0; i < MOST_QUEUES; i++)
        KeRemoveQueueDpc(&adapter->queues[i].receive_dpc);
    KeFlushQueuedDpcs();
}

static VOID NTAPI halt(NDIS_HANDLE context, ULONG action)
{
    struct adapter *adapter = context;

    UNREFERENCED_PARAMETER(action);
    connection_close(adapter);
    stop_dpcs(adapter);
    free_adapter(adapter);
}

static void end_waiting(struct adapter *adapter, NDIS_STATUS status)
{
    for (ULONG i = 0; i < MOST_QUEUES; i++) {
        struct queue *queue = &adapter->queues[i];
        NET_BUFFER_LIST *waiting;
        KIRQL irql;

        KeAcquireSpinLock(&queue->transmit_lock, &irql);
        waiting = transmit_take_waiting(queue);
        KeReleaseSpinLock(&queue->transmit_lock, irql);
        transmit_end(adapter, waiting, status);
    }
}

/* Nothing is given to NDIS any more when all DPCs are done; then what it has still must come back. */
static NDIS_STATUS NTAPI pause(NDIS_HANDLE context, PVOID parameters)
{
    struct adapter *adapter = context;

    UNREFERENCED_PARAMETER(parameters);
    InterlockedExchange(&adapter->running, 0);
    KeFlushQueuedDpcs();
    receive_drop_queued(adapter);
    end_waiting(adapter, NDIS_STATUS_PAUSED);
    return InterlockedDecrement(&adapter->outstanding) ? NDIS_STATUS_PENDING : NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NTAPI restart(NDIS_HANDLE context, PVOID parameters)
{
    struct adapter *adapter = context;

    UNREFERENCED_PARAMETER(parameters);
    InterlockedExchange(&adapter->outstanding, 1);
    InterlockedExchange(&adapter->running, 1);
    connection_tell(adapter);
    receive_again(adapter);
    return NDIS_STATUS_SUCCESS;
}

static VOID NTAPI send(NDIS_HANDLE context, NET_BUFFER_LIST *lists, NDIS_PORT_NUMBER port, ULONG flags)
{
    UNREFERENCED_PARAMETER(port);
    UNREFERENCED_PARAMETER(flags);
    transmit_start(context, lists);
}

static VOID NTAPI take_back(NDIS_HANDLE context, NET_BUFFER_LIST *lists, ULONG flags)
{
    struct adapter *adapter = context;
    struct net_packet *packets = NULL;
    LONG count = 0;

    UNREFERENCED_PARAMETER(flags);
    for (; lists; lists = lists->Next, count++) {
        struct net_packet *packet = lists->MiniportReserved[0];

        packet->next = packets;
        packets = packet;
    }
    pool_give(adapter, packets);
    if (!__atomic_sub_fetch(&adapter->outstanding, count, __ATOMIC_SEQ_CST))
        NdisMPauseComplete(adapter->handle);
}

static VOID NTAPI cancel_send(NDIS_HANDLE context, PVOID id)
{
    transmit_cancel(context, id);
}

/* What is in the rings cannot be reset from here, and answers come for it or the back end has gone. */
static BOOLEAN NTAPI check_for_hang(NDIS_HANDLE context)
{
    UNREFERENCED_PARAMETER(context);
    return FALSE;
}

static NDIS_STATUS NTAPI reset(NDIS_HANDLE context, PBOOLEAN addressing)
{
    end_waiting(context, NDIS_STATUS_RESET_IN_PROGRESS);
    *addressing = FALSE;
    return NDIS_STATUS_SUCCESS;
}

static VOID NTAPI pnp_event(NDIS_HANDLE context, NET_DEVICE_PNP_EVENT *event)
{
    struct adapter *adapter = context;

    if (event->DevicePnPEvent == NdisDevicePnPEventSurpriseRemoved)
        front_removed(&adapter->front);
}

/* The machine goes down, or crashed: nothing may be waited for, and the back end sees the domain go. */
static VOID NTAPI shutdown(NDIS_HANDLE context, ULONG action)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(action);
}

/* None is ever pending. */
static VOID NTAPI cancel_oid(NDIS_HANDLE context, PVOID id)
{
    UNREFERENCED_PARAMETER(context);
    UNREFERENCED_PARAMETER(id);
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNREFERENCED_PARAMETER(driver);
    NdisMDeregisterMiniportDriver(driver_handle);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    NDIS_MINIPORT_DRIVER_CHARACTERISTICS characteristics = {
        .Header = {NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
                   sizeof(characteristics)},
        .MajorNdisVersion = 6,
        .MinorNdisVersion = 20,
        .MajorDriverVersion = DRIVER_MAJOR,
        .MinorDriverVersion = DRIVER_MINOR,
        .InitializeHandlerEx = initialize,
        .HaltHandlerEx = halt,
        .UnloadHandler = unload,
        .PauseHandler = pause,
        .RestartHandler = restart,
        .OidRequestHandler = oid_request,
        .SendNetBufferListsHandler = send,
        .ReturnNetBufferListsHandler = take_back,
        .CancelSendHandler = cancel_send,
        .CheckForHangHandlerEx = check_for_hang,
        .ResetHandlerEx = reset,
        .DevicePnPEventNotifyHandler = pnp_event,
        .ShutdownHandlerEx = shutdown,
        .CancelOidRequestHandler = cancel_oid,
    };

    return NdisMRegisterMiniportDriver(driver, path, NULL, &characteristics, &driver_handle);
}
