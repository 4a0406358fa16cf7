/*
 * References to frames, and what they may be used for. core/page_type.c, page tables in pv/table_tree.c; the rules that
 * keep a PV guest in its cage.
 *
 * Two counts per frame (struct page):
 *  - general references: the frame stays the owner's while there is one.
 *  - type references: while there is one the frame keeps its type. Types exclude each other:
 *      TYPE_WRITABLE      mapped writable somewhere (or may be)
 *      TYPE_L1 .. TYPE_L4 a page table of that level, every entry checked; contents change only through us
 *      TYPE_DESCRIPTOR    part of a GDT or LDT, every entry checked
 *    A type reference always comes with a general reference.
 * A frame becomes a page table only when no writable mapping is left, is then checked entry by entry (taking references
 * to what the entries name), and gives these references back when the last type reference goes. TYPE_PINNED: one type
 * reference that the guest holds on to (MMUEXT_PIN_Ln_TABLE).
 *
 * States of a frame's type, named as in tests/models/page_type.pml, which tries all interleavings of their changes:
 *   IDLE      count 0: nobody uses it. The kind is the last one; struct page.tlbflush says when that use ended.
 *   CHANGING  count 1 without TYPE_READY: one CPU has it for itself. On the way in it flushes those that may still
 *             translate by the former kind, and checks the contents; on the way out it takes the contents apart and
 *             stamps. Who wants the same kind waits, who wants another is refused.
 *   READY     count 1 and more with TYPE_READY: in use.
 * The stamp is written in CHANGING only, so that it is never older than the last use, and nobody uses a kind before its
 * flush is done.
 *
 * Counts saturate: at the limit getting one more fails with -EBUSY.
 * Lock: table and descriptor types need the owner's pt_lock to be taken, tables to be given back too; other changes are
 * atomic.
 */
#ifndef HV_PAGE_TYPE_H
#define HV_PAGE_TYPE_H

#include <hv/domain.h>
#include <hv/page.h>

#define TYPE_COUNT_MASK  0x00000000ffffffffUL
#define TYPE_COUNT_LIMIT 0x7fffffffUL
#define TYPE_SHIFT       32
#define TYPE_MASK        (0xfUL << TYPE_SHIFT)
#define TYPE_NONE        (0x0UL << TYPE_SHIFT)
#define TYPE_L1          (0x1UL << TYPE_SHIFT)
#define TYPE_L2          (0x2UL << TYPE_SHIFT)
#define TYPE_L3          (0x3UL << TYPE_SHIFT)
#define TYPE_L4          (0x4UL << TYPE_SHIFT)
#define TYPE_DESCRIPTOR  (0x5UL << TYPE_SHIFT)
#define TYPE_WRITABLE    (0x6UL << TYPE_SHIFT)
#define TYPE_READY       (1UL << 40)
#define TYPE_PINNED      (1UL << 41)

/* General reference to a frame of d; false if it is not d's (or is being freed). Owner and count are one word: what is
 * another's is never touched. */
bool page_get(struct page *page, const struct domain *d);
/* A frame that the caller has for himself (count 0) becomes d's, with the owner's reference. */
static inline void page_give(struct page *page, const struct domain *d, uint64_t flags)
{
    __atomic_store_n(&page->references, PAGE_OF(d->id) | PAGE_ALLOCATED | flags | 1, __ATOMIC_RELEASE);
}
/* The reverse, of an ordinary frame of d that nobody else holds: nobody can get it any more. False: it is not that. */
static inline bool page_claim(struct page *page, const struct domain *d)
{
    uint64_t only_owner = PAGE_OF(d->id) | PAGE_ALLOCATED | 1;
    return __atomic_compare_exchange_n(&page->references, &only_owner, PAGE_OF(d->id), false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}
/* Of whoever owns it (not a free frame); false otherwise. */
bool page_get_owned(struct page *page);
void page_put(struct page *page);
struct domain *page_owner(const struct page *page); /* no reference; NULL for none */

/* TYPE_WRITABLE on top of a general reference the caller already holds (page_put_type gives back only the type). */
int page_get_type(struct page *page, uint64_t type);
/* The same for a type that says something about the contents: whoever makes the frame one looks at them by
 * `examine`, whose error leaves it what it was. */
int page_get_checked_type(struct page *page, uint64_t type, int (*examine)(mfn_t mfn));
void page_put_type(struct page *page);
/* Both, of a type without a check. */
int page_get_with_type(struct page *page, const struct domain *d, uint64_t type);
void page_put_with_type(struct page *page);

/* The steps of these, for page tables. One reference more: 0; -EINVAL, -EBUSY; PAGE_TYPE_CHANGING: it was IDLE, the
 * caller has it for himself now and says how it ends: ready, or idle again. */
#define PAGE_TYPE_CHANGING 1
int page_type_take(struct page *page, uint64_t type);
void page_type_ready(struct page *page);
/* One reference less; true: it was the last, the frame is CHANGING and the caller's. */
bool page_type_drop(struct page *page);
void page_type_idle(struct page *page);

/* Level of the page table in use that a frame is; 0: it is none. Stays so only while pt_lock is held. */
static inline unsigned page_table_level(const struct page *page)
{
    uint64_t x = READ_ONCE(page->type), type = x & TYPE_MASK;
    return (x & TYPE_COUNT_MASK) && (x & TYPE_READY) && type >= TYPE_L1 && type <= TYPE_L4 ? type >> TYPE_SHIFT : 0;
}

#endif
