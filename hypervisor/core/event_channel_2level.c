/*
 * The 2-level layout: pending and mask bitmaps in shared_info, and per vcpu a word with one bit per word of the
 * bitmaps. Source: xen/xen.h, struct shared_info and struct vcpu_info; 32-bit guests: hv/compat.h.
 */
#include <hv/event_channel_abi.h>
#include <hv/compat.h>

_Static_assert(sizeof(((struct shared_info *)0)->evtchn_pending) * 8 == EVTCHN_2L_NR_CHANNELS, "one bit per port");

_Static_assert(sizeof(((struct compat_shared_info *)0)->evtchn_pending) * 8 == COMPAT_2L_NR_CHANNELS, "same");

/* Both layouts number bits from the lowest of the first byte, whatever the size of their words. */
static unsigned long *pending_bits(const struct domain *d)
{
    return has_compat_layout(d) ? (unsigned long *)compat_shared_info(d)->evtchn_pending
                                : d->shared_info->evtchn_pending;
}

static unsigned long *mask_bits(const struct domain *d)
{
    return has_compat_layout(d) ? (unsigned long *)compat_shared_info(d)->evtchn_mask : d->shared_info->evtchn_mask;
}

/* A port that was opened under a layout with more of them has no bits here: in their place are other words of the page,
 * or of the memory behind it. */
static bool has_bits(const struct domain *d, evtchn_port_t port)
{
    return port < (has_compat_layout(d) ? COMPAT_2L_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS);
}

/* A domain that is being built may have ports before it has vcpus: the bit stays pending. */
static void select_word(struct domain *d, const struct event_channel *c, evtchn_port_t port)
{
    struct vcpu *v = d->vcpu[c->vcpu];
    bool was_selected;
    if (!v)
        return;
    if (has_compat_layout(v->domain)) {
        uint32_t bit = 1U << (port / 32), *selector = &((struct compat_vcpu_info *)v->info)->evtchn_pending_sel;
        was_selected = __atomic_fetch_or(selector, bit, __ATOMIC_SEQ_CST) & bit;
    } else {
        was_selected = test_and_set_bit(port / BITS_PER_LONG, &v->info->evtchn_pending_sel);
    }
    if (!was_selected)
        vcpu_mark_event_pending(v);
}

static void set_pending(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    if (!has_bits(d, port) || test_and_set_bit(port, pending_bits(d)))
        return;
    if (!test_bit(port, mask_bits(d)))
        select_word(d, c, port);
}

static void clear_pending(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    if (has_bits(d, port))
        clear_bit(port, pending_bits(d));
}

static void unmask(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    if (has_bits(d, port) && test_and_clear_bit(port, mask_bits(d)) && test_bit(port, pending_bits(d)))
        select_word(d, c, port);
}

static bool is_pending(struct domain *d, const struct event_channel *c, evtchn_port_t port)
{
    return has_bits(d, port) && test_bit(port, pending_bits(d));
}

static bool is_masked(struct domain *d, evtchn_port_t port)
{
    return !has_bits(d, port) || test_bit(port, mask_bits(d));
}

static bool is_busy(struct domain *d, evtchn_port_t port)
{
    return false;
}

const struct event_abi event_abi_2level_compat = {
    .max_ports = COMPAT_2L_NR_CHANNELS,
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
    .is_masked = is_masked,
    .is_busy = is_busy,
};

const struct event_abi event_abi_2level = {
    .max_ports = EVTCHN_2L_NR_CHANNELS,
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
    .is_masked = is_masked,
    .is_busy = is_busy,
};
