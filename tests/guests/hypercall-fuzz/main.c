/* The vcpus and what they do: draw a call, note it, make it. */
#include "fuzz.h"

const char test_title[] = "hypercall fuzzer";

struct worker workers[WORKERS];
unsigned worker_count;
domid_t partner;
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
    if (c.hypercall < ARRAY_SIZE(w->counts)) {
        w->counts[c.hypercall]++;
        w->successes[c.hypercall] += r->result >= 0;
    }
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

static void grant_something(struct worker *w)
{
    volatile grant_entry_v1_t *entry = (volatile grant_entry_v1_t *)grant_entries + below(w, 32);
    static const uint16_t flags[] = {GTF_permit_access,   GTF_permit_access, GTF_permit_access | GTF_readonly,
                                     GTF_accept_transfer, GTF_invalid,       GTF_transitive};
    entry->frame = (uint32_t)some_frame(w);
    entry->domid = some_domain(w);
    entry->flags = one_in(w, 8) ? (uint16_t)draw(w) : flags[below(w, ARRAY_SIZE(flags))];
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

static void tell(uint64_t begun)
{
    uint64_t made = 0;
    for (unsigned i = 0; i < worker_count; i++) {
        say("FUZZ vcpu %u digest %lx, strayed %u times", i, workers[i].digest, workers[i].strays);
        made += workers[i].number;
    }
    for (unsigned n = 0; n < ARRAY_SIZE(workers[0].counts); n++) {
        unsigned count = 0, successes = 0;
        for (unsigned i = 0; i < worker_count; i++) {
            count += workers[i].counts[n];
            successes += workers[i].successes[n];
        }
        if (count)
            say("FUZZ hypercall %u: %u calls, %u succeeded", n, count, successes);
    }
    say("FUZZ made %lu calls in %lu ms", made, (time_now(&workers[0]) - begun) / 1000000);
}

void test_main(void)
{
    seed = number_option("seed", 1);
    calls = number_option("calls", 1000);
    worker_count = (unsigned)number_option("vcpus", 1);
    partner = (domid_t)number_option("partner", 0);
    console_use_ring();
    say("FUZZ seed %lu, %lu calls of each of %u vcpus, partner %u", seed, calls, worker_count, partner);
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
