/*
 * The stack: push, pop, flags, frames.
 */
#include "instruction.h"

EXECUTE(push_operand)
{
    return push(e, e->source.value, e->source.bytes);
}

EXECUTE(pop_register)
{
    return pop(e, &e->destination.value, e->destination.bytes);
}

/* The address of the destination is formed with the stack pointer after the pop. */
EXECUTE(pop_operand)
{
    TRY(pop(e, &e->destination.value, e->destination.bytes));
    if (e->destination.kind == OPERAND_MEMORY)
        TRY(find_operand(e, RM, e->destination.bytes, &e->destination));
    return EMULATE_OK;
}

/* 06 es, 0e cs, 16 ss, 1e ds; 0f a0 fs, 0f a8 gs */
static enum emulate_segment segment_of_opcode(const struct instruction *i)
{
    return i->opcode >> 3 & (i->map == MAP_0F ? 5 : 3);
}

EXECUTE(push_segment)
{
    return push(e, OPERATION(e, read_selector, segment_of_opcode(&e->i)), e->destination.bytes);
}

EXECUTE(pop_segment)
{
    uint64_t selector;
    enum emulate_segment segment = segment_of_opcode(&e->i);
    TRY(pop(e, &selector, e->destination.bytes));
    TRY(OPERATION(e, load_segment, segment, (uint16_t)selector));
    e->context->retired_mov_ss = segment == EMU_SS;
    return EMULATE_OK;
}

EXECUTE(push_all)
{
    uint64_t stack = e->regs.rsp;
    for (unsigned number = 0; number < 8; number++)
        TRY(push(e, number == 4 ? stack : *general_register(&e->regs, number), e->i.operand_bytes));
    return EMULATE_OK;
}

EXECUTE(pop_all)
{
    for (unsigned number = 8; number-- > 0;) {
        uint64_t value;
        TRY(pop(e, &value, e->i.operand_bytes));
        if (number != 4)
            set_register(e, number, e->i.operand_bytes, value);
    }
    return EMULATE_OK;
}

EXECUTE(push_flags)
{
    if (is_virtual_8086(e) && io_privilege_level(e) != 3)
        return raise_gp(e);
    return push(e, e->regs.rflags & ~(X86_EFLAGS_VM | X86_EFLAGS_RF), e->destination.bytes);
}

void take_flags(struct emulation *e, uint64_t value, unsigned bytes, uint64_t more)
{
    uint64_t allowed = ARITHMETIC_FLAGS | X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_NT | more;
    if (e->context->cpl <= io_privilege_level(e))
        allowed |= X86_EFLAGS_IF;
    if (e->context->cpl == 0)
        allowed |= X86_EFLAGS_IOPL;
    if (bytes > 2)
        allowed |= X86_EFLAGS_AC | X86_EFLAGS_ID;
    e->regs.rflags = (e->regs.rflags & ~allowed) | (value & allowed);
}

EXECUTE(pop_flags)
{
    uint64_t value;
    if (is_virtual_8086(e) && io_privilege_level(e) != 3)
        return raise_gp(e);
    TRY(pop(e, &value, e->destination.bytes));
    take_flags(e, value, e->destination.bytes, 0);
    return EMULATE_OK;
}

/* Copies the frame pointers of the outer levels and pushes the new one, for `level` > 0. */
static enum emulate_outcome copy_frame_pointers(struct emulation *e, unsigned level, uint64_t frame, unsigned bytes)
{
    uint64_t from = e->regs.rbp;
    for (unsigned i = 1; i < level; i++) {
        uint64_t pointer = 0;
        from -= bytes;
        TRY(read_memory(e, EMU_SS, low_bytes(from, e->context->stack_bytes), &pointer, bytes));
        TRY(push(e, pointer, bytes));
    }
    return push(e, frame, bytes);
}

EXECUTE(enter_frame)
{
    unsigned bytes = e->destination.bytes, width = e->context->stack_bytes;
    unsigned level = e->i.immediate2 & EMULATE_ENTER_LEVELS;
    TRY(push(e, e->regs.rbp, bytes));
    uint64_t frame = e->regs.rsp, top;
    if (level)
        TRY(copy_frame_pointers(e, level, frame, bytes));
    top = low_bytes(e->regs.rsp - (e->i.immediate & 0xffff), width);
    set_register(e, 5, bytes, frame);
    e->regs.rsp = (e->regs.rsp ^ low_bytes(e->regs.rsp, width)) | top;
    return EMULATE_OK;
}

EXECUTE(leave_frame)
{
    unsigned width = e->context->stack_bytes;
    uint64_t frame;
    e->regs.rsp = (e->regs.rsp ^ low_bytes(e->regs.rsp, width)) | low_bytes(e->regs.rbp, width);
    TRY(pop(e, &frame, e->destination.bytes));
    set_register(e, 5, e->destination.bytes, frame);
    return EMULATE_OK;
}
