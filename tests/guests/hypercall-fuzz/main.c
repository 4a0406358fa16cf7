/* The vcpus and what they do: draw a call, note it, make it. */
#include "fuzz.h"

const char test_title[] = "hypercall fuzzer";

struct worker workers[WORKERS];
unsigned worker_count;
domid_t partner;
static domid_t self;
static uint64_t seed, calls;
static struct ring rings[WORKERS] __attribute__((aligned(4096)));
_Static_assert(sizeof(struct ring) == 4096, "a ring is a page");

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

uint64_t draw(struct worker *w)
{
    return mix(w->random += 0x9e3779b97f4a7c15UL);
}

static uint64_t number_option(const char *key, uint64_t otherwise)
{
    const char *at = option(key);
    uint64_t n = 0;
    if (!at)
        return otherwise;
    for (; *at >= '0' && *at <= '9'; at++)
        n = n * 10 + (uint64_t)(*at - '0');
    return n;
}

/* ---- One call ---- */
static struct record *note(struct worker *w, const struct call *c)
{
    struct record *r = &w->ring->records[w->number % RECORDS];
    r->hypercall = c->hypercall;
    r->result = 0x7e57;
    for (unsigned i = 0; i < 5; i++)
        r->a[i] = c->a[i];
    for (unsigned i = 0; i < 8; i++)
        r->argument[i] = c->pointer >= 0 ? ((const uint64_t *)c->slot)[i] : 0;
    __atomic_store_n(&r->number, w->number, __ATOMIC_RELEASE);
    return r;
}

/* ---- How many were served ---- */
/* Some calls tell beside their result, in each element. */
static bool grant_served(const struct worker *w, uint64_t operation, uint64_t address)
{
    static const uint8_t status_at[OPERATIONS] = {
        [GNTTABOP_map_grant_ref] = offsetof(struct gnttab_map_grant_ref, status),
        [GNTTABOP_unmap_grant_ref] = offsetof(struct gnttab_unmap_grant_ref, status),
        [GNTTABOP_setup_table] = offsetof(struct gnttab_setup_table, status),
        [GNTTABOP_copy] = offsetof(struct gnttab_copy, status),
        [GNTTABOP_query_size] = offsetof(struct gnttab_query_size, status),
        [GNTTABOP_get_status_frames] = offsetof(struct gnttab_get_status_frames, status),
        [GNTTABOP_unmap_and_replace] = offsetof(struct gnttab_unmap_and_replace, status),
        [GNTTABOP_swap_grant_ref] = offsetof(struct gnttab_swap_grant_ref, status),
    };
    unsigned at = operation < OPERATIONS ? status_at[operation] : 0;
    return !at || (in_slots(w, address, 64) && *(const int16_t *)(address + at) == GNTST_okay);
}

static uint64_t operation_of(const struct worker *w, const struct call *c)
{
    switch (c->hypercall) {
    case __HYPERVISOR_mmuext_op: /* the first one's */
        return in_slots(w, c->a[0], 4) ? *(const uint32_t *)c->a[0] : 0;
    case __HYPERVISOR_memory_op:
    case __HYPERVISOR_event_channel_op:
    case __HYPERVISOR_grant_table_op:
    case __HYPERVISOR_vcpu_op:
    case __HYPERVISOR_sched_op:
    case __HYPERVISOR_hvm_op:
    case __HYPERVISOR_callback_op:
        return c->a[0];
    }
    return 0;
}

static void count(struct worker *w, const struct call *c, int64_t result)
{
    uint64_t operation = operation_of(w, c);
    if (c->hypercall >= HYPERCALLS || operation >= OPERATIONS)
        return;
    w->tally[c->hypercall][operation].calls++;
    w->tally[c->hypercall][operation].served +=
        result >= 0 && (c->hypercall != __HYPERVISOR_grant_table_op || grant_served(w, operation, c->a[1]));
}

static void one_call(struct worker *w)
{
    struct call c = {.pointer = -1, .slot = w->slots};
    w->random = mix(seed + w->id * 0x1000000007UL + w->number * 0x10001UL);
    make_shape(w, &c);
    w->digest = mix(w->digest + c.hypercall * 64 + (c.hypercall < 64 ? c.a[0] & 63 : 0));
    if (one_in(w, 3))
        change(w, &c);
    if (!spares_guest(w, c.hypercall, c.a)) {
        if (c.after)
            c.after(w, &c, -1);
        return;
    }
    struct record *r = note(w, &c);
    r->result = hypercall(c.hypercall, c.a[0], c.a[1], c.a[2], c.a[3], c.a[4]);
    if (c.after)
        c.after(w, &c, r->result);
    machine_repair(c.hypercall);
    count(w, &c, r->result);
}

/* ---- Memory that is written meanwhile ---- */
static void touch(struct worker *w)
{
    uint64_t *page = arena_page(below(w, ARENA));
    uint64_t value = one_in(w, 2) ? 0 : odd_number(w);
    if (one_in(w, 2))
        try_read(page + below(w, 512));
    else
        try_write(page + below(w, 8), value);
}

/* A call may have changed the kind of entries. */
static bool entries_are_new(void)
{
    struct gnttab_get_version version = {.dom = DOMID_SELF};
    return !HYPERCALL(grant_table_op, GNTTABOP_get_version, &version, 1) && version.version == 2;
}

static void grant_something(struct worker *w)
{
    static const uint16_t flags[] = {
        GTF_permit_access, GTF_permit_access, GTF_permit_access,   GTF_permit_access | GTF_readonly,
        GTF_permit_access, GTF_permit_access, GTF_accept_transfer, GTF_invalid | GTF_PWT,
        GTF_transitive};
    unsigned n = below(w, GRANTS);
    volatile grant_entry_v1_t *entry = (volatile grant_entry_v1_t *)grant_entries + n;
    volatile struct grant_entry_header *header = &((volatile union grant_entry_v2 *)grant_entries + n)->hdr;
    uint64_t frame = some_frame(w);
    domid_t chosen = some_domain(w), domain = chosen == DOMID_SELF ? self : chosen; /* an entry wants the number */
    uint16_t how = one_in(w, 8) ? (uint16_t)draw(w) : flags[below(w, ARRAY_SIZE(flags))];
    if (entries_are_new()) {
        ((volatile union grant_entry_v2 *)grant_entries + n)->full_page.frame = frame;
        header->domid = domain;
        header->flags = how;
        return;
    }
    entry->frame = (uint32_t)frame;
    entry->domid = domain;
    entry->flags = how;
}

/* ---- The vcpus ---- */
static long vcpu_op(unsigned command, unsigned vcpu)
{
    return HYPERCALL(vcpu_op, command, vcpu, 0);
}

/* Calls may have sent each other to sleep. */
static void wake_others(void)
{
    for (unsigned i = 1; i < worker_count; i++)
        if (!workers[i].done)
            vcpu_op(VCPUOP_up, i);
}

void worker_main(unsigned id)
{
    struct worker *w = &workers[id];
    if (__builtin_setjmp(w->way_back)) {
        machine_repair(__HYPERVISOR_multicall);
        w->number++;
    }
    for (; w->number < calls; w->number++) {
        one_call(w);
        w->random = mix(w->random);
        if (one_in(w, 4))
            touch(w);
        if (one_in(w, 4))
            grant_something(w);
        if (w->number % 8 == 0)
            machine_refresh(w);
        if (id == 0 && w->number % 64 == 0)
            wake_others();
    }
    w->done = true;
    while (id != 0)
        vcpu_op(VCPUOP_down, id);
}

static void tell_operation(unsigned hypercall, unsigned operation)
{
    unsigned made = 0, served = 0;
    for (unsigned i = 0; i < worker_count; i++) {
        made += workers[i].tally[hypercall][operation].calls;
        served += workers[i].tally[hypercall][operation].served;
    }
    if (made)
        say("FUZZ hypercall %u.%u: %u calls, %u served", hypercall, operation, made, served);
}

static void tell(uint64_t begun)
{
    uint64_t made = 0;
    for (unsigned i = 0; i < worker_count; i++) {
        say("FUZZ vcpu %u digest %lx, strayed %u times", i, workers[i].digest, workers[i].strays);
        made += workers[i].number;
    }
    for (unsigned n = 0; n < HYPERCALLS * OPERATIONS; n++)
        tell_operation(n / OPERATIONS, n % OPERATIONS);
    say("FUZZ made %lu calls in %lu ms", made, (time_now(&workers[0]) - begun) / 1000000);
}

void test_main(void)
{
    seed = number_option("seed", 1);
    calls = number_option("calls", 1000);
    worker_count = (unsigned)number_option("vcpus", 1);
    partner = (domid_t)number_option("partner", 0);
    console_use_ring();
    say("FUZZ %s, seed %lu, %lu calls of each of %u vcpus, partner %u", machine_kind, seed, calls, worker_count,
        partner);
    self = own_domain();
    if (worker_count > WORKERS)
        error("at most %u vcpus", (unsigned)WORKERS);
    machine_prepare();
    for (unsigned i = 0; i < worker_count; i++) {
        struct ring *ring = &rings[i];
        memory_set(ring, 0, sizeof(*ring));
        ring->seed = seed, ring->vcpu = i, ring->calls = calls;
        for (unsigned at = 0; at < 8; at++)
            ring->magic[at] = "FUZZRING"[at];
        workers[i].id = i;
        workers[i].ring = ring;
    }
    uint64_t begun = time_now(&workers[0]);
    for (unsigned i = 1; i < worker_count; i++)
        machine_start(i);
    worker_main(0);
    for (unsigned i = 1; i < worker_count; i++)
        while (!workers[i].done) {
            wake_others();
            HYPERCALL(sched_op, SCHEDOP_yield, 0);
        }
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    HYPERCALL(event_channel_op, EVTCHNOP_reset, &reset);
    tell(begun);
}
