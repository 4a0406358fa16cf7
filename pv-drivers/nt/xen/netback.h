/* Network cards' back ends: each checks every request of its front end, and whatever the protocol does not allow is a
 * bug, unless the test has made the back end blind. */
#ifndef NT_XEN_NETBACK_H
#define NT_XEN_NETBACK_H

#include "hypervisor.h"

#define NETBACK_DOMAIN 7
#define NETBACK_QUEUES 8

/* A packet as it came up from the guest. */
struct netback_frame {
    unsigned char data[65536];
    unsigned size, queue, slots, flags, segment_size, segment_type;
    struct netback_frame *next;
};

struct netback {
    unsigned number;
    const char *address;  /* NULL: a good one */
    unsigned most_queues; /* 0: several are not known */
    bool split, scatter, no_checksum_v4, checksum_v6, large_v4, large_v6;
    bool silent;    /* does not come to InitWait by itself */
    bool holds;     /* sends are not answered, until netback_release */
    bool backwards; /* answers to held ones are in the other order */
    unsigned fails; /* so many sends from now on are answered as failed */
    bool blind;     /* looks at nothing: the test writes the rings */
    bool stays;     /* does not close when the front end does */
    /* of the connection */
    unsigned queue_count;
    struct netback_queue {
        struct netback *net;
        unsigned number;
        netif_tx_sring_t *transmit;
        netif_rx_sring_t *receive;
        uint32_t transmit_reference, receive_reference, transmit_port, receive_port;
        uint32_t consumed, produced, taken, filled;
        struct {
            uint16_t id;
            bool extra; /* of this request, in the slot behind it */
        } held[256];
        unsigned held_count;
    } queues[NETBACK_QUEUES];
    struct netback_frame *frames, **frames_end;
    unsigned frame_count;
};

void netback_boot(void); /* after hv_boot: none is there */
struct netback *netback_add(struct netback net);
/* The oldest frame, to be freed by free(); NULL: there is none. */
struct netback_frame *netback_take(struct netback *net);
/* A packet for the guest, in slots of `piece` bytes (0: of a page), with a segment's size if it is large. False: the
 * guest has not given enough pages. */
bool netback_give(struct netback *net, unsigned queue, const void *data, unsigned size, unsigned piece, unsigned flags,
                  unsigned segment_size, unsigned segment_type);
void netback_release(struct netback *net);
void netback_carrier(struct netback *net, bool up);
void netback_set(struct netback *net, const char *name, const char *value); /* a node of its own */
void netback_restart(struct netback *net);                                  /* as if it was killed, and begun anew */
void netback_close(struct netback *net);                                    /* closes by itself */
void netback_let_go(struct netback *net);                                   /* of the rings that it kept */
bool netback_connected(const struct netback *net);
void netback_end(void); /* a ring that is still mapped is a bug */

#endif
