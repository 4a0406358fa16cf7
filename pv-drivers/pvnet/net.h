/*
 * pvnet: an NDIS 6.20 miniport on pvbus's device VIF, over netif. The back end is believed nothing: it sees and writes
 * only pages of the rings, which stay granted for as long as the connection, and packets are copied between them and
 * memory of Windows. So no grant is given or taken per packet, nothing beside a packet's own bytes is ever shown, a
 * send is complete when it is copied, and a received packet cannot change any more once it is looked at.
 *
 * packet.c knows packets, transmit.c and receive.c the rings, queue.c their memory, connection.c xenstore, adapter.c
 * and oid.c NDIS.
 *
 * Locks, outermost first: the connection's (an event, PASSIVE_LEVEL), a queue's transmit or receive lock, that of the
 * pool, the work or a target. No spin lock is held while NDIS is called.
 */
#ifndef PVNET_NET_H
#define PVNET_NET_H

#include "pv/front.h"
#include "pv/ndis.h"
#include "pv/xen.h"
#include "packet.h"

#define PVNET_TAG      ((ULONG)0x74656e70) /* "pnet" */
#define PATH_SIZE      96
#define MOST_QUEUES    4 /* pvbus has all events on one processor, which more rings do not help */
#define RING_SLOTS     256
#define PACKETS        1024
#define PACKET_ROOM    2048 /* two in a page */
#define MOST_MTU       1500
#define LEAST_MTU      576
#define MOST_SLOTS     XEN_NETIF_NR_SLOTS_MIN
#define MOST_SEGMENTS  128 /* of one large packet that comes in */
#define MOST_LARGE     61440
#define MOST_MULTICAST 32
#define MOST_TARGETS   8 /* processors that received packets are given to */
#define MOST_TABLE     128
#define KEY_SIZE       40
#define LINK_SPEED     10000000000ull

#define DRIVER_MAJOR 0
#define DRIVER_MINOR 1
#define FILTERS                                                                                                        \
    (NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_MULTICAST | NDIS_PACKET_TYPE_ALL_MULTICAST |                         \
     NDIS_PACKET_TYPE_BROADCAST | NDIS_PACKET_TYPE_PROMISCUOUS)

#define LOG(format, ...) DbgPrint("pvnet: " format "\n" __VA_OPT__(, ) __VA_ARGS__)

/* One packet for NDIS, with its own memory; a list of one buffer of one MDL. */
struct net_packet {
    struct net_packet *next;
    NET_BUFFER_LIST *list;
    UCHAR *data;
    ULONG length;
    MDL mdl;
    PFN_NUMBER frame; /* of the MDL */
};

struct counters {
    ULONGLONG packets[CASTS], octets[CASTS], discards, errors;
};

/* What the back end can take. */
struct abilities {
    BOOLEAN split_events, scatter, checksum_v4, checksum_v6, large_v4, large_v6;
};

struct queue {
    struct adapter *adapter;
    ULONG number;
    struct pv_event *transmit_event, *receive_event; /* the same one, if the back end knows no two */
    KDPC receive_dpc;

    KSPIN_LOCK transmit_lock; /* of what follows */
    BOOLEAN transmits;
    netif_tx_sring_t *transmit_ring;
    UCHAR *transmit_pages;
    ULONG transmit_references[RING_SLOTS], transmit_ring_reference;
    ULONG requests_made, responses_seen;
    ULONG extras; /* of the requests, answers to which name none */
    USHORT free_pages[RING_SLOTS];
    ULONG free_count;
    BOOLEAN busy[RING_SLOTS];
    NET_BUFFER_LIST *waiting, **waiting_end;
    struct counters sent;

    KSPIN_LOCK receive_lock; /* of what follows */
    BOOLEAN receives;
    netif_rx_sring_t *receive_ring;
    UCHAR *receive_pages;
    ULONG receive_references[RING_SLOTS], receive_ring_reference;
    ULONG posted, taken;
    struct counters received;
};

/* Received packets for one processor. */
struct target {
    struct adapter *adapter;
    KDPC dpc;
    KSPIN_LOCK lock;
    struct net_packet *first, **end;
};

/* Receive side scaling, as OID_GEN_RECEIVE_SCALE_PARAMETERS sets it. The hash is made here and not asked of the back
 * end by the control ring: not all of them have that, and since pvbus has all events on one processor it is this driver
 * that gives packets to others. Written and read under scaling_lock. */
struct scaling {
    BOOLEAN enabled;
    ULONG types; /* NDIS_HASH_ */
    UCHAR key[KEY_SIZE];
    ULONG entries;
    UCHAR table[MOST_TABLE]; /* of targets */
};

struct adapter {
    NDIS_HANDLE handle;
    PDEVICE_OBJECT functional;
    struct front front;
    UCHAR permanent[ADDRESS_SIZE];
    ULONG mtu;

    /* connection.c, of the front's lock */
    BOOLEAN up;            /* what NDIS was told of the link */
    volatile LONG started; /* NDIS may be told */
    struct abilities abilities;
    struct queue *queues; /* MOST_QUEUES, as long as the adapter */
    volatile LONG queue_count;

    /* NDIS */
    volatile LONG running;     /* between restart and pause */
    volatile LONG outstanding; /* packets that NDIS has, and one while not paused */
    volatile LONG filter;      /* NDIS_PACKET_TYPE_ */
    KSPIN_LOCK filter_lock;
    ULONG multicast_count;
    UCHAR multicast[MOST_MULTICAST][ADDRESS_SIZE];
    volatile LONG receive_checks; /* bits of enum check: what was found right is said */
    NDIS_OFFLOAD offload;         /* in force */
    ULONG lookahead;
    KSPIN_LOCK scaling_lock;
    struct scaling scaling;
    struct target targets[MOST_TARGETS];
    ULONG target_count;

    /* The pool. */
    NDIS_HANDLE list_pool;
    UCHAR *packet_memory;
    struct net_packet *packets;
    KSPIN_LOCK pool_lock;
    struct net_packet *free_packets;
    ULONG free_packet_count;
    BOOLEAN starved;
};

enum check { CHECK_TCP_V4 = 1, CHECK_UDP_V4 = 2, CHECK_TCP_V6 = 4, CHECK_UDP_V6 = 8 };

/* transmit.c. DISPATCH_LEVEL but for transmit_start, which takes it there. */
void transmit_start(struct adapter *adapter, NET_BUFFER_LIST *lists);
void NTAPI transmit_event(void *queue);
NET_BUFFER_LIST *transmit_take_waiting(struct queue *queue); /* under the lock; to be given to transmit_end */
void transmit_end(struct adapter *adapter, NET_BUFFER_LIST *lists, NDIS_STATUS status);
void transmit_cancel(struct adapter *adapter, PVOID id);

/* receive.c */
void NTAPI receive_event(void *queue);
void NTAPI receive_run(PKDPC dpc, PVOID queue, PVOID first, PVOID second);
void NTAPI target_run(PKDPC dpc, PVOID target, PVOID first, PVOID second);
void receive_post(struct queue *queue); /* under the lock */
void receive_again(struct adapter *adapter);
void receive_drop_queued(struct adapter *adapter); /* no DPC runs */

/* pool.c */
NDIS_STATUS pool_make(struct adapter *adapter);
void pool_free(struct adapter *adapter); /* all packets are in it */
/* So many, or NULL; then the receiving is begun anew when some come back. */
struct net_packet *pool_take(struct adapter *adapter, ULONG count);
void pool_give(struct adapter *adapter, struct net_packet *packets); /* a chain, NULL: none */

/* queue.c, PASSIVE_LEVEL */
NTSTATUS queue_make(struct queue *queue);
void queue_start(struct queue *queue);
void queue_stop(struct queue *queue);   /* nothing is sent or received from now on; what waited is completed */
void queue_forget(struct queue *queue); /* the machine was resumed: grants and ports of before are none any more */
/* After the back end let go. FALSE: it has pages still, which stay with the queue, granted, until it is tried again. */
BOOLEAN queue_free(struct queue *queue);

/* connection.c, PASSIVE_LEVEL */
void connection_open(struct adapter *adapter);
void connection_close(struct adapter *adapter); /* for good */
void connection_tell(struct adapter *adapter);  /* NDIS, of the link */
extern const struct front_ops connection_front;

/* oid.c */
#define OID_STATISTICS                                                                                                 \
    (NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_RCV | NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_RCV |              \
     NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_RCV | NDIS_STATISTICS_FLAGS_VALID_BYTES_RCV |                        \
     NDIS_STATISTICS_FLAGS_VALID_RCV_DISCARDS | NDIS_STATISTICS_FLAGS_VALID_RCV_ERROR |                                \
     NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_XMIT | NDIS_STATISTICS_FLAGS_VALID_MULTICAST_FRAMES_XMIT |            \
     NDIS_STATISTICS_FLAGS_VALID_BROADCAST_FRAMES_XMIT | NDIS_STATISTICS_FLAGS_VALID_BYTES_XMIT |                      \
     NDIS_STATISTICS_FLAGS_VALID_XMIT_ERROR | NDIS_STATISTICS_FLAGS_VALID_XMIT_DISCARDS |                              \
     NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_RCV | NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_RCV |                \
     NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_RCV | NDIS_STATISTICS_FLAGS_VALID_DIRECTED_BYTES_XMIT |               \
     NDIS_STATISTICS_FLAGS_VALID_MULTICAST_BYTES_XMIT | NDIS_STATISTICS_FLAGS_VALID_BROADCAST_BYTES_XMIT)
NDIS_STATUS NTAPI oid_request(NDIS_HANDLE adapter, NDIS_OID_REQUEST *request);
void oid_offload_full(NDIS_OFFLOAD *offload);
extern NDIS_OID oid_list[];
extern const ULONG oid_list_size; /* bytes */

#endif
