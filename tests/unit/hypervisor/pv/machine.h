/*
 * A small machine for the files of pv/ and core/ that deal in frames: RAM and frame table are arrays, two PV domains
 * with a vcpu each, processors that remember what was flushed.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "../../check.h"
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/page_type.h>
#include <hv/pv_internal.h>

extern struct domain guest, other;
extern struct vcpu guest_vcpu, other_vcpu;

/* Frames 1 .. FAKE_FRAMES-1 go to the allocator; nobody has anything yet. */
void machine_start(void);
/* If the test has it: mfn is about to be given a name (m2p_set). */
void machine_names(mfn_t mfn);
/* The hypercalls that follow are this vcpu's. */
void machine_run(struct vcpu *v);
/* A zeroed frame of d. */
mfn_t frame_of(struct domain *d);
static inline pte_t *table_at(mfn_t mfn)
{
    return mfn_to_virt(mfn);
}
/* A tree with one table of each level that leads `va` to `leaf`; becomes v's root. Returns the L1 table. */
mfn_t tree_make(struct vcpu *v, unsigned long va, pte_t leaf);
static inline unsigned type_count(mfn_t mfn)
{
    return (unsigned)(mfn_to_page(mfn)->type & TYPE_COUNT_MASK);
}
static inline bool has_type(mfn_t mfn, uint64_t type)
{
    return type_count(mfn) && (mfn_to_page(mfn)->type & TYPE_MASK) == type;
}

#endif
