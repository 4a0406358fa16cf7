/*
 * Moving data: mov and its relatives, exchanges, conversions, segment registers.
 */
#include "instruction.h"
#include <hv/lib.h>

/* mov, movzx, lea's value once found, movnti: the source goes to the destination. */
EXECUTE(move)
{
    e->destination.value = e->source.value;
    return EMULATE_OK;
}

/* movsx, movsxd */
EXECUTE(move_sign_extended)
{
    e->destination.value = sign_extend(e->source.value, e->source.bytes);
    return EMULATE_OK;
}

/* xchg: locked in memory whether the prefix is there or not. */
EXECUTE(exchange)
{
    if (e->i.opcode == 0x90 && !(e->i.rex & 1))
        return EMULATE_OK; /* nop: no upper half is cleared */
    uint64_t value = e->destination.value;
    e->destination.value = e->source.value;
    TRY(store_operand(e, &e->destination, true));
    e->source.value = value;
    return store_operand(e, &e->source, false);
}

EXECUTE(exchange_add)
{
    uint64_t value = e->destination.value;
    uint64_t sum = alu(ALU_ADD, e->destination.bytes, value, e->source.value, &e->regs.rflags);
    e->source.value = value;
    TRY(store_operand(e, &e->source, false));
    e->destination.value = sum; /* last: both may be one register */
    return EMULATE_OK;
}

/* Memory is written even when it differs, as the processor does; a register is not. */
EXECUTE(compare_exchange)
{
    struct operand *o = &e->destination;
    uint64_t accumulator = get_register(e, 0, o->bytes);
    alu(ALU_CMP, o->bytes, accumulator, o->value, &e->regs.rflags);
    if (e->regs.rflags & FLAG_ZF) {
        o->value = e->source.value;
        return store_operand(e, o, e->i.lock);
    }
    if (o->kind == OPERAND_MEMORY)
        TRY(store_operand(e, o, e->i.lock));
    set_register(e, 0, o->bytes, o->value);
    return EMULATE_OK;
}

/* cmpxchg8b, cmpxchg16b */
EXECUTE(compare_exchange_wide)
{
    unsigned half = e->i.operand_bytes == 8 ? 8 : 4;
    uint8_t memory[16], expected[16], desired[16];
    uint64_t linear;
    bool done = true;
    memcpy(expected, &e->regs.rax, half);
    memcpy(expected + half, &e->regs.rdx, half);
    memcpy(desired, &e->regs.rbx, half);
    memcpy(desired + half, &e->regs.rcx, half);
    TRY(OPERATION(e, linear, e->destination.segment, e->destination.offset, 2 * half, EMU_WRITE, &linear));
    if (linear & 15 && half == 8)
        return raise_gp(e);
    TRY(OPERATION(e, read, linear, memory, 2 * half, true));
    bool equal = memcmp(memory, expected, 2 * half) == 0;
    TRY(OPERATION(e, exchange, linear, memory, equal ? desired : memory, 2 * half, &done));
    if (!done)
        return EMULATE_RETRY;
    set_flag(&e->regs.rflags, FLAG_ZF, equal);
    if (!equal) {
        uint64_t low = 0, high = 0;
        memcpy(&low, memory, half);
        memcpy(&high, memory + half, half);
        set_register(e, 0, half, low);
        set_register(e, 2, half, high);
    }
    return EMULATE_OK;
}

/* Of 16 bits undefined: 0, as processors have it. */
static uint64_t swap_bytes(uint64_t value, unsigned bytes)
{
    return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

EXECUTE(byte_swap)
{
    unsigned bytes = e->destination.bytes;
    e->destination.value = bytes == 2 ? 0 : swap_bytes(e->destination.value, bytes);
    return EMULATE_OK;
}

/* movbe; with F2 it is crc32 */
EXECUTE(move_swapped)
{
    if (e->i.repeat)
        return EMULATE_UNHANDLED;
    e->destination.value = swap_bytes(e->source.value, e->source.bytes);
    return EMULATE_OK;
}

EXECUTE(load_address)
{
    e->destination.value = e->source.offset;
    return EMULATE_OK;
}

/* cmovcc: writes the destination in either case, which clears the upper half of a 32-bit register. */
EXECUTE(move_if)
{
    if (condition_holds(e->i.opcode, e->regs.rflags))
        e->destination.value = e->source.value;
    return EMULATE_OK;
}

EXECUTE(set_if)
{
    e->destination.value = condition_holds(e->i.opcode, e->regs.rflags);
    return EMULATE_OK;
}

/* Two bytes to memory whatever the operand size, all of a register. */
EXECUTE(move_from_segment)
{
    unsigned number = e->i.modrm >> 3 & 7;
    if (number > EMU_GS)
        return raise_ud(e);
    e->destination.value = OPERATION(e, read_selector, number);
    if (e->destination.kind == OPERAND_MEMORY)
        e->destination.bytes = 2;
    return EMULATE_OK;
}

EXECUTE(move_to_segment)
{
    unsigned number = e->i.modrm >> 3 & 7;
    if (number > EMU_GS || number == EMU_CS)
        return raise_ud(e);
    TRY(OPERATION(e, load_segment, number, (uint16_t)e->source.value));
    e->context->retired_mov_ss = number == EMU_SS;
    return EMULATE_OK;
}

/* les c4, lds c5; with 0f: lss b2, lfs b4, lgs b5 */
EXECUTE(load_far_pointer)
{
    unsigned bytes = e->i.operand_bytes;
    uint16_t selector = 0;
    uint64_t offset = 0;
    enum emulate_segment segment = e->i.map == MAP_0F ? e->i.opcode & 7 : e->i.opcode == 0xc4 ? EMU_ES : EMU_DS;
    TRY(read_memory(e, e->source.segment, e->source.offset, &offset, bytes));
    TRY(read_memory(e, e->source.segment, low_bytes(e->source.offset + bytes, e->i.address_bytes), &selector, 2));
    TRY(OPERATION(e, load_segment, segment, selector));
    e->destination.value = offset;
    return EMULATE_OK;
}

/* xlat */
EXECUTE(translate_byte)
{
    uint64_t value = 0;
    uint64_t offset = low_bytes(e->regs.rbx + (e->regs.rax & 0xff), e->i.address_bytes);
    TRY(read_memory(e, segment_or(&e->i, EMU_DS), offset, &value, 1));
    set_register(e, 0, 1, value);
    return EMULATE_OK;
}

/* cbw, cwde, cdqe */
EXECUTE(convert_accumulator)
{
    unsigned bytes = e->i.operand_bytes;
    set_register(e, 0, bytes, sign_extend(e->regs.rax, bytes / 2));
    return EMULATE_OK;
}

/* cwd, cdq, cqo */
EXECUTE(extend_accumulator)
{
    unsigned bytes = e->i.operand_bytes;
    set_register(e, 2, bytes, sign_extend(e->regs.rax, bytes) >> 63 ? ~0UL : 0);
    return EMULATE_OK;
}

#define AH_FLAGS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF)

EXECUTE(load_ah_flags)
{
    e->regs.rax = (e->regs.rax & ~0xff00UL) | ((e->regs.rflags & AH_FLAGS) | 2) << 8;
    return EMULATE_OK;
}

EXECUTE(store_ah_flags)
{
    e->regs.rflags = (e->regs.rflags & ~AH_FLAGS) | (e->regs.rax >> 8 & AH_FLAGS);
    return EMULATE_OK;
}
