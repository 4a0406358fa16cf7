/*
 * One vcpu on a processor that keeps its state in plain variables: what the tests of hvm/ files have in common.
 */
#ifndef HVM_CORE_MACHINE_H
#define HVM_CORE_MACHINE_H

#include "../../check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/hvm_exit.h>

extern struct vcpu vcpu;
extern struct hvm_vcpu hvm_vcpu;
extern struct hvm_segment_register segment[SEG_COUNT];
extern struct hvm_event injected; /* what entered the guest last */
extern bool interruptible, nmi_allowed, window_wanted;
extern unsigned flushes, shutdowns, crashes, softirqs, debug_updates;
extern bool interrupts_on;

extern void (*machine_sync)(struct vcpu *v); /* hvm_vendor->sync; NULL: nothing changes without an exit */

/* Everything as after power-up. */
void machine_reset(void);

#endif
