/*
 * pvcons: a driver on pvbus's device CONSOLE, which is a console or a channel of the toolstack's: bytes to and from its
 * back end by a ring, for one program at a time, by the device interface below. What is read waits until there are
 * bytes, what is written until all of it has found room; both may be cancelled.
 *
 * The back end is believed nothing: its bytes are copied once, and an index that cannot be ends the connection.
 */
#ifndef PVCONS_CONS_H
#define PVCONS_CONS_H

#include "pv/front.h"
#include "pv/irp_queue.h"
#include "pv/nt.h"
#include "pv/xen.h"

#define PVCONS_TAG ((ULONG)0x6e6f6370) /* "pcon" */

#define LOG(format, ...) DbgPrint("pvcons: " format "\n" __VA_OPT__(, ) __VA_ARGS__)

/* {c0a5e5a2-6d3b-4f6e-9a1f-2f0d6f0b7a44}: what a program looks for. */
#define PVCONS_INTERFACE                                                                                               \
    {                                                                                                                  \
        0xc0a5e5a2, 0x6d3b, 0x4f6e,                                                                                    \
        {                                                                                                              \
            0x9a, 0x1f, 0x2f, 0x0d, 0x6f, 0x0b, 0x7a, 0x44                                                             \
        }                                                                                                              \
    }

struct console {
    PDEVICE_OBJECT self, lower, physical;
    IO_REMOVE_LOCK remove_lock;
    UNICODE_STRING name; /* of the interface */
    struct front front;
    BOOLEAN started;
    volatile LONG in_use; /* a program has it open */
    struct shared_ring shared;

    KSPIN_LOCK lock;                /* of what follows */
    struct xencons_interface *ring; /* NULL: there is none */
    ULONG consumed, produced;
    struct irp_queue reads, writes;
    BOOLEAN closed;
};

/* ring.c */
extern const struct front_ops ring_front;
NTSTATUS ring_add(struct console *console, struct irp_queue *queue, PIRP irp); /* a read or a write of some bytes */
void ring_open(struct console *console);
void ring_end(struct console *console, NTSTATUS status); /* what waits is completed so */
void ring_close(struct console *console);                /* and so is all that comes */

#endif
