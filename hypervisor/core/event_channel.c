/*
 * Event channels: ports, what they are connected to, sending and closing. How an event is marked in guest memory is the
 * business of the two layouts (event_channel_abi.h); the hypercall is in event_channel_op.c.
 */
#include <hv/event_channel_abi.h>
#include <hv/compat.h>
#include <hv/console.h>
#include <hv/guest_kind.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <hv/sched.h>

#define PORTS_PER_YIELD_CHECK 64

/* Telling the guest. */

/* An HVM guest's events come as interrupts, so what counts is whether it would take one. */
static bool interrupt_deliverable(const struct vcpu *v)
{
    const struct cpu_user_regs *regs = v == current ? guest_regs() : &v->regs;
    return regs->rflags & X86_EFLAGS_IF && guest_kind(v->domain)->pending_interrupt((struct vcpu *)v, false) >= 0;
}

bool vcpu_event_deliverable(const struct vcpu *v)
{
    if (v->hvm)
        return interrupt_deliverable(v);
    return vcpu_event_pending(v) && !READ_ONCE(v->info->evtchn_upcall_mask);
}

void vcpu_mark_event_pending(struct vcpu *v)
{
    if (v->hvm) {
        if (!__atomic_exchange_n(&v->info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
            guest_kind(v->domain)->assert_upcall(v);
        return;
    }
    /* Flagged already: whoever did it has woken v, unless the guest wrote the flag itself and then blocked. */
    if (__atomic_exchange_n(&v->info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST) && !v->blocked)
        return;
    vcpu_unblock(v);
    /* On this CPU the exit path will look; on another one it has to be made to. */
    if (v->is_running && v->cpu != this_cpu())
        apic_send_ipi(v->cpu, VECTOR_EVENT_CHECK);
}

_Static_assert(MAX_VCPUS <= 8 * sizeof(((struct domain *)0)->polling), "a bit per vcpu");

/* SCHEDOP_poll waits for the pending bit, masked or not. The atomic operation that set the bit orders it before this.
 */
static __noinline void wake_pollers(struct domain *d, evtchn_port_t port)
{
    for (unsigned long left = READ_ONCE(d->polling); left; left &= left - 1) {
        struct vcpu *v = d->vcpu[__builtin_ctzl(left)];
        if (!v->poll_port || v->poll_port == port)
            vcpu_unblock(v);
    }
}

/* Lock held, port open. */
void event_raise(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    if (d->dying != DOMAIN_ALIVE)
        return;
    if (c->consumed) {
        d->events->consumer(d, c->vcpu, port, false);
        return;
    }
    d->events->abi->set_pending(d, c, port);
    if (unlikely(READ_ONCE(d->polling)))
        wake_pollers(d, port);
}

void event_channels_vcpu_info_moved(struct vcpu *v)
{
    if (has_compat_layout(v->domain))
        __atomic_store_n(&((struct compat_vcpu_info *)v->info)->evtchn_pending_sel, ~0U, __ATOMIC_SEQ_CST);
    else
        __atomic_store_n(&v->info->evtchn_pending_sel, ~0UL, __ATOMIC_SEQ_CST);
    vcpu_mark_event_pending(v);
}

const struct event_abi *event_abi_initial(const struct domain *d)
{
    return has_compat_layout(d) ? &event_abi_2level_compat : &event_abi_2level;
}

void event_channels_layout_changed(struct domain *d)
{
    unsigned long flags = spin_lock_irqsave(&d->events->lock);
    if (!d->events->fifo)
        d->events->abi = event_abi_initial(d);
    spin_unlock_irqrestore(&d->events->lock, flags);
}

/* Locks. */

unsigned long event_lock_pair(struct domain *a, struct domain *b)
{
    unsigned long flags = irq_save();

    if (a->id > b->id) {
        struct domain *higher = a;
        a = b;
        b = higher;
    }
    spin_lock(&a->events->lock);
    if (a != b)
        spin_lock_next(&b->events->lock);
    return flags;
}

void event_unlock_pair(struct domain *a, struct domain *b, unsigned long flags)
{
    spin_unlock(&a->events->lock);
    if (a != b)
        spin_unlock(&b->events->lock);
    irq_restore(flags);
}

/* Ports. */

/* Number of the last port that the domain may use now. */
evtchn_port_t event_last_port(const struct event_channels *e)
{
    return min(e->max_port, e->abi->max_ports - 1);
}

static int find_free_port(struct domain *d, evtchn_port_t *port)
{
    struct event_channels *e = d->events;
    evtchn_port_t last = event_last_port(e);

    if (d->dying != DOMAIN_ALIVE)
        return -ESRCH;
    for (unsigned word = 0; word <= last / BITS_PER_LONG; word++) {
        for (unsigned long free_bits = ~e->used[word]; free_bits; free_bits &= free_bits - 1) {
            *port = word * BITS_PER_LONG + __builtin_ctzl(free_bits);
            if (*port <= last && !e->abi->is_busy(d, *port))
                return 0;
        }
    }
    return -ENOSPC;
}

/* Takes the locks of d and other (which may be d) with a free port of d found and its record present; on an error no
 * lock is held. The record has to be allocated outside the locks, so the search may have to be done again. */
int event_lock_with_free_port(struct domain *d, struct domain *other, evtchn_port_t *port, unsigned long *flags)
{
    struct event_channels *e = d->events;
    struct event_channel *spare = NULL;
    int rc;

    for (;;) {
        *flags = event_lock_pair(d, other);
        rc = find_free_port(d, port);
        if (!rc && !e->bucket[*port >> BUCKET_SHIFT] && spare) {
            __atomic_store_n(&e->bucket[*port >> BUCKET_SHIFT], spare, __ATOMIC_RELEASE);
            return 0;
        }
        if (!rc && e->bucket[*port >> BUCKET_SHIFT] && !spare)
            return 0;
        event_unlock_pair(d, other, *flags);
        if (rc || spare) {
            free(spare);
            spare = NULL;
            if (rc)
                return rc;
            continue;
        }
        spare = zalloc(BUCKET_SIZE * sizeof(*spare));
        if (!spare)
            return -ENOMEM;
    }
}

/* Lock held; open_ports() looks without it. */
static void mark_used(struct event_channels *e, evtchn_port_t port, bool used)
{
    unsigned long *word = &e->used[port / BITS_PER_LONG], bit = 1UL << (port % BITS_PER_LONG);

    WRITE_ONCE(*word, used ? *word | bit : *word & ~bit);
}

/* Lock held. The caller fills in what the port is connected to. */
struct event_channel *event_open_port(struct domain *d, evtchn_port_t port, uint8_t state, unsigned vcpu)
{
    struct event_channel *c = event_channel_of(d->events, port);

    mark_used(d->events, port, true);
    d->events->abi->clear_pending(d, c, port);
    c->state = state;
    c->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    c->vcpu = vcpu;
    return c;
}

/* Lock held. queue_vcpu and queue_priority stay: the port may still be on that queue. */
static void release_port(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    d->events->abi->clear_pending(d, c, port);
    c->state = EVTCHNSTAT_closed;
    c->consumed = false;
    mark_used(d->events, port, false);
}

bool virq_is_per_vcpu(unsigned virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

/* The vcpu whose table names the port of a virtual interrupt: that of vcpu 0 for those of the whole domain. */
static struct vcpu *virq_holder(struct domain *d, const struct event_channel *c)
{
    return d->vcpu[virq_is_per_vcpu(c->virq) ? c->vcpu : 0];
}

static void tell_consumer_gone(struct domain *d, const struct event_channel *c, evtchn_port_t port)
{
    if (d->dying == DOMAIN_ALIVE)
        d->events->consumer(d, c->vcpu, port, true);
}

/* Both ends' locks held (peer is d itself for all but interdomain ports). Returns the pirq to unbind, or -1. */
int event_disconnect(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    int pirq = -1;

    switch (c->state) {
    case EVTCHNSTAT_interdomain: {
        struct domain *far_domain = c->remote.domain;
        evtchn_port_t far_port = c->remote.port;
        struct event_channel *far = event_channel_of(far_domain->events, far_port);

        far->state = EVTCHNSTAT_unbound;
        far->allowed = d->id;
        if (far->consumed)
            tell_consumer_gone(far_domain, far, far_port);
        break;
    }
    case EVTCHNSTAT_virq:
        virq_holder(d, c)->virq[c->virq] = 0;
        break;
    case EVTCHNSTAT_pirq:
        pirq = c->pirq;
        d->events->pirq_port[pirq] = 0;
        break;
    }
    release_port(d, c, port);
    return pirq;
}

/* Takes the locks of d and of the domain at the other end of c, if there is one. *peer comes with a reference, NULL for
 * none. */
static unsigned long lock_with_peer(struct domain *d, struct event_channel *c, struct domain **peer)
{
    unsigned long flags = spin_lock_irqsave(&d->events->lock);

    while (c->state == EVTCHNSTAT_interdomain && c->remote.domain != d) {
        *peer = c->remote.domain;
        domain_hold(*peer);
        spin_unlock_irqrestore(&d->events->lock, flags);
        flags = event_lock_pair(d, *peer);
        if (c->state == EVTCHNSTAT_interdomain && c->remote.domain == *peer)
            return flags;
        event_unlock_pair(d, *peer, flags);
        domain_put(*peer);
        flags = spin_lock_irqsave(&d->events->lock);
    }
    *peer = NULL;
    return flags;
}

int event_close_port(struct domain *d, evtchn_port_t port, bool ours)
{
    struct event_channels *e = d->events;
    struct event_channel *c = event_channel_of(e, port);
    struct domain *peer;
    unsigned long flags;
    int pirq = -1, rc = -EINVAL;

    if (!c)
        return -EINVAL;
    spin_lock(&e->bind_lock);
    flags = lock_with_peer(d, c, &peer);
    if (c->state != EVTCHNSTAT_closed && c->consumed == ours) {
        pirq = event_disconnect(d, c, port);
        rc = 0;
    }
    event_unlock_pair(d, peer ? peer : d, flags);
    if (pirq >= 0)
        pirq_unbind(d, pirq);
    spin_unlock(&e->bind_lock);
    if (peer)
        domain_put(peer);
    return rc;
}

/* What we send. */

static void send_virq(struct domain *d, struct vcpu *v, unsigned virq)
{
    struct event_channels *e = d->events;
    unsigned long flags = spin_lock_irqsave(&e->lock);
    evtchn_port_t port = v->virq[virq];

    if (port)
        event_raise(d, event_channel_of(e, port), port);
    spin_unlock_irqrestore(&e->lock, flags);
}

void send_guest_vcpu_virq(struct vcpu *v, unsigned virq)
{
    ASSERT(virq < NR_VIRQS && virq_is_per_vcpu(virq));
    if (v->domain->events)
        send_virq(v->domain, v, virq);
}

void send_guest_global_virq(struct domain *d, unsigned virq)
{
    ASSERT(virq < NR_VIRQS && !virq_is_per_vcpu(virq));
    if (d && d->events && d->max_vcpus && d->vcpu[0])
        send_virq(d, d->vcpu[0], virq);
}

void send_guest_pirq(struct domain *d, unsigned pirq)
{
    struct event_channels *e = d->events;
    unsigned long flags;

    if (!e || pirq >= MAX_PIRQS)
        return;
    flags = spin_lock_irqsave(&e->lock);
    if (e->pirq_port && e->pirq_port[pirq])
        event_raise(d, event_channel_of(e, e->pirq_port[pirq]), e->pirq_port[pirq]);
    spin_unlock_irqrestore(&e->lock, flags);
}

/* Lock held, port interdomain. While it is held neither end can be closed, so with the far lock too there is nothing to
 * look at again. That one must not be waited for: the order of two locks is by domid. False: it was taken. */
static bool try_send_interdomain(struct domain *d, const struct event_channel *c)
{
    struct domain *to = c->remote.domain;

    if (to != d && !spin_trylock(&to->events->lock))
        return false;
    event_raise(to, event_channel_of(to->events, c->remote.port), c->remote.port);
    if (to != d)
        spin_unlock(&to->events->lock);
    return true;
}

/* The far end of an interdomain port. Only one lock at a time: the far end is looked at again under its own. */
static void send_interdomain(struct domain *from, evtchn_port_t from_port, struct domain *to, evtchn_port_t to_port)
{
    unsigned long flags = spin_lock_irqsave(&to->events->lock);
    struct event_channel *c = event_channel_of(to->events, to_port);

    if (c->state == EVTCHNSTAT_interdomain && c->remote.domain == from && c->remote.port == from_port)
        event_raise(to, c, to_port);
    spin_unlock_irqrestore(&to->events->lock, flags);
}

/* ours: by us over a consumed port; otherwise by the guest over one of its own. */
static int send_port(struct domain *d, evtchn_port_t port, bool ours)
{
    struct event_channels *e = d->events;
    struct domain *to = NULL;
    evtchn_port_t to_port = 0;
    unsigned long flags = spin_lock_irqsave(&e->lock);
    struct event_channel *c = event_channel_of(e, port);
    int rc = 0;

    switch (c && c->consumed == ours ? c->state : EVTCHNSTAT_closed) {
    case EVTCHNSTAT_interdomain:
        if (try_send_interdomain(d, c))
            break;
        to = c->remote.domain;
        to_port = c->remote.port;
        domain_hold(to);
        break;
    case EVTCHNSTAT_ipi:
        event_raise(d, c, port);
        break;
    case EVTCHNSTAT_unbound: /* nobody there (any more): binding raises an event of its own */
        rc = ours ? -ENOTCONN : 0;
        break;
    default:
        rc = -EINVAL;
    }
    spin_unlock_irqrestore(&e->lock, flags);
    if (to) {
        send_interdomain(d, port, to, to_port);
        domain_put(to);
    }
    return rc;
}

int event_send_port(struct domain *d, evtchn_port_t port)
{
    return send_port(d, port, false);
}

bool event_channel_notify(struct domain *d, evtchn_port_t port)
{
    return !send_port(d, port, true);
}

int event_channel_alloc_consumed(struct domain *d, unsigned vcpu, domid_t remote, event_consumer consumer,
                                 evtchn_port_t *port)
{
    struct event_channel *c;
    unsigned long flags;
    int rc = event_lock_with_free_port(d, d, port, &flags);

    if (rc)
        return rc;
    c = event_open_port(d, *port, EVTCHNSTAT_unbound, vcpu);
    c->allowed = remote;
    c->consumed = true;
    d->events->consumer = consumer;
    event_unlock_pair(d, d, flags);
    return 0;
}

void event_channel_close_consumed(struct domain *d, evtchn_port_t port)
{
    event_close_port(d, port, true);
}

int event_channel_alloc_unbound(struct domain *d, domid_t remote, evtchn_port_t *port)
{
    unsigned long flags;
    int rc = event_lock_with_free_port(d, d, port, &flags);

    if (rc)
        return rc;
    event_open_port(d, *port, EVTCHNSTAT_unbound, 0)->allowed = remote;
    event_unlock_pair(d, d, flags);
    return 0;
}

/* Life of a domain. */

int event_close_all(struct domain *d)
{
    struct event_channels *e = d->events;
    unsigned closed = 0;

    for (unsigned word = 0; word <= e->max_port / BITS_PER_LONG; word++) {
        for (unsigned long open = open_ports(e, word); open; open &= open - 1) {
            evtchn_port_t port = word * BITS_PER_LONG + __builtin_ctzl(open);

            if (event_close_port(d, port, false) && d->dying != DOMAIN_ALIVE)
                event_close_port(d, port, true);
            if (++closed % PORTS_PER_YIELD_CHECK == 0 && hypercall_should_yield())
                return -ERESTART;
        }
    }
    return 0;
}

int event_channels_init(struct domain *d, unsigned max_port)
{
    struct event_channels *e = zalloc(sizeof(*e));

    if (!e)
        return -ENOMEM;
    spin_lock_init(&e->bind_lock, LOCK_EVENT_BIND);
    spin_lock_init(&e->lock, LOCK_EVENTS);
    e->abi = event_abi_initial(d);
    e->max_port = min(max_port, EVTCHN_FIFO_NR_CHANNELS - 1U);
    e->bucket = zalloc(((e->max_port >> BUCKET_SHIFT) + 1) * sizeof(*e->bucket));
    e->used = zalloc((e->max_port / BITS_PER_LONG + 1) * sizeof(*e->used));
    if (!e->bucket || !e->used) {
        free(e->bucket);
        free(e->used);
        free(e);
        return -ENOMEM;
    }
    e->used[0] = 1; /* port 0 means "none" in the ABI */
    d->events = e;
    return 0;
}

int event_channels_close_all(struct domain *d)
{
    int rc = d->events ? event_close_all(d) : 0;

    if (!rc && d->events)
        rc = event_fifo_reset(d);
    return rc;
}

void event_channels_free_vcpu(struct vcpu *v)
{
    event_fifo_free_vcpu(v);
}

void event_channels_free(struct domain *d)
{
    struct event_channels *e = d->events;

    if (!e)
        return;
    d->events = NULL;
    for (unsigned i = 0; i <= e->max_port >> BUCKET_SHIFT; i++)
        free(e->bucket[i]);
    free(e->bucket);
    free(e->used);
    free(e->pirq_port);
    free(e);
}

int event_channel_is_pending(struct domain *d, evtchn_port_t port)
{
    struct event_channels *e = d->events;
    unsigned long flags = spin_lock_irqsave(&e->lock);
    int answer = -EINVAL;

    if (port && port <= event_last_port(e))
        answer = e->abi->is_pending(d, event_channel_of(e, port), port);
    spin_unlock_irqrestore(&e->lock, flags);
    return answer;
}

void event_fill_status(struct event_channel *c, struct evtchn_status *op)
{
    op->status = c->state;
    op->vcpu = c->vcpu;
    switch (c->state) {
    case EVTCHNSTAT_unbound:
        op->u.unbound.dom = c->allowed;
        break;
    case EVTCHNSTAT_interdomain:
        op->u.interdomain.dom = c->remote.domain->id;
        op->u.interdomain.port = c->remote.port;
        break;
    case EVTCHNSTAT_pirq:
        op->u.pirq = c->pirq;
        break;
    case EVTCHNSTAT_virq:
        op->u.virq = c->virq;
        break;
    }
}

void event_channels_dump(struct domain *d)
{
    static const char *const state_name[] = {"closed", "unbound", "interdomain", "pirq", "virq", "ipi"};
    struct event_channels *e = d->events;

    if (!e)
        return;
    log_info("d%u event channels, %s:\n", d->id, e->fifo ? "FIFO" : "2-level");
    for (evtchn_port_t port = 1; port <= e->max_port; port++) {
        struct evtchn_status status = {.status = EVTCHNSTAT_closed};
        bool pending = false, masked = false;
        unsigned long flags = spin_lock_irqsave(&e->lock);

        if (event_channel_is_open(e, port)) {
            event_fill_status(event_channel_of(e, port), &status);
            pending = e->abi->is_pending(d, event_channel_of(e, port), port);
            masked = e->abi->is_masked(d, port);
        }
        spin_unlock_irqrestore(&e->lock, flags);
        if (status.status != EVTCHNSTAT_closed)
            log_info("  %4u [%c%c] v%u %s %u:%u\n", port, pending ? 'P' : '-', masked ? 'M' : '-', status.vcpu,
                     state_name[status.status], status.u.interdomain.dom, status.u.interdomain.port);
    }
}
