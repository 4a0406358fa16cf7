/*
 * Segment and table registers in the VMCS. Source: Intel SDM volume 3, 24.4.1 (access rights), 26.3.1.2 (checks).
 *
 * The processor refuses to enter with a segment it could not have loaded itself. What it requires beyond the neutral
 * form is added here, so that a context from the toolstack cannot be half wrong in ways only VT-x minds.
 */
#include "vmcs.h"

#define RIGHTS_LOW      0xffU /* type, S, DPL, P: the same bits in both forms */
#define RIGHTS_HIGH     0xf000U
#define RIGHTS_UNUSABLE 0x10000U
#define TYPE_ACCESSED   1U
#define TYPE_BUSY       2U
#define TYPE_LDT        2U

/* Position of each in the VMCS's order es, cs, ss, ds, fs, gs, ldtr, tr. */
static const uint8_t position[] = {
    [SEG_ES] = 0, [SEG_CS] = 2, [SEG_SS] = 4, [SEG_DS] = 6, [SEG_FS] = 8, [SEG_GS] = 10, [SEG_LDTR] = 12, [SEG_TR] = 14,
};

static bool is_table(enum hvm_segment which)
{
    return which == SEG_GDTR || which == SEG_IDTR;
}

void vmx_get_segment(struct vcpu *v, enum hvm_segment which, struct hvm_segment_register *out)
{
    struct vcpu *previous = vmcs_begin(v);
    *out = (struct hvm_segment_register){0};
    if (is_table(which)) {
        out->base = vmread(which == SEG_GDTR ? VMCS_GUEST_GDTR_BASE : VMCS_GUEST_IDTR_BASE);
        out->limit = (uint32_t)vmread(which == SEG_GDTR ? VMCS_GUEST_GDTR_LIMIT : VMCS_GUEST_IDTR_LIMIT);
    } else {
        unsigned at = position[which];
        uint32_t rights = (uint32_t)vmread(VMCS_GUEST_ATTRIBUTES + at);
        out->base = vmread(VMCS_GUEST_BASE + at);
        out->limit = (uint32_t)vmread(VMCS_GUEST_LIMIT + at);
        out->selector = (uint16_t)vmread(VMCS_GUEST_SELECTOR + at);
        out->attributes = (uint16_t)((rights & RIGHTS_LOW) | (rights & RIGHTS_HIGH) >> 4);
        if (rights & RIGHTS_UNUSABLE)
            out->attributes &= SEG_ATTR_DPL; /* SS tells the privilege level even so */
    }
    vmcs_end(v, previous);
}

/* Not present is how the neutral form says unusable. */
static uint32_t access_rights(enum hvm_segment which, uint16_t attributes)
{
    uint32_t rights = (attributes & RIGHTS_LOW) | (attributes << 4 & RIGHTS_HIGH);
    if (which == SEG_TR)
        return (rights & ~(uint32_t)SEG_ATTR_S) | SEG_ATTR_PRESENT | TYPE_BUSY | TYPE_ACCESSED;
    if (which == SEG_CS)
        return rights | SEG_ATTR_PRESENT | SEG_ATTR_S | TYPE_ACCESSED;
    if (!(attributes & SEG_ATTR_PRESENT))
        return (rights & SEG_ATTR_DPL) | RIGHTS_UNUSABLE;
    if (which == SEG_LDTR)
        return (rights & ~(uint32_t)(SEG_ATTR_TYPE | SEG_ATTR_S)) | TYPE_LDT;
    return rights | SEG_ATTR_S | TYPE_ACCESSED;
}

/* A limit with bits above 20 counts pages, one with a hole in its low 12 bits counts bytes; G must agree. */
static uint32_t fix_granularity(uint32_t rights, uint32_t *limit)
{
    if (*limit > 0xfffff) {
        *limit |= 0xfff;
        return rights | SEG_ATTR_G << 4;
    }
    return (*limit & 0xfff) == 0xfff ? rights : rights & ~(uint32_t)(SEG_ATTR_G << 4);
}

/* Only FS, GS and the system segments have a base wider than 32 bits. */
static uint64_t fix_base(enum hvm_segment which, uint64_t base)
{
    return which <= SEG_DS ? (uint32_t)base : canonical(base);
}

static void set_table(enum hvm_segment which, const struct hvm_segment_register *in)
{
    bool gdtr = which == SEG_GDTR;
    vmwrite(gdtr ? VMCS_GUEST_GDTR_BASE : VMCS_GUEST_IDTR_BASE, canonical(in->base));
    vmwrite(gdtr ? VMCS_GUEST_GDTR_LIMIT : VMCS_GUEST_IDTR_LIMIT, in->limit & 0xffff);
}

void vmx_set_segment(struct vcpu *v, enum hvm_segment which, const struct hvm_segment_register *in)
{
    struct vcpu *previous = vmcs_begin(v);
    if (is_table(which)) {
        set_table(which, in);
    } else {
        unsigned at = position[which];
        uint32_t limit = in->limit;
        uint32_t rights = fix_granularity(access_rights(which, in->attributes), &limit);
        vmwrite(VMCS_GUEST_SELECTOR + at, which == SEG_TR || which == SEG_LDTR ? in->selector & ~4U : in->selector);
        vmwrite(VMCS_GUEST_BASE + at, fix_base(which, in->base));
        vmwrite(VMCS_GUEST_LIMIT + at, limit);
        vmwrite(VMCS_GUEST_ATTRIBUTES + at, rights);
    }
    vmcs_end(v, previous);
    vmx_of(v)->changed = true;
}

unsigned vmx_cpl(struct vcpu *v)
{
    struct vcpu *previous = vmcs_begin(v);
    unsigned rights = (unsigned)vmread(VMCS_GUEST_ATTRIBUTES + position[SEG_SS]);
    vmcs_end(v, previous);
    return rights >> 5 & 3;
}
