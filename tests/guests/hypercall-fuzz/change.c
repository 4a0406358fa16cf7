/* What is changed in a well-formed call, and what must not be called for the guest's own sake. */
#include "fuzz.h"

uint64_t odd_number(struct worker *w)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   2,
                                   15,
                                   63,
                                   64,
                                   255,
                                   511,
                                   512,
                                   4095,
                                   4096,
                                   4097,
                                   0x7fff,
                                   0x8000,
                                   0xffff,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   0x100000000,
                                   1UL << 40,
                                   1UL << 51,
                                   1UL << 52,
                                   0x7fffffffffffffff,
                                   0x8000000000000000,
                                   ~0UL,
                                   ~0UL - 1,
                                   UNMAPPED,
                                   NON_CANONICAL,
                                   IN_HYPERVISOR,
                                   ALMOST_TOP,
                                   DOMID_SELF,
                                   DOMID_IO,
                                   DOMID_XEN,
                                   DOMID_COW,
                                   DOMID_INVALID,
                                   DOMID_IDLE};
    unsigned which = below(w, ARRAY_SIZE(odd) + 8);
    if (which < ARRAY_SIZE(odd))
        return odd[which];
    return which % 4 == 0 ? some_frame(w) : which % 4 == 1 ? some_address(w) : which % 4 == 2 ? partner : draw(w);
}

domid_t some_domain(struct worker *w)
{
    static const domid_t rare[] = {0, 77, DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE};
    unsigned which = below(w, 16);
    return which < 7 ? DOMID_SELF : which < 13 ? partner : rare[below(w, ARRAY_SIZE(rare))];
}

/* Few, so that calls meet. The first ones are the console's and the store's, which the toolstack made. */
uint32_t some_port(struct worker *w)
{
    return one_in(w, 50) ? (uint32_t)odd_number(w) : 1 + below(w, 40);
}

bool in_slots(const struct worker *w, uint64_t address, unsigned bytes)
{
    uint64_t start = (uint64_t)w->slots;
    return address >= start && address <= start + PAGE - bytes;
}

/* ---- Changes ---- */
static void flip_bits(struct worker *w, struct call *c)
{
    for (unsigned n = 1 + below(w, FLIPS); n; n--)
        c->slot[below(w, c->bytes)] ^= (char)(1U << below(w, 8));
}

static void replace_field(struct worker *w, struct call *c)
{
    uint64_t value = odd_number(w);
    unsigned size = 1U << (1 + below(w, 3));
    if (c->bytes < size)
        return;
    char *field = c->slot + below(w, c->bytes / size) * size;
    for (unsigned i = 0; i < size; i++)
        field[i] = (char)(value >> (8 * i));
}

static void replace_argument(struct worker *w, struct call *c)
{
    c->a[below(w, 4)] = odd_number(w);
}

/* Into the arena, where others write, map and unmap; or so that its end is in a page that is not there. */
static void move_structure(struct worker *w, struct call *c)
{
    if (one_in(w, 2)) {
        c->a[c->pointer] = some_address(w);
        return;
    }
    unsigned reach = below(w, c->bytes + 1);
    char *to = w->slots + PAGE - reach;
    for (unsigned i = 0; i < reach; i++)
        to[i] = c->slot[i];
    c->a[c->pointer] = (uint64_t)to;
}

static void other_operation(struct worker *w, struct call *c)
{
    if (one_in(w, 4))
        c->hypercall = one_in(w, 4) ? (unsigned)draw(w) & 127 : below(w, 64);
    else
        c->a[0] = one_in(w, 4) ? odd_number(w) : below(w, 40);
}

void change(struct worker *w, struct call *c)
{
    unsigned how = below(w, 10);
    if (how < 2 || c->pointer < 0 || !c->bytes) {
        replace_argument(w, c);
        return;
    }
    if (how < 5)
        flip_bits(w, c);
    else if (how < 7)
        replace_field(w, c);
    else if (how < 9)
        move_structure(w, c);
    else
        other_operation(w, c);
}

/* ---- For the guest's own sake ---- */
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
        return (uint32_t)a[0] != VCPUOP_down || ((uint32_t)a[1] != 0 && (uint32_t)a[1] < worker_count);
    }
    return machine_spares(hypercall, a);
}
