#include "packet.h"
#include <string.h>

#define TYPE_IPV4     0x0800
#define TYPE_IPV6     0x86dd
#define TYPE_VLAN     0x8100
#define MOST_OPTIONS  8 /* extension headers of IPv6 that are walked */
#define TCP_CHECKSUM  16
#define UDP_CHECKSUM  6
#define TCP_FLAGS     13
#define FLAGS_OF_LAST 0x09 /* FIN, PSH */
#define FLAG_OF_FIRST 0x80 /* CWR */

enum cast packet_cast(const UCHAR *data)
{
    static const UCHAR all[ADDRESS_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    if (!(data[0] & 1))
        return UNICAST;
    return memcmp(data, all, ADDRESS_SIZE) ? MULTICAST : BROADCAST;
}

static void parse_transport(const UCHAR *data, ULONG present, ULONG at, UCHAR protocol, struct headers *headers)
{
    ULONG size = protocol == PROTOCOL_TCP ? 20 : 8;

    if ((protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) || at + size > present)
        return;
    if (protocol == PROTOCOL_TCP)
        size = (ULONG)(data[at + 12] >> 4) * 4;
    if (protocol == PROTOCOL_TCP && (size < 20 || at + size > present))
        return;
    headers->protocol = protocol;
    headers->transport = (USHORT)at;
    headers->payload = (USHORT)(at + size);
}

static void parse_v4(const UCHAR *data, ULONG present, struct headers *headers)
{
    const UCHAR *header = data + headers->network;
    ULONG size;

    if (headers->network + 20u > present || header[0] >> 4 != 4)
        return;
    size = (ULONG)(header[0] & 15) * 4;
    if (size < 20 || headers->network + size > present)
        return;
    headers->version = 4;
    if (!(read16(header + 6) & 0x3fff)) /* no fragment */
        parse_transport(data, present, headers->network + size, header[9], headers);
}

/* Extension headers that may stand before TCP and UDP: hop-by-hop, routing, destination. */
static void parse_v6(const UCHAR *data, ULONG present, struct headers *headers)
{
    ULONG at = headers->network + 40u;
    UCHAR next;

    if (at > present || data[headers->network] >> 4 != 6)
        return;
    headers->version = 6;
    next = data[headers->network + 6];
    for (ULONG i = 0; i < MOST_OPTIONS && (next == 0 || next == 43 || next == 60); i++) {
        if (at + 8 > present)
            return;
        if (next == 43 && data[at + 3])
            return; /* the last address is another one */
        next = data[at];
        at += 8 + (ULONG)data[at + 1] * 8;
    }
    parse_transport(data, present, at, next, headers);
}

/* Does what the IP header says of the length fit into the packet? A large one has 0 there, or its own. */
static BOOLEAN length_fits(const UCHAR *data, ULONG length, const struct headers *headers)
{
    ULONG said = headers->version == 4 ? read16(data + headers->network + 2) : read16(data + headers->network + 4) + 40;

    return headers->network + said <= length;
}

void packet_parse(const UCHAR *data, ULONG present, ULONG length, struct headers *headers)
{
    ULONG at = 12, type;

    memset(headers, 0, sizeof(*headers));
    if (present > length)
        present = length;
    if (present > MOST_HEADERS)
        present = MOST_HEADERS;
    if (present < ETHERNET_HEADER)
        return;
    type = read16(data + at);
    if (type == TYPE_VLAN && present >= ETHERNET_HEADER + 4) {
        at += 4;
        type = read16(data + at);
    }
    headers->network = (USHORT)(at + 2);
    if (type == TYPE_IPV4)
        parse_v4(data, present, headers);
    else if (type == TYPE_IPV6)
        parse_v6(data, present, headers);
    if (headers->version && !length_fits(data, length, headers))
        memset(headers, 0, sizeof(*headers));
}

/* The sum in ones' complement, of which the order of bytes is the packet's. */
static ULONGLONG add_bytes(ULONGLONG sum, const UCHAR *data, ULONG count)
{
    for (; count >= 4; data += 4, count -= 4)
        sum += read16(data) + read16(data + 2);
    if (count >= 2)
        sum += read16(data);
    if (count & 1)
        sum += (ULONG)data[count & 2] << 8;
    return sum;
}

static ULONG fold(ULONGLONG sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (ULONG)sum;
}

static ULONGLONG pseudo_sum(const UCHAR *data, const struct headers *headers, ULONG length)
{
    const UCHAR *network = data + headers->network;
    ULONGLONG sum = (length >> 16) + (length & 0xffff) + headers->protocol;

    return headers->version == 4 ? add_bytes(sum, network + 12, 8) : add_bytes(sum, network + 8, 32);
}

static UCHAR *checksum_of(UCHAR *data, const struct headers *headers)
{
    return data + headers->transport + (headers->protocol == PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
}

void packet_put_pseudo(UCHAR *data, const struct headers *headers, ULONG length)
{
    write16(checksum_of(data, headers), fold(pseudo_sum(data, headers, length)));
}

/* The end of TCP's or UDP's bytes: Ethernet may have filled up a short packet behind them. */
static ULONG end_of(const UCHAR *data, const struct headers *headers, ULONG length)
{
    const UCHAR *network = data + headers->network;
    ULONG end = headers->network + (headers->version == 4 ? read16(network + 2) : read16(network + 4) + 40);

    return end <= length && end >= headers->payload ? end : length;
}

void packet_put_checksum(UCHAR *data, const struct headers *headers, ULONG length)
{
    ULONG count = end_of(data, headers, length) - headers->transport, sum;

    write16(checksum_of(data, headers), 0);
    sum = ~fold(add_bytes(pseudo_sum(data, headers, count), data + headers->transport, count)) & 0xffff;
    if (headers->protocol == PROTOCOL_UDP && !sum)
        sum = 0xffff; /* 0 says that there is none */
    write16(checksum_of(data, headers), sum);
}

void packet_put_header_checksum(UCHAR *data, const struct headers *headers)
{
    UCHAR *network = data + headers->network;

    write16(network + 10, 0);
    write16(network + 10, ~fold(add_bytes(0, network, (ULONG)(network[0] & 15) * 4)));
}

void packet_put_length(UCHAR *data, const struct headers *headers, ULONG length)
{
    UCHAR *network = data + headers->network;

    if (headers->version == 4)
        write16(network + 2, length - headers->network);
    else
        write16(network + 4, length - headers->network - 40);
}

static void add32(UCHAR *at, ULONG more)
{
    ULONG value = (read16(at) << 16 | read16(at + 2)) + more;

    write16(at, value >> 16);
    write16(at + 2, value);
}

void packet_make_segment(UCHAR *data, const struct headers *headers, ULONG offset, ULONG count, ULONG total,
                         ULONG segment)
{
    UCHAR *network = data + headers->network, *transport = data + headers->transport;
    ULONG length = headers->payload + count;

    packet_put_length(data, headers, length);
    if (headers->version == 4) {
        write16(network + 4, read16(network + 4) + segment);
        packet_put_header_checksum(data, headers);
    }
    add32(transport + 4, offset);
    if (offset)
        transport[TCP_FLAGS] &= (UCHAR)~FLAG_OF_FIRST;
    if (offset + count < total)
        transport[TCP_FLAGS] &= (UCHAR)~FLAGS_OF_LAST;
    packet_put_checksum(data, headers, length);
}

static ULONG hash_bytes(const UCHAR *data, ULONG count, const UCHAR *key, ULONG *window, ULONG *next, ULONG hash)
{
    for (ULONG i = 0; i < count; i++)
        for (ULONG bit = 0; bit < 8; bit++, (*next)++) {
            if (data[i] & (0x80u >> bit))
                hash ^= *window;
            *window = *window << 1 | (key[*next / 8] >> (7 - *next % 8) & 1);
        }
    return hash;
}

/* 36 bytes at most are hashed, for which a key of 40 is just long enough. */
ULONG packet_hash(const UCHAR *data, const struct headers *headers, BOOLEAN with_ports, const UCHAR key[40])
{
    const UCHAR *network = data + headers->network;
    ULONG window = read16(key) << 16 | read16(key + 2), next = 32, hash;

    hash = headers->version == 4 ? hash_bytes(network + 12, 8, key, &window, &next, 0)
                                 : hash_bytes(network + 8, 32, key, &window, &next, 0);
    return with_ports ? hash_bytes(data + headers->transport, 4, key, &window, &next, hash) : hash;
}
