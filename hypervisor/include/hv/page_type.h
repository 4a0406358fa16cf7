/*
 * References to frames, and what they may be used for. pv/page_type.c; the rules that keep a PV guest in its cage.
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
 * Counts saturate: at the limit getting one more fails with -EBUSY.
 * Lock: taking a table type first, validating, and dropping the last one need the owner's pt_lock; other changes are
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
#define TYPE_VALIDATED   (1UL << 40)
#define TYPE_PINNED      (1UL << 41)

/* General reference to a frame of d; false if it is not d's (or is being freed). */
bool page_get(struct page *page, const struct domain *d);
/* Of whoever owns it (not a free frame); false otherwise. */
bool page_get_owned(struct page *page);
void page_put(struct page *page);
struct domain *page_owner(const struct page *page); /* no reference; NULL for none */

/* Type reference on top of a general one the caller already holds (page_put_type gives back only the type). */
int page_get_type(struct page *page, uint64_t type);
void page_put_type(struct page *page);
/* Both. */
int page_get_with_type(struct page *page, const struct domain *d, uint64_t type);
void page_put_with_type(struct page *page);
static inline bool page_is_table(const struct page *page)
{
    uint64_t t = page->type & TYPE_MASK;
    return t >= TYPE_L1 && t <= TYPE_L4 && (page->type & TYPE_COUNT_MASK);
}

/* Gives back all table types of a dying domain so that its frames can go. -ERESTART when there is more. */
int pv_relinquish_memory(struct domain *d);

#endif
