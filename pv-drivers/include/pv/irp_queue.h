/* Requests that wait and may be cancelled, under a spin lock of their owner's. */
#ifndef PV_IRP_QUEUE_H
#define PV_IRP_QUEUE_H

#include "pv/nt.h"

struct irp_queue {
    KSPIN_LOCK *lock;
    LIST_ENTRY irps;
};

void irp_queue_init(struct irp_queue *queue, KSPIN_LOCK *lock);

/* The rest with the lock. A request that is added is marked as pending, and uses DriverContext[0]; FALSE: it was
 * cancelled before it could wait, and the caller is to complete it as STATUS_CANCELLED when the lock is given back. */
BOOLEAN irp_queue_add(struct irp_queue *queue, PIRP irp);
BOOLEAN irp_queue_put_back(struct irp_queue *queue, PIRP irp); /* one that was taken, to be the first again */
PIRP irp_queue_take(struct irp_queue *queue);                  /* the first one, now the caller's; NULL: none */

#endif
