/*
 * Page tables under four threads: two vcpus of each of two PV guests write entries, pin, unpin, change roots, map
 * granted frames, swap, give back, ask for and claim memory at once, drawn from a seed. Each is a processor with caches
 * of leaf and upper entries, filled without a lock as a processor does it. What is in them must always be allowed: no
 * frame that has become another's, no writing to a table, no walk by what is no table any more. Afterwards all is given
 * back.
 *
 * hv-pv-mmu-fuzz [SEED [CALLS]].
 */
#include "../../random.h"
#include "../fake/several_threads.h"
#include "machine.h"
#include <hv/abi_internal.h>
#include <hv/claim.h>
#include <hv/grant_table.h>
#include <hv/hypercall.h>
#include <hv/page_alloc.h>
#include <hv/policy.h>
#include <hv/pv.h>
#include <hv/tlb.h>

#include <pthread.h>

/* Of each guest: frames, of which the first ones are used for anything; regions of 2 MiB, pages of each; of each cache:
 * entries. */
enum { POOL = 48, ANYTHING = 28, REGIONS = 12, PAGES = 4, CACHED = 8 };

static struct vcpu vcpus[THREADS], *all[THREADS];
static struct domain *guests[2] = {&guest, &other};
static volatile mfn_t pool[2][POOL];
static uint64_t walked, written, pinned, rooted, exchanged, granted, returned, populated;

/* ---- Processors ---- */

struct cached {
    bool valid, write;
    mfn_t mfn;
    unsigned level; /* of the table that it is; 0: it is mapped */
    domid_t owner;
};
static struct {
    pthread_mutex_t lock;
    struct cached entry[2][CACHED]; /* leaf, upper */
} caches[THREADS];
volatile uint64_t tlbflush_clock = 1;

static unsigned self(void)
{
    return this_cpu()->id;
}

static void flush(unsigned n)
{
    uint64_t time = __atomic_add_fetch(&tlbflush_clock, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&caches[n].lock);
    memset(caches[n].entry, 0, sizeof(caches[n].entry));
    __atomic_store_n(&cpus[n].tlbflush_time, time, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&caches[n].lock);
}

void tlb_filter_and_flush(uint64_t stamp)
{
    for (unsigned n = 0; n < THREADS; n++)
        if (__atomic_load_n(&cpus[n].tlbflush_time, __ATOMIC_SEQ_CST) <= stamp)
            flush(n);
}

void tlb_flush_mask(const cpumask_t *mask, unsigned long va)
{
    for (unsigned n = 0; n < THREADS; n++)
        if (test_bit(n, mask->bits))
            flush(n);
}

void tlb_flush_local(void)
{
    flush(self());
}

void tlb_flush_local_va(unsigned long va)
{
    flush(self());
}

void load_guest_root(struct vcpu *v)
{
    flush(self());
}

void smp_call_interrupt(void)
{
}

static unsigned long any_va(void)
{
    return 0x7000000000UL + random_below(REGIONS) * 0x200000UL + random_below(PAGES) * PAGE_SIZE;
}

/* From the root, or from an upper entry that is cached. Cached is what the walk meets. */
static void walk(unsigned n)
{
    unsigned long va = any_va();
    pthread_mutex_lock(&caches[n].lock);
    const struct cached *from = &caches[n].entry[1][random_below(CACHED)];
    bool shortcut = from->valid && random_below(2);
    mfn_t table = shortcut ? from->mfn : current->pv.root_kernel;
    for (unsigned level = shortcut ? from->level : 4; level > 0; level--) {
        pte_t e = READ_ONCE(((pte_t *)mfn_to_virt(table))[PTE_INDEX(va, level)]);
        if (!(e & PTE_PRESENT))
            break;
        table = pte_mfn(e);
        CHECK(table < FAKE_FRAMES);
        caches[n].entry[level > 1][random_below(CACHED)] =
            (struct cached){true, e & PTE_WRITE, table, level - 1, mfn_to_page(table)->owner};
        walked += level == 1;
    }
    pthread_mutex_unlock(&caches[n].lock);
}

/* A frame that nobody has may be cached still: it is flushed before somebody gets it, as before a new use. */
static void check_cached(const struct cached *c)
{
    const struct page *page = mfn_to_page(c->mfn);
    uint64_t references = __atomic_load_n(&page->references, __ATOMIC_SEQ_CST);
    uint64_t type = __atomic_load_n(&page->type, __ATOMIC_SEQ_CST);
    bool used = type & TYPE_COUNT_MASK && type & TYPE_READY;
    CHECK(!(references & PAGE_REFERENCES_MASK) || references >> 48 == c->owner);
    if (c->level)
        CHECK(!used || (type & TYPE_MASK) == (uint64_t)c->level << TYPE_SHIFT);
    else if (c->write)
        CHECK(!used || (type & TYPE_MASK) == TYPE_WRITABLE);
}

static void check_caches(unsigned n)
{
    pthread_mutex_lock(&caches[n].lock);
    for (unsigned i = 0; i < 2 * CACHED; i++)
        if (caches[n].entry[i / CACHED][i % CACHED].valid)
            check_cached(&caches[n].entry[i / CACHED][i % CACHED]);
    pthread_mutex_unlock(&caches[n].lock);
}

/* ---- Calls ---- */

int domain_get_for_caller(domid_t id, struct domain **out)
{
    domain_hold(*out = current->domain);
    return 0;
}

void *zalloc(size_t bytes)
{
    return calloc(1, bytes);
}

int allowed_call(const struct domain *subject, enum policy_class class)
{
    return 0; /* to claim memory is a toolstack's affair */
}

/* The last frame that was given a name: who knows the allocator guesses it before it is told. */
static volatile mfn_t named = 1;
void machine_names(mfn_t mfn)
{
    named = mfn;
    fake_let_others_run();
}

static mfn_t any_frame(void)
{
    if (random_below(10) == 0)
        return named;
    unsigned owner = (current->domain == &other) ^ (random_below(40) == 0);
    if (random_below(40) == 0)
        return random_below(FAKE_FRAMES);
    return pool[owner][random_below(random_below(40) ? ANYTHING : POOL)];
}

static pte_t any_entry(void)
{
    static const pte_t rights[] = {PTE_PRESENT, PTE_PRESENT, PTE_PRESENT | PTE_WRITE, PTE_PRESENT | PTE_WRITE, 0};
    return make_pte(any_frame(), rights[random_below(ARRAY_SIZE(rights))] | (random_below(60) ? 0 : PTE_PSE));
}

/* Until it is done; a guest may also never ask again. */
static bool done(long (*function)(struct hypercall *call), uint64_t a, uint64_t b, uint64_t c)
{
    struct hypercall call = {.arg = {a, b, c, DOMID_SELF}};
    long result;
    do
        result = function(&call);
    while (result == -ERESTART && random_below(30));
    return result == 0;
}

static bool mmuext(unsigned command, mfn_t mfn)
{
    struct mmuext_op op = {.cmd = command, .arg1.mfn = mfn, .arg2.src_mfn = pool[current->domain == &other][0]};
    return done(do_mmuext_op, (uint64_t)&op, 1, 0);
}

static bool map(unsigned long va, pte_t entry)
{
    return done(do_update_va_mapping, va, entry, random_below(4) ? UVMF_NONE : UVMF_INVLPG);
}

static void write_entries(void)
{
    struct mmu_update update[4];
    unsigned count = 1 + random_below(ARRAY_SIZE(update));
    for (unsigned i = 0; i < count; i++) {
        unsigned index = PTE_INDEX(any_va(), 1 + random_below(4));
        unsigned how = random_below(6) ? MMU_NORMAL_PT_UPDATE : MMU_PT_UPDATE_PRESERVE_AD;
        update[i] = (struct mmu_update){any_frame() << PAGE_SHIFT | index * 8 | how, any_entry()};
    }
    written += done(do_mmu_update, (uint64_t)update, count, 0);
}

/* The frame may be cached, and is mapped no more. */
static void touch(mfn_t mfn)
{
    unsigned long va = any_va();
    if (!map(va, make_pte(mfn, PTE_PRESENT | PTE_WRITE)))
        return;
    for (unsigned i = 0; i < 20; i++)
        walk(self());
    map(va, 0);
}

static void be_a_table(mfn_t mfn)
{
    if (!mmuext(MMUEXT_PIN_L1_TABLE, mfn))
        return;
    check_caches(self());
    mmuext(MMUEXT_UNPIN_TABLE, mfn);
}

static void exchange_frame(volatile mfn_t *frame)
{
    uint64_t in = *frame, out = 77;
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};
    struct request r = {.address = (uint64_t)&x, .argument = &x};
    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    if (memory_exchange(&r))
        return;
    *frame = out;
    exchanged++;
}

static long memory_op(operation_handler handler, unsigned command, struct xen_memory_reservation *op)
{
    struct hypercall call = {.arg = {command}};
    struct request r = {.call = &call, .argument = op};
    long result;
    do
        result = handler(&r);
    while (result == -ERESTART && random_below(30));
    return result;
}

/* Back, perhaps twice, and another one for it; for a moment the guest may have one more or one less than it should. */
static void renew_frame(volatile mfn_t *frame)
{
    uint64_t list[4] = {*frame, any_frame(), any_frame(), *frame};
    bool asks = random_below(2);
    struct xen_memory_reservation r = {.nr_extents = 1 + random_below(8) / 5 * 3, .domid = DOMID_SELF};
    set_xen_guest_handle(r.extent_start, list);
    if (random_below(16) == 0)
        r.extent_order = random_below(3);
    returned += memory_op(memory_decrease, XENMEM_decrease_reservation, &r) > 0;
    r = (struct xen_memory_reservation){.nr_extents = 1, .domid = DOMID_SELF};
    set_xen_guest_handle(r.extent_start, list);
    if (memory_op(memory_populate, asks ? XENMEM_populate_physmap : XENMEM_increase_reservation, &r) == 1) {
        *frame = list[0];
        populated++;
    }
}

static void claim_memory(void)
{
    struct xen_memory_reservation r = {.nr_extents = random_below(4) ? random_below(4 * POOL) : 0,
                                       .domid = guests[random_below(2)]->id};
    if (random_below(16) == 0)
        memory_claim_drop(current->domain);
    else
        memory_op(memory_claim, XENMEM_claim_pages, &r);
}

/* As the grant table has it: the frame is held as long as it is mapped by this grant. */
static void map_granted(void)
{
    unsigned owner = current->domain == &guest;
    mfn_t mfn = pool[owner][random_below(POOL)];
    unsigned flags = random_below(2) ? GNTMAP_readonly : 0;
    uint64_t at = any_va();
    struct page *page = mfn_to_page(mfn);
    if (!page_get(page, guests[owner]))
        return;
    if (flags || !page_get_type(page, TYPE_WRITABLE)) {
        unsigned how = flags | (random_below(2) ? GNTMAP_contains_pte : 0);
        if (how & GNTMAP_contains_pte)
            at = any_frame() << PAGE_SHIFT | random_below(PAGES) * 8;
        if (pv_grant_map(at, mfn, how, 0) == GNTST_okay) {
            granted++;
            walk(self());
            pv_grant_unmap(at, mfn, how, random_below(4) ? 0 : any_entry());
        }
        if (!flags)
            page_put_type(page);
    }
    page_put(page);
}

static void one_call(unsigned n)
{
    volatile mfn_t *frame = &pool[n / 2][random_below(ANYTHING)];
    unsigned what = random_below(24);
    if (what >= 13 && what <= 15)
        touch(*frame);
    switch (what) {
    case 0 ... 6:
        write_entries();
        break;
    case 7 ... 8:
        pinned += mmuext(MMUEXT_PIN_L1_TABLE + random_below(4), any_frame());
        break;
    case 9 ... 10:
        mmuext(MMUEXT_UNPIN_TABLE, any_frame());
        break;
    case 11:
        if (random_below(6) == 0) /* most trees lead nowhere */
            rooted += mmuext(random_below(2) ? MMUEXT_NEW_BASEPTR : MMUEXT_NEW_USER_BASEPTR, any_frame());
        break;
    case 12:
        mmuext(random_below(2) ? MMUEXT_COPY_PAGE : MMUEXT_CLEAR_PAGE, any_frame());
        break;
    case 13:
        be_a_table(*frame);
        break;
    case 14:
        exchange_frame(frame);
        break;
    case 15:
        renew_frame(frame);
        claim_memory();
        break;
    case 16 ... 18:
        map(any_va(), any_entry());
        break;
    case 19 ... 20:
        map_granted();
        break;
    default:
        for (unsigned i = 0; i < 12; i++)
            walk(n);
    }
    check_caches(n);
}

/* ---- Around ---- */

static void be(unsigned n)
{
    current = &vcpus[n];
    cpu_info()->cpu = &cpus[n];
}

static void set_root(unsigned n, int (*set)(struct vcpu *v, mfn_t mfn), mfn_t mfn)
{
    int error;
    be(n);
    do
        error = set(&vcpus[n], mfn);
    while (error == -ERESTART);
    CHECK(!error);
}

/* A tree for each vcpu that leads to all its regions: more than one piece of work on tables (ENTRIES_PER_PIECE). */
static void plant_tree(unsigned n)
{
    const volatile mfn_t *frame = &pool[n / 2][n % 2 * ANYTHING];
    for (unsigned i = 0; i < REGIONS; i++)
        table_at(frame[2])[PTE_INDEX(0x7000000000UL, 2) + i] = make_pte(frame[3 + i], PTE_PRESENT | PTE_WRITE);
    for (unsigned level = 3; level <= 4; level++)
        table_at(frame[4 - level])[PTE_INDEX(0x7000000000UL, level)] =
            make_pte(frame[5 - level], PTE_PRESENT | PTE_WRITE);
    set_root(n, pv_set_root, frame[0]);
}

static void set_up(void)
{
    cpu_count = THREADS;
    for (unsigned n = 0; n < THREADS; n++) {
        all[n] = &vcpus[n];
        cpus[n].id = n;
        cpus[n].online = true;
        pthread_mutex_init(&caches[n].lock, NULL);
        vcpus[n] = (struct vcpu){.domain = guests[n / 2], .id = n % 2, .cpu = &cpus[n], .is_running = true};
        vcpus[n].pv.kernel_mode = true;
    }
    be(0);
    for (unsigned i = 0; i < 2; i++) {
        guests[i]->max_vcpus = 2;
        guests[i]->vcpu = &all[2 * i];
        guests[i]->max_pages = 5 * POOL;
        for (unsigned frame = 0; frame < POOL; frame++)
            pool[i][frame] = frame_of(guests[i]);
    }
    for (unsigned n = 0; n < THREADS; n++)
        plant_tree(n);
}

static void end(void)
{
    for (unsigned n = 0; n < THREADS; n++) {
        set_root(n, pv_set_user_root, 0);
        set_root(n, pv_set_root, 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        guests[i]->dying = DOMAIN_DYING;
        while (pv_relinquish_memory(guests[i]) == -ERESTART)
            ;
        while (pv_abandon_tables(guests[i]) == -ERESTART)
            ;
    }
    memory_claim_drop(&guest);
    memory_claim_drop(&other);
    CHECK(!memory_claimed_pages());
    CHECK(!guest.pages && !other.pages && guest.references == 1 && other.references == 1);
    for (mfn_t mfn = 1; mfn < FAKE_FRAMES; mfn++)
        CHECK(!(mfn_to_page(mfn)->references & PAGE_REFERENCES_MASK));
}

int main(int count, char **arguments)
{
    threads_arguments(count, arguments, 4000);
    machine_start();
    set_up();
    threads_run(all, one_call);
    end();
    printf("%lu leaf entries cached, %lu updates, %lu pins, %lu roots, %lu swaps, %lu grants, %lu returned, %lu "
           "populated\n",
           (unsigned long)walked, (unsigned long)written, (unsigned long)pinned, (unsigned long)rooted,
           (unsigned long)exchanged, (unsigned long)granted, (unsigned long)returned, (unsigned long)populated);
    CHECK(walked && written && pinned && exchanged && granted && returned && populated);
    return 0;
}
