/*
 * Address space layout, page table entries, and the record that stands for each machine frame.
 *
 * Hypervisor range (root slots 256-271, in every address space; public: HYPERVISOR_VIRT_START/END):
 *   0xffff800000000000  machine-to-pfn table, guests read it (ABI)
 *   0xffff808000000000  the same table, writable, ours only
 *   0xffff810000000000  hypervisor image
 *   0xffff818000000000  ioremap and other small mappings
 *   0xffff81c000000000  stacks of all CPUs but the first
 *   0xffff820000000000  frame table: struct page[], one per machine frame
 *   0xffff828000000000  descriptor windows: GDT and LDT of every vcpu (pv/descriptor.c)
 *   0xffff830000000000  direct map of all RAM, up to 5 TiB
 */
#ifndef HV_PAGE_H
#define HV_PAGE_H

#include <hv/types.h>

#define M2P_RO_VA     0xffff800000000000UL
#define M2P_RW_VA     0xffff808000000000UL
#define IMAGE_VA      0xffff810000000000UL
#define IOREMAP_VA    0xffff818000000000UL
#define IOREMAP_END   0xffff81c000000000UL
#define STACKS_VA     0xffff81c000000000UL
#define FRAMETABLE_VA 0xffff820000000000UL
#define DESCRIPTOR_VA 0xffff828000000000UL
#define DIRECTMAP_VA  0xffff830000000000UL
#define DIRECTMAP_END 0xffff880000000000UL

#define PTE_PRESENT  0x001UL
#define PTE_WRITE    0x002UL
#define PTE_USER     0x004UL
#define PTE_PWT      0x008UL
#define PTE_PCD      0x010UL
#define PTE_ACCESSED 0x020UL
#define PTE_DIRTY    0x040UL
#define PTE_PSE      0x080UL
#define PTE_PAT      0x080UL
#define PTE_GLOBAL   0x100UL
#define PTE_NX       0x8000000000000000UL
#define PTE_ADDRESS  0x000ffffffffff000UL
#define PTE_UNCACHED (PTE_PCD | PTE_PWT)

typedef uint64_t pte_t;
#define PTES_PER_TABLE 512
static inline mfn_t pte_mfn(pte_t e)
{
    return (e & PTE_ADDRESS) >> PAGE_SHIFT;
}
static inline pte_t make_pte(mfn_t mfn, uint64_t flags)
{
    return mfn << PAGE_SHIFT | flags;
}
#define PTE_INDEX(va, level)  (((va) >> (PAGE_SHIFT + 9 * ((level)-1))) & 511)
#define FIRST_HYPERVISOR_SLOT 256
#define LAST_HYPERVISOR_SLOT  271

static inline unsigned long canonical(unsigned long va)
{
    return (unsigned long)((long)(va << 16) >> 16);
}
static inline bool is_canonical(unsigned long va)
{
    return canonical(va) == va;
}
/* True if [va, va+bytes) touches nothing of ours: what a guest may name in a hypercall. */
static inline bool guest_range_ok(unsigned long va, unsigned long bytes)
{
    return (va < (1UL << 47) && bytes <= (1UL << 47) - va) || (va >= DIRECTMAP_END && bytes <= -va);
}

/*
 * One record per machine frame, 32 bytes.
 *
 * references: whose the frame is and who still needs it to stay so, in one word, so that both change in one step:
 *   bits 0-31 count of references, 32-47 PAGE_*, 48-63 owner (PAGE_OF). PAGE_ALLOCATED holds while the owner has not
 *   freed the frame (and is one of the references). A frame goes back to the allocator when the count drops to 0; from
 *   0 it rises only by a store of the whole word by whoever has the frame for himself.
 * owner: that part of the word, to read: domid; DOMID_INVALID for frames of the hypervisor itself, DOMID_XEN for
 *   frames guests may map read-only. Worth something only to who holds a reference.
 * type: what the frame may be used for while the type count is above 0: the kinds exclude each other, so a frame that
 *   is a page table or descriptor table cannot be mapped writable at the same time. Protocol in hv/page_type.h.
 * tlbflush: value of tlbflush_clock when the last type reference went away (see hv/tlb.h).
 * next, prev: mfn of the neighbours in the owner's page list, or in the allocator's free list. Owner's page_lock.
 */
struct page {
    union {
        uint64_t references;
        struct {
            uint16_t word[3], owner;
        };
    };
    uint64_t type;
    union {
        uint64_t tlbflush;
        struct {
            uint32_t next, entries;
        } closing; /* of a page table that is being taken apart; pv/table_tree.c */
    };
    uint32_t next, prev;
};
_Static_assert(sizeof(struct page) == 32, "frame table entry");

#define PAGE_REFERENCES_MASK 0xffffffffUL
#define PAGE_OF(domid)       ((uint64_t)(domid) << 48)
#define PAGE_ALLOCATED       (1UL << 32) /* the owner's own reference exists */
#define PAGE_XENHEAP         (1UL << 33) /* memory of ours that a guest may map (shared info, grant tables) */
#define PAGE_FREE            (1UL << 34) /* in the allocator; `next/prev` link, `type` holds the order */
#define PAGE_IO              (1UL << 35) /* not RAM: no owner accounting */
#define PAGE_BROKEN          (1UL << 36)

#define PAGE_NONE 0xffffffffU /* end of a page list */

#define frametable ((struct page *)FRAMETABLE_VA)
extern mfn_t max_mfn; /* frames 0 .. max_mfn-1 have a record in the frame table */

static inline struct page *mfn_to_page(mfn_t mfn)
{
    return &frametable[mfn];
}
static inline mfn_t page_to_mfn(const struct page *page)
{
    return (mfn_t)(page - frametable);
}
static inline void *paddr_to_virt(paddr_t pa)
{
    return (void *)(DIRECTMAP_VA + pa);
}
/* Only for addresses in the direct map. */
static inline paddr_t virt_to_paddr(const void *va)
{
    return (unsigned long)va - DIRECTMAP_VA;
}
static inline void *mfn_to_virt(mfn_t mfn)
{
    return paddr_to_virt(mfn << PAGE_SHIFT);
}
static inline mfn_t virt_to_mfn(const void *va)
{
    return virt_to_paddr(va) >> PAGE_SHIFT;
}
static inline void *page_to_virt(const struct page *page)
{
    return mfn_to_virt(page_to_mfn(page));
}
/* RAM with a frame record that is not one of ours for MMIO. */
bool mfn_is_ram(mfn_t mfn);

/* Machine-to-pfn: what the guest that owns a frame calls it. Guests read it; we and MMU_MACHPHYS_UPDATE write it. */
#define M2P_INVALID (~0UL)
void m2p_set(mfn_t mfn, unsigned long pfn);
unsigned long m2p_get(mfn_t mfn);

#endif
