/*
 * Physical memory of HVM guests under four threads: two vcpus of one guest, one of another and a toolstack's populate,
 * give back, move, share, hide, grant and hold pages at once, drawn from a seed. Each vcpu's processor keeps
 * translations, filled without a lock as a processor does it, for as long as it need not leave the guest. No
 * translation may be of a frame that is not the guest's, or not granted to it; no frame of another has a name of the
 * guest's; and afterwards all memory is free.
 *
 * hv-physmap-fuzz [SEED [CALLS OF EACH ROUND]].
 */
#include "../fake/default.h"
#include "../../random.h"
#include "../fake/several_threads.h"
#include "../pv/machine.h"
#include <hv/abi_internal.h>
#include <hv/claim.h>
#include <hv/grant_table.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <hv/page_type.h>
#include <hv/pv.h>
#include <hv/tlb.h>
#include <hv/viridian.h>

#include <pthread.h>
#include <xen/memory.h>

/* Pages near each other, the first ones of regions of 1 GiB, more than there may be tables for; and the frames left. */
enum { NEAR = 40, FAR = 200, MOST_PAGES = 200, FREE_FRAMES = 900, CACHED = 16, ROUNDS = 8 };

static struct domain control;
static struct hvm_domain parts[2];
static struct hvm_vcpu hvm_vcpus[3];
static struct vcpu vcpus[THREADS], *all[THREADS];
static struct domain *const guests[2] = {&guest, &other};
static uint64_t populated, returned, shown, moved, removed, held, granted, translated, refused;

static bool never(void)
{
    return true;
}
static const struct hvm_vendor npt = {.name = "npt", .init = never}, ept = {.name = "ept", .uses_ept = true};
const struct hvm_vendor *hvm_vendor;

/* ---- Processors ---- */

static struct {
    pthread_mutex_t in_guest;
    uint64_t generation;
    struct cached {
        gfn_t gfn;
        mfn_t mfn; /* 0: none */
        bool granted;
    } entry[CACHED];
} processors[THREADS];

/* What another processor does meanwhile, once. */
static void (*while_flushing)(void);

/* Who runs the guest has left it when this returns. */
void call_on_cpus(const void *cpumask, void (*function)(void *data), void *data)
{
    CHECK(!fake_irqs_off);
    if (while_flushing) {
        void (*meanwhile)(void) = while_flushing;
        while_flushing = NULL;
        meanwhile();
    }
    for (unsigned n = 0; n < THREADS; n++)
        if (test_bit(n, ((const cpumask_t *)cpumask)->bits)) {
            pthread_mutex_lock(&processors[n].in_guest);
            pthread_mutex_unlock(&processors[n].in_guest);
        }
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = 0;
    return true;
}

/* A leaf's frame and whether another domain's is no surprise, as the processor's walk of the tables finds it. */
static struct cached walk(struct domain *d, gfn_t gfn)
{
    const uint64_t present = hvm_vendor->uses_ept ? 7 : 1;
    const uint64_t *table = mfn_to_virt(p2m_root(d) >> PAGE_SHIFT);
    for (unsigned level = 4;; level--) {
        uint64_t entry = READ_ONCE(table[PTE_INDEX(gfn << PAGE_SHIFT, level)]);
        unsigned kind = entry >> 52 & 0xf;
        mfn_t within = gfn & ((1UL << 9 * (level - 1)) - 1);
        if (!(entry & present))
            return (struct cached){gfn, 0, false};
        if (level == 1 || entry & PTE_PSE)
            return (struct cached){gfn, pte_mfn(entry) + within,
                                   kind == P2M_GRANT_WRITABLE || kind == P2M_GRANT_READONLY};
        CHECK(pte_mfn(entry) < FAKE_FRAMES);
        table = mfn_to_virt(pte_mfn(entry));
    }
}

static void check_translation(const struct domain *d, const struct cached *c)
{
    uint64_t references = __atomic_load_n(&mfn_to_page(c->mfn)->references, __ATOMIC_SEQ_CST);
    CHECK(c->mfn < FAKE_FRAMES && !(references & PAGE_FREE) && references & PAGE_REFERENCES_MASK);
    CHECK(references >> 48 == (c->granted ? guests[d == &guest]->id : d->id));
}

static gfn_t any_gfn(void);

static void run_guest(unsigned n)
{
    struct domain *d = current->domain;
    if (!is_hvm(d))
        return;
    pthread_mutex_lock(&processors[n].in_guest);
    uint64_t generation = __atomic_load_n(&d->hvm->tlb_generation, __ATOMIC_SEQ_CST);
    if (processors[n].generation != generation)
        memset(processors[n].entry, 0, sizeof(processors[n].entry));
    processors[n].generation = generation;
    for (unsigned i = 0; i < CACHED; i++) {
        struct cached *c = &processors[n].entry[random_below(CACHED)];
        if (!c->mfn)
            *c = walk(d, any_gfn());
        if (!c->mfn)
            continue;
        if (i == CACHED / 2 && random_below(4) == 0)
            fake_let_others_run();
        check_translation(d, c);
        __atomic_add_fetch((uint64_t *)mfn_to_virt(c->mfn), 0, __ATOMIC_RELAXED); /* used */
        __atomic_add_fetch(&translated, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&processors[n].in_guest);
}

/* ---- Around the calls ---- */

/* What is about to be done to a frame may take a while. */
void machine_names(mfn_t mfn)
{
    fake_meet_others();
}
int domain_get_for_caller(domid_t id, struct domain **out)
{
    struct domain *caller = current->domain;
    *out = id == DOMID_SELF ? caller : domain_get(id);
    if (id == DOMID_SELF)
        domain_hold(caller);
    if (!*out)
        return -ESRCH;
    if (*out == caller || caller == &control)
        return 0;
    domain_put(*out);
    return -EPERM;
}
void hvm_forget_mappings(struct vcpu *v)
{
}
void tlb_filter_and_flush(uint64_t stamp)
{
}
void tlb_flush_all(void)
{
}
void smp_call_interrupt(void)
{
}

/* ---- Calls ---- */

static gfn_t any_gfn(void)
{
    unsigned what = random_below(12);
    if (what == 0)
        return (gfn_t)random_below(FAR) << 18;
    if (what == 1)
        return ((gfn_t)random_below(FAR) << 18) - 1; /* an extent that goes on there needs another table */
    if (what == 2)
        return (gfn_t)(uint32_t)random64() << 20 | random_below(4);
    return (gfn_t)random_below(NEAR);
}

/* Itself; the toolstack either, by its number. */
static domid_t any_target(void)
{
    static const domid_t others[] = {0, 1, 2, 7, DOMID_XEN, DOMID_SELF};
    if (random_below(20) == 0)
        return others[random_below(ARRAY_SIZE(others))];
    return current->domain == &control ? guests[random_below(2)]->id : DOMID_SELF;
}

/* Until it is done; a guest may also never ask again. */
static long call(operation_handler handler, unsigned command, void *argument)
{
    struct hypercall c = {.arg = {command}};
    struct request r = {.call = &c, .argument = argument};
    long result;
    do
        result = handler(&r);
    while (result == -ERESTART && random_below(30));
    if (result < 0 && result != -ERESTART)
        __atomic_add_fetch(&refused, 1, __ATOMIC_RELAXED);
    return result;
}

static void count(uint64_t *counter, bool done)
{
    __atomic_add_fetch(counter, done, __ATOMIC_RELAXED);
}

static void reserve(bool populate)
{
    uint64_t list[4];
    struct xen_memory_reservation r = {.nr_extents = 1 + random_below(4), .domid = any_target()};
    if (random_below(4) == 0)
        r.extent_order = random_below(3);
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
        list[i] = any_gfn();
    set_xen_guest_handle(r.extent_start, list);
    if (populate)
        count(&populated, call(memory_populate, XENMEM_populate_physmap, &r) > 0);
    else
        count(&returned, call(memory_decrease, XENMEM_decrease_reservation, &r) > 0);
}

static const unsigned spaces[] = {
    XENMAPSPACE_shared_info, XENMAPSPACE_grant_table,  XENMAPSPACE_grant_table, XENMAPSPACE_gmfn,
    XENMAPSPACE_gmfn_range,  XENMAPSPACE_gmfn_foreign, XENMAPSPACE_dev_mmio,    77};

static uint64_t any_index(unsigned space)
{
    if (space == XENMAPSPACE_gmfn || space == XENMAPSPACE_gmfn_range)
        return any_gfn();
    uint64_t status = random_below(4) ? 0 : XENMAPIDX_grant_table_status;
    return space == XENMAPSPACE_grant_table ? random_below(5) | status : random_below(8) == 0;
}

static void add(void)
{
    unsigned space = spaces[random_below(ARRAY_SIZE(spaces))];
    struct xen_add_to_physmap a = {.domid = any_target(), .space = space, .gpfn = any_gfn()};
    a.idx = any_index(space);
    a.size = (uint16_t)random_below(5);
    bool done = call(memory_add_to_physmap, XENMEM_add_to_physmap, &a) == 0;
    count(space == XENMAPSPACE_gmfn || space == XENMAPSPACE_gmfn_range ? &moved : &shown, done);
}

static void add_batch(void)
{
    uint64_t index[4], gfn[4];
    int errors[4];
    struct xen_add_to_physmap_batch b = {.domid = any_target(), .size = (uint16_t)(1 + random_below(4))};
    b.space = (uint16_t)spaces[random_below(ARRAY_SIZE(spaces))];
    for (unsigned i = 0; i < 4; i++) {
        index[i] = any_index(b.space);
        gfn[i] = any_gfn();
    }
    set_xen_guest_handle(b.idxs, index);
    set_xen_guest_handle(b.gpfns, gfn);
    set_xen_guest_handle(b.errs, errors);
    call(memory_add_to_physmap_batch, XENMEM_add_to_physmap_batch, &b);
}

static void take_away(void)
{
    struct xen_remove_from_physmap r = {.domid = any_target(), .gpfn = any_gfn()};
    count(&removed, call(memory_remove_from_physmap, XENMEM_remove_from_physmap, &r) == 0);
}

static struct domain *any_guest(void)
{
    return current->domain == &control ? guests[random_below(2)] : current->domain;
}

/* As those do who read or write a guest's page, or keep it: while it is held it is nobody else's. */
static void hold_page(void)
{
    struct domain *d = any_guest();
    int error;
    bool write = random_below(2), briefly = random_below(2);
    gfn_t gfn = any_gfn();
    struct page *page = briefly ? p2m_get_page_briefly(d, gfn, write, &error) : p2m_get_page(d, gfn, write, &error);
    if (!page)
        return;
    domid_t owner = READ_ONCE(page->owner);
    fake_let_others_run();
    CHECK(READ_ONCE(page->owner) == owner && !(READ_ONCE(page->references) & PAGE_FREE));
    if (write && !briefly)
        page_put_type(page);
    page_put(page);
    count(&held, true);
}

/* Written once, or never: the kinds that a toolstack gives. */
static void change_kind(void)
{
    static const enum p2m_type kinds[] = {P2M_RAM, P2M_RAM_READONLY, P2M_RAM_LOG_DIRTY, P2M_MMIO_DM, P2M_IOREQ_SERVER};
    struct domain *d = any_guest();
    p2m_change_type(d, any_gfn(), kinds[random_below(ARRAY_SIZE(kinds))], kinds[random_below(ARRAY_SIZE(kinds))]);
    p2m_fix_write_fault(d, any_gfn());
}

/* The grant table has the frame held for as long as it is mapped by this grant, and unmaps it by the same. */
static void map_granted(unsigned n)
{
    int error;
    unsigned flags = GNTMAP_host_map | (random_below(2) ? GNTMAP_readonly : 0);
    gfn_t at = any_gfn();
    struct domain *granter = guests[current->domain == &guest];
    struct page *page = is_hvm(current->domain) ? p2m_get_page(granter, any_gfn(), true, &error) : NULL;
    if (!page)
        return;
    bool own =
        READ_ONCE(page->owner) == granter->id && !(READ_ONCE(page->references) & PAGE_XENHEAP); /* no third party's */
    if (own && hvm_grant_map(at << PAGE_SHIFT, page_to_mfn(page), flags) == GNTST_okay) {
        count(&granted, true);
        run_guest(n);
        hvm_grant_unmap(at << PAGE_SHIFT, page_to_mfn(page), flags);
    }
    page_put_type(page);
    page_put(page);
}

static void one_call(unsigned n)
{
    switch (random_below(20)) {
    case 0 ... 4:
        reserve(true);
        break;
    case 5 ... 8:
        reserve(false);
        break;
    case 9 ... 10:
        add();
        break;
    case 11:
        add_batch();
        break;
    case 12:
        take_away();
        break;
    case 13 ... 14:
        hold_page();
        break;
    case 15:
        change_kind();
        break;
    case 16:
        map_granted(n);
        break;
    default:
        break;
    }
    run_guest(n);
}

/* ---- The machine ---- */

static void be(struct vcpu *v)
{
    current = v;
    cpu_info()->cpu = v->cpu;
}

static void make_vcpus(void)
{
    static struct domain *const of[THREADS] = {&guest, &guest, &other, &control};
    for (unsigned n = 0; n < THREADS; n++) {
        cpus[n].id = n;
        cpus[n].online = true;
        vcpus[n] = (struct vcpu){.domain = of[n], .cpu = &cpus[n], .is_running = true, .info_mfn = INVALID_MFN};
        vcpus[n].hvm = n < 3 ? &hvm_vcpus[n] : NULL;
        all[n] = &vcpus[n];
    }
    vcpus[1].id = 1;
    be(&vcpus[3]);
}

static void make_guest(unsigned i, unsigned first_vcpu, unsigned count_of_vcpus)
{
    struct domain *d = guests[i];
    parts[i] = (struct hvm_domain){.shared_info_gfn = INVALID_MFN, .tlb_generation = 1};
    d->hvm = &parts[i];
    d->dying = DOMAIN_ALIVE;
    d->max_pages = MOST_PAGES;
    d->max_vcpus = count_of_vcpus;
    d->vcpu = &all[first_vcpu];
    CHECK(!p2m_init(d) && !grant_table_init(d, 4, 4, 2));
    d->shared_info = domain_alloc_xenheap(d);
    CHECK(d->shared_info);
}

static void give_back_all(struct domain *d)
{
    d->dying = DOMAIN_DYING;
    while (p2m_relinquish(d) == -ERESTART)
        ;
    while (pv_relinquish_memory(d) == -ERESTART)
        ;
}

static void end_guest(struct domain *d)
{
    give_back_all(d);
    grant_table_release_frames(d);
    domain_free_xenheap(d, d->shared_info);
    p2m_destroy(d);
    grant_table_free(d);
    memory_claim_drop(d);
    CHECK(!d->pages && !d->xenheap_pages && d->references == 1);
}

/* Guests live and end: what one has unmapped without giving it back still counts. */
static void with_tables_of(const struct hvm_vendor *vendor)
{
    uint64_t before = free_page_count();
    hvm_vendor = vendor;
    make_vcpus();
    make_guest(0, 0, 2);
    make_guest(1, 2, 1);
    threads_run(all, one_call);
    be(&vcpus[3]);
    end_guest(&guest);
    end_guest(&other);
    memset(processors, 0, sizeof(processors));
    CHECK(free_page_count() == before);
}

/* ---- One frame that changes hands while it is taken out ---- */

static mfn_t in_question;
enum { SAME_PLACE = 5 };

static void give(struct domain *d, struct page *page)
{
    CHECK(page && !p2m_set(d, SAME_PLACE, page_to_mfn(page), 0, P2M_RAM) && m2p_get(page_to_mfn(page)) == SAME_PLACE);
}

static void owner_ends_and_another_has_it(void)
{
    struct page *page;
    give_back_all(&guest);
    do
        page = domain_alloc_pages(&other, 0, ANY_ADDRESS);
    while (page && page_to_mfn(page) != in_question);
    give(&other, page);
}

/* Domain-0 takes a page out of a guest while another of its processors ends the guest: what it still does to the frame
 * must not touch the name that the next owner has given it, at the same place of his memory. */
static void next_owner_keeps_the_name(void)
{
    hvm_vendor = &npt;
    make_vcpus();
    make_guest(0, 0, 2);
    make_guest(1, 2, 1);
    struct page *page = domain_alloc_pages(&guest, 0, ANY_ADDRESS);
    give(&guest, page);
    in_question = page_to_mfn(page);
    other.max_pages = FREE_FRAMES;
    while_flushing = owner_ends_and_another_has_it;
    CHECK(!p2m_clear(&guest, SAME_PLACE, 0) && !while_flushing);
    CHECK(page_owner(page) == &other && m2p_get(in_question) == SAME_PLACE);
    end_guest(&guest);
    end_guest(&other);
}

int main(int argument_count, char **arguments)
{
    threads_arguments(argument_count, arguments, 1000);
    machine_start();
    fake_yield_every(1); /* each call goes on after each of its pieces */
    cpu_count = THREADS;
    control = (struct domain){.id = 0, .references = 1, .is_privileged = true, .max_vcpus = 1, .vcpu = &all[3]};
    while (free_page_count() > FREE_FRAMES)
        CHECK(alloc_pages(0, ANY_ADDRESS));
    next_owner_keeps_the_name();
    for (unsigned round = 0; round < ROUNDS; round++)
        with_tables_of(round % 2 ? &ept : &npt);
    printf("%lu populated, %lu returned, %lu shown, %lu moved, %lu removed, %lu held, %lu granted, %lu translated, %lu "
           "refused\n",
           (unsigned long)populated, (unsigned long)returned, (unsigned long)shown, (unsigned long)moved,
           (unsigned long)removed, (unsigned long)held, (unsigned long)granted, (unsigned long)translated,
           (unsigned long)refused);
    CHECK(populated && returned && shown && moved && removed && held && granted && translated && refused);
    return 0;
}
