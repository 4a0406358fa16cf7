/*
 * Event channels by queues: one word for each port, linked into a list for each of 16 priorities. The hypervisor
 * appends at the tail, this file takes from the head; both change a word by compare and exchange alone.
 */
#include "bus.h"

#define PER_PAGE  (PV_PAGE_SIZE / sizeof(event_word_t))
#define PENDING   (1u << EVTCHN_FIFO_PENDING)
#define MASKED    (1u << EVTCHN_FIFO_MASKED)
#define LINKED    (1u << EVTCHN_FIFO_LINKED)
#define BUSY      (1u << EVTCHN_FIFO_BUSY)
#define LINK_BITS EVTCHN_FIFO_LINK_MASK

#define PAGES (EVENT_PORTS / PER_PAGE)

/*
 * Once told, the hypervisor writes to these pages until EVTCHNOP_reset, which closes xenstore's port with all others.
 * So they outlive the device: they are made once and go with the driver.
 */
static struct {
    struct evtchn_fifo_control_block *control;
    event_word_t *words[PAGES];
    uint32_t heads[EVTCHN_FIFO_MAX_QUEUES];
    BOOLEAN registered;
} fifo;

static void free_pages(void)
{
    for (ULONG page = 0; page < PAGES; page++)
        if (fifo.words[page])
            ExFreePoolWithTag(fifo.words[page], PVBUS_TAG);
    if (fifo.control)
        ExFreePoolWithTag(fifo.control, PVBUS_TAG);
    memset(&fifo, 0, sizeof(fifo));
}

static void clear_pages(void)
{
    memset(fifo.heads, 0, sizeof(fifo.heads));
    memset(fifo.control, 0, PV_PAGE_SIZE);
    for (ULONG page = 0; page < PAGES; page++)
        for (ULONG i = 0; i < PER_PAGE; i++)
            fifo.words[page][i] = MASKED;
}

static NTSTATUS make_pages(void)
{
    fifo.control = ExAllocatePoolWithTag(NonPagedPool, PV_PAGE_SIZE, PVBUS_TAG);
    for (ULONG page = 0; page < PAGES; page++)
        fifo.words[page] = ExAllocatePoolWithTag(NonPagedPool, PV_PAGE_SIZE, PVBUS_TAG);
    for (ULONG page = 0; page < PAGES; page++)
        if (!fifo.words[page] || !fifo.control) {
            free_pages();
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    clear_pages();
    return STATUS_SUCCESS;
}

/* All words are there from the beginning: with some missing the ABI could not be left for the other one. */
static NTSTATUS register_pages(void)
{
    struct evtchn_init_control control = {.control_gfn = frame_of(fifo.control)};

    if (hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_init_control, (ULONG_PTR)&control, 0))
        return STATUS_NOT_SUPPORTED;
    fifo.registered = TRUE;
    for (ULONG page = 0; page < PAGES; page++) {
        struct evtchn_expand_array expand = {.array_gfn = frame_of(fifo.words[page])};

        if (hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, (ULONG_PTR)&expand, 0))
            return STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS init(struct bus *bus)
{
    NTSTATUS status;

    UNREFERENCED_PARAMETER(bus);
    if (fifo.registered)
        return STATUS_SUCCESS;
    if (!fifo.control && !NT_SUCCESS(make_pages()))
        return STATUS_NOT_SUPPORTED; /* the other ABI takes no memory */
    status = register_pages();
    if (!fifo.registered)
        free_pages();
    return status;
}

static void forget(struct bus *bus)
{
    UNREFERENCED_PARAMETER(bus);
    fifo.registered = FALSE;
    clear_pages();
}

void events_fifo_unload(void)
{
    struct evtchn_reset all = {.dom = DOMID_SELF};

    if (fifo.registered && hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, (ULONG_PTR)&all, 0))
        return; /* the hypervisor keeps the pages, and so must we */
    free_pages();
}

/* NULL for a port beyond the array: the hypervisor's queue is not to be trusted with our memory either. */
static event_word_t *word_of(ULONG port)
{
    return port < EVENT_PORTS ? &fifo.words[port / PER_PAGE][port % PER_PAGE] : NULL;
}

static void mask(struct bus *bus, ULONG port)
{
    UNREFERENCED_PARAMETER(bus);
    __atomic_fetch_or(word_of(port), MASKED, __ATOMIC_SEQ_CST);
}

static void unmask(struct bus *bus, ULONG port)
{
    struct evtchn_unmask unmask = {.port = port};

    UNREFERENCED_PARAMETER(bus);
    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_unmask, (ULONG_PTR)&unmask, 0);
}

/* Takes a word off its queue; the next port, 0 at the end. */
static ULONG unlink(event_word_t *word)
{
    event_word_t old = __atomic_load_n(word, __ATOMIC_SEQ_CST), new;

    do {
        new = old & ~(LINKED | LINK_BITS);
    } while (!__atomic_compare_exchange_n(word, &old, new, FALSE, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old & LINK_BITS;
}

static void take_one(struct bus *bus, ULONG queue, uint32_t *ready)
{
    ULONG port = fifo.heads[queue];
    event_word_t *word;

    if (!port) { /* the queue was empty when last seen: it begins anew */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        port = __atomic_load_n(&fifo.control->head[queue], __ATOMIC_SEQ_CST);
    }
    word = word_of(port);
    if (!port || !word) {
        fifo.heads[queue] = 0;
        *ready &= ~(1u << queue);
        return;
    }
    fifo.heads[queue] = unlink(word);
    if (!fifo.heads[queue])
        *ready &= ~(1u << queue);
    if ((__atomic_load_n(word, __ATOMIC_SEQ_CST) & (PENDING | MASKED)) == PENDING) {
        __atomic_fetch_and(word, ~PENDING, __ATOMIC_SEQ_CST);
        event_deliver(bus, port);
    }
}

static BOOLEAN scan(struct bus *bus, ULONG budget)
{
    struct evtchn_fifo_control_block *control = fifo.control;
    uint32_t ready = __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);

    while (ready && budget--) {
        take_one(bus, (ULONG)__builtin_ctz(ready), &ready); /* the lowest number is the highest priority */
        ready |= __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST);
    }
    if (!ready)
        return FALSE;
    __atomic_fetch_or(&control->ready, ready, __ATOMIC_SEQ_CST);
    return TRUE;
}

const struct event_abi events_fifo = {"FIFO", init, forget, scan, unmask, mask};
