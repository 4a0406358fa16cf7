/* What NDIS asks and sets: one table of each at the end. */
#include "net.h"

#define VENDOR_ID 0xffffff /* no IEEE code of ours */

/* An answer or a setting: its buffer, and how much of it was used or is needed. */
struct exchange {
    UCHAR *buffer;
    ULONG size, used, needed;
};

/* --- answers --- */

static NDIS_STATUS answer(struct exchange *exchange, const void *value, ULONG size)
{
    if (exchange->size < size) {
        exchange->needed = size;
        return NDIS_STATUS_INVALID_LENGTH;
    }
    memcpy(exchange->buffer, value, size);
    exchange->used = size;
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS answer_number(struct exchange *exchange, ULONG value)
{
    return answer(exchange, &value, sizeof(value));
}

/* A counter has 64 bits, and 32 for who has room for these alone. */
static NDIS_STATUS answer_count(struct exchange *exchange, ULONGLONG value)
{
    NDIS_STATUS status = answer(exchange, &value, exchange->size < sizeof(value) ? sizeof(ULONG) : sizeof(value));

    exchange->needed = exchange->used < sizeof(value) ? sizeof(value) : 0;
    return status;
}

static void add(struct counters *sum, const struct counters *more)
{
    for (ULONG i = 0; i < CASTS; i++) {
        sum->packets[i] += more->packets[i];
        sum->octets[i] += more->octets[i];
    }
    sum->discards += more->discards;
    sum->errors += more->errors;
}

static void sum_counters(struct adapter *adapter, struct counters *sent, struct counters *received)
{
    memset(sent, 0, sizeof(*sent));
    memset(received, 0, sizeof(*received));
    for (ULONG i = 0; i < MOST_QUEUES; i++) {
        struct queue *queue = &adapter->queues[i];
        KIRQL irql;

        KeAcquireSpinLock(&queue->transmit_lock, &irql);
        add(sent, &queue->sent);
        KeReleaseSpinLock(&queue->transmit_lock, irql);
        KeAcquireSpinLock(&queue->receive_lock, &irql);
        add(received, &queue->received);
        KeReleaseSpinLock(&queue->receive_lock, irql);
    }
}

static ULONGLONG sum_of(const ULONGLONG values[CASTS])
{
    return values[UNICAST] + values[MULTICAST] + values[BROADCAST];
}

static NDIS_STATUS get_statistics(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    struct counters sent, received;
    NDIS_STATISTICS_INFO info;

    UNREFERENCED_PARAMETER(oid);
    sum_counters(adapter, &sent, &received);
    info = (NDIS_STATISTICS_INFO){
        .Header = {NDIS_OBJECT_TYPE_DEFAULT, NDIS_STATISTICS_INFO_REVISION_1, NDIS_SIZEOF_STATISTICS_INFO_REVISION_1},
        .SupportedStatistics = OID_STATISTICS,
        .ifInDiscards = received.discards,
        .ifInErrors = received.errors,
        .ifHCInOctets = sum_of(received.octets),
        .ifHCInUcastPkts = received.packets[UNICAST],
        .ifHCInMulticastPkts = received.packets[MULTICAST],
        .ifHCInBroadcastPkts = received.packets[BROADCAST],
        .ifHCOutOctets = sum_of(sent.octets),
        .ifHCOutUcastPkts = sent.packets[UNICAST],
        .ifHCOutMulticastPkts = sent.packets[MULTICAST],
        .ifHCOutBroadcastPkts = sent.packets[BROADCAST],
        .ifOutErrors = sent.errors,
        .ifOutDiscards = sent.discards,
        .ifHCInUcastOctets = received.octets[UNICAST],
        .ifHCInMulticastOctets = received.octets[MULTICAST],
        .ifHCInBroadcastOctets = received.octets[BROADCAST],
        .ifHCOutUcastOctets = sent.octets[UNICAST],
        .ifHCOutMulticastOctets = sent.octets[MULTICAST],
        .ifHCOutBroadcastOctets = sent.octets[BROADCAST],
    };
    return answer(exchange, &info, NDIS_SIZEOF_STATISTICS_INFO_REVISION_1);
}

static NDIS_STATUS get_count(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    struct counters sent, received;

    sum_counters(adapter, &sent, &received);
    switch (oid) {
    case OID_GEN_XMIT_OK:
        return answer_count(exchange, sum_of(sent.packets));
    case OID_GEN_RCV_OK:
        return answer_count(exchange, sum_of(received.packets));
    case OID_GEN_XMIT_ERROR:
        return answer_count(exchange, sent.errors);
    case OID_GEN_RCV_ERROR:
        return answer_count(exchange, received.errors);
    default:
        return answer_count(exchange, 0);
    }
}

static NDIS_STATUS get_constant(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    const struct {
        NDIS_OID oid;
        ULONG value;
    } constants[] = {
        {OID_GEN_HARDWARE_STATUS, NdisHardwareStatusReady},
        {OID_GEN_MAXIMUM_TOTAL_SIZE, adapter->mtu + ETHERNET_HEADER},
        {OID_GEN_MAXIMUM_LOOKAHEAD, adapter->mtu},
        {OID_GEN_CURRENT_LOOKAHEAD, adapter->lookahead},
        {OID_GEN_TRANSMIT_BUFFER_SPACE, RING_SLOTS * PV_PAGE_SIZE},
        {OID_GEN_RECEIVE_BUFFER_SPACE, RING_SLOTS * PV_PAGE_SIZE},
        {OID_GEN_TRANSMIT_BLOCK_SIZE, PV_PAGE_SIZE},
        {OID_GEN_RECEIVE_BLOCK_SIZE, PV_PAGE_SIZE},
        {OID_GEN_VENDOR_ID, VENDOR_ID},
        {OID_GEN_VENDOR_DRIVER_VERSION, DRIVER_MAJOR << 16 | DRIVER_MINOR},
        {OID_GEN_CURRENT_PACKET_FILTER, (ULONG)adapter->filter},
        {OID_802_3_MAXIMUM_LIST_SIZE, MOST_MULTICAST},
    };

    for (ULONG i = 0; i < RTL_NUMBER_OF(constants); i++)
        if (constants[i].oid == oid)
            return answer_number(exchange, constants[i].value);
    return NDIS_STATUS_NOT_SUPPORTED;
}

static NDIS_STATUS get_description(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    static const char description[] = "Roundhouse network device";

    UNREFERENCED_PARAMETER(adapter);
    UNREFERENCED_PARAMETER(oid);
    return answer(exchange, description, sizeof(description));
}

static NDIS_STATUS get_address(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    UNREFERENCED_PARAMETER(oid);
    return answer(exchange, adapter->permanent, ADDRESS_SIZE);
}

static NDIS_STATUS get_multicast(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    NDIS_STATUS status;
    KIRQL irql;

    UNREFERENCED_PARAMETER(oid);
    KeAcquireSpinLock(&adapter->filter_lock, &irql);
    status = answer(exchange, adapter->multicast, adapter->multicast_count * ADDRESS_SIZE);
    KeReleaseSpinLock(&adapter->filter_lock, irql);
    return status;
}

static NDIS_STATUS get_moderation(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    NDIS_INTERRUPT_MODERATION_PARAMETERS parameters = {
        .Header = {NDIS_OBJECT_TYPE_DEFAULT, NDIS_INTERRUPT_MODERATION_PARAMETERS_REVISION_1,
                   NDIS_SIZEOF_INTERRUPT_MODERATION_PARAMETERS_REVISION_1},
        .InterruptModeration = NdisInterruptModerationNotSupported,
    };

    UNREFERENCED_PARAMETER(adapter);
    UNREFERENCED_PARAMETER(oid);
    return answer(exchange, &parameters, NDIS_SIZEOF_INTERRUPT_MODERATION_PARAMETERS_REVISION_1);
}

/* Any state may be gone to. */
static NDIS_STATUS get_power(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    UNREFERENCED_PARAMETER(adapter);
    UNREFERENCED_PARAMETER(oid);
    UNREFERENCED_PARAMETER(exchange);
    return NDIS_STATUS_SUCCESS;
}

/* --- settings --- */

/* As much of the structure as this driver knows; FALSE: less than that came. */
static BOOLEAN take(struct exchange *exchange, void *value, ULONG size)
{
    if (exchange->size < size) {
        exchange->needed = size;
        return FALSE;
    }
    memcpy(value, exchange->buffer, size);
    exchange->used = size;
    return TRUE;
}

static NDIS_STATUS set_filter(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    ULONG filter;

    UNREFERENCED_PARAMETER(oid);
    if (!take(exchange, &filter, sizeof(filter)))
        return NDIS_STATUS_INVALID_LENGTH;
    if (filter & ~(ULONG)FILTERS)
        return NDIS_STATUS_NOT_SUPPORTED;
    InterlockedExchange(&adapter->filter, (LONG)filter);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS set_lookahead(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    ULONG lookahead;

    UNREFERENCED_PARAMETER(oid);
    if (!take(exchange, &lookahead, sizeof(lookahead)))
        return NDIS_STATUS_INVALID_LENGTH;
    if (lookahead > adapter->mtu)
        return NDIS_STATUS_INVALID_DATA;
    adapter->lookahead = lookahead; /* packets are indicated whole anyway */
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS set_multicast(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    KIRQL irql;

    UNREFERENCED_PARAMETER(oid);
    if (exchange->size % ADDRESS_SIZE)
        return NDIS_STATUS_INVALID_LENGTH;
    if (exchange->size > sizeof(adapter->multicast)) {
        exchange->needed = sizeof(adapter->multicast);
        return NDIS_STATUS_MULTICAST_FULL;
    }
    KeAcquireSpinLock(&adapter->filter_lock, &irql);
    memcpy(adapter->multicast, exchange->buffer, exchange->size);
    adapter->multicast_count = exchange->size / ADDRESS_SIZE;
    KeReleaseSpinLock(&adapter->filter_lock, irql);
    exchange->used = exchange->size;
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS set_power(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    NDIS_DEVICE_POWER_STATE state;

    UNREFERENCED_PARAMETER(oid);
    if (!take(exchange, &state, sizeof(state)))
        return NDIS_STATUS_INVALID_LENGTH;
    front_sleep(&adapter->front, state != NdisDeviceStateD0);
    return NDIS_STATUS_SUCCESS;
}

/* --- offload: what is in force can be less than what is offered, and any of it is kept by this driver --- */

void oid_offload_full(NDIS_OFFLOAD *offload)
{
    const ULONG ethernet = NDIS_ENCAPSULATION_IEEE_802_3, yes = NDIS_OFFLOAD_SUPPORTED;
    NDIS_TCP_IP_CHECKSUM_OFFLOAD *checksum = &offload->Checksum;

    memset(offload, 0, sizeof(*offload));
    offload->Header =
        (NDIS_OBJECT_HEADER){NDIS_OBJECT_TYPE_OFFLOAD, NDIS_OFFLOAD_REVISION_2, NDIS_SIZEOF_NDIS_OFFLOAD_REVISION_2};
    checksum->IPv4Transmit.Encapsulation = checksum->IPv4Receive.Encapsulation = ethernet;
    checksum->IPv6Transmit.Encapsulation = checksum->IPv6Receive.Encapsulation = ethernet;
    checksum->IPv4Transmit.IpOptionsSupported = checksum->IPv4Receive.IpOptionsSupported = yes;
    checksum->IPv4Transmit.TcpOptionsSupported = checksum->IPv4Receive.TcpOptionsSupported = yes;
    checksum->IPv4Transmit.TcpChecksum = checksum->IPv4Receive.TcpChecksum = yes;
    checksum->IPv4Transmit.UdpChecksum = checksum->IPv4Receive.UdpChecksum = yes;
    checksum->IPv4Transmit.IpChecksum = yes;
    checksum->IPv6Transmit.IpExtensionHeadersSupported = checksum->IPv6Receive.IpExtensionHeadersSupported = yes;
    checksum->IPv6Transmit.TcpOptionsSupported = checksum->IPv6Receive.TcpOptionsSupported = yes;
    checksum->IPv6Transmit.TcpChecksum = checksum->IPv6Receive.TcpChecksum = yes;
    checksum->IPv6Transmit.UdpChecksum = checksum->IPv6Receive.UdpChecksum = yes;
    offload->LsoV2.IPv4.Encapsulation = offload->LsoV2.IPv6.Encapsulation = ethernet;
    offload->LsoV2.IPv4.MaxOffLoadSize = offload->LsoV2.IPv6.MaxOffLoadSize = MOST_LARGE;
    offload->LsoV2.IPv4.MinSegmentCount = offload->LsoV2.IPv6.MinSegmentCount = 2;
    offload->LsoV2.IPv6.IpExtensionHeadersSupported = offload->LsoV2.IPv6.TcpOptionsSupported = yes;
}

/* One of NDIS_OFFLOAD_PARAMETERS_: which of sending and receiving it leaves on, with those of before. */
struct ways {
    BOOLEAN transmit, receive;
};

static struct ways ways_of(UCHAR setting, BOOLEAN transmit, BOOLEAN receive)
{
    switch (setting) {
    case NDIS_OFFLOAD_PARAMETERS_TX_RX_DISABLED:
        return (struct ways){FALSE, FALSE};
    case NDIS_OFFLOAD_PARAMETERS_TX_ENABLED_RX_DISABLED:
        return (struct ways){TRUE, FALSE};
    case NDIS_OFFLOAD_PARAMETERS_RX_ENABLED_TX_DISABLED:
        return (struct ways){FALSE, TRUE};
    case NDIS_OFFLOAD_PARAMETERS_TX_RX_ENABLED:
        return (struct ways){TRUE, TRUE};
    default:
        return (struct ways){transmit, receive};
    }
}

static void set_checksums(NDIS_TCP_IP_CHECKSUM_OFFLOAD *checksum, const NDIS_OFFLOAD_PARAMETERS *wanted)
{
    struct ways ways = ways_of(wanted->IPv4Checksum, checksum->IPv4Transmit.IpChecksum, FALSE);

    checksum->IPv4Transmit.IpChecksum = ways.transmit;
    ways = ways_of(wanted->TCPIPv4Checksum, checksum->IPv4Transmit.TcpChecksum, checksum->IPv4Receive.TcpChecksum);
    checksum->IPv4Transmit.TcpChecksum = ways.transmit;
    checksum->IPv4Receive.TcpChecksum = ways.receive;
    ways = ways_of(wanted->UDPIPv4Checksum, checksum->IPv4Transmit.UdpChecksum, checksum->IPv4Receive.UdpChecksum);
    checksum->IPv4Transmit.UdpChecksum = ways.transmit;
    checksum->IPv4Receive.UdpChecksum = ways.receive;
    ways = ways_of(wanted->TCPIPv6Checksum, checksum->IPv6Transmit.TcpChecksum, checksum->IPv6Receive.TcpChecksum);
    checksum->IPv6Transmit.TcpChecksum = ways.transmit;
    checksum->IPv6Receive.TcpChecksum = ways.receive;
    ways = ways_of(wanted->UDPIPv6Checksum, checksum->IPv6Transmit.UdpChecksum, checksum->IPv6Receive.UdpChecksum);
    checksum->IPv6Transmit.UdpChecksum = ways.transmit;
    checksum->IPv6Receive.UdpChecksum = ways.receive;
}

static void set_large(NDIS_TCP_LARGE_SEND_OFFLOAD_V2 *large, const NDIS_OFFLOAD_PARAMETERS *wanted)
{
    NDIS_OFFLOAD full;

    oid_offload_full(&full);
    if (wanted->LsoV2IPv4 == NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED)
        large->IPv4 = full.LsoV2.IPv4;
    if (wanted->LsoV2IPv6 == NDIS_OFFLOAD_PARAMETERS_LSOV2_ENABLED)
        large->IPv6 = full.LsoV2.IPv6;
    if (wanted->LsoV2IPv4 == NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED)
        memset(&large->IPv4, 0, sizeof(large->IPv4));
    if (wanted->LsoV2IPv6 == NDIS_OFFLOAD_PARAMETERS_LSOV2_DISABLED)
        memset(&large->IPv6, 0, sizeof(large->IPv6));
}

static void tell_offload(struct adapter *adapter)
{
    NDIS_STATUS_INDICATION indication = {
        .Header = {NDIS_OBJECT_TYPE_STATUS_INDICATION, NDIS_STATUS_INDICATION_REVISION_1, sizeof(indication)},
        .SourceHandle = adapter->handle,
        .StatusCode = NDIS_STATUS_TASK_OFFLOAD_CURRENT_CONFIG,
        .StatusBuffer = &adapter->offload,
        .StatusBufferSize = sizeof(adapter->offload),
    };

    NdisMIndicateStatusEx(adapter->handle, &indication);
}

static NDIS_STATUS set_offload(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    NDIS_TCP_IP_CHECKSUM_OFFLOAD *checksum = &adapter->offload.Checksum;
    NDIS_OFFLOAD_PARAMETERS wanted;

    UNREFERENCED_PARAMETER(oid);
    memset(&wanted, 0, sizeof(wanted));
    if (!take(exchange, &wanted, NDIS_SIZEOF_OFFLOAD_PARAMETERS_REVISION_1))
        return NDIS_STATUS_INVALID_LENGTH;
    if (wanted.LsoV1 == NDIS_OFFLOAD_PARAMETERS_LSOV1_ENABLED)
        return NDIS_STATUS_NOT_SUPPORTED;
    set_checksums(checksum, &wanted);
    set_large(&adapter->offload.LsoV2, &wanted);
    InterlockedExchange(&adapter->receive_checks, (checksum->IPv4Receive.TcpChecksum ? CHECK_TCP_V4 : 0) |
                                                      (checksum->IPv4Receive.UdpChecksum ? CHECK_UDP_V4 : 0) |
                                                      (checksum->IPv6Receive.TcpChecksum ? CHECK_TCP_V6 : 0) |
                                                      (checksum->IPv6Receive.UdpChecksum ? CHECK_UDP_V6 : 0));
    tell_offload(adapter);
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS set_encapsulation(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    NDIS_OFFLOAD_ENCAPSULATION wanted;

    UNREFERENCED_PARAMETER(oid);
    if (!take(exchange, &wanted, sizeof(wanted)))
        return NDIS_STATUS_INVALID_LENGTH;
    if ((wanted.IPv4.Enabled == NDIS_OFFLOAD_SET_ON &&
         wanted.IPv4.EncapsulationType != NDIS_ENCAPSULATION_IEEE_802_3) ||
        (wanted.IPv6.Enabled == NDIS_OFFLOAD_SET_ON && wanted.IPv6.EncapsulationType != NDIS_ENCAPSULATION_IEEE_802_3))
        return NDIS_STATUS_INVALID_PARAMETER;
    tell_offload(adapter);
    return NDIS_STATUS_SUCCESS;
}

/* --- receive side scaling --- */

/* The target of a processor, new if there is room; else one of those that there are. */
static UCHAR target_of(PROCESSOR_NUMBER processors[MOST_TARGETS], ULONG *count, PROCESSOR_NUMBER processor)
{
    for (ULONG i = 0; i < *count; i++)
        if (processors[i].Group == processor.Group && processors[i].Number == processor.Number)
            return (UCHAR)i;
    if (*count == MOST_TARGETS)
        return processor.Number % MOST_TARGETS;
    processors[*count] = processor;
    return (UCHAR)(*count)++;
}

static BOOLEAN in_buffer(const struct exchange *exchange, ULONG offset, ULONG size)
{
    return offset <= exchange->size && size <= exchange->size - offset;
}

/* Revision 1 names processors by a byte, revision 2 by group and number. */
static BOOLEAN read_table(const struct exchange *exchange, const NDIS_RECEIVE_SCALE_PARAMETERS *wanted,
                          struct scaling *scaling, PROCESSOR_NUMBER processors[MOST_TARGETS], ULONG *count)
{
    ULONG size = wanted->Header.Revision >= NDIS_RECEIVE_SCALE_PARAMETERS_REVISION_2 ? sizeof(PROCESSOR_NUMBER) : 1;
    const UCHAR *table = exchange->buffer + wanted->IndirectionTableOffset;

    scaling->entries = wanted->IndirectionTableSize / size;
    if (!scaling->entries || scaling->entries > MOST_TABLE || scaling->entries & (scaling->entries - 1) ||
        !in_buffer(exchange, wanted->IndirectionTableOffset, wanted->IndirectionTableSize))
        return FALSE;
    for (ULONG i = 0; i < scaling->entries; i++) {
        PROCESSOR_NUMBER processor = {.Number = table[i * size]};

        if (size > 1)
            memcpy(&processor, table + i * size, size);
        scaling->table[i] = target_of(processors, count, processor);
    }
    return TRUE;
}

static BOOLEAN read_key(const struct exchange *exchange, const NDIS_RECEIVE_SCALE_PARAMETERS *wanted,
                        struct scaling *scaling)
{
    if (wanted->HashSecretKeySize != KEY_SIZE || !in_buffer(exchange, wanted->HashSecretKeyOffset, KEY_SIZE))
        return FALSE;
    memcpy(scaling->key, exchange->buffer + wanted->HashSecretKeyOffset, KEY_SIZE);
    return TRUE;
}

static void commit_scaling(struct adapter *adapter, const struct scaling *scaling,
                           const PROCESSOR_NUMBER processors[MOST_TARGETS], ULONG count)
{
    KIRQL irql;

    for (ULONG i = 0; i < count; i++) {
        PROCESSOR_NUMBER processor = processors[i];

        KeSetTargetProcessorDpcEx(&adapter->targets[i].dpc, &processor);
    }
    KeAcquireSpinLock(&adapter->scaling_lock, &irql);
    adapter->scaling = *scaling;
    KeReleaseSpinLock(&adapter->scaling_lock, irql);
}

static NDIS_STATUS set_scaling(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange)
{
    PROCESSOR_NUMBER processors[MOST_TARGETS];
    NDIS_RECEIVE_SCALE_PARAMETERS wanted;
    struct scaling scaling = adapter->scaling; /* NDIS sets one thing after the other */
    ULONG count = 0, function;

    UNREFERENCED_PARAMETER(oid);
    memset(&wanted, 0, sizeof(wanted));
    if (!take(exchange, &wanted, NDIS_SIZEOF_RECEIVE_SCALE_PARAMETERS_REVISION_1))
        return NDIS_STATUS_INVALID_LENGTH;
    exchange->used = exchange->size;
    if (!(wanted.Flags & NDIS_RSS_PARAM_FLAG_HASH_INFO_UNCHANGED))
        scaling.types = NDIS_RSS_HASH_TYPE_FROM_HASH_INFO(wanted.HashInformation);
    function = NDIS_RSS_HASH_FUNC_FROM_HASH_INFO(wanted.HashInformation);
    scaling.enabled = !(wanted.Flags & NDIS_RSS_PARAM_FLAG_DISABLE_RSS) && scaling.types;
    if (!scaling.enabled) {
        commit_scaling(adapter, &scaling, processors, 0);
        return NDIS_STATUS_SUCCESS;
    }
    if (!(wanted.Flags & NDIS_RSS_PARAM_FLAG_HASH_INFO_UNCHANGED) && function != NdisHashFunctionToeplitz)
        return NDIS_STATUS_INVALID_PARAMETER;
    if (!(wanted.Flags & NDIS_RSS_PARAM_FLAG_HASH_KEY_UNCHANGED) && !read_key(exchange, &wanted, &scaling))
        return NDIS_STATUS_INVALID_PARAMETER;
    if (!(wanted.Flags & NDIS_RSS_PARAM_FLAG_ITABLE_UNCHANGED) &&
        !read_table(exchange, &wanted, &scaling, processors, &count))
        return NDIS_STATUS_INVALID_PARAMETER;
    if (!scaling.entries)
        return NDIS_STATUS_INVALID_PARAMETER;
    commit_scaling(adapter, &scaling, processors, count);
    return NDIS_STATUS_SUCCESS;
}

/* --- the tables --- */

typedef NDIS_STATUS operation(struct adapter *adapter, NDIS_OID oid, struct exchange *exchange);

static const struct {
    NDIS_OID oid;
    operation *get, *set;
} operations[] = {
    {OID_GEN_HARDWARE_STATUS, get_constant, NULL},
    {OID_GEN_MAXIMUM_TOTAL_SIZE, get_constant, NULL},
    {OID_GEN_MAXIMUM_LOOKAHEAD, get_constant, NULL},
    {OID_GEN_CURRENT_LOOKAHEAD, get_constant, set_lookahead},
    {OID_GEN_TRANSMIT_BUFFER_SPACE, get_constant, NULL},
    {OID_GEN_RECEIVE_BUFFER_SPACE, get_constant, NULL},
    {OID_GEN_TRANSMIT_BLOCK_SIZE, get_constant, NULL},
    {OID_GEN_RECEIVE_BLOCK_SIZE, get_constant, NULL},
    {OID_GEN_VENDOR_ID, get_constant, NULL},
    {OID_GEN_VENDOR_DESCRIPTION, get_description, NULL},
    {OID_GEN_VENDOR_DRIVER_VERSION, get_constant, NULL},
    {OID_GEN_CURRENT_PACKET_FILTER, get_constant, set_filter},
    {OID_GEN_STATISTICS, get_statistics, NULL},
    {OID_GEN_XMIT_OK, get_count, NULL},
    {OID_GEN_RCV_OK, get_count, NULL},
    {OID_GEN_XMIT_ERROR, get_count, NULL},
    {OID_GEN_RCV_ERROR, get_count, NULL},
    {OID_GEN_RCV_NO_BUFFER, get_count, NULL},
    {OID_GEN_INTERRUPT_MODERATION, get_moderation, NULL},
    {OID_GEN_RECEIVE_SCALE_PARAMETERS, NULL, set_scaling},
    {OID_802_3_PERMANENT_ADDRESS, get_address, NULL},
    {OID_802_3_CURRENT_ADDRESS, get_address, NULL},
    {OID_802_3_MULTICAST_LIST, get_multicast, set_multicast},
    {OID_802_3_MAXIMUM_LIST_SIZE, get_constant, NULL},
    {OID_802_3_RCV_ERROR_ALIGNMENT, get_count, NULL},
    {OID_802_3_XMIT_ONE_COLLISION, get_count, NULL},
    {OID_802_3_XMIT_MORE_COLLISIONS, get_count, NULL},
    {OID_TCP_OFFLOAD_PARAMETERS, NULL, set_offload},
    {OID_OFFLOAD_ENCAPSULATION, NULL, set_encapsulation},
    {OID_PNP_QUERY_POWER, get_power, NULL},
    {OID_PNP_SET_POWER, NULL, set_power},
};

/* What NDIS is told of them, in its own order of them. */
NDIS_OID oid_list[] = {
    OID_GEN_HARDWARE_STATUS,
    OID_GEN_MAXIMUM_TOTAL_SIZE,
    OID_GEN_MAXIMUM_LOOKAHEAD,
    OID_GEN_CURRENT_LOOKAHEAD,
    OID_GEN_TRANSMIT_BUFFER_SPACE,
    OID_GEN_RECEIVE_BUFFER_SPACE,
    OID_GEN_TRANSMIT_BLOCK_SIZE,
    OID_GEN_RECEIVE_BLOCK_SIZE,
    OID_GEN_VENDOR_ID,
    OID_GEN_VENDOR_DESCRIPTION,
    OID_GEN_VENDOR_DRIVER_VERSION,
    OID_GEN_CURRENT_PACKET_FILTER,
    OID_GEN_STATISTICS,
    OID_GEN_XMIT_OK,
    OID_GEN_RCV_OK,
    OID_GEN_XMIT_ERROR,
    OID_GEN_RCV_ERROR,
    OID_GEN_RCV_NO_BUFFER,
    OID_GEN_INTERRUPT_MODERATION,
    OID_GEN_RECEIVE_SCALE_PARAMETERS,
    OID_802_3_PERMANENT_ADDRESS,
    OID_802_3_CURRENT_ADDRESS,
    OID_802_3_MULTICAST_LIST,
    OID_802_3_MAXIMUM_LIST_SIZE,
    OID_802_3_RCV_ERROR_ALIGNMENT,
    OID_802_3_XMIT_ONE_COLLISION,
    OID_802_3_XMIT_MORE_COLLISIONS,
    OID_TCP_OFFLOAD_PARAMETERS,
    OID_OFFLOAD_ENCAPSULATION,
    OID_PNP_QUERY_POWER,
    OID_PNP_SET_POWER,
};
const ULONG oid_list_size = sizeof(oid_list);
_Static_assert(RTL_NUMBER_OF(oid_list) == RTL_NUMBER_OF(operations), "the list names them all");

static operation *operation_of(NDIS_OID oid, BOOLEAN set)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(operations); i++)
        if (operations[i].oid == oid)
            return set ? operations[i].set : operations[i].get;
    return NULL;
}

NDIS_STATUS NTAPI oid_request(NDIS_HANDLE context, NDIS_OID_REQUEST *request)
{
    BOOLEAN set = request->RequestType == NdisRequestSetInformation;
    NDIS_OID oid = request->DATA.QUERY_INFORMATION.Oid; /* of both kinds in the same place, and so the rest */
    struct exchange exchange = {request->DATA.QUERY_INFORMATION.InformationBuffer,
                                request->DATA.QUERY_INFORMATION.InformationBufferLength, 0, 0};
    operation *operation = operation_of(oid, set);
    NDIS_STATUS status;

    if (!operation || (!set && request->RequestType != NdisRequestQueryInformation &&
                       request->RequestType != NdisRequestQueryStatistics))
        return NDIS_STATUS_NOT_SUPPORTED;
    status = operation(context, oid, &exchange);
    request->DATA.QUERY_INFORMATION.BytesWritten = exchange.used;
    request->DATA.QUERY_INFORMATION.BytesNeeded = exchange.needed;
    return status;
}
