/*
 * Inside the p2m files: the structure, the two formats of its entries, and work on the tree.
 */
#ifndef HVM_P2M_PRIVATE_H
#define HVM_P2M_PRIVATE_H

#include <hv/p2m.h>

#define P2M_LEVELS  4
#define P2M_RESERVE 4 /* tables a change may need: a path of three, and one for what it takes away */

/* Software bits of an entry, free for software in both formats. */
#define KIND_SHIFT 52
#define KIND_MASK  (0xfUL << KIND_SHIFT)
_Static_assert(P2M_TYPE_COUNT <= 16, "kinds fit their bits");

/* What the processor wants in an entry. Bit 7 says "leaf above level 1" and bits 12-51 are the address in both. */
struct p2m_format {
    uint64_t rights[P2M_TYPE_COUNT]; /* of a leaf of this kind; 0: not present */
    uint64_t table;                  /* of an entry that names a table */
    uint64_t present;                /* any of these: present */
};

struct p2m {
    struct spinlock lock;
    volatile uint32_t sequence; /* odd while entries are written; lock */
    bool dying;                 /* lock */
    const struct p2m_format *format;
    unsigned largest_level; /* of a leaf: 2 or 3 */
    gfn_t limit;
    pte_t *root;
    gfn_t highest; /* lock */

    uint64_t pool_bytes;         /* as the toolstack set it */
    unsigned tables;             /* [a] all there are, reserve included */
    pte_t *reserve[P2M_RESERVE]; /* lock */
    unsigned reserved;

    struct { /* the end, as far as it has come */
        gfn_t next;
        unsigned level; /* entries of this level name the tables that go now; 0: those of 2 MiB and what they map */
        pte_t entry;    /* taken out, of level 3, and in part retired; 0: none */
        gfn_t entry_gfn, entry_done;
    } relinquish;
    struct {         /* one domctl at a time */
        bool on;     /* log-dirty of the whole domain */
        uint32_t op; /* that is under way, at `next` (0: none) */
        gfn_t next;
        uint32_t dirty;
        uint32_t total_dirty, faults;
    } log;
    struct {
        struct spinlock lock; /* one caller of dirty_vram at a time; outside of p2m.lock */
        gfn_t first;
        uint32_t count;       /* 0: nothing watched */
        unsigned long *dirty; /* found dirty by somebody else than dirty_vram; lock */
    } vram;
};

static inline unsigned level_order(unsigned level)
{
    return 9 * (level - 1);
}
static inline enum p2m_type entry_kind(pte_t entry)
{
    return (enum p2m_type)((entry & KIND_MASK) >> KIND_SHIFT);
}
static inline bool entry_is_table(const struct p2m *p2m, pte_t entry, unsigned level)
{
    return level > 1 && (entry & p2m->format->present) && !(entry & PTE_PSE);
}
static inline pte_t *entry_table(pte_t entry)
{
    return mfn_to_virt(pte_mfn(entry));
}
/* mfn 0 stands for "no frame": it is never a guest's. */
static inline pte_t make_leaf(const struct p2m *p2m, mfn_t mfn, unsigned level, enum p2m_type kind)
{
    return make_pte(mfn, p2m->format->rights[kind] | (uint64_t)kind << KIND_SHIFT | (level > 1 ? PTE_PSE : 0));
}
static inline void p2m_write_begin(struct p2m *p2m)
{
    __atomic_store_n(&p2m->sequence, p2m->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
static inline void p2m_write_end(struct p2m *p2m)
{
    __atomic_store_n(&p2m->sequence, p2m->sequence + 1, __ATOMIC_RELEASE);
}

/* ---- p2m_table.c ---- */
/* NPT or EPT by hvm_vendor, and how large a leaf may be. */
void p2m_choose_format(struct p2m *p2m);
/* Makes sure that a change finds P2M_RESERVE tables. Lock not held, interrupts on. -ENOMEM: no memory, or the pool's
 * limit. */
int p2m_fill_reserve(struct p2m *p2m);
void p2m_free_table(struct p2m *p2m, pte_t *table);
pte_t *p2m_take_reserved(struct p2m *p2m); /* lock held; not cleared; NULL when there is none */
/* The entry of gfn at this level; lock held, sequence odd. Leaves above it are split; missing tables are made when
 * `create`. NULL: nothing is there (a hole, without create), or the reserve is empty (*short_of_tables). */
pte_t *p2m_slot(struct p2m *p2m, gfn_t gfn, unsigned level, bool create, bool *short_of_tables);
/* The entry that maps gfn, without changes: *level tells where the walk ended; never NULL. Lock held. */
pte_t *p2m_find(const struct p2m *p2m, gfn_t gfn, unsigned *level);

#endif
