/*
 * The p2m's tree: formats of its entries, tables, finding, making and splitting entries.
 * Sources: AMD APM volume 2, 5.3 and 15.25 (NPT: present, writable, user, no-execute; nested accesses are user
 * accesses); Intel SDM volume 3, 28.3.2 (EPT: read, write, execute, memory type in bits 3-5, ignore-PAT bit 6).
 */
#include "p2m_private.h"
#include <hv/page_alloc.h>

#define NPT_READ  (PTE_PRESENT | PTE_USER | PTE_ACCESSED)
#define NPT_WRITE (PTE_WRITE | PTE_DIRTY)
static const struct p2m_format npt_format = {
    .rights =
        {
            [P2M_RAM] = NPT_READ | NPT_WRITE,
            [P2M_RAM_READONLY] = NPT_READ,
            [P2M_RAM_LOG_DIRTY] = NPT_READ,
            [P2M_IOREQ_SERVER] = NPT_READ,
            [P2M_FOREIGN] = NPT_READ | NPT_WRITE | PTE_NX,
            [P2M_GRANT_WRITABLE] = NPT_READ | NPT_WRITE | PTE_NX,
            [P2M_GRANT_READONLY] = NPT_READ | PTE_NX,
            [P2M_SHARED] = NPT_READ | NPT_WRITE | PTE_NX,
        },
    .table = NPT_READ | NPT_WRITE,
    .present = PTE_PRESENT,
};

#define EPT_READ       0x1UL
#define EPT_WRITE      0x2UL
#define EPT_EXECUTE    0x4UL
#define EPT_WRITE_BACK (6UL << 3 | 0x40UL) /* whatever the guest's PAT says: guests have no devices of their own */
static const struct p2m_format ept_format = {
    .rights =
        {
            [P2M_RAM] = EPT_READ | EPT_WRITE | EPT_EXECUTE | EPT_WRITE_BACK,
            [P2M_RAM_READONLY] = EPT_READ | EPT_EXECUTE | EPT_WRITE_BACK,
            [P2M_RAM_LOG_DIRTY] = EPT_READ | EPT_EXECUTE | EPT_WRITE_BACK,
            [P2M_IOREQ_SERVER] = EPT_READ | EPT_EXECUTE | EPT_WRITE_BACK,
            [P2M_FOREIGN] = EPT_READ | EPT_WRITE | EPT_WRITE_BACK,
            [P2M_GRANT_WRITABLE] = EPT_READ | EPT_WRITE | EPT_WRITE_BACK,
            [P2M_GRANT_READONLY] = EPT_READ | EPT_WRITE_BACK,
            [P2M_SHARED] = EPT_READ | EPT_WRITE | EPT_WRITE_BACK,
        },
    .table = EPT_READ | EPT_WRITE | EPT_EXECUTE,
    .present = EPT_READ | EPT_WRITE | EPT_EXECUTE,
};

#define MSR_EPT_VPID_CAPABILITIES 0x48cU /* Intel SDM volume 3, appendix A.10 */
#define EPT_CAN_1G                (1UL << 17)

void p2m_choose_format(struct p2m *p2m)
{
    uint64_t capabilities = 0;
    bool can_1g = cpu_features.page1gb;

    p2m->format = &npt_format;
    if (hvm_vendor->uses_ept) {
        p2m->format = &ept_format;
        can_1g = rdmsr_safe(MSR_EPT_VPID_CAPABILITIES, &capabilities) && (capabilities & EPT_CAN_1G);
    }
    p2m->largest_level = can_1g ? 3 : 2;
}

/* Below this many tables nothing can start; the toolstack's pool counts when it is larger. */
#define MIN_TABLES 256U

static bool may_have_more(const struct p2m *p2m)
{
    return READ_ONCE(p2m->tables) < max((uint64_t)MIN_TABLES, READ_ONCE(p2m->pool_bytes) >> PAGE_SHIFT);
}

int p2m_fill_reserve(struct p2m *p2m)
{
    while (READ_ONCE(p2m->reserved) < P2M_RESERVE) {
        pte_t *table = may_have_more(p2m) ? alloc_zeroed_pages(0) : NULL;
        bool kept;

        if (!table)
            return -ENOMEM;
        __atomic_add_fetch(&p2m->tables, 1, __ATOMIC_RELAXED);
        unsigned long flags = spin_lock_irqsave(&p2m->lock);
        kept = p2m->reserved < P2M_RESERVE;
        if (kept)
            p2m->reserve[p2m->reserved++] = table;
        spin_unlock_irqrestore(&p2m->lock, flags);
        if (!kept)
            p2m_free_table(p2m, table);
    }
    return 0;
}

void p2m_free_table(struct p2m *p2m, pte_t *table)
{
    free_virtual_pages(table, 0);
    __atomic_sub_fetch(&p2m->tables, 1, __ATOMIC_RELAXED);
}

pte_t *p2m_take_reserved(struct p2m *p2m)
{
    return p2m->reserved ? p2m->reserve[--p2m->reserved] : NULL;
}

/* Same frames, same rights: what processors remember of the large entry stays right. A hole gives an empty table. */
static void fill_from_leaf(pte_t *table, pte_t leaf, unsigned level)
{
    mfn_t mfn = pte_mfn(leaf), step = mfn ? 1UL << level_order(level - 1) : 0;
    uint64_t flags = leaf & ~PTE_ADDRESS;

    if (level == 2)
        flags &= ~PTE_PSE;
    for (unsigned i = 0; i < PTES_PER_TABLE; i++)
        table[i] = leaf ? make_pte(mfn + i * step, flags) : 0;
}

pte_t *p2m_slot(struct p2m *p2m, gfn_t gfn, unsigned level, bool create, bool *short_of_tables)
{
    pte_t *table = p2m->root;

    *short_of_tables = false;
    for (unsigned at = P2M_LEVELS; at > level; at--) {
        pte_t *entry = &table[PTE_INDEX(gfn << PAGE_SHIFT, at)];

        if (!entry_is_table(p2m, *entry, at)) {
            if (!*entry && !create)
                return NULL;
            table = p2m_take_reserved(p2m);
            if (!table) {
                *short_of_tables = true;
                return NULL;
            }
            fill_from_leaf(table, *entry, at);
            WRITE_ONCE(*entry, make_pte(virt_to_mfn(table), p2m->format->table));
        }
        table = entry_table(*entry);
    }
    return &table[PTE_INDEX(gfn << PAGE_SHIFT, level)];
}

pte_t *p2m_find(const struct p2m *p2m, gfn_t gfn, unsigned *level)
{
    pte_t *table = p2m->root, *entry;

    for (*level = P2M_LEVELS;; --*level) {
        entry = &table[PTE_INDEX(gfn << PAGE_SHIFT, *level)];
        if (!entry_is_table(p2m, *entry, *level))
            return entry;
        table = entry_table(*entry);
    }
}
