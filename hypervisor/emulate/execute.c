/*
 * The dispatch tables, and the way of one instruction through the emulator: fetch, choose the row, find and load the
 * operands, execute, store, commit.
 */
#include "instruction.h"

#define ROW(function, destination, source, flags)                                                                      \
    {                                                                                                                  \
        function, NULL, destination, source, flags                                                                     \
    }
#define GROUP(table)                                                                                                   \
    {                                                                                                                  \
        NULL, table, NOWHERE, NOWHERE, 0                                                                               \
    }
/* Opcode pairs: bytes, and operand size. */
#define PAIR(first, function, destination, source, flags)                                                              \
    [first] = ROW(function, destination, source, (flags) | BYTE),                                                      \
    [(first) + 1] = ROW(function, destination, source, flags)
#define ALU_ROWS(first, flags)                                                                                         \
    PAIR(first, alu_by_opcode, RM, REG, flags), PAIR((first) + 2, alu_by_opcode, REG, RM, (flags) & ~LOCK),            \
        PAIR((first) + 4, alu_by_opcode, AX, IMM, (flags) & ~LOCK)

#define GROUP_1(name, size)                                                                                            \
    static const struct opcode name[8] = {                                                                             \
        [0 ... 6] = ROW(alu_by_modrm, RM, IMM, MODIFY | (size)),                                                       \
        [7] = ROW(alu_by_modrm, RM, IMM, LOAD | (size)),                                                               \
    }
GROUP_1(group_1_byte, BYTE);
GROUP_1(group_1_word, 0);

static const struct opcode group_1a[8] = {
    [0] = ROW(pop_operand, RM, NOWHERE, STORE | DEFAULT_64),
};

#define GROUP_3(name, size)                                                                                            \
    static const struct opcode name[8] = {                                                                             \
        [0 ... 1] = ROW(test_bits, RM, IMM, LOAD | (size)),                                                            \
        [2] = ROW(invert, RM, NOWHERE, MODIFY | (size)),                                                               \
        [3] = ROW(negate, RM, NOWHERE, MODIFY | (size)),                                                               \
        [4 ... 5] = ROW(multiply_accumulator, RM, NOWHERE, LOAD | (size)),                                             \
        [6 ... 7] = ROW(divide_accumulator, RM, NOWHERE, LOAD | (size)),                                               \
    }
GROUP_3(group_3_byte, BYTE);
GROUP_3(group_3_word, 0);

static const struct opcode group_4[8] = {
    [0] = ROW(increment, RM, NOWHERE, MODIFY | BYTE),
    [1] = ROW(decrement, RM, NOWHERE, MODIFY | BYTE),
};

static const struct opcode group_5[8] = {
    [0] = ROW(increment, RM, NOWHERE, MODIFY),        [1] = ROW(decrement, RM, NOWHERE, MODIFY),
    [2] = ROW(call_indirect, NOWHERE, RM, ALWAYS_64), [3] = ROW(call_far_indirect, NOWHERE, ADDRESS, 0),
    [4] = ROW(jump_indirect, NOWHERE, RM, ALWAYS_64), [5] = ROW(jump_far_indirect, NOWHERE, ADDRESS, 0),
    [6] = ROW(push_operand, NOWHERE, RM, DEFAULT_64),
};

static const struct opcode group_7[8] = {
    [0 ... 1] = ROW(store_table_register, NOWHERE, ADDRESS, 0),
    [2 ... 3] = ROW(load_table_register, NOWHERE, ADDRESS, PRIVILEGED),
    [4] = ROW(store_machine_status, RM, NOWHERE, STORE),
    [6] = ROW(load_machine_status, NOWHERE, RM, SOURCE_16 | PRIVILEGED),
    [7] = ROW(invalidate_page, NOWHERE, ADDRESS, PRIVILEGED),
};

/* Where ModRM names a register: many instructions without operands. */
static const struct opcode group_7_registers[8] = {
    [4] = ROW(store_machine_status, RM, NOWHERE, STORE),
    [6] = ROW(load_machine_status, NOWHERE, RM, SOURCE_16 | PRIVILEGED),
    [7] = ROW(read_time_stamp, NOWHERE, NOWHERE, 0),
};

static const struct opcode group_8[8] = {
    [4] = ROW(bit_operation, RM, IMM, LOAD),
    [5 ... 7] = ROW(bit_operation, RM, IMM, MODIFY),
};

static const struct opcode group_9[8] = {
    [1] = ROW(compare_exchange_wide, ADDRESS, NOWHERE, LOCK),
};

#define GROUP_11(name, size)                                                                                           \
    static const struct opcode name[8] = {                                                                             \
        [0] = ROW(move, RM, IMM, STORE | (size)),                                                                      \
    }
GROUP_11(group_11_byte, BYTE);
GROUP_11(group_11_word, 0);

static const struct opcode one_byte[256] = {
    ALU_ROWS(0x00, MODIFY),
    [0x06] = ROW(push_segment, NOWHERE, NOWHERE, NOT_64),
    [0x07] = ROW(pop_segment, NOWHERE, NOWHERE, NOT_64),
    ALU_ROWS(0x08, MODIFY),
    [0x0e] = ROW(push_segment, NOWHERE, NOWHERE, NOT_64),
    ALU_ROWS(0x10, MODIFY),
    [0x16] = ROW(push_segment, NOWHERE, NOWHERE, NOT_64),
    [0x17] = ROW(pop_segment, NOWHERE, NOWHERE, NOT_64),
    ALU_ROWS(0x18, MODIFY),
    [0x1e] = ROW(push_segment, NOWHERE, NOWHERE, NOT_64),
    [0x1f] = ROW(pop_segment, NOWHERE, NOWHERE, NOT_64),
    ALU_ROWS(0x20, MODIFY),
    [0x27] = ROW(decimal_adjust, NOWHERE, NOWHERE, NOT_64),
    ALU_ROWS(0x28, MODIFY),
    [0x2f] = ROW(decimal_adjust, NOWHERE, NOWHERE, NOT_64),
    ALU_ROWS(0x30, MODIFY),
    [0x37] = ROW(ascii_adjust, NOWHERE, NOWHERE, NOT_64),
    ALU_ROWS(0x38, LOAD),
    [0x3f] = ROW(ascii_adjust, NOWHERE, NOWHERE, NOT_64),
    [0x40 ... 0x47] = ROW(increment, OPREG, NOWHERE, LOAD | STORE | NOT_64),
    [0x48 ... 0x4f] = ROW(decrement, OPREG, NOWHERE, LOAD | STORE | NOT_64),
    [0x50 ... 0x57] = ROW(push_operand, NOWHERE, OPREG, DEFAULT_64),
    [0x58 ... 0x5f] = ROW(pop_register, OPREG, NOWHERE, STORE | DEFAULT_64),
    [0x60] = ROW(push_all, NOWHERE, NOWHERE, NOT_64),
    [0x61] = ROW(pop_all, NOWHERE, NOWHERE, NOT_64),
    [0x63] = ROW(move_sign_extended, REG, RM, STORE | SOURCE_32 | ONLY_64),
    [0x68] = ROW(push_operand, NOWHERE, IMM, DEFAULT_64),
    [0x69] = ROW(multiply_register, REG, RM, STORE),
    [0x6a] = ROW(push_operand, NOWHERE, IMM, DEFAULT_64),
    [0x6b] = ROW(multiply_register, REG, RM, STORE),
    [0x6c ... 0x6d] = ROW(string_in, NOWHERE, NOWHERE, 0),
    [0x6e ... 0x6f] = ROW(string_out, NOWHERE, NOWHERE, 0),
    [0x70 ... 0x7f] = ROW(jump_if, NOWHERE, NOWHERE, ALWAYS_64),
    [0x80] = GROUP(group_1_byte),
    [0x81] = GROUP(group_1_word),
    [0x82] = GROUP(group_1_byte),
    [0x83] = GROUP(group_1_word),
    PAIR(0x84, test_bits, RM, REG, LOAD),
    PAIR(0x86, exchange, RM, REG, LOAD | LOCK),
    PAIR(0x88, move, RM, REG, STORE),
    PAIR(0x8a, move, REG, RM, STORE),
    [0x8c] = ROW(move_from_segment, RM, NOWHERE, STORE),
    [0x8d] = ROW(load_address, REG, ADDRESS, STORE),
    [0x8e] = ROW(move_to_segment, NOWHERE, RM, SOURCE_16),
    [0x8f] = GROUP(group_1a),
    [0x90 ... 0x97] = ROW(exchange, OPREG, AX, LOAD),
    [0x98] = ROW(convert_accumulator, NOWHERE, NOWHERE, 0),
    [0x99] = ROW(extend_accumulator, NOWHERE, NOWHERE, 0),
    [0x9a] = ROW(call_far, NOWHERE, NOWHERE, NOT_64),
    [0x9c] = ROW(push_flags, NOWHERE, NOWHERE, DEFAULT_64),
    [0x9d] = ROW(pop_flags, NOWHERE, NOWHERE, DEFAULT_64),
    [0x9e] = ROW(store_ah_flags, NOWHERE, NOWHERE, 0),
    [0x9f] = ROW(load_ah_flags, NOWHERE, NOWHERE, 0),
    PAIR(0xa0, move, AX, MOFFS, STORE),
    PAIR(0xa2, move, MOFFS, AX, STORE),
    [0xa4 ... 0xa5] = ROW(string_move, NOWHERE, NOWHERE, 0),
    [0xa6 ... 0xa7] = ROW(string_compare, NOWHERE, NOWHERE, 0),
    PAIR(0xa8, test_bits, AX, IMM, LOAD),
    [0xaa ... 0xab] = ROW(string_store, NOWHERE, NOWHERE, 0),
    [0xac ... 0xad] = ROW(string_load, NOWHERE, NOWHERE, 0),
    [0xae ... 0xaf] = ROW(string_scan, NOWHERE, NOWHERE, 0),
    [0xb0 ... 0xb7] = ROW(move, OPREG, IMM, STORE | BYTE),
    [0xb8 ... 0xbf] = ROW(move, OPREG, IMM, STORE),
    PAIR(0xc0, shift_by_modrm, RM, IMM, LOAD | STORE),
    [0xc2 ... 0xc3] = ROW(return_near, NOWHERE, NOWHERE, ALWAYS_64),
    [0xc4 ... 0xc5] = ROW(load_far_pointer, REG, ADDRESS, STORE | NOT_64),
    [0xc6] = GROUP(group_11_byte),
    [0xc7] = GROUP(group_11_word),
    [0xc8] = ROW(enter_frame, NOWHERE, NOWHERE, DEFAULT_64),
    [0xc9] = ROW(leave_frame, NOWHERE, NOWHERE, DEFAULT_64),
    [0xca ... 0xcb] = ROW(return_far, NOWHERE, NOWHERE, 0),
    [0xcc ... 0xce] = ROW(interrupt, NOWHERE, NOWHERE, 0),
    [0xcf] = ROW(return_from_interrupt, NOWHERE, NOWHERE, 0),
    PAIR(0xd0, shift_by_modrm, RM, ONE, LOAD | STORE),
    PAIR(0xd2, shift_by_modrm, RM, CL, LOAD | STORE),
    [0xd4] = ROW(ascii_multiply, NOWHERE, NOWHERE, NOT_64),
    [0xd5] = ROW(ascii_divide, NOWHERE, NOWHERE, NOT_64),
    [0xd7] = ROW(translate_byte, NOWHERE, NOWHERE, 0),
    [0xe0 ... 0xe2] = ROW(loop_while, NOWHERE, NOWHERE, ALWAYS_64),
    [0xe3] = ROW(jump_if_count_zero, NOWHERE, NOWHERE, ALWAYS_64),
    [0xe4 ... 0xe5] = ROW(port_in, NOWHERE, NOWHERE, 0),
    [0xe6 ... 0xe7] = ROW(port_out, NOWHERE, NOWHERE, 0),
    [0xe8] = ROW(call_near, NOWHERE, NOWHERE, ALWAYS_64),
    [0xe9] = ROW(jump_near, NOWHERE, NOWHERE, ALWAYS_64),
    [0xea] = ROW(jump_far, NOWHERE, NOWHERE, NOT_64),
    [0xeb] = ROW(jump_near, NOWHERE, NOWHERE, ALWAYS_64),
    [0xec ... 0xed] = ROW(port_in, NOWHERE, NOWHERE, 0),
    [0xee ... 0xef] = ROW(port_out, NOWHERE, NOWHERE, 0),
    [0xf1] = ROW(interrupt, NOWHERE, NOWHERE, 0),
    [0xf4] = ROW(halt, NOWHERE, NOWHERE, PRIVILEGED),
    [0xf5] = ROW(change_flag, NOWHERE, NOWHERE, 0),
    [0xf6] = GROUP(group_3_byte),
    [0xf7] = GROUP(group_3_word),
    [0xf8 ... 0xf9] = ROW(change_flag, NOWHERE, NOWHERE, 0),
    [0xfa ... 0xfb] = ROW(change_interrupt_flag, NOWHERE, NOWHERE, 0),
    [0xfc ... 0xfd] = ROW(change_flag, NOWHERE, NOWHERE, 0),
    [0xfe] = GROUP(group_4),
    [0xff] = GROUP(group_5),
};

static const struct opcode two_byte[256] = {
    [0x01] = GROUP(group_7),
    [0x06] = ROW(clear_task_switched, NOWHERE, NOWHERE, PRIVILEGED),
    [0x08 ... 0x09] = ROW(do_nothing, NOWHERE, NOWHERE, PRIVILEGED), /* invd, wbinvd */
    [0x0b] = ROW(undefined, NOWHERE, NOWHERE, 0),
    [0x0d] = ROW(do_nothing, NOWHERE, NOWHERE, 0), /* prefetch */
    [0x10 ... 0x13] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0x16 ... 0x17] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0x18 ... 0x1f] = ROW(do_nothing, NOWHERE, NOWHERE, 0), /* hints */
    [0x20] = ROW(move_from_control, NOWHERE, NOWHERE, PRIVILEGED),
    [0x21] = ROW(move_from_debug, NOWHERE, NOWHERE, PRIVILEGED),
    [0x22] = ROW(move_to_control, NOWHERE, NOWHERE, PRIVILEGED),
    [0x23] = ROW(move_to_debug, NOWHERE, NOWHERE, PRIVILEGED),
    [0x28 ... 0x29] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0x2b] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0x30] = ROW(write_model_register, NOWHERE, NOWHERE, PRIVILEGED),
    [0x31] = ROW(read_time_stamp, NOWHERE, NOWHERE, 0),
    [0x32] = ROW(read_model_register, NOWHERE, NOWHERE, PRIVILEGED),
    [0x40 ... 0x4f] = ROW(move_if, REG, RM, LOAD | STORE),
    [0x6e ... 0x6f] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0x7e ... 0x7f] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0x80 ... 0x8f] = ROW(jump_if, NOWHERE, NOWHERE, ALWAYS_64),
    [0x90 ... 0x9f] = ROW(set_if, RM, NOWHERE, STORE | BYTE),
    [0xa0] = ROW(push_segment, NOWHERE, NOWHERE, DEFAULT_64),
    [0xa1] = ROW(pop_segment, NOWHERE, NOWHERE, DEFAULT_64),
    [0xa2] = ROW(identify, NOWHERE, NOWHERE, 0),
    [0xa3] = ROW(bit_operation, RM, REG, LOAD | BIT_STRING),
    [0xa4 ... 0xa5] = ROW(shift_left_double, RM, REG, LOAD | STORE),
    [0xa8] = ROW(push_segment, NOWHERE, NOWHERE, DEFAULT_64),
    [0xa9] = ROW(pop_segment, NOWHERE, NOWHERE, DEFAULT_64),
    [0xab] = ROW(bit_operation, RM, REG, MODIFY | BIT_STRING),
    [0xac ... 0xad] = ROW(shift_right_double, RM, REG, LOAD | STORE),
    [0xae] = ROW(fence_or_flush, NOWHERE, NOWHERE, 0),
    [0xaf] = ROW(multiply_register, REG, RM, LOAD | STORE),
    PAIR(0xb0, compare_exchange, RM, REG, LOAD | LOCK),
    [0xb2] = ROW(load_far_pointer, REG, ADDRESS, STORE),
    [0xb3] = ROW(bit_operation, RM, REG, MODIFY | BIT_STRING),
    [0xb4 ... 0xb5] = ROW(load_far_pointer, REG, ADDRESS, STORE),
    [0xb6] = ROW(move, REG, RM, STORE | SOURCE_8),
    [0xb7] = ROW(move, REG, RM, STORE | SOURCE_16),
    [0xb8] = ROW(count_bits, REG, RM, STORE),
    [0xb9] = ROW(undefined, NOWHERE, NOWHERE, 0),
    [0xba] = GROUP(group_8),
    [0xbb] = ROW(bit_operation, RM, REG, MODIFY | BIT_STRING),
    [0xbc ... 0xbd] = ROW(bit_scan, REG, RM, 0),
    [0xbe] = ROW(move_sign_extended, REG, RM, STORE | SOURCE_8),
    [0xbf] = ROW(move_sign_extended, REG, RM, STORE | SOURCE_16),
    PAIR(0xc0, exchange_add, RM, REG, MODIFY),
    [0xc3] = ROW(move, ADDRESS, REG, STORE), /* movnti */
    [0xc7] = GROUP(group_9),
    [0xc8 ... 0xcf] = ROW(byte_swap, OPREG, NOWHERE, LOAD | STORE),
    [0xd6] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0xe7] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0xf0] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0xff] = ROW(undefined, NOWHERE, NOWHERE, 0),
};

static const struct opcode map_0f38[256] = {
    [0x2a] = ROW(vector_move, NOWHERE, NOWHERE, 0),
    [0xf0] = ROW(move_swapped, REG, RM, STORE | MEMORY),
    [0xf1] = ROW(move_swapped, RM, REG, STORE | MEMORY),
};

/* NULL: not known. */
static const struct opcode *choose_row(const struct instruction *i)
{
    static const struct opcode *const map[] = {one_byte, two_byte, map_0f38};
    if (i->evex || i->map > MAP_0F38)
        return NULL;
    const struct opcode *row = &map[i->map][i->opcode];
    if (row->group == group_7 && i->mod == 3)
        row = &group_7_registers[i->modrm >> 3 & 7];
    else if (row->group)
        row = &row->group[i->modrm >> 3 & 7];
    if (!row->execute || (i->vex && row->execute != vector_move))
        return NULL;
    return row;
}

static unsigned source_bytes(const struct emulation *e, unsigned bytes)
{
    unsigned flags = e->opcode->flags;
    if (flags & SOURCE_8)
        return 1;
    if (flags & SOURCE_16)
        return 2;
    return flags & SOURCE_32 && bytes > 4 ? 4 : bytes;
}

/* The bit number of bt, bts, btr and btc counts from the operand on, to both sides. */
static void move_to_bit(struct emulation *e)
{
    struct operand *o = &e->destination;
    unsigned shift = o->bytes == 8 ? 6 : o->bytes == 4 ? 5 : 4;
    int64_t units = (int64_t)sign_extend(e->source.value, e->source.bytes) >> shift;
    o->offset = low_bytes(o->offset + (uint64_t)units * o->bytes, e->i.address_bytes);
}

/* What can be said against the instruction before it touches memory. */
static enum emulate_outcome check_form(struct emulation *e)
{
    unsigned flags = e->opcode->flags;
    bool long_code = e->context->code_bytes == 8;
    if (flags & ONLY_64 && !long_code)
        return EMULATE_UNHANDLED;
    if ((flags & NOT_64 && long_code) || (flags & MEMORY && e->i.mod == 3))
        return raise_ud(e);
    if (e->i.lock && !(flags & LOCK && e->destination.kind == OPERAND_MEMORY))
        return raise_ud(e);
    return flags & PRIVILEGED ? require_privilege(e) : EMULATE_OK;
}

static enum emulate_outcome prepare_operands(struct emulation *e)
{
    const struct opcode *row = e->opcode;
    unsigned flags = row->flags;
    if (e->context->code_bytes == 8 && (flags & ALWAYS_64 || (flags & DEFAULT_64 && e->i.operand_bytes == 4)))
        e->i.operand_bytes = 8;
    unsigned bytes = flags & BYTE ? 1 : e->i.operand_bytes;
    TRY(find_operand(e, row->destination, bytes, &e->destination));
    TRY(find_operand(e, row->source, source_bytes(e, bytes), &e->source));
    TRY(check_form(e));
    if (row->source != ADDRESS)
        TRY(load_operand(e, &e->source, false));
    if (flags & BIT_STRING && e->destination.kind == OPERAND_MEMORY)
        move_to_bit(e);
    return flags & LOAD ? load_operand(e, &e->destination, flags & (STORE | LOCK)) : EMULATE_OK;
}

static enum emulate_outcome run(struct emulation *e)
{
    TRY(fetch_instruction(e));
    e->opcode = choose_row(&e->i);
    if (!e->opcode)
        return EMULATE_UNHANDLED;
    e->regs.rip = low_bytes(e->start + e->i.length, e->context->code_bytes == 8 ? 8 : 4);
    e->regs.rflags &= ~X86_EFLAGS_RF;
    TRY(prepare_operands(e));
    TRY(e->opcode->execute(e));
    return e->opcode->flags & STORE ? store_operand(e, &e->destination, e->i.lock) : EMULATE_OK;
}

enum emulate_outcome emulate_instruction(struct emulate_context *c)
{
    struct emulation e = {.context = c, .regs = *c->regs, .start = c->regs->rip};
    bool traps = c->regs->rflags & X86_EFLAGS_TF;
    c->retired_hlt = c->retired_sti = c->retired_mov_ss = c->retired_single_step = false;
    enum emulate_outcome outcome = run(&e);
    if (outcome == EMULATE_OK || e.commit)
        *c->regs = e.regs;
    if (outcome == EMULATE_OK)
        c->retired_single_step = traps && !c->retired_mov_ss;
    return outcome;
}
