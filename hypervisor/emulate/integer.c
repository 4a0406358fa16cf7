/*
 * Integer instructions: ALU, shifts, bits, multiplication and division, decimal adjustments.
 */
#include "instruction.h"

static enum emulate_outcome run_alu(struct emulation *e, enum alu_operation operation)
{
    struct operand *o = &e->destination;
    o->value = alu(operation, o->bytes, o->value, e->source.value, &e->regs.rflags);
    return EMULATE_OK;
}

EXECUTE(alu_by_opcode)
{
    return run_alu(e, e->i.opcode >> 3 & 7);
}

EXECUTE(alu_by_modrm)
{
    return run_alu(e, e->i.modrm >> 3 & 7);
}

EXECUTE(test_bits)
{
    alu(ALU_AND, e->destination.bytes, e->destination.value, e->source.value, &e->regs.rflags);
    return EMULATE_OK;
}

/* inc and dec leave the carry flag alone. */
static enum emulate_outcome step(struct emulation *e, enum alu_operation operation)
{
    uint64_t flags = e->regs.rflags;
    e->destination.value = alu(operation, e->destination.bytes, e->destination.value, 1, &flags);
    e->regs.rflags = (flags & ~FLAG_CF) | (e->regs.rflags & FLAG_CF);
    return EMULATE_OK;
}

EXECUTE(increment)
{
    return step(e, ALU_ADD);
}

EXECUTE(decrement)
{
    return step(e, ALU_SUB);
}

EXECUTE(invert)
{
    e->destination.value = low_bytes(~e->destination.value, e->destination.bytes);
    return EMULATE_OK;
}

EXECUTE(negate)
{
    e->destination.value = alu(ALU_SUB, e->destination.bytes, 0, e->destination.value, &e->regs.rflags);
    return EMULATE_OK;
}

EXECUTE(shift_by_modrm)
{
    struct operand *o = &e->destination;
    o->value = shift(e->i.modrm >> 3 & 7, o->bytes, o->value, e->source.value & 0xff, &e->regs.rflags);
    return EMULATE_OK;
}

/* The count is the immediate (opcode bit 0 clear) or cl. */
static enum emulate_outcome run_shift_double(struct emulation *e, bool left)
{
    struct operand *o = &e->destination;
    uint64_t count = e->i.opcode & 1 ? e->regs.rcx : e->i.immediate;
    o->value = shift_double(left, o->bytes, o->value, e->source.value, count & 0xff, &e->regs.rflags);
    return EMULATE_OK;
}

EXECUTE(shift_left_double)
{
    return run_shift_double(e, true);
}

EXECUTE(shift_right_double)
{
    return run_shift_double(e, false);
}

/* bt, bts, btr, btc: which one is in bits 3 and 4 of the opcode, or of ModRM with an immediate bit number. */
EXECUTE(bit_operation)
{
    struct operand *o = &e->destination;
    unsigned which = (e->i.opcode == 0xba ? e->i.modrm : e->i.opcode) >> 3 & 3;
    unsigned bit = (unsigned)e->source.value & (8 * o->bytes - 1);
    o->value = change_bit(which, o->value, bit, &e->regs.rflags);
    return EMULATE_OK;
}

/* Whether the guest's processor takes F3 with bsf and bsr for tzcnt (BMI1) and lzcnt. */
static enum emulate_outcome knows_counting(struct emulation *e, bool leading, bool *known)
{
    uint32_t leaf[4];
    TRY(OPERATION(e, cpuid, leading ? 0x80000001 : 7, 0, leaf));
    *known = leading ? leaf[2] & 0x20 : leaf[1] & 8;
    return EMULATE_OK;
}

EXECUTE(bit_scan)
{
    bool reverse = e->i.opcode & 1, counting = false;
    unsigned bits = 8 * e->source.bytes;
    uint64_t value = e->source.value, *flags = &e->regs.rflags;
    if (e->i.repeat == 0xf3)
        TRY(knows_counting(e, reverse, &counting));
    unsigned lowest = value ? (unsigned)__builtin_ctzl(value) : bits;
    unsigned highest = value ? 63 - (unsigned)__builtin_clzl(value) : bits;
    if (counting) {
        e->destination.value = !reverse ? lowest : value ? bits - 1 - highest : bits;
        set_flag(flags, FLAG_CF, value == 0);
        set_flag(flags, FLAG_ZF, e->destination.value == 0);
        return store_operand(e, &e->destination, false);
    }
    set_flag(flags, FLAG_ZF, value == 0);
    if (value == 0)
        return EMULATE_OK; /* the destination stays */
    e->destination.value = reverse ? highest : lowest;
    return store_operand(e, &e->destination, false);
}

/* The compiler's own would be a call of a library that we do not have. */
static uint64_t count_ones(uint64_t value)
{
    uint64_t ones = 0;
    for (; value; value &= value - 1)
        ones++;
    return ones;
}

/* popcnt */
EXECUTE(count_bits)
{
    if (e->i.repeat != 0xf3)
        return raise_ud(e);
    e->destination.value = count_ones(e->source.value);
    e->regs.rflags &= ~ARITHMETIC_FLAGS;
    set_flag(&e->regs.rflags, FLAG_ZF, e->source.value == 0);
    return EMULATE_OK;
}

/* Group 3 has its signed forms at odd numbers: mul 4, imul 5, div 6, idiv 7. */
static bool is_signed(const struct emulation *e)
{
    return e->i.modrm >> 3 & 1;
}

/* To dx:ax; of bytes: to ah and al. */
static void set_double(struct emulation *e, unsigned bytes, uint64_t high, uint64_t low)
{
    if (bytes == 1) {
        set_register(e, 0, 2, high << 8 | low);
    } else {
        set_register(e, 0, bytes, low);
        set_register(e, 2, bytes, high);
    }
}

/* Accumulator times operand. */
EXECUTE(multiply_accumulator)
{
    unsigned bytes = e->destination.bytes;
    uint64_t low, high;
    multiply(is_signed(e), bytes, get_register(e, 0, bytes), e->destination.value, &low, &high, &e->regs.rflags);
    set_double(e, bytes, high, low);
    return EMULATE_OK;
}

/* imul with two operands, or three: the second factor is the immediate then. */
EXECUTE(multiply_register)
{
    bool three = e->i.map == MAP_ONE_BYTE;
    uint64_t factor = three ? e->i.immediate : e->destination.value, high;
    multiply(true, e->destination.bytes, e->source.value, factor, &e->destination.value, &high, &e->regs.rflags);
    return EMULATE_OK;
}

/* The remainder is the high half. */
EXECUTE(divide_accumulator)
{
    unsigned bytes = e->destination.bytes;
    uint64_t low = get_register(e, 0, bytes), quotient, remainder;
    uint64_t high = bytes == 1 ? e->regs.rax >> 8 & 0xff : get_register(e, 2, bytes);
    if (!divide(is_signed(e), bytes, high, low, e->destination.value, &quotient, &remainder))
        return emulate_raise(e->context, TRAP_divide_error, 0);
    set_double(e, bytes, remainder, quotient);
    return EMULATE_OK;
}

/* Gives al a new value and its flags; carry and adjust are told. */
static void set_al(struct emulation *e, uint64_t value, bool carry, bool adjust)
{
    uint64_t flags = 0;
    value = alu(ALU_OR, 1, value, 0, &flags);
    set_flag(&flags, FLAG_CF, carry);
    set_flag(&flags, FLAG_AF, adjust);
    e->regs.rflags = (e->regs.rflags & ~(ARITHMETIC_FLAGS & ~FLAG_OF)) | (flags & ~FLAG_OF);
    set_register(e, 0, 1, value);
}

/* daa 27, das 2f */
EXECUTE(decimal_adjust)
{
    uint64_t al = e->regs.rax & 0xff, step = 0;
    bool adjust = (al & 15) > 9 || e->regs.rflags & FLAG_AF, carry = al > 0x99 || e->regs.rflags & FLAG_CF;
    bool subtract = e->i.opcode == 0x2f, borrowed = subtract && adjust && al < 6;
    step += adjust ? 6 : 0;
    step += carry ? 0x60 : 0;
    set_al(e, subtract ? al - step : al + step, carry || borrowed, adjust);
    return EMULATE_OK;
}

/* aaa 37, aas 3f */
EXECUTE(ascii_adjust)
{
    bool adjust = (e->regs.rax & 15) > 9 || e->regs.rflags & FLAG_AF;
    uint64_t ax = e->regs.rax & 0xffff;
    if (adjust)
        ax = e->i.opcode == 0x37 ? ax + 0x106 : ax - 0x106;
    set_register(e, 0, 2, ax & 0xff0f);
    set_flag(&e->regs.rflags, FLAG_CF, adjust);
    set_flag(&e->regs.rflags, FLAG_AF, adjust);
    return EMULATE_OK;
}

/* aam */
EXECUTE(ascii_multiply)
{
    uint64_t al = e->regs.rax & 0xff, base = e->i.immediate & 0xff;
    if (base == 0)
        return emulate_raise(e->context, TRAP_divide_error, 0);
    set_register(e, 0, 2, al / base << 8);
    set_al(e, al % base, false, false);
    return EMULATE_OK;
}

/* aad */
EXECUTE(ascii_divide)
{
    uint64_t al = e->regs.rax & 0xff, ah = e->regs.rax >> 8 & 0xff;
    set_register(e, 0, 2, 0);
    set_al(e, (al + ah * (e->i.immediate & 0xff)) & 0xff, false, false);
    return EMULATE_OK;
}
