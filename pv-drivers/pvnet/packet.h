/*
 * Packets as bytes: where their headers are, checksums, segments of large ones, the hash of receive side scaling. Pure
 * functions, on memory that nobody else writes.
 */
#ifndef PVNET_PACKET_H
#define PVNET_PACKET_H

#include "pv/nt.h"

#define ADDRESS_SIZE    6
#define ETHERNET_HEADER 14u
#define MOST_HEADERS    256u /* all that is looked into for them */
#define PROTOCOL_TCP    6
#define PROTOCOL_UDP    17

enum cast { UNICAST, MULTICAST, BROADCAST, CASTS };

struct headers {
    UCHAR version;    /* 4, 6; 0: not IP, and nothing below is known */
    UCHAR protocol;   /* PROTOCOL_TCP or PROTOCOL_UDP, 0 for others and for fragments */
    USHORT network;   /* where the IP header is */
    USHORT transport; /* where that of TCP or UDP is; 0 if there is none */
    USHORT payload;   /* what is behind it */
};

/* Whom an Ethernet header is for. */
enum cast packet_cast(const UCHAR *data);

/* `present` bytes of a packet of `length` are at `data`. What does not fit into either is not reported as there. */
void packet_parse(const UCHAR *data, ULONG present, ULONG length, struct headers *headers);

/* The sum that stands in a TCP or UDP header whose checksum somebody else makes: that of the pseudo header for
 * `length` bytes from the transport's header on. */
void packet_put_pseudo(UCHAR *data, const struct headers *headers, ULONG length);
/* Makes the checksum of TCP or UDP of a whole packet. */
void packet_put_checksum(UCHAR *data, const struct headers *headers, ULONG length);
/* Makes an IPv4 header's checksum. */
void packet_put_header_checksum(UCHAR *data, const struct headers *headers);
/* Writes the length of what is a whole IP packet of `length` bytes with its Ethernet header. */
void packet_put_length(UCHAR *data, const struct headers *headers, ULONG length);

/* A segment of a large TCP packet: `data` is a copy of its headers, behind which `count` bytes of payload, from
 * `offset` of `total` on, already stand. All headers are made right, with checksums. */
void packet_make_segment(UCHAR *data, const struct headers *headers, ULONG offset, ULONG count, ULONG total,
                         ULONG segment);

/* Toeplitz, over addresses and, `with_ports`, ports. */
ULONG packet_hash(const UCHAR *data, const struct headers *headers, BOOLEAN with_ports, const UCHAR key[40]);

static inline ULONG read16(const UCHAR *at)
{
    return (ULONG)at[0] << 8 | at[1];
}

static inline void write16(UCHAR *at, ULONG value)
{
    at[0] = (UCHAR)(value >> 8);
    at[1] = (UCHAR)value;
}

#endif
