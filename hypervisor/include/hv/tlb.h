/*
 * Translation caches of all CPUs. x86/tlb.c
 *
 * tlbflush_clock counts full flushes. A frame whose last type reference (or last reference) went away at clock value T
 * may be given a new kind only after every CPU has flushed since T: tlb_filter_and_flush does that.
 */
#ifndef HV_TLB_H
#define HV_TLB_H

#include <hv/percpu.h>

extern volatile uint64_t tlbflush_clock;

/* This CPU goes on with these page tables, and with none of the former ones' translations. x86/context.c */
void load_root(paddr_t root);
void tlb_flush_local(void);
void tlb_flush_local_va(unsigned long va);
/* va = 0: everything. Returns when all CPUs of the mask have flushed. Interrupts must be on, or
 * the mask only this CPU. */
void tlb_flush_mask(const cpumask_t *mask, unsigned long va);
void tlb_flush_all(void);
/* Flushes those CPUs that have not flushed since `stamp`. */
void tlb_filter_and_flush(uint64_t stamp);

#endif
