/*
 * What a call must not reach: what the guest itself lives by. Arguments are looked at as they will be passed, changes
 * and all. They are in the slots, which nobody else writes; what is in the arena may be anything at any time, so what
 * the guest lives by has numbers there that no call writes and no few flipped bits make (machine_pv.c, machine_hvm.c).
 */
#include "fuzz.h"

typedef uint64_t anywhere64 __attribute__((aligned(1), may_alias));
#define OUT_OF_REACH (1UL << 45) /* with it a number is no frame, entry or address that leads anywhere */

bool in_slots(const struct worker *w, uint64_t address, unsigned bytes)
{
    uint64_t start = (uint64_t)w->slots;
    return address >= start && address <= start + PAGE - bytes;
}

/* Whose slots do not matter. */
bool leads_to_slots(uint64_t address)
{
    for (unsigned i = 0; i < worker_count; i++)
        if ((address & ~(PAGE - 1)) == (uint64_t)workers[i].slots)
            return true;
    return false;
}

/* Whether a call may change what its structure names as an address, or have it written to later. */
static bool takes_address(unsigned hypercall, uint64_t operation)
{
    switch (hypercall) {
    case __HYPERVISOR_grant_table_op:
        return operation == GNTTABOP_map_grant_ref || operation == GNTTABOP_unmap_grant_ref ||
               operation == GNTTABOP_unmap_and_replace;
    case __HYPERVISOR_vcpu_op:
        return operation == VCPUOP_register_runstate_memory_area || operation == VCPUOP_register_vcpu_time_memory_area;
    }
    return false;
}

static void keep_structure(struct worker *w, unsigned hypercall, uint64_t operation, uint64_t address)
{
    bool takes = takes_address(hypercall, (uint32_t)operation);
    anywhere64 *words = (void *)address;
    unsigned room = in_slots(w, address, 0) ? (unsigned)((uint64_t)w->slots + PAGE - address) / 8 : 0;
    for (unsigned n = 0; n < room; n++)
        if (machine_lives_by(hypercall, n, words[n]) || (takes && leads_to_slots(words[n])))
            words[n] |= OUT_OF_REACH;
}

/* What is named reaches no further than its neighbours, which lives_by() of either machine counts in. */
static void limit_extents(struct worker *w, uint64_t operation, uint64_t address)
{
    if (!in_slots(w, address, sizeof(struct xen_memory_exchange)))
        return;
    struct xen_memory_exchange *exchange = (void *)address;
    struct xen_memory_reservation *less = (void *)address;
    struct xen_add_to_physmap *add = (void *)address;
    switch ((uint32_t)operation) {
    case XENMEM_decrease_reservation:
        less->extent_order %= ORDERS;
        return;
    case XENMEM_exchange:
        exchange->in.extent_order %= ORDERS;
        return;
    case XENMEM_add_to_physmap:
        add->size %= 1U << ORDERS;
    }
}

static void keep_arguments(struct worker *w, unsigned hypercall, uint64_t *a)
{
    for (unsigned i = 0; i < 5; i++) {
        keep_structure(w, hypercall, a[0], a[i]);
        if (machine_lives_by(hypercall, ARGUMENT, a[i]))
            a[i] |= OUT_OF_REACH;
    }
}

/* A poll with no end is a vcpu that is gone, and a watchdog that bites is a domain that is. */
static bool sched_spares(struct worker *w, uint64_t *a)
{
    struct sched_poll *poll = (void *)a[1];
    struct sched_watchdog *watchdog = (void *)a[1];
    switch ((uint32_t)a[0]) {
    case SCHEDOP_block:
    case SCHEDOP_shutdown:
    case SCHEDOP_shutdown_code:
        return false;
    case SCHEDOP_poll:
        if (!in_slots(w, a[1], sizeof(*poll)))
            a[1] = UNMAPPED;
        else if (poll->timeout == 0 || poll->timeout > w->now + 20000000)
            poll->timeout = 1;
        return true;
    case SCHEDOP_watchdog:
        if (!in_slots(w, a[1], sizeof(*watchdog)))
            a[1] = UNMAPPED;
        else if (watchdog->timeout)
            watchdog->timeout |= 1U << 20;
        return true;
    }
    return true;
}

static bool multicall_spares(struct worker *w, uint64_t *a)
{
    struct multicall_entry *entries = (void *)a[0];
    if (!in_slots(w, a[0], 0)) /* what stands elsewhere is anybody's */
        return a[0] == UNMAPPED || a[0] == NON_CANONICAL || a[0] == IN_HYPERVISOR || a[0] == ALMOST_TOP;
    unsigned room = (unsigned)(((uint64_t)w->slots + PAGE - a[0]) / sizeof(*entries));
    for (unsigned i = 0; i < room && i < a[1]; i++) {
        unsigned op = (unsigned)entries[i].op; /* the rest of the word does not make it another call */
        if (op == __HYPERVISOR_multicall || !spares_guest(w, op, entries[i].args))
            entries[i].op = __HYPERVISOR_xen_version;
    }
    return true;
}

bool spares_guest(struct worker *w, unsigned hypercall, uint64_t *a)
{
    switch (hypercall) {
    case __HYPERVISOR_iret:
    case __HYPERVISOR_sched_op_compat:
        return false;
    case __HYPERVISOR_sched_op:
        return sched_spares(w, a);
    case __HYPERVISOR_multicall:
        return multicall_spares(w, a);
    case __HYPERVISOR_vcpu_op: /* the first vcpu wakes the others */
        if ((uint32_t)a[0] == VCPUOP_down && ((uint32_t)a[1] == 0 || (uint32_t)a[1] >= worker_count))
            return false;
    }
    if (hypercall == __HYPERVISOR_memory_op)
        limit_extents(w, a[0], a[1]);
    keep_arguments(w, hypercall, a);
    return machine_spares(hypercall, a);
}
