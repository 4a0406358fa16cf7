/*
 * The 2-level layout: pending and mask bitmaps in shared_info, and per vcpu a word with one bit per word of the
 * bitmaps. Source: xen/xen.h, struct shared_info and struct vcpu_info.
 */
#include "event_channel_abi.h"

_Static_assert(sizeof(((struct shared_info *)0)->evtchn_pending) * 8 == EVTCHN_2L_NR_CHANNELS, "one bit per port");

static void select_word(struct vcpu *v, evtchn_port_t port)
{
    if (!test_and_set_bit(port / BITS_PER_LONG, &v->info->evtchn_pending_sel))
        vcpu_mark_event_pending(v);
}

static void set_pending(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    if (test_and_set_bit(port, d->shared_info->evtchn_pending))
        return;
    if (!test_bit(port, d->shared_info->evtchn_mask))
        select_word(d->vcpu[c->vcpu], port);
}

static void clear_pending(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    clear_bit(port, d->shared_info->evtchn_pending);
}

static void unmask(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    if (test_and_clear_bit(port, d->shared_info->evtchn_mask) && test_bit(port, d->shared_info->evtchn_pending))
        select_word(d->vcpu[c->vcpu], port);
}

static bool is_pending(struct domain *d, const struct event_channel *c, evtchn_port_t port)
{
    return test_bit(port, d->shared_info->evtchn_pending);
}

static bool is_masked(struct domain *d, evtchn_port_t port)
{
    return test_bit(port, d->shared_info->evtchn_mask);
}

static bool is_busy(struct domain *d, evtchn_port_t port)
{
    return false;
}

const struct event_abi event_abi_2level = {
    .max_ports = EVTCHN_2L_NR_CHANNELS,
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
    .is_masked = is_masked,
    .is_busy = is_busy,
};
