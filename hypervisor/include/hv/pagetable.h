/*
 * The hypervisor's own mappings. x86/pagetable.c
 */
#ifndef HV_PAGETABLE_H
#define HV_PAGETABLE_H

#include <hv/page.h>

/* The page table the idle vcpu runs on; slots 256-271 of it are copied into every guest root table. */
extern pte_t *idle_root;

/* Builds the direct map, the frame table, the M2P and switches to them. Called once, after bootinfo is filled. */
void pagetable_init(void);

/* Maps [pa, pa+bytes) uncached (or with the given cache bits: 0 = write-back, PTE_UNCACHED) and returns the address of
 * pa; never fails (panics when the window is used up). Not for RAM that a guest owns. Mappings stay for good. */
void *ioremap(paddr_t pa, size_t bytes, uint64_t cache_flags);

/* Sets one 4 KiB mapping in the hypervisor range; va's tables are made when absent. Flushes nothing. */
void map_page(unsigned long va, mfn_t mfn, uint64_t flags);
pte_t *hypervisor_pte(unsigned long va);

/* Between boot_alloc and the page allocator: was this frame given out (or is it the image, a module, low memory)? If so
 * *skip_to is the end of what it belongs to. */
bool boot_frame_taken(paddr_t pa, paddr_t *skip_to);
/* From now on page tables come from the page allocator. */
void pagetable_use_allocator(void);

#endif
