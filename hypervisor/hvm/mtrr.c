/*
 * Memory type registers: PAT, which the processor uses, and MTRRs, which the guest only reads back: the types of its
 * memory are those of our nested tables. Source: Intel SDM volume 3, 12.11 and 12.12.
 */
#include <hv/cpu.h>
#include <hv/hvm_mtrr.h>
#include <hv/vdev.h>

#define VARIABLE_COUNT ARRAY_SIZE(((struct hvm_vcpu *)0)->mtrr.base)
#define FIXED_COUNT    ARRAY_SIZE(((struct hvm_vcpu *)0)->mtrr.fixed)
_Static_assert(VARIABLE_COUNT == MTRR_VCNT && FIXED_COUNT == NUM_FIXED_MSR, "ABI: struct hvm_hw_mtrr");

#define MSR_MTRR_CAP       0xfeU
#define MSR_MTRR_VARIABLE  0x200U
#define MSR_MTRR_FIXED_64K 0x250U
#define MSR_MTRR_FIXED_16K 0x258U
#define MSR_MTRR_FIXED_4K  0x268U
#define MSR_MTRR_DEF_TYPE  0x2ffU
#define MTRR_CAP           (VARIABLE_COUNT | 1U << 8 | 1U << 10) /* fixed ranges, write combining */
#define DEF_TYPE_WRITABLE  0xcffUL
#define BASE_RESERVED      0xf00UL
#define MASK_RESERVED      0x7ffUL

/* Index of a fixed-range register, or FIXED_COUNT. */
static unsigned fixed_index(uint32_t msr)
{
    if (msr == MSR_MTRR_FIXED_64K)
        return 0;
    if (msr >= MSR_MTRR_FIXED_16K && msr < MSR_MTRR_FIXED_16K + 2)
        return 1 + msr - MSR_MTRR_FIXED_16K;
    if (msr >= MSR_MTRR_FIXED_4K && msr < MSR_MTRR_FIXED_4K + 8)
        return 3 + msr - MSR_MTRR_FIXED_4K;
    return FIXED_COUNT;
}

static uint64_t address_limit(struct vcpu *v)
{
    struct cpuid r;
    hvm_cpuid(v, 0x80000008, 0, &r);
    unsigned bits = r.eax & 0xff;
    return 1UL << (bits >= 36 && bits <= 52 ? bits : 36);
}

bool hvm_mtrr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct hvm_vcpu *h = v->hvm;
    unsigned variable = msr - MSR_MTRR_VARIABLE, fixed = fixed_index(msr);
    if (msr == MSR_PAT)
        *value = h->pat;
    else if (msr == MSR_MTRR_CAP)
        *value = MTRR_CAP;
    else if (msr == MSR_MTRR_DEF_TYPE)
        *value = h->mtrr.def_type;
    else if (fixed < FIXED_COUNT)
        *value = h->mtrr.fixed[fixed];
    else if (variable < 2 * VARIABLE_COUNT)
        *value = variable & 1 ? h->mtrr.mask[variable / 2] : h->mtrr.base[variable / 2];
    else
        return false;
    return true;
}

static bool write_pat(struct vcpu *v, uint64_t value)
{
    if (!memory_types_ok(value, PAT_TYPES))
        return false;
    v->hvm->pat = value;
    hvm_vendor->update_pat(v);
    return true;
}

static bool write_variable(struct vcpu *v, unsigned index, uint64_t value)
{
    uint64_t reserved = ~(address_limit(v) - 1) | (index & 1 ? MASK_RESERVED : BASE_RESERVED);
    if (value & reserved || (!(index & 1) && !(MTRR_TYPES >> (value & 7) & 1 && (value & 0xff) < 8)))
        return false;
    if (index & 1)
        v->hvm->mtrr.mask[index / 2] = value;
    else
        v->hvm->mtrr.base[index / 2] = value;
    return true;
}

bool hvm_mtrr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    struct hvm_vcpu *h = v->hvm;
    unsigned variable = msr - MSR_MTRR_VARIABLE, fixed = fixed_index(msr);
    if (msr == MSR_PAT)
        return write_pat(v, value);
    if (msr == MSR_MTRR_DEF_TYPE) {
        if (value & ~DEF_TYPE_WRITABLE || (value & 0xff) > 7 || !(MTRR_TYPES >> (value & 7) & 1))
            return false;
        h->mtrr.def_type = value;
        return true;
    }
    if (fixed < FIXED_COUNT) {
        if (!memory_types_ok(value, MTRR_TYPES))
            return false;
        h->mtrr.fixed[fixed] = value;
        return true;
    }
    return variable < 2 * VARIABLE_COUNT && write_variable(v, variable, value);
}

/* ---- saving ---- */

static int save(struct domain *d, struct hvm_save_buffer *b)
{
    struct vcpu *v;
    for_each_vcpu(d, v) {
        const struct hvm_vcpu *h = v->hvm;
        struct hvm_hw_mtrr record = {
            .msr_pat_cr = h->pat, .msr_mtrr_cap = MTRR_CAP, .msr_mtrr_def_type = h->mtrr.def_type};
        for (unsigned i = 0; i < VARIABLE_COUNT; i++) {
            record.msr_mtrr_var[2 * i] = h->mtrr.base[i];
            record.msr_mtrr_var[2 * i + 1] = h->mtrr.mask[i];
        }
        memcpy(record.msr_mtrr_fixed, h->mtrr.fixed, sizeof(record.msr_mtrr_fixed));
        int err = hvm_save_record(b, HVM_SAVE_CODE(MTRR), (uint16_t)v->id, &record, sizeof(record));
        if (err)
            return err;
    }
    return 0;
}

static int load(struct domain *d, unsigned instance, const void *body)
{
    const struct hvm_hw_mtrr *record = body;
    struct vcpu *v = domain_vcpu(d, instance);
    if (!v)
        return -EINVAL;
    bool ok = write_pat(v, record->msr_pat_cr) && hvm_mtrr_write(v, MSR_MTRR_DEF_TYPE, record->msr_mtrr_def_type);
    for (unsigned i = 0; i < 2 * VARIABLE_COUNT && ok; i++)
        ok = write_variable(v, i, record->msr_mtrr_var[i]);
    for (unsigned i = 0; i < FIXED_COUNT && ok; i++)
        ok = memory_types_ok(record->msr_mtrr_fixed[i], MTRR_TYPES);
    if (ok)
        memcpy(v->hvm->mtrr.fixed, record->msr_mtrr_fixed, sizeof(v->hvm->mtrr.fixed));
    return ok ? 0 : -EINVAL;
}

const struct hvm_save_handler save_mtrr = {HVM_SAVE_CODE(MTRR), sizeof(struct hvm_hw_mtrr), save, load};
