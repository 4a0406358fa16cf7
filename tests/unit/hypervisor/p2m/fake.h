/*
 * A machine for the p2m: frames, one HVM domain with its RAM, guest access for the caller, and what can go wrong.
 */
#ifndef FAKE_H
#define FAKE_H

#include "../../check.h"
#include "../fake/default.h"
#include <hv/abi_internal.h>
#include <hv/grant_table.h>
#include <hv/guest_copy.h>
#include <hv/p2m.h>
#include <hv/page_alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fresh machine: guest (HVM, 2 vcpus, the second one running elsewhere) and Domain-0 (PV), which is current. */
extern struct domain guest, control;
void fake_start(bool ept, bool can_1g);
/* The guest dies, and everything it had must be free again. */
void fake_stop(void);
void fake_be(struct vcpu *v);

extern unsigned fake_flushes;         /* calls that made other CPUs leave the guest */
extern unsigned fake_fail_allocation; /* the n-th table or object from now on cannot be had; 0: never */
extern bool fake_mappings_forgotten;  /* hvm_forget_mappings was called */
extern unsigned fake_viridian_marks;  /* calls of viridian_mark_pages */
unsigned fake_used(void);             /* frames that are not free */

/* RAM of the guest at gfn, or of the control domain (unmapped). */
mfn_t fake_ram_at(gfn_t gfn, unsigned order);
mfn_t fake_frame_of(struct domain *d, unsigned order);
unsigned fake_references(mfn_t mfn);
unsigned fake_type_references(mfn_t mfn);

#endif
