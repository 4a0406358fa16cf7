/*
 * EVENT_CHANNEL_OP: the hypercall. Each operation gets its argument copied in, checks it and commits.
 */
#include <hv/event_channel_abi.h>
#include <hv/guest_copy.h>
#include <hv/irq.h>
#include <hv/operation.h>
#include <hv/page_alloc.h>

_Static_assert(sizeof(struct evtchn_status) == 24, "ABI");
_Static_assert(sizeof(struct evtchn_bind_interdomain) == 12, "ABI");
_Static_assert(sizeof(struct evtchn_init_control) == 24, "ABI");

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
        rc = allowed_on(current->domain, POLICY_VERB_CONTROL, d);
    if (rc)
        domain_put(d);
    else
        *out = d;
    return rc;
}

static long op_alloc_unbound(struct request *r)
{
    struct evtchn_alloc_unbound *op = r->argument;
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

static long op_bind_interdomain(struct request *r)
{
    struct evtchn_bind_interdomain *op = r->argument;
    struct domain *far = domain_get_any(op->remote_dom);
    int rc;

    if (!far)
        return -ESRCH;
    rc = !far->events ? -ESRCH : allowed_between(current->domain, POLICY_VERB_SEND_EVENTS, far);
    if (!rc)
        rc = bind_interdomain(current->domain, far, op);
    domain_put(far);
    return rc;
}

static long op_bind_virq(struct request *r)
{
    struct evtchn_bind_virq *op = r->argument;
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

static long op_bind_ipi(struct request *r)
{
    struct evtchn_bind_ipi *op = r->argument;
    struct domain *d = current->domain;
    unsigned long flags;
    int rc;

    if (!domain_vcpu(d, op->vcpu))
        return -ENOENT;
    rc = event_lock_with_free_port(d, d, &op->port, &flags);
    if (rc)
        return rc;
    event_open_port(d, op->port, EVTCHNSTAT_ipi, op->vcpu);
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

static long op_bind_pirq(struct request *r)
{
    struct evtchn_bind_pirq *op = r->argument;
    struct domain *d = current->domain;
    struct event_channels *e = d->events;
    int rc = 0;

    if (op->pirq >= MAX_PIRQS || (op->flags & ~BIND_PIRQ__WILL_SHARE))
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
        rc = bind_pirq(d, op);
    spin_unlock(&e->bind_lock);
    return rc;
}

static long op_close(struct request *r)
{
    struct evtchn_close *op = r->argument;
    return event_close_port(current->domain, op->port, false);
}

static long op_send(struct request *r)
{
    struct evtchn_send *op = r->argument;
    return event_send_port(current->domain, op->port);
}

static long op_status(struct request *r)
{
    struct evtchn_status *op = r->argument;
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

static long op_bind_vcpu(struct request *r)
{
    struct evtchn_bind_vcpu *op = r->argument;
    struct domain *d = current->domain;
    struct event_channel *c;
    unsigned long flags;
    int rc = -EINVAL;

    if (!domain_vcpu(d, op->vcpu))
        return -ENOENT;
    flags = spin_lock_irqsave(&d->events->lock);
    c = event_channel_of(d->events, op->port);
    if (c && may_change_vcpu(c)) {
        c->vcpu = op->vcpu;
        rc = 0;
    }
    spin_unlock_irqrestore(&d->events->lock, flags);
    return rc;
}

static long op_unmask(struct request *r)
{
    struct evtchn_unmask *op = r->argument;
    struct domain *d = current->domain;
    struct event_channels *e = d->events;
    unsigned long flags = spin_lock_irqsave(&e->lock);
    int rc = -EINVAL;

    if (event_channel_is_open(e, op->port)) {
        e->abi->unmask(d, event_channel_of(e, op->port), op->port);
        rc = 0;
    }
    spin_unlock_irqrestore(&e->lock, flags);
    return rc;
}

static long op_reset(struct request *r)
{
    struct evtchn_reset *op = r->argument;
    struct domain *d;
    int rc = get_target(op->dom, &d);

    if (rc)
        return rc;
    rc = event_close_all(d);
    if (!rc && is_current_domain(d))
        rc = event_fifo_reset(d);
    domain_put(d);
    return rc;
}

static long op_init_control(struct request *r)
{
    struct evtchn_init_control *op = r->argument;
    return event_fifo_init_control(current->domain, op);
}

static long op_expand_array(struct request *r)
{
    struct evtchn_expand_array *op = r->argument;
    return event_fifo_expand_array(current->domain, op);
}

static long op_set_priority(struct request *r)
{
    struct evtchn_set_priority *op = r->argument;
    struct event_channels *e = current->domain->events;
    unsigned long flags;
    int rc = 0;

    if (op->priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    flags = spin_lock_irqsave(&e->lock);
    if (!e->fifo)
        rc = -EOPNOTSUPP;
    else if (!event_channel_is_open(e, op->port))
        rc = -EINVAL;
    else
        event_channel_of(e, op->port)->priority = op->priority;
    spin_unlock_irqrestore(&e->lock, flags);
    return rc;
}

#define OPERATION(name, answer) [EVTCHNOP_##name] = {op_##name, sizeof(struct evtchn_##name), POLICY_ANYONE, answer}
static const struct operation operations[] = {
    OPERATION(bind_interdomain, ANSWER_DONE),
    OPERATION(bind_virq, ANSWER_DONE),
    OPERATION(bind_pirq, ANSWER_DONE),
    OPERATION(close, ANSWER_NONE),
    OPERATION(send, ANSWER_NONE),
    OPERATION(status, ANSWER_DONE),
    OPERATION(alloc_unbound, ANSWER_DONE),
    OPERATION(bind_ipi, ANSWER_DONE),
    OPERATION(bind_vcpu, ANSWER_NONE),
    OPERATION(unmask, ANSWER_NONE),
    OPERATION(reset, ANSWER_NONE),
    OPERATION(init_control, ANSWER_DONE),
    OPERATION(expand_array, ANSWER_NONE),
    OPERATION(set_priority, ANSWER_NONE),
};

/* arg[0] EVTCHNOP_*, arg[1] address of its structure. */
long do_event_channel_op(struct hypercall *call)
{
    struct request r = {.call = call, .address = call->arg[1]};

    return operation_serve(operations, ARRAY_SIZE(operations), call->arg[0], &r);
}
