/*
 * Memory type registers of an HVM vcpu: PAT and MTRRs. hvm/mtrr.c
 */
#ifndef HV_HVM_MTRR_H
#define HV_HVM_MTRR_H

#include <hv/hvm.h>

/* false = #GP, for registers that are none of these too. */
bool hvm_mtrr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
bool hvm_mtrr_write(struct vcpu *v, uint32_t msr, uint64_t value);

#endif
