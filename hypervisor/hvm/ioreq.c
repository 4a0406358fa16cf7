/*
 * ioreq servers: making and ending them, the pages and event channels they share with a device model, and what they
 * serve. ioreq.h says who may look at what and when.
 */
#include <hv/event_channel.h>
#include <hv/ioreq.h>
#include <hv/page_alloc.h>

/* Lock held (or the domain cannot run). */
static struct ioreq_server *server_of(struct hvm_io *io, ioservid_t id)
{
    return id < IOREQ_SERVERS ? io->server[id] : NULL;
}

/* ---- making ---- */

static int connect_vcpu(struct ioreq_server *s, struct vcpu *v)
{
    int error = event_channel_alloc_consumed(v->domain, v->id, s->owner, ioreq_event, &s->port[v->id]);

    if (!error)
        s->slots[v->id].vp_eport = s->port[v->id];
    return error;
}

static int connect(struct domain *d, struct ioreq_server *s)
{
    struct vcpu *v;
    int error = 0;

    for_each_vcpu(d, v)
        if (!error)
            error = connect_vcpu(s, v);
    if (!error && s->ring)
        error = event_channel_alloc_consumed(d, 0, s->owner, ioreq_event, &s->ring_port);
    return error;
}

static void server_free(struct domain *d, struct ioreq_server *s)
{
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        if (s->port[i])
            event_channel_close_consumed(d, s->port[i]);
    if (s->ring_port)
        event_channel_close_consumed(d, s->ring_port);
    domain_free_xenheap(d, s->slots);
    domain_free_xenheap(d, s->ring);
    for (unsigned type = 0; type < ARRAY_SIZE(s->ranges); type++)
        free(s->ranges[type]);
    free(s);
}

static struct ioreq_server *server_alloc(struct domain *d, unsigned handling)
{
    struct ioreq_server *s = zalloc(sizeof(*s));
    bool complete;

    if (!s)
        return NULL;
    spin_lock_init(&s->ring_lock, LOCK_IOREQ_RING);
    s->owner = current->domain->id;
    s->atomic_ring = handling == HVM_IOREQSRV_BUFIOREQ_ATOMIC;
    s->slots = domain_alloc_xenheap(d);
    if (handling != HVM_IOREQSRV_BUFIOREQ_OFF)
        s->ring = domain_alloc_xenheap(d);
    complete = s->slots && (s->ring || handling == HVM_IOREQSRV_BUFIOREQ_OFF);
    for (unsigned type = 0; type < ARRAY_SIZE(s->ranges); type++) {
        s->ranges[type] = zalloc(sizeof(*s->ranges[type]));
        complete &= s->ranges[type] != NULL;
    }
    if (complete)
        return s;
    server_free(d, s);
    return NULL;
}

/* Of a domain that ends servers are taken back under the same lock, after `dying` was set. */
static int publish(struct domain *d, struct ioreq_server *s, ioservid_t *id)
{
    struct hvm_io *io = d->hvm->io;
    int error;

    spin_lock(&io->lock);
    error = d->dying == DOMAIN_ALIVE ? -ENOSPC : -ESRCH;
    for (unsigned i = 0; i < IOREQ_SERVERS && error == -ENOSPC; i++) {
        if (!io->server[i]) {
            io->server[i] = s;
            *id = (ioservid_t)i;
            error = 0;
        }
    }
    spin_unlock(&io->lock);
    return error;
}

int ioreq_server_create(struct domain *d, unsigned handling, ioservid_t *id)
{
    struct ioreq_server *s;
    int error;

    if (handling > HVM_IOREQSRV_BUFIOREQ_ATOMIC)
        return -EINVAL;
    s = server_alloc(d, handling);
    if (!s)
        return -ENOMEM;
    domain_pause_sync(d);
    error = connect(d, s);
    if (!error)
        error = publish(d, s, id);
    if (error)
        server_free(d, s);
    domain_unpause(d);
    return error;
}

/* ---- ending ---- */

/* Nobody finds it any more. The domain is paused. */
static struct ioreq_server *withdraw(struct hvm_io *io, ioservid_t id)
{
    struct ioreq_server *s;

    spin_lock(&io->lock);
    s = server_of(io, id);
    if (s) {
        io->server[id] = NULL;
        io->enabled &= (uint8_t) ~(1U << id);
        if (io->write_server == id)
            io->write_server = NO_IOREQ_SERVER;
    }
    spin_unlock(&io->lock);
    return s;
}

static void abandon_all(struct domain *d, ioservid_t id)
{
    struct vcpu *v;

    for_each_vcpu(d, v)
        ioreq_abandon(v, id);
}

int ioreq_server_destroy(struct domain *d, ioservid_t id)
{
    struct ioreq_server *s;

    domain_pause_sync(d);
    s = withdraw(d->hvm->io, id);
    if (s) {
        abandon_all(d, id);
        server_free(d, s);
    }
    domain_unpause(d);
    return s ? 0 : -ENOENT;
}

int ioreq_server_enable(struct domain *d, ioservid_t id, bool enable)
{
    struct hvm_io *io = d->hvm->io;
    struct ioreq_server *s;

    domain_pause_sync(d);
    spin_lock(&io->lock);
    s = server_of(io, id);
    if (s) {
        s->enabled = enable;
        io->enabled = (uint8_t)((io->enabled & ~(1U << id)) | (unsigned)enable << id);
    }
    spin_unlock(&io->lock);
    domain_unpause(d);
    return s ? 0 : -ENOENT;
}

/* ---- what others ask ---- */

int ioreq_server_ring_port(struct domain *d, ioservid_t id, evtchn_port_t *port)
{
    struct hvm_io *io = d->hvm->io;
    struct ioreq_server *s;

    spin_lock(&io->lock);
    s = server_of(io, id);
    if (s)
        *port = s->ring_port;
    spin_unlock(&io->lock);
    return s ? 0 : -ENOENT;
}

int ioreq_server_get_frame(struct domain *d, uint32_t id, unsigned index, mfn_t *mfn)
{
    struct hvm_io *io = d->hvm->io;
    struct ioreq_server *s;
    const void *page = NULL;

    spin_lock(&io->lock);
    s = id < IOREQ_SERVERS ? server_of(io, (ioservid_t)id) : NULL;
    if (s && index == XENMEM_resource_ioreq_server_frame_bufioreq)
        page = s->ring;
    else if (s && index == XENMEM_resource_ioreq_server_frame_ioreq(0))
        page = s->slots;
    if (page)
        *mfn = virt_to_mfn(page);
    spin_unlock(&io->lock);
    return page ? 0 : s ? -EINVAL : -ENOENT;
}

static int change_range(struct domain *d, ioservid_t id, unsigned type,
                        int (*change)(struct io_ranges *r, uint64_t first, uint64_t last), uint64_t first,
                        uint64_t last)
{
    struct hvm_io *io = d->hvm->io;
    struct ioreq_server *s;
    int error = -ENOENT;

    if (type > XEN_DMOP_IO_RANGE_PCI)
        return -EINVAL;
    spin_lock(&io->lock);
    s = server_of(io, id);
    if (s)
        error = change(s->ranges[type], first, last);
    spin_unlock(&io->lock);
    return error;
}

int ioreq_server_map(struct domain *d, ioservid_t id, unsigned type, uint64_t first, uint64_t last)
{
    return change_range(d, id, type, io_ranges_add, first, last);
}

int ioreq_server_unmap(struct domain *d, ioservid_t id, unsigned type, uint64_t first, uint64_t last)
{
    return change_range(d, id, type, io_ranges_remove, first, last);
}

int ioreq_server_claim_writes(struct domain *d, ioservid_t id, bool claim)
{
    struct hvm_io *io = d->hvm->io;
    int error = 0;

    spin_lock(&io->lock);
    if (!server_of(io, id))
        error = -ENOENT;
    else if (claim && io->write_server != NO_IOREQ_SERVER)
        error = -EBUSY;
    else if (!claim && io->write_server != id)
        error = -EINVAL;
    else
        io->write_server = claim ? (uint8_t)id : NO_IOREQ_SERVER;
    spin_unlock(&io->lock);
    return error;
}

/* ---- vcpus ---- */

int hvm_io_vcpu_init(struct vcpu *v)
{
    struct hvm_io *io = v->domain->hvm->io;
    int error = 0;

    for (unsigned id = 0; id < IOREQ_SERVERS && !error; id++)
        if (io->server[id] && !io->server[id]->port[v->id])
            error = connect_vcpu(io->server[id], v);
    return error;
}
