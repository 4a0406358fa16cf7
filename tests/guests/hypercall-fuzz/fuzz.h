/*
 * The hypercall fuzzer: each vcpu of an unprivileged guest makes hypercalls whose arguments are well formed and then,
 * of some, changed; at the same time the guest's memory is mapped, unmapped, given away and made page tables, and a
 * second guest (the partner) has ends of event channels and grants. It judges nothing but that it goes on; what it must
 * not break is looked at from Domain-0 (tests/rig/scenarios/fuzz.py). Built as a PV and as an HVM kernel.
 *
 * Command line: seed=, calls= of each vcpu, vcpus=, partner= a domain id. A call depends on the seed, the vcpu and its
 * number alone, and on which frames the guest has: the same seed makes the same calls.
 */
#ifndef FUZZ_H
#define FUZZ_H

#ifdef HVM_KERNEL
#include "hvm.h"
#else
#include "guest.h"
#endif
#include <xen/callback.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/physdev.h>
#include <xen/vcpu.h>

enum {
    WORKERS = 4,
    ARENA = 64,
    RECORDS = 31,
    SLOTS = 6,
    SLOT_BYTES = 512,
    LARGE_SLOT = SLOTS,
    FLIPS = 3,
    GRANTS = 16,
    ORDERS = 4
};
enum { HYPERCALLS = 64, OPERATIONS = 48 }; /* that are told apart */

struct worker;

/* One call, as it is kept for whoever looks into the guest's memory afterwards (the rig's fuzz.py reads it). */
struct record {
    uint64_t number; /* of the call among those of its vcpu */
    uint64_t hypercall;
    uint64_t a[5];
    uint64_t argument[8]; /* the start of the structure */
    int64_t result;
};

struct ring {
    char magic[8]; /* "FUZZRING" */
    uint64_t seed, vcpu, calls, unused[12];
    struct record records[RECORDS];
};

/* A hypercall in the making. */
struct call {
    unsigned hypercall;
    uint64_t a[5];
    int pointer;    /* which of them points to the structure; -1: none */
    unsigned bytes; /* of the structure, all elements together */
    char *slot;     /* where it is */
    void (*after)(struct worker *w, struct call *c, long result);
};

/* What one vcpu has. */
struct worker {
    unsigned id;
    uint64_t random;
    uint64_t number; /* of the running call */
    uint64_t digest; /* of the calls as they were drawn: the same for the same seed */
    uint64_t now;    /* system time, of the last call that needed it */
    struct {
        unsigned calls, served;
    } tally[HYPERCALLS][OPERATIONS]; /* by hypercall and operation */
    struct ring *ring;
    char *slots; /* SLOTS small ones and a large one, in a page at slots_address(); the page behind is not mapped */
    void *way_back[5]; /* __builtin_setjmp, for when a call has made the vcpu run something else */
    unsigned strays;   /* how often it was needed */
    unsigned given[4]; /* pages of the arena whose frames a call may give away */
    volatile bool done;
};
extern struct worker workers[WORKERS];
extern unsigned worker_count;
extern domid_t partner;

/* ---- Chance ---- */
uint64_t draw(struct worker *w);
static inline unsigned below(struct worker *w, unsigned n)
{
    return (unsigned)(draw(w) >> 32) % n;
}
static inline bool one_in(struct worker *w, unsigned n)
{
    return below(w, n) == 0;
}
/* A number that a check may have forgotten. */
uint64_t odd_number(struct worker *w);
domid_t some_domain(struct worker *w);
uint32_t some_port(struct worker *w);

/* ---- Shapes: how each call is made when it is made well ---- */
/* Begins a call whose structure of `bytes` is zero and argument `pointer` leads to it. */
void *begin(struct call *c, unsigned hypercall, int pointer, unsigned bytes);
typedef void (*shape)(struct worker *w, struct call *c);
struct weighted_shape {
    shape make;
    unsigned weight;
};
extern const struct weighted_shape common_shapes[], machine_shapes[]; /* each ends with a shape of NULL */
void make_shape(struct worker *w, struct call *c);
void make_multicall(struct worker *w, struct call *c);
/* The slot `c` writes to becomes the next one; false: there is none left. */
bool next_slot(struct worker *w, struct call *c);
/* A place behind the structure, for lists and answers. */
static inline void *behind(struct call *c, unsigned offset)
{
    return c->slot + SLOT_BYTES / 2 + offset;
}
uint64_t time_now(struct worker *w);

void change(struct worker *w, struct call *c);

/* ---- What the guest lives by ---- */
/* Whether the call leaves this guest alive, whose own fault it were otherwise. May lessen it. */
bool spares_guest(struct worker *w, unsigned hypercall, uint64_t *a);
bool in_slots(const struct worker *w, uint64_t address, unsigned bytes);
bool leads_to_slots(uint64_t address); /* those of any vcpu */
/* Whether a number in a call's structure, its word `n`, or an ARGUMENT names memory that the guest lives by. */
#define ARGUMENT ~0U
bool machine_lives_by(unsigned hypercall, unsigned n, uint64_t word);

/* ---- What the kind of guest brings: machine_pv.c, machine_hvm.c ---- */
extern const char machine_kind[];
void machine_prepare(void);      /* arena, grant table, slots */
void machine_start(unsigned id); /* worker_main(id) on that vcpu */
bool machine_spares(unsigned number, uint64_t *a);
void machine_refresh(struct worker *w);  /* now and then: what calls have used up */
void machine_repair(unsigned number);    /* after a call that may have changed how traps come in */
uint64_t some_frame(struct worker *w);   /* of the arena, of others, of nobody; own ones that matter are rare */
uint64_t some_address(struct worker *w); /* a virtual address in the arena, or one that is not its own */
void *arena_page(unsigned n);
/* Of the slots of a vcpu: more than FLIPS flipped bits away from those of the others and from all else that is mapped.
 */
static inline uint64_t slots_address(unsigned id)
{
    return 0x00002ad555400000UL + (id & 1 ? 0x0fUL : 0) * PAGE + (id & 2 ? 0xf0UL : 0) * PAGE;
}
extern volatile void *grant_entries; /* the first page of the guest's table */

void worker_main(unsigned id);

#endif
