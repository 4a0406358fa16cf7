/*
 * Three domains with event channels on the real files, and what those use of the rest. Each test begins with setup()
 * and ends with teardown().
 */
#ifndef EVENT_CHANNEL_RIG_H
#define EVENT_CHANNEL_RIG_H

#include "fake/fake.h"
#include <hv/event_channel.h>
#include <hv/irq.h>
#include <hv/sched.h>

void hv_free(void *object);

extern struct domain *guest, *peer, *control; /* d1 with 2 vcpus, d2, privileged d0 */
extern unsigned unblocked[4], upcalls[4];     /* by vcpu of d1 */
extern unsigned interrupts_sent;              /* to other processors */
extern int pending_interrupt;                 /* of an HVM guest: its vector, -1: none */
extern int pirq_bound, pirq_unbound;          /* how often */
extern int pirq_bind_answer;                  /* what binding says */

void setup(void);
void teardown(void);
/* All channels of a dying domain are closed. */
void finish(struct domain *d);
/* Makes d1 an HVM guest, in the layout of 32-bit or of 64-bit code. */
void become_hvm(bool compat);

/* An operation of the current vcpu's, or of d's first one. */
long op(unsigned command, void *argument);
long op_as(struct domain *d, unsigned command, void *argument);
long op_port(unsigned command, evtchn_port_t port); /* whose argument is a port */
evtchn_port_t alloc_unbound(struct domain *d, domid_t remote);
evtchn_port_t bind_to(struct domain *d, domid_t remote, evtchn_port_t port);
evtchn_port_t ipi_on(unsigned vcpu);
struct evtchn_status status_of(evtchn_port_t port);
/* Whether a port is pending in the 2-level layout; and takes it, with the flags that led there. */
bool take(struct domain *d, evtchn_port_t port);

#endif
