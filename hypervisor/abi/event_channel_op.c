/*
 * EVENT_CHANNEL_OP: the hypercall. Each operation gets its argument copied in, checks it and commits.
 */
#include "event_channel_abi.h"
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>
#include <hv/policy.h>

_Static_assert(sizeof(struct evtchn_status) == 24, "ABI");
_Static_assert(sizeof(struct evtchn_bind_interdomain) == 12, "ABI");
_Static_assert(sizeof(struct evtchn_init_control) == 24, "ABI");

union argument {
    struct evtchn_alloc_unbound alloc_unbound;
    struct evtchn_bind_interdomain bind_interdomain;
    struct evtchn_bind_virq bind_virq;
    struct evtchn_bind_pirq bind_pirq;
    struct evtchn_bind_ipi bind_ipi;
    struct evtchn_close close;
    struct evtchn_send send;
    struct evtchn_status status;
    struct evtchn_bind_vcpu bind_vcpu;
    struct evtchn_unmask unmask;
    struct evtchn_reset reset;
    struct evtchn_init_control init_control;
    struct evtchn_expand_array expand_array;
    struct evtchn_set_priority set_priority;
};

/* The domain an operation names, with a reference. Another one than the caller needs the right to act on it. */
static int get_target(domid_t id, struct domain **out)
{
    struct domain *d = domain_get_any(id);
    int rc = 0;

    if (!d)
        return -ESRCH;
    if (!d->events)
        rc = -ESRCH;
    else if (!is_current_domain(d))
        rc = allowed_on(current->domain, d);
    if (rc)
        domain_put(d);
    else
        *out = d;
    return rc;
}

static int op_alloc_unbound(union argument *a)
{
    struct evtchn_alloc_unbound *op = &a->alloc_unbound;
    struct domain *d;
    int rc = get_target(op->dom, &d);

    if (rc)
        return rc;
    rc = event_channel_alloc_unbound(d, op->remote_dom == DOMID_SELF ? current->domain->id : op->remote_dom, &op->port);
    domain_put(d);
    return rc;
}

static int bind_interdomain(struct domain *d, struct domain *far, struct evtchn_bind_interdomain *op)
{
    struct event_channel *c, *there;
    unsigned long flags;
    int rc = event_lock_with_free_port(d, far, &op->local_port, &flags);

    if (rc)
        return rc;
    there = event_channel_of(far->events, op->remote_port);
    if (!there || there->state != EVTCHNSTAT_unbound || there->allowed != d->id) {
        rc = -EINVAL;
    } else {
        c = event_open_port(d, op->local_port, EVTCHNSTAT_interdomain, 0);
        c->remote.domain = far;
        c->remote.port = op->remote_port;
        there->state = EVTCHNSTAT_interdomain;
        there->remote.domain = d;
        there->remote.port = op->local_port;
        event_raise(d, c, op->local_port); /* what the other end sent before there was a connection */
    }
    event_unlock_pair(d, far, flags);
    return rc;
}

static int op_bind_interdomain(union argument *a)
{
    struct domain *far = domain_get_any(a->bind_interdomain.remote_dom);
    int rc;

    if (!far)
        return -ESRCH;
    rc = far->events ? bind_interdomain(current->domain, far, &a->bind_interdomain) : -ESRCH;
    domain_put(far);
    return rc;
}

static int op_bind_virq(union argument *a)
{
    struct evtchn_bind_virq *op = &a->bind_virq;
    struct domain *d = current->domain;
    struct vcpu *v = domain_vcpu(d, op->vcpu);
    unsigned long flags;
    int rc;

    if (op->virq >= NR_VIRQS || (!virq_is_per_vcpu(op->virq) && op->vcpu))
        return -EINVAL;
    if (!v)
        return -ENOENT;
    rc = event_lock_with_free_port(d, d, &op->port, &flags);
    if (rc)
        return rc;
    if (v->virq[op->virq]) {
        rc = -EEXIST;
    } else {
        event_open_port(d, op->port, EVTCHNSTAT_virq, op->vcpu)->virq = op->virq;
        v->virq[op->virq] = op->port;
    }
    event_unlock_pair(d, d, flags);
    return rc;
}

static int op_bind_ipi(union argument *a)
{
    struct domain *d = current->domain;
    unsigned long flags;
    int rc;

    if (!domain_vcpu(d, a->bind_ipi.vcpu))
        return -ENOENT;
    rc = event_lock_with_free_port(d, d, &a->bind_ipi.port, &flags);
    if (rc)
        return rc;
    event_open_port(d, a->bind_ipi.port, EVTCHNSTAT_ipi, a->bind_ipi.vcpu);
    event_unlock_pair(d, d, flags);
    return 0;
}

/* bind_lock held. Connects first: the interrupt may come before pirq_bind returns. */
static int bind_pirq(struct domain *d, struct evtchn_bind_pirq *op)
{
    struct event_channels *e = d->events;
    unsigned long flags;
    int rc = event_lock_with_free_port(d, d, &op->port, &flags);

    if (rc)
        return rc;
    if (e->pirq_port[op->pirq]) {
        event_unlock_pair(d, d, flags);
        return -EEXIST;
    }
    event_open_port(d, op->port, EVTCHNSTAT_pirq, 0)->pirq = op->pirq;
    e->pirq_port[op->pirq] = op->port;
    event_unlock_pair(d, d, flags);

    rc = pirq_bind(d, op->pirq, op->flags & BIND_PIRQ__WILL_SHARE);
    if (rc) {
        flags = event_lock_pair(d, d);
        event_disconnect(d, event_channel_of(e, op->port), op->port);
        event_unlock_pair(d, d, flags);
    }
    return rc;
}

static int op_bind_pirq(union argument *a)
{
    struct domain *d = current->domain;
    struct event_channels *e = d->events;
    int rc = 0;

    if (a->bind_pirq.pirq >= MAX_PIRQS || (a->bind_pirq.flags & ~BIND_PIRQ__WILL_SHARE))
        return -EINVAL;
    spin_lock(&e->bind_lock);
    if (!e->pirq_port) {
        evtchn_port_t *table = zalloc(MAX_PIRQS * sizeof(*table));

        if (table)
            __atomic_store_n(&e->pirq_port, table, __ATOMIC_RELEASE);
        else
            rc = -ENOMEM;
    }
    if (!rc)
        rc = bind_pirq(d, &a->bind_pirq);
    spin_unlock(&e->bind_lock);
    return rc;
}

static int op_close(union argument *a)
{
    return event_close_port(current->domain, a->close.port, false);
}

static int op_send(union argument *a)
{
    return event_send_port(current->domain, a->send.port);
}

static int op_status(union argument *a)
{
    struct evtchn_status *op = &a->status;
    struct event_channel *c;
    struct domain *d;
    unsigned long flags;
    int rc = get_target(op->dom, &d);

    if (rc)
        return rc;
    flags = spin_lock_irqsave(&d->events->lock);
    c = event_channel_of(d->events, op->port);
    op->status = EVTCHNSTAT_closed;
    op->vcpu = 0;
    memset(&op->u, 0, sizeof(op->u));
    if (op->port > event_last_port(d->events))
        rc = -EINVAL;
    else if (c && c->state != EVTCHNSTAT_closed)
        event_fill_status(c, op);
    spin_unlock_irqrestore(&d->events->lock, flags);
    domain_put(d);
    return rc;
}

static bool may_change_vcpu(const struct event_channel *c)
{
    if (c->consumed)
        return false;
    switch (c->state) {
    case EVTCHNSTAT_unbound:
    case EVTCHNSTAT_interdomain:
    case EVTCHNSTAT_pirq:
        return true;
    case EVTCHNSTAT_virq:
        return !virq_is_per_vcpu(c->virq);
    default:
        return false;
    }
}

static int op_bind_vcpu(union argument *a)
{
    struct domain *d = current->domain;
    struct event_channel *c;
    unsigned long flags;
    int rc = -EINVAL;

    if (!domain_vcpu(d, a->bind_vcpu.vcpu))
        return -ENOENT;
    flags = spin_lock_irqsave(&d->events->lock);
    c = event_channel_of(d->events, a->bind_vcpu.port);
    if (c && may_change_vcpu(c)) {
        c->vcpu = a->bind_vcpu.vcpu;
        rc = 0;
    }
    spin_unlock_irqrestore(&d->events->lock, flags);
    return rc;
}

static int op_unmask(union argument *a)
{
    struct domain *d = current->domain;
    struct event_channels *e = d->events;
    unsigned long flags = spin_lock_irqsave(&e->lock);
    int rc = -EINVAL;

    if (event_channel_is_open(e, a->unmask.port)) {
        e->abi->unmask(d, event_channel_of(e, a->unmask.port), a->unmask.port);
        rc = 0;
    }
    spin_unlock_irqrestore(&e->lock, flags);
    return rc;
}

static int op_reset(union argument *a)
{
    struct domain *d;
    int rc = get_target(a->reset.dom, &d);

    if (rc)
        return rc;
    rc = event_close_all(d);
    if (!rc && is_current_domain(d))
        rc = event_fifo_reset(d);
    domain_put(d);
    return rc;
}

static int op_init_control(union argument *a)
{
    return event_fifo_init_control(current->domain, &a->init_control);
}

static int op_expand_array(union argument *a)
{
    return event_fifo_expand_array(current->domain, &a->expand_array);
}

static int op_set_priority(union argument *a)
{
    struct event_channels *e = current->domain->events;
    unsigned long flags;
    int rc = 0;

    if (a->set_priority.priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    flags = spin_lock_irqsave(&e->lock);
    if (!e->fifo)
        rc = -EOPNOTSUPP;
    else if (!event_channel_is_open(e, a->set_priority.port))
        rc = -EINVAL;
    else
        event_channel_of(e, a->set_priority.port)->priority = a->set_priority.priority;
    spin_unlock_irqrestore(&e->lock, flags);
    return rc;
}

#define OPERATION(name, answers) [EVTCHNOP_##name] = {op_##name, sizeof(((union argument *)0)->name), answers}
static const struct {
    int (*handler)(union argument *a);
    uint8_t bytes;
    bool answers; /* the argument is copied back when the operation has succeeded */
} operations[] = {
    OPERATION(bind_interdomain, true), OPERATION(bind_virq, true),     OPERATION(bind_pirq, true),
    OPERATION(close, false),           OPERATION(send, false),         OPERATION(status, true),
    OPERATION(alloc_unbound, true),    OPERATION(bind_ipi, true),      OPERATION(bind_vcpu, false),
    OPERATION(unmask, false),          OPERATION(reset, false),        OPERATION(init_control, true),
    OPERATION(expand_array, false),    OPERATION(set_priority, false),
};

/* arg[0] EVTCHNOP_*, arg[1] address of its structure. */
long do_event_channel_op(struct hypercall *call)
{
    union argument a __uninitialized; /* as much of it as the operation has is copied in, and out */
    uint64_t command = call->arg[0];
    int rc;

    if (command >= ARRAY_SIZE(operations))
        return -ENOSYS;
    if (copy_from_guest_va(&a, call->arg[1], operations[command].bytes))
        return -EFAULT;
    rc = operations[command].handler(&a);
    if (!rc && operations[command].answers && copy_to_guest_va(call->arg[1], &a, operations[command].bytes))
        rc = -EFAULT;
    return rc;
}
