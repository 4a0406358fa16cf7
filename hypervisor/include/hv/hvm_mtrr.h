/*
 * Memory type registers of an HVM vcpu: PAT and MTRRs. hvm/mtrr.c
 */
#ifndef HV_HVM_MTRR_H
#define HV_HVM_MTRR_H

#include <hv/hvm.h>

/* Types of memory, bit n = type n: UC, WC, WT, WP, WB; the PAT also has UC-. */
#define MTRR_TYPES 0x73U
#define PAT_TYPES  0xf3U

/* Whether each of the eight bytes is one of these types. */
static inline bool memory_types_ok(uint64_t value, unsigned allowed)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t type = (uint8_t)(value >> 8 * i);
        if (type > 7 || !(allowed >> type & 1))
            return false;
    }
    return true;
}

/* false = #GP, for registers that are none of these too. */
bool hvm_mtrr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
bool hvm_mtrr_write(struct vcpu *v, uint32_t msr, uint64_t value);

#endif
