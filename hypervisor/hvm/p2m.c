/*
 * The map of an HVM guest's physical memory: looking up, changing, flushing, and taking apart. hv/p2m.h has the rules.
 *
 * A change exchanges entries under the lock and keeps what was there: one entry, or a spare table that holds the run of
 * them. After the CPUs have left the guest nothing can use it any more, and then references and tables in it are given
 * back ("retired").
 */
#include "p2m_private.h"
#include <hv/console.h>
#include <hv/hvm_io.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/page_alloc.h>

#define MAX_P2M_ORDER    18
#define MAX_ADDRESS_BITS 48

/* ---- life ---- */

int p2m_init(struct domain *d)
{
    struct p2m *p2m = zalloc(sizeof(*p2m));

    if (!p2m)
        return -ENOMEM;
    spin_lock_init(&p2m->lock, LOCK_P2M);
    spin_lock_init(&p2m->vram.lock, LOCK_DIRTY_VRAM);
    p2m_choose_format(p2m);
    p2m->limit = 1UL << (min(cpu_features.physical_address_bits, (unsigned)MAX_ADDRESS_BITS) - PAGE_SHIFT);
    p2m->root = alloc_zeroed_pages(0);
    if (!p2m->root) {
        free(p2m);
        return -ENOMEM;
    }
    p2m->tables = 1;
    d->hvm->p2m = p2m;
    return 0;
}

void p2m_destroy(struct domain *d)
{
    struct p2m *p2m = d->hvm->p2m;

    if (!p2m)
        return;
    while (p2m_relinquish(d)) /* does nothing for one that has lived; a creation may have failed half way */
        ;
    while (p2m->reserved)
        p2m_free_table(p2m, p2m_take_reserved(p2m));
    p2m_free_table(p2m, p2m->root);
    if (p2m->tables)
        panic("d%u: %u tables of its p2m were not given back", d->id, p2m->tables);
    free(p2m->vram.dirty);
    free(p2m);
    d->hvm->p2m = NULL;
}

paddr_t p2m_root(const struct domain *d)
{
    return virt_to_mfn(d->hvm->p2m->root) << PAGE_SHIFT;
}

gfn_t p2m_limit(const struct domain *d)
{
    return d->hvm->p2m->limit;
}

gfn_t p2m_highest(const struct domain *d)
{
    return READ_ONCE(d->hvm->p2m->highest);
}

uint64_t p2m_get_pool_size(const struct domain *d)
{
    return d->hvm->p2m->pool_bytes;
}

int p2m_set_pool_size(struct domain *d, uint64_t bytes)
{
    if (bytes & ~PAGE_MASK)
        return -EINVAL;
    WRITE_ONCE(d->hvm->p2m->pool_bytes, bytes);
    return 0;
}

/* ---- looking up ---- */

/* A table that is gone in the meantime is still memory that can be read; what was read from it is not used. */
static pte_t read_entry(const struct p2m *p2m, gfn_t gfn, unsigned *level, uint32_t *sequence)
{
    for (;;) {
        const pte_t *table = p2m->root;
        uint32_t before = __atomic_load_n(&p2m->sequence, __ATOMIC_ACQUIRE);

        if (before & 1) {
            cpu_relax();
            continue;
        }
        for (unsigned at = P2M_LEVELS;; at--) {
            pte_t entry = READ_ONCE(table[PTE_INDEX(gfn << PAGE_SHIFT, at)]);

            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (READ_ONCE(p2m->sequence) != before)
                break;
            if (!entry_is_table(p2m, entry, at)) {
                *level = at;
                *sequence = before;
                return entry;
            }
            table = entry_table(entry);
        }
    }
}

static bool unchanged_since(const struct p2m *p2m, uint32_t sequence)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return READ_ONCE(p2m->sequence) == sequence;
}

static mfn_t leaf_frame(const struct p2m *p2m, pte_t leaf, unsigned level, gfn_t gfn)
{
    if (!(leaf & p2m->format->present))
        return INVALID_MFN;
    return pte_mfn(leaf) + (gfn & ((1UL << level_order(level)) - 1));
}

mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned *order)
{
    const struct p2m *p2m = d->hvm->p2m;
    uint32_t sequence;
    unsigned level = 1;
    pte_t entry = gfn < p2m->limit ? read_entry(p2m, gfn, &level, &sequence) : 0;

    *type = entry_kind(entry);
    if (order)
        *order = level_order(level);
    return leaf_frame(p2m, entry, level, gfn);
}

/* The frame if the kind is one of `kinds` (a bit each), with a general reference. */
static struct page *get_frame(struct domain *d, gfn_t gfn, uint32_t kinds, enum p2m_type *kind)
{
    const struct p2m *p2m = d->hvm->p2m;

    *kind = P2M_HOLE;
    if (gfn >= p2m->limit)
        return NULL;
    for (;;) {
        uint32_t sequence;
        unsigned level;
        pte_t entry = read_entry(p2m, gfn, &level, &sequence);
        mfn_t mfn = leaf_frame(p2m, entry, level, gfn);
        struct page *page;
        bool held;

        *kind = entry_kind(entry);
        if (mfn == INVALID_MFN || !(kinds >> *kind & 1))
            return NULL;
        page = mfn_to_page(mfn);
        held = p2m_is_own_ram(*kind) ? page_get(page, d) : page_get_owned(page);
        if (held && unchanged_since(p2m, sequence))
            return page;
        if (held)
            page_put(page);
        else if (unchanged_since(p2m, sequence))
            return NULL; /* its owner dies */
    }
}

#define KIND(name)        (1U << P2M_##name)
#define KINDS_WRITABLE    (KIND(RAM) | KIND(RAM_LOG_DIRTY) | KIND(FOREIGN) | KIND(GRANT_WRITABLE) | KIND(SHARED))
#define KINDS_READABLE    (KINDS_WRITABLE | KIND(RAM_READONLY) | KIND(IOREQ_SERVER) | KIND(GRANT_READONLY))
#define KINDS_DOMAINS_OWN (KIND(RAM) | KIND(RAM_LOG_DIRTY) | KIND(RAM_READONLY) | KIND(IOREQ_SERVER) | KIND(SHARED))

struct page *p2m_get_page_briefly(struct domain *d, gfn_t gfn, bool write, int *error)
{
    enum p2m_type kind;
    struct page *page = get_frame(d, gfn, write ? KINDS_WRITABLE : KINDS_READABLE, &kind);

    if (!page)
        *error = write && (KINDS_READABLE >> kind & 1) && !(KINDS_WRITABLE >> kind & 1) ? -EACCES : -EINVAL;
    else if (write && kind == P2M_RAM_LOG_DIRTY)
        log_dirty_mark(d, gfn);
    return page;
}

struct page *p2m_get_page(struct domain *d, gfn_t gfn, bool write, int *error)
{
    struct page *page = p2m_get_page_briefly(d, gfn, write, error);

    if (!page || !write)
        return page;
    *error = page_get_type(page, TYPE_WRITABLE);
    if (!*error)
        return page;
    page_put(page);
    return NULL;
}

struct page *p2m_hold_own_page(struct domain *d, gfn_t gfn)
{
    enum p2m_type kind;
    struct page *page = get_frame(d, gfn, KIND(RAM) | KIND(RAM_LOG_DIRTY), &kind);

    if (!page)
        return NULL;
    if (page_get_type(page, TYPE_WRITABLE)) {
        page_put(page);
        return NULL;
    }
    if (kind == P2M_RAM_LOG_DIRTY)
        log_dirty_mark(d, gfn);
    return page;
}

struct page *p2m_get_page_privileged(struct domain *d, gfn_t gfn, bool write)
{
    enum p2m_type kind;
    struct page *page = get_frame(d, gfn, KINDS_DOMAINS_OWN, &kind);

    if (page && write && kind == P2M_RAM_LOG_DIRTY)
        log_dirty_mark(d, gfn);
    return page;
}

/* ---- flushing ---- */

static void nothing(void *data)
{
}

/* The generation comes first: a vcpu that starts to run too late to be seen here compares it before it enters. The
 * interrupt makes the others leave the guest, and they compare it on their way back. */
void p2m_flush(struct domain *d)
{
    cpumask_t mask = {{0}};
    struct vcpu *v;
    bool any = false;

    __atomic_add_fetch(&d->hvm->tlb_generation, 1, __ATOMIC_SEQ_CST);
    for_each_vcpu(d, v) {
        struct cpu *cpu = READ_ONCE(v->cpu);

        if ((!v->is_running && v->context_saved) || !cpu || cpu == this_cpu())
            continue;
        set_bit(cpu->id, mask.bits);
        any = true;
    }
    if (any)
        call_on_cpus(&mask, nothing, NULL);
}

/* ---- what was taken out ---- */

struct retired {
    pte_t entry; /* 0: nothing */
    unsigned level;
    gfn_t gfn;
};

static void forget_name(mfn_t mfn, gfn_t gfn)
{
    if (m2p_get(mfn) == gfn)
        m2p_set(mfn, M2P_INVALID);
}

/* Of a guest that dies meanwhile the frame may be another's by now, and have that one's name. */
static void retire_own(struct domain *d, mfn_t mfn, gfn_t gfn, bool release)
{
    struct page *page = mfn_to_page(mfn);

    if (!page_get(page, d))
        return;
    forget_name(mfn, gfn);
    if (release && test_and_clear_bit(__builtin_ctzl(PAGE_ALLOCATED), &page->references))
        page_put(page);
    page_put(page);
}

/* Who changes another's memory is a device model, or tells those there are. */
static void own_frame_gone(struct domain *d)
{
    if (is_current_domain(d))
        hvm_forget_mappings(current);
}

/* The entry of a frame that is not the guest's own has held a reference, which is given back last. */
static void retire_frame(struct domain *d, mfn_t mfn, gfn_t gfn, enum p2m_type kind, bool release)
{
    if (p2m_is_own_ram(kind)) {
        own_frame_gone(d);
        retire_own(d, mfn, gfn, release);
        return;
    }
    if (kind == P2M_SHARED)
        forget_name(mfn, gfn);
    if (kind == P2M_GRANT_READONLY)
        page_put(mfn_to_page(mfn));
    else if (kind == P2M_FOREIGN || kind == P2M_GRANT_WRITABLE || kind == P2M_SHARED)
        page_put_with_type(mfn_to_page(mfn));
}

static void retire(struct domain *d, struct retired old, bool release)
{
    struct p2m *p2m = d->hvm->p2m;
    unsigned order = level_order(old.level);

    if (entry_is_table(p2m, old.entry, old.level)) {
        pte_t *table = entry_table(old.entry);

        for (unsigned i = 0; i < PTES_PER_TABLE; i++)
            if (table[i])
                retire(d, (struct retired){table[i], old.level - 1, old.gfn + ((gfn_t)i << (order - 9))}, release);
        p2m_free_table(p2m, table);
    } else if (old.entry & p2m->format->present) {
        for (unsigned long i = 0; i < 1UL << order; i++)
            retire_frame(d, pte_mfn(old.entry) + i, old.gfn + i, entry_kind(old.entry), release);
    }
}

/* ---- changing ---- */

/* A run of entries of one table, all of one level. */
struct run {
    gfn_t gfn;
    unsigned level, count;
    mfn_t mfn; /* INVALID_MFN: none */
    enum p2m_type kind;
    bool own_only; /* change nothing unless all of it is the guest's own RAM */
};

static bool is_all_own(const struct p2m *p2m, pte_t entry, unsigned level)
{
    if (!entry_is_table(p2m, entry, level))
        return (entry & p2m->format->present) && p2m_is_own_ram(entry_kind(entry));
    for (unsigned i = 0; i < PTES_PER_TABLE; i++)
        if (!is_all_own(p2m, entry_table(entry)[i], level - 1))
            return false;
    return true;
}

static bool run_is_own(const struct p2m *p2m, const struct run *run, const pte_t *slot)
{
    for (unsigned i = 0; i < run->count; i++)
        if (!is_all_own(p2m, slot[i], run->level))
            return false;
    return true;
}

/* *old: what the run held. */
static void keep_old(struct p2m *p2m, const struct run *run, const pte_t *slot, pte_t *spare, struct retired *old)
{
    *old = (struct retired){slot[0], run->level, run->gfn};
    if (run->count == 1)
        return;
    memset(spare, 0, PAGE_SIZE);
    memcpy(spare, slot, run->count * sizeof(*spare));
    old->entry = make_pte(virt_to_mfn(spare), p2m->format->table);
    old->level++;
}

/* Lock held. */
static int exchange_run(struct p2m *p2m, const struct run *run, struct retired *old)
{
    unsigned long step = run->mfn == INVALID_MFN ? 0 : 1UL << level_order(run->level);
    mfn_t mfn = run->mfn == INVALID_MFN ? 0 : run->mfn;
    bool short_of_tables;
    pte_t *slot = p2m_slot(p2m, run->gfn, run->level, run->kind != P2M_HOLE, &short_of_tables), *spare;

    if (short_of_tables)
        return -ENOMEM;
    if (run->own_only && (!slot || !run_is_own(p2m, run, slot)))
        return -EINVAL;
    if (!slot)
        return 0;
    spare = run->count > 1 ? p2m_take_reserved(p2m) : NULL;
    if (run->count > 1 && !spare)
        return -ENOMEM;
    keep_old(p2m, run, slot, spare, old);
    for (unsigned i = 0; i < run->count; i++)
        WRITE_ONCE(slot[i], run->kind == P2M_HOLE ? 0 : make_leaf(p2m, mfn + i * step, run->level, run->kind));
    if (run->kind != P2M_HOLE)
        p2m->highest = max(p2m->highest, run->gfn + ((gfn_t)run->count << level_order(run->level)) - 1);
    return 0;
}

/* What held nothing that a processor could have seen needs no flush. */
static bool was_visible(const struct p2m *p2m, struct retired old)
{
    return old.entry & p2m->format->present;
}

/* A change that needs no table is made even when there are no more. -EAGAIN: another CPU took those of the reserve. */
static int try_change(struct domain *d, const struct run *run, struct retired *old)
{
    struct p2m *p2m = d->hvm->p2m;
    bool filled = !p2m_fill_reserve(p2m);
    int error = -ESRCH;

    unsigned long flags = spin_lock_irqsave(&p2m->lock);
    if (!p2m->dying) {
        p2m_write_begin(p2m);
        error = exchange_run(p2m, run, old);
        p2m_write_end(p2m);
    }
    spin_unlock_irqrestore(&p2m->lock, flags);
    return error == -ENOMEM && filled ? -EAGAIN : error;
}

static int change(struct domain *d, const struct run *run, bool release)
{
    struct retired old = {0};
    int error;

    do
        error = try_change(d, run, &old);
    while (error == -EAGAIN);
    if (error)
        return error;
    if (was_visible(d->hvm->p2m, old))
        p2m_flush(d);
    retire(d, old, release);
    return 0;
}

static int make_run(const struct p2m *p2m, struct run *run, unsigned order)
{
    unsigned largest = run->kind == P2M_HOLE ? 3 : p2m->largest_level;
    gfn_t pages = 1UL << order;
    mfn_t frames = run->mfn == INVALID_MFN ? 0 : run->mfn;

    if (order > MAX_P2M_ORDER || ((run->gfn | frames) & (pages - 1)))
        return -EINVAL;
    if (run->gfn >= p2m->limit || pages > p2m->limit - run->gfn)
        return -EINVAL;
    run->level = min(1 + order / 9, largest);
    run->count = 1U << (order - level_order(run->level));
    return 0;
}

/* Lock held. `pages` do not go beyond one large page: a leaf of that size is there for all of them or for none. */
static void name_those_there(const struct p2m *p2m, gfn_t gfn, mfn_t mfn, unsigned long pages)
{
    unsigned long step;

    for (unsigned long n = 0; n < pages; n += step) {
        unsigned level;
        pte_t entry = *p2m_find(p2m, gfn + n, &level);

        step = level > 1 ? pages - n : 1;
        if (leaf_frame(p2m, entry, level, gfn + n) != mfn + n)
            continue;
        for (unsigned long i = n; i < n + step; i++)
            m2p_set(mfn + i, gfn + i);
    }
}

/* Another CPU may have taken some of them out by now, and another domain may have them: who takes one out does so under
 * the lock and gives it back later. */
static void name_frames(struct p2m *p2m, gfn_t gfn, mfn_t mfn, unsigned order)
{
    unsigned long pages = 1UL << min(order, 9U);

    for (unsigned long done = 0; done < 1UL << order; done += pages) {
        unsigned long flags = spin_lock_irqsave(&p2m->lock);
        name_those_there(p2m, gfn + done, mfn + done, pages);
        spin_unlock_irqrestore(&p2m->lock, flags);
    }
}

static int set(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order, enum p2m_type type, bool release)
{
    struct p2m *p2m = d->hvm->p2m;
    struct run run = {.gfn = gfn, .mfn = mfn, .kind = type};
    int error = make_run(p2m, &run, order);

    if (!error && (mfn == INVALID_MFN) != !p2m->format->rights[type])
        error = -EINVAL;
    if (!error)
        error = change(d, &run, release);
    if (error)
        return error;
    if (p2m_is_own_ram(type) || type == P2M_SHARED)
        name_frames(p2m, gfn, mfn, order);
    return 0;
}

int p2m_set(struct domain *d, gfn_t gfn, mfn_t mfn, unsigned order, enum p2m_type type)
{
    return set(d, gfn, mfn, order, type, false);
}

int p2m_replace(struct domain *d, gfn_t gfn, mfn_t mfn, enum p2m_type type)
{
    return set(d, gfn, mfn, 0, type, true);
}

int p2m_clear(struct domain *d, gfn_t gfn, unsigned order)
{
    struct run run = {.gfn = gfn, .mfn = INVALID_MFN, .kind = P2M_HOLE};
    int error = make_run(d->hvm->p2m, &run, order);

    return error ? error : change(d, &run, false);
}

int p2m_release(struct domain *d, gfn_t gfn, unsigned order)
{
    struct run run = {.gfn = gfn, .mfn = INVALID_MFN, .kind = P2M_HOLE, .own_only = true};
    int error = make_run(d->hvm->p2m, &run, order);

    return error ? error : change(d, &run, true);
}

int p2m_move(struct domain *d, gfn_t from, gfn_t to)
{
    struct p2m *p2m = d->hvm->p2m;
    struct run out = {.gfn = from, .mfn = INVALID_MFN, .kind = P2M_HOLE, .own_only = true};
    struct retired old = {0};
    int error = make_run(p2m, &out, 0);

    if (error || to >= p2m->limit)
        return -EINVAL;
    do
        error = try_change(d, &out, &old);
    while (error == -EAGAIN);
    if (error)
        return error;
    p2m_flush(d);
    own_frame_gone(d);
    error = p2m_replace(d, to, pte_mfn(old.entry), P2M_RAM);
    if (error)
        (void)p2m_set(d, from, pte_mfn(old.entry), 0, P2M_RAM); /* its table is there still */
    return error;
}

/* Lock held, sequence odd. */
static int exchange_kind(struct p2m *p2m, gfn_t gfn, enum p2m_type from, enum p2m_type to, pte_t *old)
{
    unsigned level;
    pte_t *slot = p2m_find(p2m, gfn, &level);
    bool short_of_tables;

    *old = *slot;
    if (entry_kind(*slot) != from)
        return -EAGAIN;
    if (p2m->format->rights[to] && !pte_mfn(*slot))
        return -EAGAIN; /* there is no frame to come back to */
    slot = p2m_slot(p2m, gfn, 1, true, &short_of_tables);
    if (!slot)
        return -ENOMEM;
    WRITE_ONCE(*slot, to == P2M_HOLE ? 0 : make_leaf(p2m, pte_mfn(*slot), 1, to));
    return 0;
}

int p2m_change_type(struct domain *d, gfn_t gfn, enum p2m_type from, enum p2m_type to)
{
    struct p2m *p2m = d->hvm->p2m;
    pte_t old = 0;
    int error;

    if (gfn >= p2m->limit)
        return -EINVAL;
    (void)p2m_fill_reserve(p2m); /* a small entry needs none */
    unsigned long flags = spin_lock_irqsave(&p2m->lock);
    if (p2m->dying) {
        error = -ESRCH;
    } else {
        p2m_write_begin(p2m);
        error = exchange_kind(p2m, gfn, from, to, &old);
        p2m_write_end(p2m);
    }
    spin_unlock_irqrestore(&p2m->lock, flags);
    if (!error && (old & p2m->format->present))
        p2m_flush(d);
    return error;
}

/* ---- the end ---- */

#define LOOKS_PER_LOCK 512
#define FREED_PER_LOCK 16

/* The entry of the next 2 MiB that has one, taken out; with entry 0 if none has among those that there is time for (a
 * guest may leave any number of tables empty). False: there are no more. */
static bool detach_next(struct p2m *p2m, struct retired *old)
{
    bool more;

    *old = (struct retired){0};
    unsigned long flags = spin_lock_irqsave(&p2m->lock);
    p2m->dying = true;
    p2m_write_begin(p2m);
    for (unsigned n = 0; n < LOOKS_PER_LOCK && !old->entry && p2m->relinquish.next < p2m->limit; n++) {
        unsigned level;
        pte_t *entry = p2m_find(p2m, p2m->relinquish.next, &level);

        if (level == 1) { /* a table of small pages: taken out of the one above */
            pte_t *table = p2m->root;

            for (unsigned at = P2M_LEVELS; at > 2; at--)
                table = entry_table(table[PTE_INDEX(p2m->relinquish.next << PAGE_SHIFT, at)]);
            entry = &table[PTE_INDEX(p2m->relinquish.next << PAGE_SHIFT, 2)];
            level = 2;
        }
        *old = (struct retired){*entry, level, p2m->relinquish.next};
        *entry = 0;
        p2m->relinquish.next += 1UL << level_order(level);
    }
    more = old->entry || p2m->relinquish.next < p2m->limit;
    p2m_write_end(p2m);
    spin_unlock_irqrestore(&p2m->lock, flags);
    return more;
}

/* Tables whose entries are all gone, of 1 GiB and then of 512: those among the next LOOKS_PER_LOCK. False: there are no
 * more of this level. */
static bool free_upper_tables(struct p2m *p2m)
{
    pte_t *empty[FREED_PER_LOCK];
    unsigned count = 0, n;

    unsigned long flags = spin_lock_irqsave(&p2m->lock);
    p2m_write_begin(p2m);
    for (n = 0; n < LOOKS_PER_LOCK && count < FREED_PER_LOCK && p2m->relinquish.next < p2m->limit; n++) {
        unsigned level = P2M_LEVELS;
        pte_t *entry = &p2m->root[PTE_INDEX(p2m->relinquish.next << PAGE_SHIFT, P2M_LEVELS)];

        for (; *entry && level > p2m->relinquish.level; level--)
            entry = &entry_table(*entry)[PTE_INDEX(p2m->relinquish.next << PAGE_SHIFT, level - 1)];
        if (*entry)
            empty[count++] = entry_table(*entry);
        *entry = 0;
        p2m->relinquish.next += 1UL << level_order(level);
    }
    p2m_write_end(p2m);
    spin_unlock_irqrestore(&p2m->lock, flags);
    for (n = 0; n < count; n++)
        p2m_free_table(p2m, empty[n]);
    return p2m->relinquish.next < p2m->limit;
}

/* A part of the leaf of 1 GiB that is being retired. */
static void retire_part(struct domain *d)
{
    struct p2m *p2m = d->hvm->p2m;
    mfn_t mfn = pte_mfn(p2m->relinquish.entry) + p2m->relinquish.entry_done;
    pte_t part = make_leaf(p2m, mfn, 2, entry_kind(p2m->relinquish.entry));

    retire(d, (struct retired){part, 2, p2m->relinquish.entry_gfn + p2m->relinquish.entry_done}, false);
    p2m->relinquish.entry_done += PTES_PER_TABLE;
    if (p2m->relinquish.entry_done == 1UL << level_order(3))
        p2m->relinquish.entry = 0;
}

/* At most 512 frames. False: nothing is left. */
static bool relinquish_some(struct domain *d)
{
    struct p2m *p2m = d->hvm->p2m;
    struct retired old;

    if (p2m->relinquish.entry) {
        retire_part(d);
        return true;
    }
    if (p2m->relinquish.level)
        return free_upper_tables(p2m);
    if (!detach_next(p2m, &old))
        return false;
    if (old.level < 3) {
        retire(d, old, false);
    } else if (old.entry & p2m->format->present) {
        p2m->relinquish.entry = old.entry;
        p2m->relinquish.entry_gfn = old.gfn;
        p2m->relinquish.entry_done = 0;
    }
    return true;
}

#define BLOCKS_PER_YIELD_CHECK 16

/* Small entries first, then the tables above them, level by level. */
int p2m_relinquish(struct domain *d)
{
    struct p2m *p2m = d->hvm->p2m;

    if (!p2m)
        return 0;
    for (unsigned n = 1; p2m->relinquish.level <= P2M_LEVELS; n++) {
        if (!relinquish_some(d)) {
            p2m->relinquish.level = p2m->relinquish.level ? p2m->relinquish.level + 1 : 3;
            p2m->relinquish.next = 0;
        }
        if (n % BLOCKS_PER_YIELD_CHECK == 0 && hypercall_should_yield())
            return -ERESTART;
    }
    return 0;
}
