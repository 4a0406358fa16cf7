/*
 * Requests to device models, and their answers. A slot's states go round: NONE, READY (we have filled it), INPROCESS
 * (the device model has taken it), IORESP_READY (its answer is there), and NONE again when we have taken that.
 */
#include <hv/event_channel.h>
#include <hv/ioreq.h>
#include <hv/p2m.h>
#include <hv/sched.h>

/* The byte of struct ioreq that holds state and flags; bit fields have no address. */
#define SLOT_FLAGS_OFFSET 30
#define SLOT_STATE        0x0f
#define SLOT_DATA_IS_PTR  0x10
#define SLOT_READ         0x20
#define SLOT_DOWN         0x40
_Static_assert(offsetof(struct ioreq, _pad0) == SLOT_FLAGS_OFFSET - 2 && offsetof(struct ioreq, type) == 31, "ABI");

/* In emulate_cache.entry.bytes: a request for many items, whose value is no answer. */
#define ENTRY_REPEATED 0x80

/* Writes to the VGA window may be late: its device model looks at the ring before it answers anything. */
#define VGA_WINDOW_FIRST 0xa0000
#define VGA_WINDOW_LAST  0xbffff

static inline uint64_t all_ones(unsigned bytes)
{
    return ~0ULL >> (64 - 8 * bytes);
}

static volatile uint8_t *slot_flags(struct ioreq *slot)
{
    return (volatile uint8_t *)slot + SLOT_FLAGS_OFFSET;
}

/* ---- what has been done for the present instruction ---- */

typedef __typeof__(((struct emulate_cache *)0)->entry[0]) cache_entry;

static uint8_t entry_bytes(const struct io_access *a)
{
    return a->bytes | (a->count ? ENTRY_REPEATED : 0);
}

/* PCI configuration and memory must not be taken for each other. */
static uint64_t entry_address(const struct io_access *a)
{
    return a->type == IOREQ_TYPE_PCI_CONFIG ? a->address | 1ULL << 63 : a->address;
}

static cache_entry *replay(struct emulate_cache *cache, const struct io_access *a)
{
    cache_entry *e = &cache->entry[cache->used];

    if (cache->used >= cache->count)
        return NULL;
    if (e->address == entry_address(a) && e->bytes == entry_bytes(a) && e->write == a->write &&
        e->port == (a->range == XEN_DMOP_IO_RANGE_PORT)) {
        cache->used++;
        return e;
    }
    cache->count = cache->used; /* another instruction than before: what is left was not for it */
    return NULL;
}

/* NULL: full, which no instruction makes it (emulate.h). */
static cache_entry *record(struct emulate_cache *cache, const struct io_access *a)
{
    cache_entry *e;

    if (cache->count == EMULATE_CACHE_ENTRIES)
        return NULL;
    e = &cache->entry[cache->count++];
    e->address = entry_address(a);
    e->bytes = entry_bytes(a);
    e->port = a->range == XEN_DMOP_IO_RANGE_PORT;
    e->write = a->write;
    e->done = false;
    e->value = 0;
    cache->used = cache->count;
    return e;
}

static void fill_last_entry(struct vcpu *v, uint64_t value)
{
    struct emulate_cache *cache = &v->hvm->io_cache;
    cache_entry *e;

    if (!cache->count || cache->entry[cache->count - 1].done)
        return;
    e = &cache->entry[cache->count - 1];
    if (!(e->bytes & ENTRY_REPEATED))
        e->value = value & all_ones(e->bytes);
    e->done = true;
}

static enum io_result wait_and_retry(struct vcpu *v)
{
    v->hvm->io_cache.used = 0;
    return IO_RETRY;
}

/* ---- one request ---- */

static void stop_waiting(struct vcpu *v)
{
    v->hvm->io_servers = v->hvm->io_invalidate = 0;
    WRITE_ONCE(v->hvm->waits_for_io, false);
}

static void lose_device_model(struct vcpu *v, unsigned id)
{
    stop_waiting(v);
    domain_crash(v->domain, "its device model (I/O server %u) is gone", id);
}

/* v is current and none of its requests is under way at this server. */
static void post(struct vcpu *v, unsigned id, const struct io_access *a)
{
    struct ioreq_server *s = v->domain->hvm->io->server[id];
    struct ioreq *slot = &s->slots[v->id];
    uint8_t state = *slot_flags(slot) & SLOT_STATE;

    if (state != STATE_IOREQ_NONE) {
        stop_waiting(v);
        domain_crash(v->domain, "I/O server %u holds v%u's idle slot in state %u", id, v->id, state);
        return;
    }
    slot->addr = a->address;
    slot->data = a->value;
    slot->count = a->count ? a->count : 1;
    slot->size = a->bytes;
    slot->vp_eport = s->port[v->id];
    slot->type = a->type;
    v->hvm->io_servers |= (uint8_t)(1U << id);
    WRITE_ONCE(v->hvm->waits_for_io, true);
    __atomic_store_n(slot_flags(slot),
                     (uint8_t)(STATE_IOREQ_READY | (a->count ? SLOT_DATA_IS_PTR : 0) | (a->write ? 0 : SLOT_READ) |
                               (a->down ? SLOT_DOWN : 0)),
                     __ATOMIC_RELEASE);
    raise_softirq(SOFTIRQ_SCHEDULE);
    /* Not bound yet is no loss: binding raises an event, and the device model then finds the request. */
    if (!event_channel_notify(v->domain, s->port[v->id]) && s->lost)
        lose_device_model(v, id);
}

/* Runs in interrupt handlers too. The vcpu looks for itself what it was about; the ring has a port before vcpu 0 is
 * made. */
void ioreq_event(struct domain *d, unsigned vcpu, evtchn_port_t port, bool gone)
{
    struct vcpu *v = d->vcpu[vcpu];

    for (unsigned id = 0; gone && id < IOREQ_SERVERS; id++) {
        struct ioreq_server *s = d->hvm->io->server[id];

        if (s && (s->port[vcpu] == port || s->ring_port == port))
            s->lost = true;
    }
    if (!v)
        return;
    WRITE_ONCE(v->hvm->waits_for_io, false);
    vcpu_wake(v);
}

/* ---- answers ---- */

/* False: the guest had to die. */
static bool take_answer(struct vcpu *v, unsigned id)
{
    struct ioreq_server *s = v->domain->hvm->io->server[id];
    struct ioreq *slot = &s->slots[v->id];
    uint8_t state = __atomic_load_n(slot_flags(slot), __ATOMIC_ACQUIRE) & SLOT_STATE;

    switch (state) {
    case STATE_IORESP_READY:
        fill_last_entry(v, READ_ONCE(slot->data));
        __atomic_store_n(slot_flags(slot), STATE_IOREQ_NONE, __ATOMIC_RELEASE);
        v->hvm->io_servers &= (uint8_t) ~(1U << id);
        return true;
    case STATE_IOREQ_READY:
    case STATE_IOREQ_INPROCESS:
        if (!s->lost)
            return true;
        lose_device_model(v, id);
        return false;
    default:
        stop_waiting(v);
        domain_crash(v->domain, "I/O server %u answers v%u with state %u", id, v->id, state);
        return false;
    }
}

static void post_invalidates(struct vcpu *v)
{
    static const struct io_access invalidate = {.type = IOREQ_TYPE_INVALIDATE, .write = true, .value = ~0ULL};
    unsigned servers = v->hvm->io_invalidate & v->domain->hvm->io->enabled;

    v->hvm->io_invalidate = 0;
    for (; servers; servers &= servers - 1)
        post(v, (unsigned)__builtin_ctz(servers), &invalidate);
}

/* The vcpu counts as waiting before the slots are looked at, so an answer that comes in between ends the wait. */
bool hvm_io_take_answers(struct vcpu *v)
{
    __atomic_store_n(&v->hvm->waits_for_io, true, __ATOMIC_SEQ_CST);
    for (unsigned servers = v->hvm->io_servers; servers; servers &= servers - 1)
        if (!take_answer(v, (unsigned)__builtin_ctz(servers)))
            return false;
    if (!v->hvm->io_servers && v->hvm->io_invalidate)
        post_invalidates(v);
    if (!v->hvm->io_servers) {
        WRITE_ONCE(v->hvm->waits_for_io, false);
        return true;
    }
    raise_softirq(SOFTIRQ_SCHEDULE);
    return false;
}

void ioreq_abandon(struct vcpu *v, unsigned id)
{
    uint8_t bit = (uint8_t)(1U << id);

    v->hvm->io_invalidate &= (uint8_t)~bit;
    if (!(v->hvm->io_servers & bit))
        return;
    v->hvm->io_servers &= (uint8_t)~bit;
    fill_last_entry(v, ~0ULL);
    if (v->hvm->io_servers)
        return;
    WRITE_ONCE(v->hvm->waits_for_io, false);
    vcpu_wake(v);
}

void hvm_forget_mappings(struct vcpu *v)
{
    v->hvm->io_invalidate = v->domain->hvm->io->enabled;
}

/* ---- the ring ---- */

/* Takes both pointers down by the ring's size as long as the reader is past it too, so that they never wrap, which
 * would be out of step with the slots. A reader that keeps moving meanwhile is left for the next time. */
static void wind_back(struct ioreq_ring *ring)
{
    const uint64_t lap = (uint64_t)IOREQ_BUFFER_SLOT_NUM << 32 | IOREQ_BUFFER_SLOT_NUM;

    for (unsigned tries = 0; tries < 8; tries++) {
        uint64_t pointers = ring->pointers;

        if ((uint32_t)pointers < IOREQ_BUFFER_SLOT_NUM || pointers >> 32 < IOREQ_BUFFER_SLOT_NUM)
            return;
        __atomic_compare_exchange_n(&ring->pointers, &pointers, pointers - lap, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_RELAXED);
    }
}

/* ring_lock held. False: no room, or the pointers make no sense. */
static bool ring_put(struct ioreq_server *s, const struct io_access *a)
{
    struct ioreq_ring *ring = s->ring;
    uint64_t pointers = ring->pointers;
    uint32_t write = (uint32_t)(pointers >> 32), used = write - (uint32_t)pointers;
    unsigned slots = a->bytes == 8 ? 2 : 1;

    if (used > IOREQ_BUFFER_SLOT_NUM - slots || write > UINT32_MAX - 2)
        return false;
    for (unsigned i = 0; i < slots; i++)
        ring->slot[(write + i) % IOREQ_BUFFER_SLOT_NUM] = (struct buf_ioreq){
            .type = a->type,
            .dir = IOREQ_WRITE,
            .size = (uint8_t)__builtin_ctz(a->bytes) & 3,
            .addr = (uint32_t)a->address & 0xfffff,
            .data = (uint32_t)(a->value >> 32 * i),
        };
    __atomic_add_fetch((volatile uint32_t *)&ring->pointers + 1, slots, __ATOMIC_SEQ_CST);
    if (s->atomic_ring)
        wind_back(ring);
    return true;
}

static bool may_be_late(const struct io_access *a)
{
    return a->write && !a->count && a->type == IOREQ_TYPE_COPY && a->address >= VGA_WINDOW_FIRST &&
           a->address + a->bytes - 1 <= VGA_WINDOW_LAST;
}

static bool post_late(struct vcpu *v, unsigned id, const struct io_access *a)
{
    struct ioreq_server *s = v->domain->hvm->io->server[id];
    bool put;

    if (!s->ring || s->lost || !may_be_late(a))
        return false;
    spin_lock(&s->ring_lock);
    put = ring_put(s, a);
    spin_unlock(&s->ring_lock);
    if (put)
        event_channel_notify(v->domain, s->ring_port);
    return put;
}

/* ---- choosing ---- */

static bool is_ioreq_server_page(struct domain *d, uint64_t gpa)
{
    enum p2m_type type;

    p2m_lookup(d, gpa >> PAGE_SHIFT, &type, NULL);
    return type == P2M_IOREQ_SERVER;
}

static void range_of(const struct io_access *a, uint64_t *first, uint64_t *last)
{
    uint64_t span = (uint64_t)a->bytes * (a->range == XEN_DMOP_IO_RANGE_MEMORY && a->count ? a->count : 1);

    if (a->range == XEN_DMOP_IO_RANGE_PCI) {
        *first = *last = a->address >> 32;
        return;
    }
    *first = a->down ? a->address + a->bytes - span : a->address;
    *last = *first + span - 1;
}

/* The server made last goes first: it may take a part of what an older one serves as a whole. -1: nobody. */
static int find_server(struct vcpu *v, const struct io_access *a)
{
    struct hvm_io *io = v->domain->hvm->io;
    unsigned write_server = READ_ONCE(io->write_server); /* the device model may take back its claim meanwhile */
    uint64_t first, last;
    int found = -1;

    if (a->write && a->range == XEN_DMOP_IO_RANGE_MEMORY && write_server != NO_IOREQ_SERVER &&
        (io->enabled >> write_server & 1) && is_ioreq_server_page(v->domain, a->address))
        return (int)write_server;
    range_of(a, &first, &last);
    spin_lock(&io->lock);
    for (int id = IOREQ_SERVERS - 1; id >= 0 && found < 0; id--)
        if ((io->enabled >> id & 1) && io_ranges_contain(io->server[id]->ranges[a->range], first, last))
            found = id;
    spin_unlock(&io->lock);
    return found;
}

static enum io_result nobody(const struct io_access *a, uint64_t *value)
{
    if (a->count)
        return IO_UNHANDLED;
    if (!a->write)
        *value = all_ones(a->bytes);
    return IO_OK;
}

enum io_result ioreq_access(struct vcpu *v, const struct io_access *a, uint64_t *value)
{
    struct emulate_cache *cache = &v->hvm->io_cache;
    cache_entry *e = replay(cache, a);
    int id;

    if (e && e->done) {
        *value = e->value;
        return IO_OK;
    }
    if (e || v->hvm->io_servers)
        return wait_and_retry(v);
    id = find_server(v, a);
    if (id < 0)
        return nobody(a, value);
    e = record(cache, a);
    if (!e) {
        domain_crash(v->domain, "an instruction of v%u has more than %u accesses to devices", v->id, cache->count);
        return wait_and_retry(v);
    }
    if (post_late(v, (unsigned)id, a)) {
        e->done = true;
        return IO_OK;
    }
    post(v, (unsigned)id, a);
    if (!a->write) /* the answer is to come */
        return wait_and_retry(v);
    e->done = true;
    return IO_OK;
}
