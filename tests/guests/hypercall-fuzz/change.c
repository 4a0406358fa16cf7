/* What is changed in a well-formed call. */
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
