/*
 * Device models of HVM guests (ioreq servers). hvm/ioreq.c (servers), hvm/ioreq_send.c (requests and answers),
 * hvm/ioreq_range.c (what a server serves); asked by hvm/io.c and abi/dm_op.c. Source: xen/hvm/ioreq.h,
 * xen/hvm/dm_op.h.
 *
 * A server is a pair of pages that we share with the device model: one slot per vcpu for requests that are answered,
 * and optionally a ring of writes that nobody waits for. The device model is not trusted: of what it writes we take
 * the slot's state and data and the ring's read pointer, each read once and checked; at worst its guest dies.
 *
 * Servers come, go and change their state only while their domain is paused, so whoever runs in the domain may look at
 * them without a lock. Ranges and write_server change under hvm_io.lock while the domain runs; write_server is read
 * without it, once. Locks: hvm_io.lock, ioreq_server.ring_lock; inside domain.lock,
 * outside the event channel lock, interrupts on.
 */
#ifndef HV_IOREQ_H
#define HV_IOREQ_H

#include <hv/hvm_io.h>
#include <hv/hvm_irq.h>
#include <xen/hvm/ioreq.h>
#include <xen/hvm/dm_op.h>

#define IOREQ_SERVERS     8
#define NO_IOREQ_SERVER   0xff
#define IO_RANGES_MAX     255
#define PORT_CLAIMS_MAX   32
#define MEMORY_CLAIMS_MAX 8
#define PORT_SLOTS        256

/* Sorted, disjoint, and never next to each other. hvm/ioreq_range.c: pure. */
struct io_ranges {
    unsigned count;
    struct {
        uint64_t first, last;
    } range[IO_RANGES_MAX];
};
_Static_assert(sizeof(struct io_ranges) <= PAGE_SIZE, "one page");

/* True if one range has all of it. */
bool io_ranges_contain(const struct io_ranges *r, uint64_t first, uint64_t last);
/* -EEXIST part of it is there already, -ENOSPC, -EINVAL first > last. */
int io_ranges_add(struct io_ranges *r, uint64_t first, uint64_t last);
/* -ENOENT not all of it is there, -ENOSPC, -EINVAL. */
int io_ranges_remove(struct io_ranges *r, uint64_t first, uint64_t last);

/* The ring as the ABI lays it out, with its two pointers as one word too: they count up without end, and are put back
 * together by multiples of the ring's size (IOREQ_BUFFER_SLOT_NUM). */
struct ioreq_ring {
    volatile uint64_t pointers; /* read: bits 0-31, write: bits 32-63 */
    struct buf_ioreq slot[IOREQ_BUFFER_SLOT_NUM];
};
_Static_assert(sizeof(struct ioreq) == 32 && sizeof(struct buf_ioreq) == 8, "ABI");
_Static_assert(sizeof(struct ioreq_ring) == PAGE_SIZE, "ABI");
_Static_assert(MAX_VCPUS * sizeof(struct ioreq) <= PAGE_SIZE, "one page of slots");

struct ioreq_server {
    domid_t owner;           /* [c] whose event channels may connect */
    bool enabled;            /* changes while the domain is paused */
    bool atomic_ring;        /* [c] HVM_IOREQSRV_BUFIOREQ_ATOMIC */
    volatile bool lost;      /* a far end has been closed */
    struct ioreq *slots;     /* [c] shared page, by vcpu */
    struct ioreq_ring *ring; /* [c] shared page; NULL: no buffered requests */
    struct spinlock ring_lock;
    evtchn_port_t ring_port; /* [c] */
    evtchn_port_t port[MAX_VCPUS];
    struct io_ranges *ranges[XEN_DMOP_IO_RANGE_PCI + 1]; /* hvm_io.lock; by XEN_DMOP_IO_RANGE_* */
};

struct port_claim {
    uint16_t first, last;
    port_handler handler;
};

struct memory_claim {
    bool (*accepts)(struct vcpu *v, uint64_t gpa);
    memory_handler handler;
};

struct hvm_io {
    /* Chips: constant once the domain is created. port_slot, indexed by the folded port number (io.c), holds the
     * number of the first claim that may be meant, or port_claims. */
    unsigned port_claims, memory_claims;
    struct port_claim port_claim[PORT_CLAIMS_MAX];
    struct memory_claim memory_claim[MEMORY_CLAIMS_MAX];
    uint8_t port_slot[PORT_SLOTS];

    /* Bit per GSI, atomic: its line is high; it is bound as a pirq; its event is to be sent. hvm/pirq.c */
    unsigned long gsi_high, gsi_bound, gsi_due;
    unsigned long pirq_mapped[HVM_PIRQ_COUNT / BITS_PER_LONG];

    uint32_t config_address; /* last written to port 0xcf8; vcpus race for it as on a machine */
    struct spinlock lock;
    uint8_t enabled;      /* bit per server that gets requests */
    uint8_t write_server; /* gets writes to P2M_IOREQ_SERVER pages; or NO_IOREQ_SERVER. Written with the lock */
    struct ioreq_server *server[IOREQ_SERVERS];
};

/* ---- servers; dm_op's operations. d is not the caller's. ---- */
/* handling: HVM_IOREQSRV_BUFIOREQ_*. -EINVAL, -ENOSPC, -ENOMEM, -ESRCH when d is dying. */
int ioreq_server_create(struct domain *d, unsigned handling, ioservid_t *id);
/* Waiting vcpus are let go: what they have read is all ones. -ENOENT */
int ioreq_server_destroy(struct domain *d, ioservid_t id);
/* A server that is not enabled gets no requests; those it has are still to be answered: device models stop for a while,
 * for a saved copy of the guest or when they are paused, and go on. -ENOENT */
int ioreq_server_enable(struct domain *d, ioservid_t id, bool enable);
int ioreq_server_ring_port(struct domain *d, ioservid_t id, evtchn_port_t *port); /* 0: no ring */
/* type: XEN_DMOP_IO_RANGE_*. Errors as io_ranges_*, -ENOENT no such server. */
int ioreq_server_map(struct domain *d, ioservid_t id, unsigned type, uint64_t first, uint64_t last);
int ioreq_server_unmap(struct domain *d, ioservid_t id, unsigned type, uint64_t first, uint64_t last);
/* Who gets writes to P2M_IOREQ_SERVER pages. claim false: gives it up. -EBUSY another one has it, -EINVAL not his. */
int ioreq_server_claim_writes(struct domain *d, ioservid_t id, bool claim);

/* ---- requests; hvm/ioreq_send.c ---- */
struct io_access {
    uint8_t range; /* XEN_DMOP_IO_RANGE_*: who is asked */
    uint8_t type;  /* IOREQ_TYPE_* of the request */
    bool write;
    uint8_t bytes;
    uint64_t address; /* of the request; also what its ranges are in, but for PCI */
    uint64_t value;   /* to be written; with count: guest physical address of the data */
    uint32_t count;   /* 0: one item, in value; otherwise that many, in guest memory */
    bool down;        /* items go down in memory */
};
/* Asks the device model that has the whole range. Nobody has it: a read gives all ones. */
enum io_result ioreq_access(struct vcpu *v, const struct io_access *a, uint64_t *value);
/* The one consumer of all ports that servers answer by (event_channel.h). */
void ioreq_event(struct domain *d, unsigned vcpu, evtchn_port_t port, bool gone);
/* Server id goes: what v waits for of it will not come. d is paused. */
void ioreq_abandon(struct vcpu *v, unsigned id);

#endif
