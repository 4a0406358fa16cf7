/*
 * Control, debug and model specific registers, descriptor tables and vector registers of the emulated instruction.
 */
#include "emulate_glue.h"
#include <hv/vdev.h>
#include <hv/vector_registers.h>
#include <hv/xstate.h>

static enum emulate_outcome or_gp(struct emulate_context *c, bool ok)
{
    return ok ? EMULATE_OK : emulate_raise(c, TRAP_gp_fault, 0);
}

void system_read_table(struct emulate_context *c, enum emulate_table table, uint64_t *base, uint16_t *limit)
{
    const struct hvm_segment_register *s = emulated_segment(c, table == EMU_GDT ? SEG_GDTR : SEG_IDTR);
    *base = s->base;
    *limit = (uint16_t)s->limit;
}

enum emulate_outcome system_write_table(struct emulate_context *c, enum emulate_table table, uint64_t base,
                                        uint16_t limit)
{
    struct vcpu *v = emulated(c);
    struct hvm_segment_register s = {.base = base, .limit = limit};
    if (c->code_bytes == 8 && !is_canonical(base))
        return emulate_raise(c, TRAP_gp_fault, 0);
    hvm_vendor->set_segment(v, table == EMU_GDT ? SEG_GDTR : SEG_IDTR, &s);
    return EMULATE_OK;
}

enum emulate_outcome system_read_cr(struct emulate_context *c, unsigned number, uint64_t *value)
{
    struct vcpu *v = emulated(c);
    switch (number) {
    case 0:
        *value = v->hvm->cr0;
        break;
    case 2:
        *value = v->hvm->cr2;
        break;
    case 3:
        *value = v->hvm->cr3;
        break;
    case 4:
        *value = v->hvm->cr4;
        break;
    default:
        *value = v->hvm->lapic ? vlapic_get_tpr(v) >> 4 : 0;
    }
    return EMULATE_OK;
}

enum emulate_outcome system_write_cr(struct emulate_context *c, unsigned number, uint64_t value)
{
    struct vcpu *v = emulated(c);
    switch (number) {
    case 0:
        return or_gp(c, hvm_set_cr0(v, value));
    case 2:
        v->hvm->cr2 = value;
        hvm_vendor->update_cr(v, 2);
        return EMULATE_OK;
    case 3:
        return or_gp(c, hvm_set_cr3(v, value));
    case 4:
        return or_gp(c, hvm_set_cr4(v, value));
    default:
        return or_gp(c, hvm_set_cr8(v, value));
    }
}

/* dr4 and dr5 are other names of dr6 and dr7, unless CR4.DE says that they are none. */
static bool is_no_register(const struct vcpu *v, unsigned number)
{
    return (number == 4 || number == 5) && v->hvm->cr4 & X86_CR4_DE;
}

enum emulate_outcome system_read_dr(struct emulate_context *c, unsigned number, uint64_t *value)
{
    struct vcpu *v = emulated(c);
    if (is_no_register(v, number))
        return emulate_raise(c, TRAP_invalid_op, 0);
    return or_gp(c, hvm_read_dr(v, number, value));
}

enum emulate_outcome system_write_dr(struct emulate_context *c, unsigned number, uint64_t value)
{
    struct vcpu *v = emulated(c);
    if (is_no_register(v, number))
        return emulate_raise(c, TRAP_invalid_op, 0);
    return or_gp(c, hvm_write_dr(v, number, value));
}

enum emulate_outcome system_read_msr(struct emulate_context *c, uint32_t msr, uint64_t *value)
{
    return or_gp(c, hvm_rdmsr(emulated(c), msr, value));
}

enum emulate_outcome system_write_msr(struct emulate_context *c, uint32_t msr, uint64_t value)
{
    return or_gp(c, hvm_wrmsr(emulated(c), msr, value));
}

enum emulate_outcome system_cpuid(struct emulate_context *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    struct cpuid leaves;
    hvm_cpuid(emulated(c), leaf, subleaf, &leaves);
    out[0] = leaves.eax;
    out[1] = leaves.ebx;
    out[2] = leaves.ecx;
    out[3] = leaves.edx;
    return EMULATE_OK;
}

enum emulate_outcome system_invlpg(struct emulate_context *c, uint64_t linear)
{
    hvm_vendor->invlpg(emulated(c), linear);
    return EMULATE_OK;
}

/* The registers of the current vcpu are in the processor (xstate.h). AVX needs the guest's leave in its XCR0. */
#define XCR0_SSE_AVX 6UL

enum emulate_outcome system_read_vector(struct emulate_context *c, unsigned number, void *to, unsigned bytes)
{
    if (emulated(c) != current)
        return EMULATE_UNHANDLED;
    if (bytes == 32 && (xstate_xcr0(emulated(c)) & XCR0_SSE_AVX) != XCR0_SSE_AVX)
        return emulate_raise(c, TRAP_invalid_op, 0);
    read_vector_register(number, to, bytes);
    return EMULATE_OK;
}

enum emulate_outcome system_write_vector(struct emulate_context *c, unsigned number, const void *from, unsigned bytes)
{
    if (emulated(c) != current)
        return EMULATE_UNHANDLED;
    if (bytes == 32 && (xstate_xcr0(emulated(c)) & XCR0_SSE_AVX) != XCR0_SSE_AVX)
        return emulate_raise(c, TRAP_invalid_op, 0);
    write_vector_register(number, from, bytes);
    return EMULATE_OK;
}
