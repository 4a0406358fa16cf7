/*
 * The FIFO layout: one word per port in frames of the guest, linked into 16 queues by priority per vcpu, whose heads
 * are in a control block of that vcpu. Source: xen/event_channel.h.
 *
 * We append: set LINKED in the port's word, then put its number into the link field of the queue's last word or, if the
 * guest has taken that one off already (its LINKED is clear), into the head, and set the queue's ready bit. The guest
 * takes off from the head: it clears LINKED and reads the link in one atomic operation, then looks at PENDING and
 * MASKED.
 *
 * The guest can write all of it at any time. So each step is one unconditional atomic operation, no link is ever
 * followed, and what a queue's last port is we keep ourselves. A guest that scribbles loses its own events.
 */
#include <hv/event_channel_abi.h>
#include <hv/grant_table.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>

#define WORD_BIT(name)  (1U << EVTCHN_FIFO_##name)
#define WORDS_PER_PAGE  (PAGE_SIZE / sizeof(event_word_t))
#define MAX_ARRAY_PAGES (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

_Static_assert(sizeof(struct evtchn_fifo_control_block) == 72, "control block of the ABI");
_Static_assert(EVTCHN_FIFO_MAX_QUEUES == 16, "ready is a bit per queue");

struct event_fifo {
    unsigned pages;
    event_word_t *page[MAX_ARRAY_PAGES]; /* guest frames; we hold a reference and a writable type reference of each */
};

/* struct vcpu.evtchn_fifo */
struct fifo_vcpu {
    struct fifo_vcpu *next;                     /* once no vcpu has it any more: of those that go with it */
    struct evtchn_fifo_control_block *control;  /* in a guest frame, held likewise */
    evtchn_port_t tail[EVTCHN_FIFO_MAX_QUEUES]; /* last port we put on the queue; 0 none */
};

/* NULL while the guest has not given us the page of this port. */
static event_word_t *word_of(const struct domain *d, evtchn_port_t port)
{
    const struct event_fifo *f = d->events->fifo;
    unsigned page = port / WORDS_PER_PAGE;

    return page < f->pages ? &f->page[page][port % WORDS_PER_PAGE] : NULL;
}

static inline uint32_t atomic_or(uint32_t *word, uint32_t bits)
{
    return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}
static inline uint32_t atomic_and(uint32_t *word, uint32_t bits)
{
    return __atomic_fetch_and(word, bits, __ATOMIC_SEQ_CST);
}

/* False if the guest has taken the tail off its queue meanwhile: then the queue is empty. The link field of a tail is
 * 0. */
static bool link_after(event_word_t *tail, evtchn_port_t port)
{
    if (atomic_or(tail, port) & WORD_BIT(LINKED))
        return true;
    atomic_and(tail, ~(uint32_t)EVTCHN_FIFO_LINK_MASK);
    return false;
}

/* A port that was the tail of a queue and goes to another one must not carry the first queue's next link. */
static void forget_tail(struct domain *d, const struct event_channel *c, evtchn_port_t port)
{
    struct vcpu *v = d->vcpu[c->queue_vcpu];
    struct fifo_vcpu *queue = v ? v->evtchn_fifo : NULL;

    if (queue && queue->tail[c->queue_priority] == port)
        queue->tail[c->queue_priority] = 0;
}

static void append(struct domain *d, struct event_channel *c, evtchn_port_t port, event_word_t *word)
{
    struct vcpu *v = d->vcpu[c->vcpu];
    struct fifo_vcpu *queue = v->evtchn_fifo;
    evtchn_port_t tail;

    if (atomic_or(word, WORD_BIT(LINKED)) & WORD_BIT(LINKED))
        return; /* still on a queue, and PENDING was set before we looked: the guest will find it */
    forget_tail(d, c, port);
    c->queue_vcpu = c->vcpu;
    c->queue_priority = c->priority;

    tail = queue->tail[c->priority];
    queue->tail[c->priority] = port;
    if (tail && link_after(word_of(d, tail), port))
        return;
    __atomic_store_n(&queue->control->head[c->priority], port, __ATOMIC_RELEASE);
    atomic_or(&queue->control->ready, 1U << c->priority);
    vcpu_mark_event_pending(v);
}

static void set_pending(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    event_word_t *word = word_of(d, port);

    if (!word || !d->vcpu[c->vcpu]->evtchn_fifo) {
        c->deferred = true;
        return;
    }
    if (!(atomic_or(word, WORD_BIT(PENDING)) & (WORD_BIT(PENDING) | WORD_BIT(MASKED))))
        append(d, c, port, word);
}

static void clear_pending(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    event_word_t *word = word_of(d, port);

    c->deferred = false;
    if (word)
        atomic_and(word, ~WORD_BIT(PENDING));
}

static void unmask(struct domain *d, struct event_channel *c, evtchn_port_t port)
{
    event_word_t *word = word_of(d, port);

    if (!word || !(atomic_and(word, ~WORD_BIT(MASKED)) & WORD_BIT(PENDING)))
        return;
    if (d->vcpu[c->vcpu]->evtchn_fifo)
        append(d, c, port, word);
    else
        c->deferred = true;
}

static bool is_pending(struct domain *d, const struct event_channel *c, evtchn_port_t port)
{
    event_word_t *word = word_of(d, port);

    return (c && c->deferred) || (word && (READ_ONCE(*word) & WORD_BIT(PENDING)));
}

static bool is_masked(struct domain *d, evtchn_port_t port)
{
    event_word_t *word = word_of(d, port);

    return !word || (READ_ONCE(*word) & WORD_BIT(MASKED));
}

static bool is_busy(struct domain *d, evtchn_port_t port)
{
    event_word_t *word = word_of(d, port);

    return word && (READ_ONCE(*word) & WORD_BIT(LINKED));
}

static const struct event_abi event_abi_fifo = {
    .max_ports = EVTCHN_FIFO_NR_CHANNELS,
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
    .is_masked = is_masked,
    .is_busy = is_busy,
};

/* Ports first..last were raised when they could not be put on a queue; perhaps they can now. Lock held. */
static void raise_deferred(struct domain *d, evtchn_port_t first, evtchn_port_t last)
{
    struct event_channels *e = d->events;

    for (evtchn_port_t port = first; port <= min(last, e->max_port); port++) {
        event_word_t *word = word_of(d, port);
        struct event_channel *c;

        if (!word)
            break;
        if (port % BITS_PER_LONG == 0 && !e->used[port / BITS_PER_LONG]) {
            port += BITS_PER_LONG - 1;
            continue;
        }
        c = event_channel_is_open(e, port) ? event_channel_of(e, port) : NULL;
        if (!c || !c->deferred || !d->vcpu[c->vcpu]->evtchn_fifo)
            continue;
        c->deferred = false;
        if (!(atomic_or(word, WORD_BIT(PENDING)) & WORD_BIT(MASKED)))
            append(d, c, port, word);
    }
}

/* The address of a frame that d gives us to write to, with the references that put_frame gives back. */
static int get_frame(struct domain *d, uint64_t gfn, void **address)
{
    mfn_t mfn;
    int rc = domain_gfn_to_mfn(d, gfn, &mfn);

    if (!rc)
        rc = page_get_with_type(mfn_to_page(mfn), d, TYPE_WRITABLE);
    if (!rc)
        *address = mfn_to_virt(mfn);
    return rc;
}

static void put_frame(void *address)
{
    page_put_with_type(mfn_to_page(virt_to_mfn(address)));
}

static void free_fifo_vcpu(struct fifo_vcpu *queue)
{
    if (queue)
        put_frame((void *)((unsigned long)queue->control & PAGE_MASK));
    free(queue);
}

/* Takes over *queue and *fifo (set to NULL) or says why not. */
static int install_control(struct domain *d, struct vcpu *v, struct fifo_vcpu **queue, struct event_fifo **fifo)
{
    struct event_channels *e = d->events;
    unsigned long flags = spin_lock_irqsave(&e->lock);
    int rc = v->evtchn_fifo ? -EINVAL : 0;

    if (!rc) {
        if (!e->fifo) {
            e->fifo = *fifo;
            *fifo = NULL;
            e->abi = &event_abi_fifo;
        }
        v->evtchn_fifo = *queue;
        *queue = NULL;
        raise_deferred(d, 1, e->max_port);
    }
    spin_unlock_irqrestore(&e->lock, flags);
    return rc;
}

int event_fifo_init_control(struct domain *d, struct evtchn_init_control *init)
{
    struct vcpu *v = domain_vcpu(d, init->vcpu);
    struct event_fifo *fifo;
    struct fifo_vcpu *queue;
    void *frame;
    int rc;

    init->link_bits = EVTCHN_FIFO_LINK_BITS;
    if (!v)
        return -ENOENT;
    if (init->offset % 8 || init->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block))
        return -EINVAL;
    rc = get_frame(d, init->control_gfn, &frame);
    if (rc)
        return rc;
    queue = zalloc(sizeof(*queue));
    fifo = zalloc(sizeof(*fifo));
    if (!queue || !fifo) {
        put_frame(frame);
        free(queue);
        free(fifo);
        return -ENOMEM;
    }
    queue->control = (struct evtchn_fifo_control_block *)((char *)frame + init->offset);
    rc = install_control(d, v, &queue, &fifo);
    free_fifo_vcpu(queue);
    free(fifo);
    return rc;
}

int event_fifo_expand_array(struct domain *d, const struct evtchn_expand_array *expand)
{
    struct event_channels *e = d->events;
    unsigned long flags;
    void *frame;
    int rc = get_frame(d, expand->array_gfn, &frame);

    if (rc)
        return rc;
    flags = spin_lock_irqsave(&e->lock);
    if (!e->fifo) {
        rc = -EOPNOTSUPP;
    } else if (e->fifo->pages == MAX_ARRAY_PAGES) {
        rc = -ENOSPC;
    } else {
        evtchn_port_t first = e->fifo->pages * WORDS_PER_PAGE;

        e->fifo->page[e->fifo->pages++] = frame;
        raise_deferred(d, first, first + WORDS_PER_PAGE - 1);
    }
    spin_unlock_irqrestore(&e->lock, flags);
    if (rc)
        put_frame(frame);
    return rc;
}

void event_fifo_free_vcpu(struct vcpu *v)
{
    struct event_channels *e = v->domain->events;
    struct fifo_vcpu *queue;
    unsigned long flags;

    if (!e)
        return;
    flags = spin_lock_irqsave(&e->lock);
    queue = v->evtchn_fifo;
    v->evtchn_fifo = NULL;
    spin_unlock_irqrestore(&e->lock, flags);
    free_fifo_vcpu(queue);
}

/* Lock held. The queues of all vcpus go in the same moment as the array: one that stayed would have tails that have no
 * word in the next array, which another vcpu may already make. */
static struct fifo_vcpu *take_queues(struct domain *d)
{
    struct fifo_vcpu *taken = NULL;
    struct vcpu *v;

    for_each_vcpu(d, v) {
        struct fifo_vcpu *queue = v->evtchn_fifo;

        v->evtchn_fifo = NULL;
        if (queue) {
            queue->next = taken;
            taken = queue;
        }
    }
    return taken;
}

int event_fifo_reset(struct domain *d)
{
    struct event_channels *e = d->events;
    unsigned long flags = spin_lock_irqsave(&e->lock);
    struct event_fifo *fifo = NULL;
    struct fifo_vcpu *queue = NULL;
    bool idle = event_channels_idle(e);

    if (idle) {
        fifo = e->fifo;
        queue = take_queues(d);
        e->fifo = NULL;
        e->abi = event_abi_initial(d);
    }
    spin_unlock_irqrestore(&e->lock, flags);
    if (!idle)
        return -ERESTART;
    while (queue) {
        struct fifo_vcpu *next = queue->next;

        free_fifo_vcpu(queue);
        queue = next;
    }
    for (unsigned i = 0; fifo && i < fifo->pages; i++)
        put_frame(fifo->page[i]);
    free(fifo);
    return 0;
}
