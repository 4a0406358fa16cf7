/*
 * The front end's half of one device: xenstore's states, the same for each kind of ring. All that happens comes to one
 * work item, which looks at what is so now and takes the next step; nobody waits for the back end but who closes.
 *
 * The functions of struct front_ops are called at PASSIVE_LEVEL with the front's lock, and may not call those below.
 */
#ifndef PV_FRONT_H
#define PV_FRONT_H

#include "pv/bus_client.h"
#include "pv/xen.h"

#define FRONT_PATH_SIZE 96

struct front;

struct front_ops {
    const char *driver; /* for what is logged */
    ULONG tag;
    /* The back end waits: makes the ring, and publishes it and its state. Without success release() is called. */
    NTSTATUS (*connect)(struct front *front);
    /* The back end is connected, or something in its folder has changed since. */
    void (*connected)(struct front *front);
    void (*stop)(struct front *front); /* from now on nothing is read of the ring; also if there is none */
    /* The memory of a ring that is stopped, if there is one. FALSE: the back end has pages of it still. */
    BOOLEAN (*release)(struct front *front);
    void (*forget)(struct front *front); /* the machine was resumed: ports and grants of before are none any more */
    void (*failed)(struct front *front); /* it is closed because of front_break; may be NULL */
};

struct front {
    const struct front_ops *ops;
    struct pv_bus_interface bus;
    KEVENT lock; /* synchronisation: of what follows */
    char back[FRONT_PATH_SIZE];
    struct pv_watch *watch;
    USHORT domain;
    BOOLEAN linked;       /* there is a ring */
    BOOLEAN met;          /* the back end was connected to it */
    volatile LONG broken; /* it did what cannot be */
    BOOLEAN failed;       /* it is not tried again before a resume */
    BOOLEAN asleep, gone; /* powered down; removed, or about to be */
    PIO_WORKITEM work;
    KSPIN_LOCK work_lock; /* of the next two */
    BOOLEAN work_wanted, work_queued;
    KEVENT work_idle, back_changed;
};

/* PASSIVE_LEVEL, all but front_look and front_break. After front_init with success: front_free. */
NTSTATUS front_init(struct front *front, const struct front_ops *ops, PDEVICE_OBJECT physical,
                    PDEVICE_OBJECT functional);
void front_free(struct front *front);
void front_open(struct front *front);     /* tells the back end that this end begins */
BOOLEAN front_await(struct front *front); /* what the back end offers can be read; FALSE: not within seconds */
void front_close(struct front *front);    /* for good; after front_open */
void front_sleep(struct front *front, BOOLEAN asleep);
void front_removed(struct front *front); /* the bus has no such device any more */
/* There may be a step to take: after front_open, for the first one. DISPATCH_LEVEL. */
void front_look(struct front *front);
/* The back end did what cannot be: the caller reads no more of the ring, which is closed. DISPATCH_LEVEL. */
void front_break(struct front *front, const char *what);

/* Numbers in the two folders. */
ULONG front_back_number(struct front *front, const char *name, ULONG otherwise);
NTSTATUS front_publish(struct front *front, const char *name, ULONG value);

/* One page that the back end may read and write, and an event channel to it. */
struct shared_ring {
    void *memory;
    ULONG reference; /* 0: the page is not granted */
    KSPIN_LOCK *lock;
    struct pv_event *event; /* under the lock, which is the owner's; NULL: there is none */
};
/* Without success shared_ring_free is the caller's duty, too, which is nothing if there is nothing. */
NTSTATUS shared_ring_make(struct front *front, struct shared_ring *ring, pv_event_handler handler, void *context);
BOOLEAN shared_ring_free(struct front *front,
                         struct shared_ring *ring); /* FALSE: the page is granted still, and stays */
void shared_ring_forget(struct shared_ring *ring);  /* the machine was resumed */
void shared_ring_notify(struct front *front, struct shared_ring *ring); /* with the lock */

#endif
