#include <string.h>
#include "../check.h"
#include "network.h"

const char *pvnet_file;

void network_boot(unsigned processors)
{
    machine_boot(processors, &(struct hv_options){.unplug_version = 1});
    netback_boot();
}

void network_load(struct system *system)
{
    system_load(system, pvnet_file, "pvnet");
}

void network_start(struct system *system)
{
    system_start(system);
}

void network_run(struct system *system)
{
    ULONG filter = NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_BROADCAST;

    network_load(system);
    system_run(system);
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_GEN_CURRENT_PACKET_FILTER, &filter, sizeof(filter)));
    nt_ndis_restart();
    nt_settle();
}

void network_end(struct system *system)
{
    system_end(system, netback_end);
}

/* --- what tests do with a card --- */

struct netback *full_card(void)
{
    return netback_add((struct netback){FULL});
}

NDIS_STATUS send_one(const void *data, unsigned size, unsigned piece)
{
    struct nt_send *send = nt_send_make(data, size, piece);

    nt_send_start(send);
    return nt_send_wait(send);
}

struct nt_send *send_asking(const struct bytes *packet, unsigned piece, bool tcp, bool v4, unsigned segment)
{
    struct nt_send *send = nt_send_make(packet->data, packet->size, piece);
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO checksum = {.Value = NULL};
    NDIS_TCP_LARGE_SEND_OFFLOAD_NET_BUFFER_LIST_INFO large = {.Value = NULL};

    checksum.Transmit.IsIPv4 = v4;
    checksum.Transmit.IsIPv6 = !v4;
    checksum.Transmit.TcpChecksum = tcp;
    checksum.Transmit.UdpChecksum = !tcp;
    checksum.Transmit.IpHeaderChecksum = v4;
    large.LsoV2Transmit.MSS = segment;
    large.LsoV2Transmit.Type = NDIS_TCP_LARGE_SEND_OFFLOAD_V2_TYPE;
    if (segment)
        send->list.NetBufferListInfo[TcpLargeSendNetBufferListInfo] = large.Value;
    else
        send->list.NetBufferListInfo[TcpIpChecksumNetBufferListInfo] = checksum.Value;
    return send;
}

struct nt_received *received(void)
{
    static struct nt_received packet;

    nt_settle();
    return nt_received_take(&packet) ? &packet : NULL;
}

bool got(const struct bytes *wanted)
{
    struct nt_received *packet = received();

    return packet && packet->size == wanted->size && !memcmp(packet->data, wanted->data, wanted->size);
}

/* --- packets; what they are is found here without any of the driver's code --- */

unsigned number16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

unsigned number32(const unsigned char *at)
{
    return number16(at) << 16 | number16(at + 2);
}

static void put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static unsigned sum(const unsigned char *data, unsigned size, unsigned before)
{
    for (unsigned i = 0; i < size; i++)
        before += i & 1 ? data[i] : (unsigned)data[i] << 8;
    while (before >> 16)
        before = (before & 0xffff) + (before >> 16);
    return before;
}

static bool is_v4(const unsigned char *data)
{
    return data[12] == 8 && data[13] == 0;
}

static unsigned transport_at(const unsigned char *data)
{
    return is_v4(data) ? 14 + (data[14] & 15) * 4u : 54;
}

static unsigned protocol_of(const unsigned char *data)
{
    return is_v4(data) ? data[23] : data[20];
}

static unsigned checksum_at(const unsigned char *data)
{
    return transport_at(data) + (protocol_of(data) == 6 ? 16 : 6);
}

unsigned payload_at(const unsigned char *data)
{
    return transport_at(data) + (protocol_of(data) == 6 ? (data[transport_at(data) + 12] >> 4) * 4u : 8);
}

/* Where the IP packet ends, as its header says. */
static unsigned end_of(const unsigned char *data)
{
    return is_v4(data) ? 14 + number16(data + 16) : 54 + number16(data + 18);
}

static unsigned pseudo(const unsigned char *data)
{
    unsigned length = end_of(data) - transport_at(data);

    return is_v4(data) ? sum(data + 26, 8, length + protocol_of(data)) : sum(data + 22, 32, length + protocol_of(data));
}

static bool header_is_right(const unsigned char *data, unsigned size)
{
    if (end_of(data) > size || end_of(data) < payload_at(data))
        return false;
    return !is_v4(data) || sum(data + 14, (data[14] & 15) * 4u, 0) == 0xffff;
}

bool is_right(const unsigned char *data, unsigned size)
{
    unsigned at = transport_at(data);

    return header_is_right(data, size) && sum(data + at, end_of(data) - at, pseudo(data)) == 0xffff;
}

bool is_right_when_summed(const unsigned char *data, unsigned size)
{
    return header_is_right(data, size) && number16(data + checksum_at(data)) == pseudo(data);
}

static void put_sums(struct bytes *packet)
{
    unsigned at = transport_at(packet->data), value;

    if (is_v4(packet->data)) {
        put16(packet->data + 24, 0);
        put16(packet->data + 24, ~sum(packet->data + 14, at - 14, 0));
    }
    put16(packet->data + checksum_at(packet->data), 0);
    value = ~sum(packet->data + at, end_of(packet->data) - at, pseudo(packet->data)) & 0xffff;
    put16(packet->data + checksum_at(packet->data), value ? value : 0xffff);
}

void spoil_checksums(struct bytes *packet)
{
    put16(packet->data + checksum_at(packet->data), 0x1234);
    if (is_v4(packet->data))
        put16(packet->data + 24, 0x5678);
}

/* TCP has 12 bytes of options. */
static void put_transport(struct bytes *packet, unsigned at, int kind, unsigned payload, unsigned port)
{
    unsigned char *transport = packet->data + at;
    unsigned size = kind & TCP ? 32 : 8;

    put16(transport, port);
    put16(transport + 2, 80);
    if (kind & TCP) {
        put16(transport + 4, 0xffff); /* the sequence wraps soon */
        put16(transport + 6, 0xff00);
        transport[12] = 8 << 4;
        transport[13] = 0x99; /* FIN, PSH, ACK, CWR */
        memset(transport + 20, 1, 12);
    } else {
        put16(transport + 4, payload + 8);
    }
    for (unsigned i = 0; i < payload; i++)
        transport[size + i] = (unsigned char)(i * 7 + i / 256 + port);
    packet->size = at + size + payload;
}

struct bytes packet_of(int kind, unsigned payload, unsigned port)
{
    static const unsigned char ethernet[12] = {0, 0x16, 0x3e, 0x12, 0x34, 0x56, 2, 0, 0, 0, 0, 1};
    struct bytes packet = {0};
    unsigned char *network = packet.data + 14;

    memcpy(packet.data, ethernet, sizeof(ethernet));
    if (kind & V4) {
        put16(packet.data + 12, 0x0800);
        put_transport(&packet, 34, kind, payload, port);
        network[0] = 0x45;
        put16(network + 2, packet.size - 14);
        put16(network + 4, 0xfffe); /* wraps soon */
        network[8] = 64;
        network[9] = kind & TCP ? 6 : 17;
        memcpy(network + 12, "\x0a\x01\x02\x03\x0a\x09\x08\x07", 8);
    } else {
        put16(packet.data + 12, 0x86dd);
        put_transport(&packet, 54, kind, payload, port);
        network[0] = 0x60;
        put16(network + 4, packet.size - 54);
        network[6] = kind & TCP ? 6 : 17;
        network[7] = 64;
        for (unsigned i = 0; i < 32; i++)
            network[8 + i] = (unsigned char)(i * 11 + 0x20);
    }
    put_sums(&packet);
    return packet;
}
