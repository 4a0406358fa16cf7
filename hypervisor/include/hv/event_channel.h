/*
 * Event channels: one bit of news for a guest, from another guest, a virtual or physical interrupt, or itself.
 * core/event_channel.c; the two layouts of the bits in guest memory: core/event_channel_2level.c,
 * core/event_channel_fifo.c Source: xen/event_channel.h, xen/xen.h (shared_info, vcpu_info).
 *
 * Locks: struct event_channels.lock, one per domain, interrupts off while held; two are taken in order of domid.
 * Nothing is allocated, freed or released while it is held: senders run in interrupt handlers. Above it, bind_lock
 * orders binding and closing of pirqs against each other, so that core/pirq.c is called without the inner lock.
 */
#ifndef HV_EVENT_CHANNEL_H
#define HV_EVENT_CHANNEL_H

#include <hv/domain.h>
#include <xen/event_channel.h>

/* max_port: the highest port number the domain may use (createdomain.max_evtchn_port; -1 = as many as the ABI has).
 * Before the first vcpu is created. -ENOMEM */
int event_channels_init(struct domain *d, unsigned max_port);
/* Domain death, all vcpus stopped for good and d->dying set: closes every port and gives the FIFO frames back.
 * -ERESTART when there is more. Before the vcpu_info pages and the guest's memory go. */
int event_channels_close_all(struct domain *d);
/* Last reference gone. Accepts a domain without event channels. */
void event_channels_free(struct domain *d);
void event_channels_free_vcpu(struct vcpu *v);

/* From us to a guest. Any context. Unbound: nothing happens. */
void send_guest_vcpu_virq(struct vcpu *v, unsigned virq);
void send_guest_global_virq(struct domain *d, unsigned virq); /* d may be NULL */
void send_guest_pirq(struct domain *d, unsigned pirq);

/* For domctl and the builder: a port of d to which `remote` may bind. -ENOSPC, -ENOMEM, -ESRCH when d is dying. */
int event_channel_alloc_unbound(struct domain *d, domid_t remote, evtchn_port_t *port);

/* A port of d whose near end is ours: the guest can neither send over it nor close or move it, and what `remote` sends
 * calls the consumer, for the vcpu named here. gone: the far end has closed. The event channel lock is held, interrupts
 * are off; it may wake vcpus. One consumer per domain. Errors as above. */
typedef void (*event_consumer)(struct domain *d, unsigned vcpu, evtchn_port_t port, bool gone);
int event_channel_alloc_consumed(struct domain *d, unsigned vcpu, domid_t remote, event_consumer consumer,
                                 evtchn_port_t *port);
/* Sends over such a port. False: nobody has bound the far end. Any context. */
bool event_channel_notify(struct domain *d, evtchn_port_t port);
/* Nothing happens if it was closed with the domain's others. The consumer is not called for it again. */
void event_channel_close_consumed(struct domain *d, evtchn_port_t port);

/* True if v has an event to take: flagged in its vcpu_info. */
static inline bool vcpu_event_pending(const struct vcpu *v)
{
    return READ_ONCE(v->info->evtchn_upcall_pending);
}
/* Would end a wait of v. PV: flagged, and v has not masked upcalls; HVM: an interrupt is pending and v takes it. */
bool vcpu_event_deliverable(const struct vcpu *v);
/* Flags v's vcpu_info, wakes v, and interrupts it if it runs on another CPU; an HVM guest gets the upcall it asked for
 * (hvm_irq.h). Any context. */
void vcpu_mark_event_pending(struct vcpu *v);

/* SCHEDOP_poll: 1 pending, 0 not, -EINVAL for a port that d cannot have. The caller notes itself in d->polling
 * first, then asks: an event raised after the answer finds it there and calls vcpu_unblock. */
int event_channel_is_pending(struct domain *d, evtchn_port_t port);

/* v->info points to another vcpu_info now: make the guest look at every port again. */
void event_channels_vcpu_info_moved(struct vcpu *v);
/* d->hvm->shared_info_32 has changed. */
void event_channels_layout_changed(struct domain *d);
/* To the log: one line per open port. */
void event_channels_dump(struct domain *d);

#endif
