/*
 * Inside the event channel files, those of core/ and the hypercall: the record of a port, and what the two layouts of
 * event bits have in common.
 */
#ifndef HV_EVENT_CHANNEL_ABI_H
#define HV_EVENT_CHANNEL_ABI_H

#include <hv/event_channel.h>

/* All fields: the domain's event channel lock. */
struct event_channel {
    uint8_t state;          /* EVTCHNSTAT_* */
    uint8_t priority;       /* FIFO: queue to put it on next time */
    uint8_t queue_priority; /* FIFO: queue it was put on last; outlives the port's closing */
    bool deferred : 1;      /* FIFO: raised while its word or its vcpu's control block did not exist yet */
    bool consumed : 1;      /* the near end is ours (event_channel_alloc_consumed), not the guest's */
    uint16_t vcpu;          /* id of the vcpu to notify */
    uint16_t queue_vcpu;
    union {
        struct {
            struct domain *domain; /* no reference: either end's death closes both */
            evtchn_port_t port;
        } remote;        /* interdomain */
        domid_t allowed; /* unbound: who may bind */
        uint32_t virq;
        uint32_t pirq;
    };
};

/* Records are allocated by the bucket as ports come into use. */
#define BUCKET_SHIFT 7
#define BUCKET_SIZE  (1U << BUCKET_SHIFT)
#define MAX_BUCKETS  (EVTCHN_FIFO_NR_CHANNELS / BUCKET_SIZE)

struct event_fifo; /* event_channel_fifo.c */

struct event_channels {
    struct spinlock bind_lock; /* outermost; interrupts stay on */
    struct spinlock lock;
    const struct event_abi *abi;   /* lock */
    evtchn_port_t max_port;        /* constant; the layout may allow fewer */
    struct event_channel **bucket; /* written under the lock, once: NULL until a port in it is used */
    unsigned long *used;           /* lock; bitmap of open ports; bit 0 is always set */
    evtchn_port_t *pirq_port;      /* lock; by pirq, 0 = unbound; allocated with the first binding */
    struct event_fifo *fifo;       /* lock; NULL while the layout is 2-level */
    event_consumer consumer;       /* lock; of all consumed ports */
};

/* The lock is held in all of these. `c` is NULL where no record exists. The port may be beyond max_ports, where it was
 * opened under another layout: then there is nothing to set. */
struct event_abi {
    unsigned max_ports;
    void (*set_pending)(struct domain *d, struct event_channel *c, evtchn_port_t port);
    void (*clear_pending)(struct domain *d, struct event_channel *c, evtchn_port_t port);
    void (*unmask)(struct domain *d, struct event_channel *c, evtchn_port_t port);
    bool (*is_pending)(struct domain *d, const struct event_channel *c, evtchn_port_t port);
    bool (*is_masked)(struct domain *d, evtchn_port_t port);
    /* The guest has not yet taken the closed port off a queue: giving it to a new user would notify the wrong vcpu. */
    bool (*is_busy)(struct domain *d, evtchn_port_t port);
};
extern const struct event_abi event_abi_2level, event_abi_2level_compat;
/* The 2-level layout of the domain's mode. */
const struct event_abi *event_abi_initial(const struct domain *d);

/* The record, or NULL. It stays until its domain is gone, so it is found without the lock; what is in it is not looked
 * at without. */
static inline struct event_channel *event_channel_of(const struct event_channels *e, evtchn_port_t port)
{
    struct event_channel *bucket = NULL;

    if (port <= e->max_port)
        bucket = __atomic_load_n(&e->bucket[port >> BUCKET_SHIFT], __ATOMIC_ACQUIRE);
    return bucket ? &bucket[port & (BUCKET_SIZE - 1)] : NULL;
}
static inline bool event_channel_is_open(const struct event_channels *e, evtchn_port_t port)
{
    return port && port <= e->max_port && test_bit(port, e->used);
}
/* The open ports of one word of the bitmap; port 0 is marked used but is none. */
static inline unsigned long open_ports(const struct event_channels *e, unsigned word)
{
    return READ_ONCE(e->used[word]) & (word ? ~0UL : ~1UL);
}
/* The guest has no port open. Lock held. */
static inline bool event_channels_idle(const struct event_channels *e)
{
    for (unsigned word = 0; word <= e->max_port / BITS_PER_LONG; word++)
        for (unsigned long open = open_ports(e, word); open; open &= open - 1)
            if (!event_channel_of(e, word * BITS_PER_LONG + __builtin_ctzl(open))->consumed)
                return false;
    return true;
}

/* event_channel.c, for the hypercall. */
bool virq_is_per_vcpu(unsigned virq);
/* The locks of two domains, which may be one and the same. */
unsigned long event_lock_pair(struct domain *a, struct domain *b);
void event_unlock_pair(struct domain *a, struct domain *b, unsigned long flags);
/* Takes the locks of d and other with a free port of d found and its record present. On an error no lock is held:
 * -ENOSPC, -ENOMEM, -ESRCH when d is dying. */
int event_lock_with_free_port(struct domain *d, struct domain *other, evtchn_port_t *port, unsigned long *flags);
/* Number of the last port that the layout and the limit allow. Lock held. */
evtchn_port_t event_last_port(const struct event_channels *e);
/* Lock held. The caller fills in what the port is connected to. */
struct event_channel *event_open_port(struct domain *d, evtchn_port_t port, uint8_t state, unsigned vcpu);
/* Both ends' locks held (for all but interdomain ports there is one end). Returns the pirq to unbind, or -1. */
int event_disconnect(struct domain *d, struct event_channel *c, evtchn_port_t port);
/* Makes an open port pending, unless d is dying. Lock held. */
void event_raise(struct domain *d, struct event_channel *c, evtchn_port_t port);
/* status, vcpu and u of an open port. Lock held. */
void event_fill_status(struct event_channel *c, struct evtchn_status *op);
/* ours: a consumed port; -EINVAL when the port is the other kind, or not open. */
int event_close_port(struct domain *d, evtchn_port_t port, bool ours);
int event_send_port(struct domain *d, evtchn_port_t port);
/* The guest's ports; ours too when d is dying. -ERESTART when there is more. */
int event_close_all(struct domain *d);

/* FIFO operations of the current domain; locks taken inside. */
int event_fifo_init_control(struct domain *d, struct evtchn_init_control *init);
int event_fifo_expand_array(struct domain *d, const struct evtchn_expand_array *expand);
/* Back to the 2-level layout; gives the frames back. -ERESTART, and nothing is done, while a port is open: it could be
 * one that the 2-level layout has no bit for. */
int event_fifo_reset(struct domain *d);
void event_fifo_free_vcpu(struct vcpu *v);

#endif
