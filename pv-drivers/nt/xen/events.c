/* Event channels: ports, and how the guest hears of them by either ABI. The hypervisor's side of pvbus's events_*.c. */
#include <string.h>
#include "events.h"
#include "hypervisor.h"

#define PORTS    4096u
#define QUEUE    EVTCHN_FIFO_PRIORITY_DEFAULT
#define PER_PAGE (NT_PAGE / sizeof(event_word_t))
#define PENDING  (1u << EVTCHN_FIFO_PENDING)
#define MASKED   (1u << EVTCHN_FIFO_MASKED)
#define LINKED   (1u << EVTCHN_FIFO_LINKED)

static struct port {
    bool open, bound, kicked;
    uint16_t domain;
    hv_handler *handler;
    void *context;
} ports[PORTS];
static bool fifo_offered;
static struct hv_clock clock;
static struct shared_info *shared;
static struct evtchn_fifo_control_block *control;
static event_word_t *words[PORTS / PER_PAGE];
static unsigned word_pages, kicks;
static uint32_t tail;

void events_boot(bool fifo)
{
    memset(ports, 0, sizeof(ports));
    fifo_offered = fifo;
    shared = NULL;
    control = NULL;
    word_pages = kicks = tail = 0;
}

void events_open_store(uint32_t port)
{
    ports[port] = (struct port){.open = true, .bound = true, .handler = store_work};
}

uint32_t events_forget(uint32_t store_port)
{
    events_boot(fifo_offered);
    events_open_store(store_port);
    return store_port;
}

static void write_clock(void)
{
    struct vcpu_time_info *record = &shared->vcpu_info[0].time;

    shared->wc_sec = (uint32_t)clock.start;
    shared->wc_sec_hi = (uint32_t)(clock.start >> 32);
    record->tsc_timestamp = __builtin_ia32_rdtsc() - clock.ticks;
    record->system_time = clock.system_time;
    record->tsc_to_system_mul = clock.scale;
    record->tsc_shift = clock.shift;
}

void hv_set_clock(const struct hv_clock *wanted)
{
    clock = *wanted;
    if (shared)
        write_clock();
}

void events_set_shared_info(void *page)
{
    if (page != shared)
        memset(page, 0, NT_PAGE);
    shared = page;
    write_clock();
}

bool hv_uses_fifo(void)
{
    return control != NULL;
}

bool events_upcall_pending(void)
{
    return shared && __atomic_load_n(&shared->vcpu_info[0].evtchn_upcall_pending, __ATOMIC_SEQ_CST);
}

unsigned hv_ports(void)
{
    unsigned count = 0;

    for (unsigned port = 0; port < PORTS; port++)
        count += ports[port].open;
    return count;
}

static void upcall(void)
{
    __atomic_store_n(&shared->vcpu_info[0].evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    nt_changed();
}

static event_word_t *word_of(uint32_t port)
{
    return port / PER_PAGE < word_pages ? &words[port / PER_PAGE][port % PER_PAGE] : NULL;
}

/* Appends to the queue's last word if the guest has not taken that yet, else begins the queue anew. A word that was the
 * last one and is linked again was taken, and so was all before it. */
static void link(uint32_t port)
{
    event_word_t *last = tail && tail != port ? word_of(tail) : NULL,
                 old = last ? __atomic_load_n(last, __ATOMIC_SEQ_CST) : 0;
    bool appended = false;

    while (last && old & LINKED && !appended)
        appended = __atomic_compare_exchange_n(last, &old, (old & ~(uint32_t)EVTCHN_FIFO_LINK_MASK) | port, false,
                                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    tail = port;
    if (appended)
        return;
    __atomic_store_n(&control->head[QUEUE], port, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&control->ready, 1u << QUEUE, __ATOMIC_SEQ_CST);
    upcall();
}

static void deliver_fifo(uint32_t port, bool set)
{
    event_word_t *word = word_of(port), old;

    if (!word)
        return;
    if (set)
        __atomic_fetch_or(word, PENDING, __ATOMIC_SEQ_CST);
    old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    do {
        if ((old & (PENDING | MASKED | LINKED)) != PENDING)
            return;
    } while (!__atomic_compare_exchange_n(word, &old, (old | LINKED) & ~(uint32_t)EVTCHN_FIFO_LINK_MASK, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    link(port);
}

static void deliver_two_level(uint32_t port, bool set)
{
    uint64_t *pending = (uint64_t *)&shared->evtchn_pending[port / 64], bit = 1ull << port % 64;

    if (set)
        __atomic_fetch_or(pending, bit, __ATOMIC_SEQ_CST);
    if (!(*pending & bit) || shared->evtchn_mask[port / 64] & bit)
        return;
    __atomic_fetch_or((uint64_t *)&shared->vcpu_info[0].evtchn_pending_sel, 1ull << port / 64, __ATOMIC_SEQ_CST);
    upcall();
}

void hv_notify(uint32_t port)
{
    hv_lock();
    if (shared && port < PORTS && ports[port].open)
        (control ? deliver_fifo : deliver_two_level)(port, true);
    hv_unlock();
}

static long unmask(uint32_t port)
{
    if (port >= PORTS || !ports[port].open)
        return -22;
    if (control) {
        if (!word_of(port))
            nt_bug("a port without a word is unmasked");
        __atomic_fetch_and(word_of(port), ~MASKED, __ATOMIC_SEQ_CST);
        deliver_fifo(port, false);
    } else {
        __atomic_fetch_and((uint64_t *)&shared->evtchn_mask[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
        deliver_two_level(port, false);
    }
    return 0;
}

static long alloc_unbound(struct evtchn_alloc_unbound *alloc)
{
    uint32_t port = 2;

    while (port < PORTS && ports[port].open)
        port++;
    if (port == PORTS)
        return -28;
    ports[port] = (struct port){.open = true, .domain = alloc->remote_dom};
    alloc->port = port;
    return 0;
}

static long close(uint32_t port)
{
    if (port >= PORTS || !ports[port].open)
        nt_bug("port %u is closed, which is not open", port);
    kicks -= ports[port].kicked;
    ports[port] = (struct port){0};
    return 0;
}

static long send(uint32_t port)
{
    if (port >= PORTS || !ports[port].open)
        return -22;
    if (ports[port].bound && !ports[port].kicked) {
        ports[port].kicked = true;
        kicks++;
    }
    return 0;
}

static long init_control(const struct evtchn_init_control *init)
{
    if (!fifo_offered)
        return -38;
    if (control || init->vcpu || init->offset || !nt_frame(init->control_gfn))
        return -22;
    control = nt_frame(init->control_gfn);
    return 0;
}

static long expand_array(const struct evtchn_expand_array *expand)
{
    if (!control || word_pages == PORTS / PER_PAGE || !nt_frame(expand->array_gfn))
        return -28;
    words[word_pages++] = nt_frame(expand->array_gfn);
    return 0;
}

static long reset(void)
{
    bool fifo = fifo_offered;
    struct shared_info *page = shared;

    events_boot(fifo);
    shared = page;
    return 0;
}

long events_op(uint64_t operation, void *argument)
{
    switch (operation) {
    case EVTCHNOP_alloc_unbound:
        return alloc_unbound(argument);
    case EVTCHNOP_close:
        return close(((struct evtchn_close *)argument)->port);
    case EVTCHNOP_send:
        return send(((struct evtchn_send *)argument)->port);
    case EVTCHNOP_unmask:
        return unmask(((struct evtchn_unmask *)argument)->port);
    case EVTCHNOP_init_control:
        return init_control(argument);
    case EVTCHNOP_expand_array:
        return expand_array(argument);
    case EVTCHNOP_reset:
        return reset();
    default:
        nt_bug("event_channel_op %llu", (unsigned long long)operation);
    }
}

bool hv_bind(uint32_t port, uint16_t domain, hv_handler *handler, void *context)
{
    bool good;

    hv_lock();
    good = port < PORTS && ports[port].open && !ports[port].bound && ports[port].domain == domain;
    if (good) {
        ports[port].bound = true;
        ports[port].handler = handler;
        ports[port].context = context;
    }
    hv_unlock();
    return good;
}

void hv_unbind(uint32_t port)
{
    hv_lock();
    if (port < PORTS && ports[port].bound) {
        kicks -= ports[port].kicked;
        ports[port].bound = ports[port].kicked = false;
    }
    hv_unlock();
}

/* Calls the handler of one port that was notified; with the lock, so that two processors do not do one device's work.
 */
bool events_work(void)
{
    bool did = false;

    hv_lock();
    for (unsigned port = 0; kicks && port < PORTS && !did; port++)
        if (ports[port].kicked) {
            ports[port].kicked = false;
            kicks--;
            ports[port].handler(ports[port].context);
            did = true;
        }
    hv_unlock();
    return did;
}

bool events_idle(void)
{
    return !__atomic_load_n(&kicks, __ATOMIC_SEQ_CST);
}
