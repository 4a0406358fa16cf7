/*
 * Trees of page tables, made and taken apart in pieces.
 *
 * A guest decides how many tables a tree has, so that neither runs to its end in one go. What is under way is in struct
 * table_work (hv/domain.h); every call does at most ENTRIES_PER_PIECE entries, and says -ERESTART while there is more.
 *
 * Made depth first, one tree at a time: path[] leads from the root to the table whose entries are being looked at.
 * Taken apart by a list: a table whose last reference went is put at its head, with the number of entries that still
 * stand for references; a table below that goes with it comes before it.
 *
 * Between two pieces pt_lock is free. Tables on the path or the list are CHANGING (hv/page_type.h): nobody may use
 * them, and whatever comes next for the tables of this domain first does a piece of this work (pv_finish_tables()).
 */
#include <hv/domain_log.h>
#include <hv/hypercall.h>
#include <hv/page_type.h>
#include <hv/pv_internal.h>

/* A leaf entry costs about 70 instructions: well below a million. */
#define ENTRIES_PER_PIECE  4096
#define UPPER_FLAGS_DENIED PTE_PSE

static uint64_t table_type(unsigned level)
{
    return (uint64_t)level << TYPE_SHIFT;
}

/* ---- Taking apart ---- */

/* The table is CHANGING and held once; its first `entries` entries stand for references. */
static void close_table(struct domain *d, mfn_t mfn, unsigned entries)
{
    mfn_to_page(mfn)->closing.entries = entries;
    mfn_to_page(mfn)->closing.next = (uint32_t)d->table_work.closing;
    d->table_work.closing = mfn;
}

void pv_put_table(struct domain *d, mfn_t mfn)
{
    if (page_type_drop(mfn_to_page(mfn)))
        close_table(d, mfn, PTES_PER_TABLE);
    else
        page_put(mfn_to_page(mfn));
}

static void put_entry(struct domain *d, unsigned level, pte_t entry)
{
    if (level == 1)
        pv_put_l1e(d, entry);
    else if (entry & PTE_PRESENT)
        pv_put_table(d, pte_mfn(entry));
}

/* Entries of the list's head, the last ones first, until a table below goes too. */
static void close_entries(struct domain *d, mfn_t mfn, unsigned *budget)
{
    struct page *page = mfn_to_page(mfn);
    unsigned level = (unsigned)((page->type & TYPE_MASK) >> TYPE_SHIFT);
    const pte_t *table = mfn_to_virt(mfn);
    while (page->closing.entries && *budget && d->table_work.closing == mfn) {
        unsigned i = --page->closing.entries;
        --*budget;
        if (!pv_is_hypervisor_slot(level, i))
            put_entry(d, level, READ_ONCE(table[i]));
    }
}

static void close_piece(struct domain *d, unsigned *budget)
{
    while (d->table_work.closing && *budget) {
        mfn_t mfn = d->table_work.closing;
        struct page *page = mfn_to_page(mfn);
        if (page->closing.entries) {
            close_entries(d, mfn, budget);
            continue;
        }
        d->table_work.closing = page->closing.next;
        page_type_idle(page);
        page_put(page);
    }
}

/* ---- Making ---- */

/* 0: there was such a table; PAGE_TYPE_CHANGING: it is to be made; both with a reference. */
static int take_table(struct domain *d, mfn_t mfn, unsigned level)
{
    if (!mfn_is_ram(mfn) || !page_get(mfn_to_page(mfn), d))
        return -EINVAL;
    int taken = page_type_take(mfn_to_page(mfn), table_type(level));
    if (taken < 0)
        page_put(mfn_to_page(mfn));
    return taken;
}

static void accept_entry(struct table_step *at)
{
    if (!(at->entry & PTE_USER))
        WRITE_ONCE(((pte_t *)mfn_to_virt(at->table))[at->index], at->entry | PTE_USER);
    at->index++;
}

/* One entry of a table above level 1: it names a table one level down, of the same domain. */
static int make_entry(struct domain *d, struct table_work *w)
{
    struct table_step *at = &w->path[w->level];
    at->entry = READ_ONCE(((pte_t *)mfn_to_virt(at->table))[at->index]);
    if (pv_is_hypervisor_slot(w->level, at->index) || !(at->entry & PTE_PRESENT)) {
        at->index++;
        return 0;
    }
    int taken = at->entry & UPPER_FLAGS_DENIED ? -EINVAL : take_table(d, pte_mfn(at->entry), w->level - 1);
    if (taken == PAGE_TYPE_CHANGING) {
        w->level--;
        w->path[w->level] = (struct table_step){.table = pte_mfn(at->entry)};
        return 0;
    }
    if (!taken)
        accept_entry(at);
    return taken;
}

static int make_level_1(struct domain *d, struct table_step *at, unsigned *budget)
{
    int err = pv_get_l1_entries(d, at->table);
    *budget -= min(*budget, (unsigned)PTES_PER_TABLE);
    if (!err)
        at->index = PTES_PER_TABLE;
    return err;
}

static void table_made(struct table_work *w)
{
    mfn_t mfn = w->path[w->level].table;
    if (w->level == 4)
        pv_fill_hypervisor_slots(mfn_to_virt(mfn));
    page_type_ready(mfn_to_page(mfn));
    if (w->level == w->root)
        w->result = 0;
    else
        accept_entry(&w->path[++w->level]);
}

static void make_failed(struct domain *d, struct table_work *w, int err)
{
    const struct table_step *at = &w->path[w->level];
    domain_log(LOG_DEBUG, d, "level-%u table %lx: entry %u refused (%d)", w->level, at->table, at->index, err);
    for (unsigned level = w->level; level <= w->root; level++)
        close_table(d, w->path[level].table, w->path[level].index);
    w->result = err;
}

static void make_piece(struct domain *d, unsigned *budget)
{
    struct table_work *w = &d->table_work;
    while (w->root && w->result == -ERESTART && *budget) {
        int err = 0;
        --*budget;
        if (w->path[w->level].index == PTES_PER_TABLE)
            table_made(w);
        else if (w->level == 1)
            err = make_level_1(d, &w->path[1], budget);
        else
            err = make_entry(d, w);
        if (err)
            make_failed(d, w, err);
    }
}

/* ---- Both ---- */

/* A piece of what is under way; -ERESTART while there is more. */
static int work_on_tables(struct domain *d)
{
    struct table_work *w = &d->table_work;
    unsigned budget = ENTRIES_PER_PIECE;
    close_piece(d, &budget);
    if (!w->closing)
        make_piece(d, &budget);
    close_piece(d, &budget);
    return w->closing || (w->root && w->result == -ERESTART) ? -ERESTART : 0;
}

int pv_finish_table_work(struct domain *d)
{
    spin_lock(&d->pt_lock);
    int err = work_on_tables(d);
    spin_unlock(&d->pt_lock);
    return err;
}

/* A tree that was made for a call that never asked again. */
static void drop_result(struct domain *d)
{
    struct table_work *w = &d->table_work;
    if (w->root && !w->result)
        pv_put_table(d, w->path[w->root].table);
    w->root = 0;
}

static int begin(struct domain *d, mfn_t mfn, unsigned level)
{
    struct table_work *w = &d->table_work;
    int taken = take_table(d, mfn, level);
    if (taken != PAGE_TYPE_CHANGING)
        return taken;
    w->root = w->level = level;
    w->path[level] = (struct table_step){.table = mfn};
    w->result = -ERESTART;
    return work_on_tables(d);
}

int pv_get_table(struct domain *d, mfn_t mfn, unsigned level)
{
    struct table_work *w = &d->table_work;
    int err = work_on_tables(d);
    if (err)
        return err;
    if (w->root != level || w->path[level].table != mfn) {
        drop_result(d);
        err = work_on_tables(d);
        if (!err)
            err = begin(d, mfn, level);
        if (err || !w->root)
            return err;
    }
    w->root = 0;
    return w->result;
}

int pv_abandon_tables(struct domain *d)
{
    struct table_work *w = &d->table_work;
    spin_lock(&d->pt_lock);
    if (w->root && w->result == -ERESTART)
        make_failed(d, w, -EINVAL);
    drop_result(d);
    int err = work_on_tables(d);
    spin_unlock(&d->pt_lock);
    return err;
}
