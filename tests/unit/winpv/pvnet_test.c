/* The shipped pvnet.sys on the shipped pvbus.sys, against back ends that check every request. */
#include <stdlib.h>
#include <string.h>
#include "../check.h"
#include "../test_list.h"
#include "network.h"

static const int kinds[] = {TCP | V4, UDP | V4, TCP | V6, UDP | V6};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Packets of every size in pieces of many; on the way nothing of their bytes changes. */
static void sends_packets_as_they_are(void)
{
    struct system system;
    struct netback *net;
    struct bytes packet;

    network_boot(1);
    net = full_card();
    network_run(&system);
    for (unsigned size = 14; size <= 1514; size += 13) {
        struct netback_frame *frame;

        packet = packet_of(TCP | V4, 1500, size);
        CHECK_EQUAL(NDIS_STATUS_SUCCESS, send_one(packet.data, size, 1 + size * 5 % 300));
        nt_settle();
        frame = netback_take(net);
        CHECK(frame && frame->size == size && !memcmp(frame->data, packet.data, size), "%u", size);
        CHECK_EQUAL(0, frame->flags);
        free(frame);
    }
    CHECK_EQUAL(NDIS_STATUS_FAILURE, send_one(packet.data, 13, 0));
    CHECK(!netback_take(net));
    network_end(&system);
}

static void makes_or_leaves_checksums(void)
{
    for (unsigned able = 0; able < 2; able++) {
        struct system system;
        struct netback *net;

        network_boot(1);
        net = netback_add((struct netback){.split = true, .checksum_v6 = able, .no_checksum_v4 = !able});
        network_run(&system);
        for (unsigned i = 0; i < KINDS * 40; i++) {
            struct bytes packet = packet_of(kinds[i % KINDS], i * 9, i), right = packet;
            struct nt_send *send;
            struct netback_frame *frame;

            spoil_checksums(&packet);
            send = send_asking(&packet, i % 3 ? 11 + i : 0, kinds[i % KINDS] & TCP, kinds[i % KINDS] & V4, 0);
            nt_send_start(send);
            CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_send_wait(send));
            nt_settle();
            frame = netback_take(net);
            CHECK(frame && frame->size == right.size, "%u", i);
            if (able)
                CHECK(frame->flags == (NETTXF_csum_blank | NETTXF_data_validated) &&
                          is_right_when_summed(frame->data, frame->size),
                      "%u", i);
            else
                CHECK(!frame->flags && !memcmp(frame->data, right.data, right.size), "%u", i);
            free(frame);
        }
        network_end(&system);
    }
}

/* Linux' back end does not look behind a tag. */
static void sums_what_stands_behind_a_tag(void)
{
    struct bytes right = packet_of(TCP | V4, 301, 1), tagged = right;
    struct netback_frame *frame;
    struct nt_send *send;
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    spoil_checksums(&tagged);
    memmove(tagged.data + 16, tagged.data + 12, tagged.size - 12);
    memcpy(tagged.data + 12, "\x81\x00\x00\x05", 4);
    tagged.size += 4;
    send = send_asking(&tagged, 0, true, true, 0);
    nt_send_start(send);
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_send_wait(send));
    nt_settle();
    frame = netback_take(net);
    CHECK(frame && frame->size == right.size + 4 && !frame->flags);
    CHECK(!memcmp(frame->data + 12, tagged.data + 12, 4));
    CHECK(!memcmp(frame->data + 16, right.data + 12, right.size - 12));
    free(frame);
    network_end(&system);
}

static void leaves_large_packets_to_the_back_end(void)
{
    static const unsigned sizes[] = {1461, 4096, 10000, 40000, 61440};
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    for (unsigned i = 0; i < 10; i++) {
        struct bytes packet = packet_of(i & 1 ? TCP | V4 : TCP | V6, sizes[i / 2], i), right = packet;
        struct nt_send *send;
        struct netback_frame *frame;
        unsigned sum = payload_at(right.data) - 32 + 16;

        spoil_checksums(&packet);
        packet.data[i & 1 ? 16 : 18] = packet.data[i & 1 ? 17 : 19] = 0; /* the length, as Windows leaves it */
        send = send_asking(&packet, 3000, true, i & 1, 1400);
        nt_send_start(send);
        CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_send_wait(send));
        nt_settle();
        frame = netback_take(net);
        CHECK(frame && frame->size == right.size);
        CHECK_EQUAL(1400, frame->segment_size);
        CHECK_EQUAL(i & 1 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6, frame->segment_type);
        CHECK(is_right_when_summed(frame->data, frame->size));
        memcpy(right.data + sum, frame->data + sum, 2);
        CHECK(!memcmp(frame->data, right.data, right.size));
        free(frame);
    }
    network_end(&system);
}

/* A segment of a packet: its headers but for what has to differ, its sums, its bytes. */
static void check_segment(const struct bytes *whole, const unsigned char *data, unsigned size, unsigned offset,
                          unsigned segment, bool last)
{
    unsigned at = payload_at(whole->data), transport = at - 32;

    CHECK_EQUAL(at, payload_at(data));
    CHECK(is_right(data, size), "at %u", offset);
    CHECK(!memcmp(data, whole->data, 14));
    CHECK_EQUAL(number32(whole->data + transport + 4) + offset, number32(data + transport + 4));
    if (whole->data[12] == 8)
        CHECK_EQUAL((number16(whole->data + 18) + segment) & 0xffff, number16(data + 18));
    CHECK_EQUAL(0x10 | (last ? 0x09 : 0) | (offset ? 0 : 0x80), data[transport + 13]);
    CHECK(!memcmp(data + at, whole->data + at + offset, size - at));
}

static void cuts_large_packets_itself(void)
{
    struct system system;
    struct netback *net;

    network_boot(1);
    net = netback_add((struct netback){.checksum_v6 = true});
    network_run(&system);
    for (unsigned i = 0; i < 8; i++) {
        struct bytes whole = packet_of(i & 1 ? TCP | V4 : TCP | V6, 1000 + i * 8000, i), packet = whole;
        unsigned total = whole.size - payload_at(whole.data), segment = 0, size = i < 6 ? 1400 : 150;
        struct nt_send *send;

        spoil_checksums(&packet);
        send = send_asking(&packet, 5000, true, i & 1, size);
        nt_send_start(send);
        CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_send_wait(send)); /* though the ring is smaller than all segments */
        nt_settle();
        for (unsigned offset = 0; offset < total; offset += size, segment++) {
            struct netback_frame *frame = netback_take(net);

            CHECK(frame && frame->size <= payload_at(whole.data) + size);
            check_segment(&whole, frame->data, frame->size, offset, segment, offset + size >= total);
            free(frame);
        }
        CHECK(!netback_take(net));
    }
    network_end(&system);
}

static void receives_packets(void)
{
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    for (unsigned i = 0; i < 700; i++) {
        struct bytes packet = packet_of(kinds[i % KINDS], i * 2, i);

        CHECK(netback_give(net, 0, packet.data, packet.size, i % 5 ? 100 + i : 0, 0, 0, 0));
        CHECK(got(&packet), "%u", i);
    }
    network_end(&system);
}

/* What the back end vouches for is said; what it left out is put in. */
static void tells_of_checksums(void)
{
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    for (unsigned i = 0; i < KINDS * 3; i++) {
        static const unsigned flags[] = {0, NETRXF_data_validated, NETRXF_data_validated | NETRXF_csum_blank};
        struct bytes packet = packet_of(kinds[i % KINDS], 200 + i, i), sent = packet;
        struct nt_received *packet_got;

        if (flags[i / KINDS] & NETRXF_csum_blank)
            sent.data[payload_at(sent.data) - (kinds[i % KINDS] & TCP ? 16 : 2)] ^= 0x55;
        CHECK(netback_give(net, 0, sent.data, sent.size, 0, flags[i / KINDS], 0, 0));
        packet_got = received();
        CHECK(packet_got && !memcmp(packet_got->data, packet.data, packet.size), "%u", i);
        CHECK_EQUAL(flags[i / KINDS] && kinds[i % KINDS] & TCP, packet_got->checksum.Receive.TcpChecksumSucceeded);
        CHECK_EQUAL(flags[i / KINDS] && !(kinds[i % KINDS] & TCP), packet_got->checksum.Receive.UdpChecksumSucceeded);
        CHECK(!packet_got->checksum.Receive.TcpChecksumFailed && !packet_got->checksum.Receive.IpChecksumSucceeded);
    }
    network_end(&system);
}

static void cuts_large_packets_that_come(void)
{
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    for (unsigned i = 0; i < 8; i++) {
        struct bytes whole = packet_of(i & 1 ? TCP | V4 : TCP | V6, 1401 + i * 8700, i), sent = whole;
        unsigned total = whole.size - payload_at(whole.data), segment = 0;

        sent.data[payload_at(sent.data) - 16] ^= 0x55;
        CHECK(netback_give(net, 0, sent.data, sent.size, 0, NETRXF_csum_blank | NETRXF_data_validated, 1400,
                           i & 1 ? XEN_NETIF_GSO_TYPE_TCPV4 : XEN_NETIF_GSO_TYPE_TCPV6));
        for (unsigned offset = 0; offset < total; offset += 1400, segment++) {
            struct nt_received *packet = received();

            CHECK(packet && packet->size <= payload_at(whole.data) + 1400);
            check_segment(&whole, packet->data, packet->size, offset, segment, offset + 1400 >= total);
            CHECK(packet->checksum.Receive.TcpChecksumSucceeded);
        }
        CHECK(!received());
    }
    network_end(&system);
}

static void gives_what_is_wanted(void)
{
    static const UCHAR members[12] = {1, 0, 0x5e, 0, 0, 1, 0x33, 0x33, 0, 0, 0, 2};
    static const unsigned char targets[5][6] = {{0, 0x16, 0x3e, 0x12, 0x34, 0x56},
                                                {0, 0x16, 0x3e, 0x12, 0x34, 0x57},
                                                {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                                                {0x33, 0x33, 0, 0, 0, 2},
                                                {0x33, 0x33, 0, 0, 0, 3}};
    static const struct {
        ULONG filter;
        unsigned wanted; /* a bit for each of the targets */
    } rows[] = {
        {0, 0},
        {NDIS_PACKET_TYPE_DIRECTED, 1},
        {NDIS_PACKET_TYPE_BROADCAST, 4},
        {NDIS_PACKET_TYPE_MULTICAST, 8},
        {NDIS_PACKET_TYPE_ALL_MULTICAST | NDIS_PACKET_TYPE_DIRECTED, 25},
        {NDIS_PACKET_TYPE_PROMISCUOUS, 31},
    };
    UCHAR many[33 * 6] = {1}, list[12];
    struct system system;
    struct netback *net;
    ULONG unknown = 0x8000;
    unsigned used;

    network_boot(1);
    net = full_card();
    network_run(&system);
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_802_3_MULTICAST_LIST, members, sizeof(members)));
    CHECK_EQUAL(NDIS_STATUS_MULTICAST_FULL, nt_ndis_set(OID_802_3_MULTICAST_LIST, many, sizeof(many)));
    CHECK_EQUAL(NDIS_STATUS_INVALID_LENGTH, nt_ndis_set(OID_802_3_MULTICAST_LIST, many, 7));
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_query(OID_802_3_MULTICAST_LIST, list, sizeof(list), &used));
    CHECK(used == 12 && !memcmp(list, members, 12));
    CHECK_EQUAL(NDIS_STATUS_NOT_SUPPORTED, nt_ndis_set(OID_GEN_CURRENT_PACKET_FILTER, &unknown, sizeof(unknown)));
    for (unsigned row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_GEN_CURRENT_PACKET_FILTER, &rows[row].filter, 4));
        for (unsigned i = 0; i < 5; i++) {
            struct bytes packet = packet_of(UDP | V4, 100, i);

            memcpy(packet.data, targets[i], 6);
            CHECK(netback_give(net, 0, packet.data, packet.size, 0, 0, 0, 0));
            CHECK_EQUAL(rows[row].wanted >> i & 1, received() != NULL, "row %u, target %u", row, i);
        }
    }
    network_end(&system);
}

/* --- receive side scaling --- */

/* Microsoft's "Verifying the RSS Hash Calculation". */
static const UCHAR known_key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
                                    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
                                    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct scaling_request {
    NDIS_RECEIVE_SCALE_PARAMETERS parameters;
    PROCESSOR_NUMBER table[128];
    UCHAR key[40];
};

static struct scaling_request scaling_request(ULONG types, unsigned processors)
{
    struct scaling_request request = {0};

    request.parameters.Header = (NDIS_OBJECT_HEADER){NDIS_OBJECT_TYPE_RSS_PARAMETERS, 2, sizeof(request.parameters)};
    request.parameters.HashInformation = types | NdisHashFunctionToeplitz;
    request.parameters.IndirectionTableSize = sizeof(request.table);
    request.parameters.IndirectionTableOffset = offsetof(struct scaling_request, table);
    request.parameters.HashSecretKeySize = sizeof(request.key);
    request.parameters.HashSecretKeyOffset = offsetof(struct scaling_request, key);
    memcpy(request.key, known_key, sizeof(known_key));
    for (unsigned i = 0; i < 128; i++)
        request.table[i].Number = (UCHAR)(i * 3 % processors);
    return request;
}

static void hashes_as_the_known_answers(void)
{
    static const struct {
        int kind;
        const char *addresses, *ports;
        uint32_t with_ports, without;
    } rows[] = {
        {V4, "\x42\x09\x95\xbb\xa1\x8e\x64\x50", "\x0a\xea\x06\xe6", 0x51ccc178, 0x323e8fc2},
        {V4, "\xc7\x5c\x6f\x02\x41\x45\x8c\x53", "\x37\x96\x12\x83", 0xc626b0ea, 0xd718262a},
        {V6, "\x3f\xfe\x25\x01\x02\x00\x1f\xff\0\0\0\0\0\0\0\x07\x3f\xfe\x25\x01\x02\x00\x00\x03\0\0\0\0\0\0\0\x01",
         "\x0a\xea\x06\xe6", 0x40207d3d, 0x2cc18cd5},
    };
    struct system system;
    struct netback *net;

    network_boot(1);
    net = full_card();
    network_run(&system);
    for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        bool v4 = rows[i / 2].kind & V4, tcp = i & 1;
        struct bytes packet = packet_of(rows[i / 2].kind | (tcp ? TCP : UDP), 10, 1);
        struct scaling_request request =
            scaling_request(NDIS_HASH_IPV4 | NDIS_HASH_TCP_IPV4 | NDIS_HASH_IPV6 | NDIS_HASH_TCP_IPV6, 1);
        struct nt_received *packet_got;

        memcpy(packet.data + (v4 ? 26 : 22), rows[i / 2].addresses, v4 ? 8 : 32);
        memcpy(packet.data + (v4 ? 34 : 54), rows[i / 2].ports, 4);
        CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_GEN_RECEIVE_SCALE_PARAMETERS, &request, sizeof(request)));
        CHECK(netback_give(net, 0, packet.data, packet.size, 0, 0, 0, 0));
        packet_got = received();
        CHECK(packet_got);
        CHECK_EQUAL(tcp ? rows[i / 2].with_ports : rows[i / 2].without, packet_got->hash);
        CHECK_EQUAL((v4 ? (tcp ? NDIS_HASH_TCP_IPV4 : NDIS_HASH_IPV4) : (tcp ? NDIS_HASH_TCP_IPV6 : NDIS_HASH_IPV6)) |
                        NdisHashFunctionToeplitz,
                    packet_got->hash_info);
    }
    network_end(&system);
}

static void gives_packets_to_their_processors(void)
{
    struct system system;
    struct netback *net;
    struct scaling_request request;
    unsigned seen = 0;

    network_boot(4);
    net = full_card();
    network_run(&system);
    request = scaling_request(NDIS_HASH_TCP_IPV4, 4);
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_GEN_RECEIVE_SCALE_PARAMETERS, &request, sizeof(request)));
    for (unsigned i = 0; i < 200; i++) {
        struct bytes packet = packet_of(TCP | V4, 10, i);
        struct nt_received *packet_got;

        CHECK(netback_give(net, 0, packet.data, packet.size, 0, 0, 0, 0));
        packet_got = received();
        CHECK(packet_got && packet_got->hash_info);
        CHECK_EQUAL(request.table[packet_got->hash % 128].Number, packet_got->processor);
        seen |= 1u << packet_got->processor;
    }
    CHECK_EQUAL(15, seen);
    request.parameters.Flags = NDIS_RSS_PARAM_FLAG_DISABLE_RSS;
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_GEN_RECEIVE_SCALE_PARAMETERS, &request, sizeof(request)));
    CHECK(netback_give(net, 0, packet_of(TCP | V4, 10, 1).data, 76, 0, 0, 0, 0));
    CHECK_EQUAL(0, received()->hash_info);
    network_end(&system);
}

static void refuses_wrong_scaling(void)
{
    struct system system;

    network_boot(1);
    full_card();
    network_run(&system);
    for (unsigned i = 0; i < 7; i++) {
        struct scaling_request request = scaling_request(NDIS_HASH_TCP_IPV4, 1);
        unsigned size = sizeof(request);

        if (i == 0)
            request.parameters.HashSecretKeySize = 39;
        if (i == 1)
            request.parameters.HashSecretKeyOffset = sizeof(request) - 39;
        if (i == 2)
            request.parameters.IndirectionTableSize = 100 * 4;
        if (i == 3)
            request.parameters.IndirectionTableOffset = 0xfffffff0;
        if (i == 4)
            request.parameters.HashInformation ^= 3;
        if (i == 5)
            request.parameters.IndirectionTableSize = 0;
        if (i == 6)
            size = 20;
        CHECK(nt_ndis_set(OID_GEN_RECEIVE_SCALE_PARAMETERS, &request, size) != NDIS_STATUS_SUCCESS, "%u", i);
    }
    network_end(&system);
}

static void uses_several_queues(void)
{
    struct system system;
    struct netback *net;

    for (unsigned split = 0; split < 2; split++) {
        network_boot(4);
        net = netback_add((struct netback){.most_queues = 6, .split = split, .scatter = true});
        network_run(&system);
        CHECK_EQUAL(4, net->queue_count);
        for (unsigned i = 0; i < 40; i++) {
            struct bytes packet = packet_of(UDP | V4, 100 + i, i);
            struct nt_send *send = nt_send_make(packet.data, packet.size, 0);
            struct netback_frame *frame;

            send->list.NetBufferListInfo[NetBufferListHashValue] = (PVOID)(uintptr_t)(i * 5);
            nt_send_start(send);
            CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_send_wait(send));
            nt_settle();
            frame = netback_take(net);
            CHECK(frame && frame->queue == i * 5 % 4 && !memcmp(frame->data, packet.data, packet.size));
            free(frame);
            CHECK(netback_give(net, i % 4, packet.data, packet.size, 0, 0, 0, 0));
            CHECK(got(&packet));
        }
        network_end(&system);
    }
    network_boot(2);
    net = netback_add((struct netback){.most_queues = 6});
    network_run(&system);
    CHECK_EQUAL(2, net->queue_count);
    network_end(&system);
}

/* --- when there is no room --- */

static void makes_sends_wait(void)
{
    struct system system;
    struct netback *net;
    struct nt_send *sends[400];
    unsigned waiting = 0;

    for (unsigned backwards = 0; backwards < 2; backwards++) {
        waiting = 0;
        network_boot(1);
        net = netback_add((struct netback){FULL, .holds = true, .backwards = backwards});
        network_run(&system);
        for (unsigned i = 0; i < 400; i++) {
            struct bytes packet = packet_of(UDP | V4, 1000, i);

            sends[i] = nt_send_make(packet.data, packet.size, 0);
            sends[i]->list.NetBufferListInfo[NetBufferListCancelId] = (PVOID)(uintptr_t)(i < 390 ? 1 : 2);
            nt_send_start(sends[i]);
        }
        nt_settle();
        for (unsigned i = 0; i < 400; i++)
            waiting += nt_send_is_pending(sends[i]);
        CHECK_EQUAL(400 - 256, waiting);
        nt_send_cancel((PVOID)2);
        for (unsigned i = 390; i < 400; i++)
            CHECK_EQUAL(NDIS_STATUS_SEND_ABORTED, nt_send_wait(sends[i]));
        netback_release(net);
        for (unsigned i = 0; i < 390; i++) {
            struct netback_frame *frame;

            CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_send_wait(sends[i]));
            nt_settle();
            frame = netback_take(net);
            CHECK(frame && number16(frame->data + 34) == i, "%u", i); /* in order */
            free(frame);
        }
        network_end(&system);
    }
}

static void sends_lists_of_buffers(void)
{
    struct system system;
    struct netback *net;
    struct nt_send *first, *second;

    network_boot(1);
    net = full_card();
    network_run(&system);
    first = nt_send_make(packet_of(UDP | V4, 10, 0).data, 52, 0);
    second = nt_send_make(packet_of(UDP | V4, 10, 100).data, 52, 0);
    for (unsigned i = 1; i < 100; i++)
        nt_send_add(first, packet_of(UDP | V4, 10, i).data, 52, i);
    first->list.Next = &second->list;
    nt_send_start(first);
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_send_wait(first));
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_send_wait(second));
    nt_settle();
    for (unsigned i = 0; i <= 100; i++) {
        struct netback_frame *frame = netback_take(net);

        CHECK(frame && number16(frame->data + 34) == i);
        free(frame);
    }
    network_end(&system);
}

/* The protocol keeps all packets that there are: the back end has to wait, and nothing is lost. */
static void makes_the_back_end_wait(void)
{
    struct system system;
    struct netback *net;
    unsigned given = 0, taken = 0;

    network_boot(1);
    net = full_card();
    network_run(&system);
    nt_ndis_hold(true);
    for (unsigned i = 0; i < 3000; i++) {
        given += netback_give(net, 0, packet_of(UDP | V4, 10, given).data, 52, 0, 0, 0, 0);
        nt_settle();
    }
    CHECK_EQUAL(1024 + 256, given);
    CHECK_EQUAL(1024, nt_ndis_held());
    nt_ndis_hold(false);
    nt_ndis_return_held();
    for (struct nt_received *packet; (packet = received()); taken++)
        CHECK_EQUAL(taken, number16(packet->data + 34));
    CHECK_EQUAL(given, taken);
    CHECK(netback_give(net, 0, packet_of(UDP | V4, 10, 1).data, 52, 0, 0, 0, 0));
    CHECK(received());
    network_end(&system);
}

/* --- memory, races --- */

static void survives_failed_allocations(void)
{
    unsigned number = 0, asked;

    do {
        struct system system;

        number += number < 40 || number > 1030 ? 1 : 97; /* the lists of the pool are all alike */
        network_boot(1);
        full_card();
        network_load(&system);
        nt_fail_allocation(number);
        network_start(&system);
        if (nt_ndis_initialized())
            nt_ndis_restart();
        nt_settle();
        asked = nt_allocations();
        nt_fail_allocation(0);
        network_end(&system);
    } while (number <= asked);
    CHECK(number > 1030, "%u", number);
}

/* A buffer that cannot be mapped is a failed send, and nothing of it goes out. */
static void survives_buffers_without_addresses(void)
{
    struct system system;
    struct netback *net;
    struct bytes packet = packet_of(UDP | V4, 1000, 1);

    network_boot(1);
    net = full_card();
    network_run(&system);
    for (unsigned i = 1; i <= 4; i++) {
        struct nt_send *send = nt_send_make(packet.data, packet.size, 300);

        nt_fail_allocation(i);
        nt_send_start(send);
        nt_fail_allocation(0);
        CHECK_EQUAL(NDIS_STATUS_FAILURE, nt_send_wait(send));
        nt_settle();
        CHECK(!netback_take(net));
    }
    network_end(&system);
}

static void races(void)
{
    struct system system;
    struct netback *net;
    struct nt_send *sends[64];
    struct scaling_request request;
    unsigned given = 0, taken = 0;

    network_boot(4);
    net = netback_add((struct netback){FULL, .most_queues = 4});
    network_run(&system);
    request = scaling_request(NDIS_HASH_TCP_IPV4, 4);
    CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_ndis_set(OID_GEN_RECEIVE_SCALE_PARAMETERS, &request, sizeof(request)));
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = 0; i < 64; i++) {
            struct bytes packet = packet_of(TCP | V4, 64 * i, i);

            sends[i] = send_asking(&packet, 1000, true, true, packet.size > 1514 ? 1400 : 0);
            sends[i]->list.NetBufferListInfo[NetBufferListHashValue] = (PVOID)(uintptr_t)i;
            nt_send_start(sends[i]);
            given += netback_give(net, i % 4, packet.data, packet.size, 0, NETRXF_data_validated,
                                  packet.size > 1514 ? 1400 : 0, XEN_NETIF_GSO_TYPE_TCPV4);
        }
        for (unsigned i = 0; i < 64; i++)
            CHECK_EQUAL(NDIS_STATUS_SUCCESS, nt_send_wait(sends[i]));
        if (round % 10 == 9) {
            nt_ndis_pause();
            nt_ndis_restart();
        }
        for (struct netback_frame *frame; (frame = netback_take(net)); free(frame))
            CHECK(is_right_when_summed(frame->data, frame->size));
    }
    nt_settle();
    for (struct nt_received *packet; (packet = received()); taken++)
        CHECK(is_right(packet->data, packet->size));
    CHECK(taken >= given && given > 1000, "%u, %u", taken, given);
    network_end(&system);
}

static const struct unit_test tests[] = {
    {"sends packets as they are", sends_packets_as_they_are},
    {"makes or leaves checksums", makes_or_leaves_checksums},
    {"sums what stands behind a tag", sums_what_stands_behind_a_tag},
    {"leaves large packets to the back end", leaves_large_packets_to_the_back_end},
    {"cuts large packets itself", cuts_large_packets_itself},
    {"receives packets", receives_packets},
    {"tells of checksums", tells_of_checksums},
    {"cuts large packets that come", cuts_large_packets_that_come},
    {"gives what is wanted", gives_what_is_wanted},
    {"hashes as the known answers", hashes_as_the_known_answers},
    {"gives packets to their processors", gives_packets_to_their_processors},
    {"refuses wrong scaling", refuses_wrong_scaling},
    {"uses several queues", uses_several_queues},
    {"makes sends wait", makes_sends_wait},
    {"sends lists of buffers", sends_lists_of_buffers},
    {"makes the back end wait", makes_the_back_end_wait},
    {"survives failed allocations", survives_failed_allocations},
    {"survives buffers without addresses", survives_buffers_without_addresses},
    {"races", races},
};

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    pvbus_file = arguments[1];
    pvnet_file = arguments[2];
    return run_tests(tests, sizeof(tests) / sizeof(tests[0]), NULL);
}
