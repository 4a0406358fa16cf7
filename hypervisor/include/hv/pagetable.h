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

/* Makes the tables for [va, va+bytes) of the hypervisor range where they are absent; -ENOMEM. May flush other CPUs'
 * TLBs, so not with a lock held that forbids it (hv/lock_order.h). */
int __must_check map_tables(unsigned long va, size_t bytes);
/* Sets one 4 KiB mapping there: one store, without a lock, so it may be made with interrupts off. Flushes nothing. va
 * is the caller's alone. */
void map_page(unsigned long va, mfn_t mfn, uint64_t flags);

/* A stack block (hv/percpu.h) for a CPU, zeroed, without its guard pages; the same one each time. NULL: no memory. */
void *map_stack(unsigned cpu);

/* Between boot_alloc and the page allocator: was this frame given out (or is it the image, a module, low memory)? If so
 * *skip_to is the end of what it belongs to. */
bool boot_frame_taken(paddr_t pa, paddr_t *skip_to);
/*
 * Machine frame of the first 4 KiB of the index-th 2 MiB of the machine-to-pfn table; each such 2 MiB is contiguous in
 * machine memory, owned by DOMID_XEN and may be mapped read-only by Domain-0 (XENMEM_machphys_mfn_list). 0 for a part
 * that covers no RAM or lies beyond the table.
 */
mfn_t m2p_extent_mfn(unsigned long index);

/* From now on page tables come from the page allocator. */
void pagetable_use_allocator(void);

#endif
