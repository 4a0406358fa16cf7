/*
 * Event channels: 2-level and FIFO. abi/event_channel.c, abi/event_channel_fifo.c
 * Source: xen/event_channel.h. Lock: one per domain, interrupts off while held; never two at a time unless ordered by domid.
 */
#ifndef HV_EVENT_CHANNEL_H
#define HV_EVENT_CHANNEL_H

#include <hv/domain.h>
#include <xen/event_channel.h>

int event_channels_init(struct domain *d, unsigned max_ports);
/* Closes all ports; -ERESTART when there is more. */
int event_channels_close_all(struct domain *d);
void event_channels_free(struct domain *d);
void event_channels_free_vcpu(struct vcpu *v);

/* From us to a guest. Any context. Unbound: nothing happens. */
void send_guest_vcpu_virq(struct vcpu *v, unsigned virq);
void send_guest_global_virq(struct domain *d, unsigned virq); /* d may be NULL */
void send_guest_pirq(struct domain *d, unsigned pirq);

/* For domctl/dom0 builder. */
int event_channel_alloc_unbound(struct domain *d, domid_t remote, evtchn_port_t *port);

/* True if v has an event to take: pending and, unless ignore_mask, not masked. In vcpu_info. */
bool vcpu_event_pending(const struct vcpu *v);
bool vcpu_event_deliverable(const struct vcpu *v);

/* SCHEDOP_poll: is this port pending? port must be valid for d. */
int event_channel_is_pending(struct domain *d, evtchn_port_t port);

/* The vcpu registered another vcpu_info: carry over what was pending, make it look again. */
void event_channels_vcpu_info_moved(struct vcpu *v);
/* Text for the dump: one line per open port. */
void event_channels_dump(struct domain *d);

#endif
