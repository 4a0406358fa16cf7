/* Event channels by two levels of bits: a word of each processor names the words of the shared info that hold pending
 * ports. */
#include "bus.h"

#define BITS 64u

static NTSTATUS init(struct bus *bus)
{
    for (ULONG word = 0; word < EVENT_PORTS / BITS; word++)
        bus->shared_info->evtchn_mask[word] = ~0ull;
    return STATUS_SUCCESS;
}

static void forget(struct bus *bus)
{
    UNREFERENCED_PARAMETER(bus); /* the shared info is a new one */
}

static uint64_t *word_of(xen_ulong_t *words, ULONG port)
{
    return (uint64_t *)&words[port / BITS];
}

static void mask(struct bus *bus, ULONG port)
{
    __atomic_fetch_or((uint64_t *)&bus->shared_info->evtchn_mask[port / BITS], 1ull << port % BITS, __ATOMIC_SEQ_CST);
}

/* The hypervisor does it, for it also raises what became pending while the port was masked. */
static void unmask(struct bus *bus, ULONG port)
{
    struct evtchn_unmask unmask = {.port = port};

    UNREFERENCED_PARAMETER(bus);
    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_unmask, (ULONG_PTR)&unmask, 0);
}

/* Delivers the ports of one word; what is left of the budget. */
static ULONG scan_word(struct bus *bus, ULONG index, ULONG budget)
{
    uint64_t *pending = word_of((xen_ulong_t *)bus->shared_info->evtchn_pending, index * BITS);
    uint64_t ready = __atomic_load_n(pending, __ATOMIC_SEQ_CST) & ~bus->shared_info->evtchn_mask[index];

    while (ready && budget) {
        ULONG bit = (ULONG)__builtin_ctzll(ready);

        ready &= ready - 1;
        __atomic_fetch_and(pending, ~(1ull << bit),
                           __ATOMIC_SEQ_CST); /* before the handler looks: a new one is not lost */
        event_deliver(bus, index * BITS + bit);
        budget--;
    }
    return budget;
}

static BOOLEAN scan(struct bus *bus, ULONG budget)
{
    uint64_t *selector = (uint64_t *)&bus->shared_info->vcpu_info[0].evtchn_pending_sel;
    uint64_t words = __atomic_exchange_n(selector, 0, __ATOMIC_SEQ_CST);

    while (words && budget) {
        ULONG index = (ULONG)__builtin_ctzll(words);

        budget = scan_word(bus, index, budget);
        if (budget)
            words &= words - 1;
    }
    if (!words)
        return FALSE;
    __atomic_fetch_or(selector, words, __ATOMIC_SEQ_CST);
    return TRUE;
}

const struct event_abi events_two_level = {"2-level", init, forget, scan, unmask, mask};
