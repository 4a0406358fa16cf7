/* Which shape a call gets, and calls of several shapes in one. */
#include "fuzz.h"

static unsigned total(const struct weighted_shape *list)
{
    unsigned sum = 0;
    for (; list->make; list++)
        sum += list->weight;
    return sum;
}

static shape pick(const struct weighted_shape *list, unsigned at)
{
    for (; list->weight <= at; list++)
        at -= list->weight;
    return list->make;
}

static shape any_shape(struct worker *w)
{
    unsigned common = total(common_shapes), at = below(w, common + total(machine_shapes));
    return at < common ? pick(common_shapes, at) : pick(machine_shapes, at - common);
}

void make_shape(struct worker *w, struct call *c)
{
    any_shape(w)(w, c);
}

bool next_slot(struct worker *w, struct call *c)
{
    c->slot += SLOT_BYTES;
    return c->slot < w->slots + SLOTS * SLOT_BYTES;
}

/* Its entries go into the last slot, what they point to into those before. */
void make_multicall(struct worker *w, struct call *c)
{
    struct call part = {.slot = w->slots};
    struct multicall_entry *entries = (void *)(w->slots + SLOTS * SLOT_BYTES);
    unsigned count = 0, wanted = 1 + below(w, SLOTS - 1);
    do {
        shape make = any_shape(w);
        if (make == make_multicall)
            continue;
        part.after = NULL;
        make(w, &part);
        if (part.after)
            part.after(w, &part, -1);
        entries[count] = (struct multicall_entry){.op = part.hypercall};
        for (unsigned i = 0; i < 5; i++)
            entries[count].args[i] = part.a[i];
        count++;
    } while (count < wanted && next_slot(w, &part));
    *c = (struct call){.hypercall = __HYPERVISOR_multicall,
                       .a = {(uint64_t)entries, count},
                       .pointer = 0,
                       .bytes = count * (unsigned)sizeof(*entries),
                       .slot = (char *)entries};
}
