/*
 * Control transfer: jumps, calls, returns, loops, interrupts. Far transfers within one privilege level only.
 */
#include "instruction.h"

static enum emulate_outcome jump_relative(struct emulation *e)
{
    return jump_to(e, e->regs.rip + e->i.immediate, e->i.operand_bytes);
}

EXECUTE(jump_near)
{
    return jump_relative(e);
}

EXECUTE(jump_if)
{
    return condition_holds(e->i.opcode, e->regs.rflags) ? jump_relative(e) : EMULATE_OK;
}

EXECUTE(jump_indirect)
{
    return jump_to(e, e->source.value, e->i.operand_bytes);
}

static enum emulate_outcome call_to(struct emulation *e, uint64_t target)
{
    uint64_t next = e->regs.rip;
    TRY(jump_to(e, target, e->i.operand_bytes));
    return push(e, next, e->i.operand_bytes);
}

EXECUTE(call_near)
{
    return call_to(e, e->regs.rip + e->i.immediate);
}

EXECUTE(call_indirect)
{
    return call_to(e, e->source.value);
}

/* Immediate of ret: bytes of arguments to drop. */
static void drop(struct emulation *e, uint64_t bytes)
{
    unsigned width = e->context->stack_bytes;
    e->regs.rsp = (e->regs.rsp ^ low_bytes(e->regs.rsp, width)) | low_bytes(e->regs.rsp + (bytes & 0xffff), width);
}

EXECUTE(return_near)
{
    uint64_t target;
    TRY(pop(e, &target, e->i.operand_bytes));
    drop(e, e->i.immediate);
    return jump_to(e, target, e->i.operand_bytes);
}

/* ---- far ---- */

static enum emulate_outcome load_code(struct emulation *e, uint16_t selector, uint64_t target)
{
    target = low_bytes(target, e->i.operand_bytes);
    TRY(OPERATION(e, load_code, selector, target));
    e->regs.rip = target;
    return EMULATE_OK;
}

EXECUTE(jump_far)
{
    return load_code(e, e->i.immediate2, e->i.immediate);
}

static enum emulate_outcome call_code(struct emulation *e, uint16_t selector, uint64_t target)
{
    uint64_t next = e->regs.rip;
    TRY(push(e, OPERATION(e, read_selector, EMU_CS), e->i.operand_bytes));
    TRY(push(e, next, e->i.operand_bytes));
    return load_code(e, selector, target);
}

EXECUTE(call_far)
{
    return call_code(e, e->i.immediate2, e->i.immediate);
}

static enum emulate_outcome read_far_pointer(struct emulation *e, uint16_t *selector, uint64_t *target)
{
    const struct operand *o = &e->source;
    unsigned bytes = e->i.operand_bytes;
    *target = 0;
    TRY(read_memory(e, o->segment, o->offset, target, bytes));
    return read_memory(e, o->segment, low_bytes(o->offset + bytes, e->i.address_bytes), selector, 2);
}

EXECUTE(jump_far_indirect)
{
    uint16_t selector = 0;
    uint64_t target;
    TRY(read_far_pointer(e, &selector, &target));
    return load_code(e, selector, target);
}

EXECUTE(call_far_indirect)
{
    uint16_t selector = 0;
    uint64_t target;
    TRY(read_far_pointer(e, &selector, &target));
    return call_code(e, selector, target);
}

/* A return to an outer level also pops the stack: not known here. */
static bool is_same_level(const struct emulation *e, uint64_t selector)
{
    return is_real_mode(e) || is_virtual_8086(e) || (selector & 3) == e->context->cpl;
}

EXECUTE(return_far)
{
    uint64_t target, selector;
    TRY(pop(e, &target, e->i.operand_bytes));
    TRY(pop(e, &selector, e->i.operand_bytes));
    if (!is_same_level(e, selector))
        return EMULATE_UNHANDLED;
    drop(e, e->i.immediate);
    return load_code(e, (uint16_t)selector, target);
}

/* ---- loops ---- */

static uint64_t count_register(struct emulation *e)
{
    return low_bytes(e->regs.rcx, e->i.address_bytes);
}

/* e0 loopne, e1 loope, e2 loop */
EXECUTE(loop_while)
{
    set_register(e, 1, e->i.address_bytes, e->regs.rcx - 1);
    bool zero = e->regs.rflags & FLAG_ZF;
    bool go = count_register(e) != 0 && (e->i.opcode == 0xe2 || zero == (e->i.opcode & 1));
    return go ? jump_relative(e) : EMULATE_OK;
}

EXECUTE(jump_if_count_zero)
{
    return count_register(e) == 0 ? jump_relative(e) : EMULATE_OK;
}

/* ---- interrupts ---- */

/* Real mode: flags, cs and ip go on the stack, cs:ip comes from the vector table. */
static enum emulate_outcome interrupt_real(struct emulation *e, uint8_t vector)
{
    uint64_t base, next = e->regs.rip;
    uint16_t limit, entry[2] = {0, 0};
    OPERATION(e, read_table, EMU_IDT, &base, &limit);
    if (4U * vector + 3 > limit)
        return emulate_raise(e->context, TRAP_gp_fault, 8U * vector + 2);
    TRY(OPERATION(e, read, base + 4U * vector, entry, sizeof(entry), false));
    TRY(push(e, e->regs.rflags, 2));
    TRY(push(e, OPERATION(e, read_selector, EMU_CS), 2));
    TRY(push(e, next, 2));
    e->regs.rflags &= ~(X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_AC | X86_EFLAGS_RF);
    e->i.operand_bytes = 2;
    return load_code(e, entry[1], entry[0]);
}

/* f1 int1, cc int3, cd int n, ce into. Through gates the processor delivers it: told as a software exception. */
EXECUTE(interrupt)
{
    static const uint8_t fixed[4] = {[0xcc & 3] = TRAP_int3, [0xce & 3] = TRAP_overflow};
    uint8_t opcode = e->i.opcode, vector = opcode == 0xf1 ? TRAP_debug : fixed[opcode & 3];
    if (opcode == 0xcd)
        vector = (uint8_t)e->i.immediate;
    if (opcode == 0xce && !(e->regs.rflags & FLAG_OF))
        return EMULATE_OK;
    if (is_real_mode(e))
        return interrupt_real(e, vector);
    if (opcode == 0xcd && is_virtual_8086(e) && io_privilege_level(e) != 3)
        return raise_gp(e);
    emulate_raise(e->context, vector, 0);
    e->context->exception.has_error_code = false;
    e->context->exception.software_bytes = e->i.length;
    e->context->exception.is_interrupt = opcode == 0xcd;
    return EMULATE_EXCEPTION;
}

/* Real mode, virtual-8086 mode, and 16- or 32-bit protected mode within one level and task. */
EXECUTE(return_from_interrupt)
{
    uint64_t target, selector, flags;
    unsigned bytes = e->i.operand_bytes;
    bool protected = !is_real_mode(e) && !is_virtual_8086(e);
    if (is_virtual_8086(e) && io_privilege_level(e) != 3)
        return raise_gp(e);
    if (e->context->code_bytes == 8 || (protected && e->regs.rflags & X86_EFLAGS_NT))
        return EMULATE_UNHANDLED;
    TRY(pop(e, &target, bytes));
    TRY(pop(e, &selector, bytes));
    TRY(pop(e, &flags, bytes));
    if (!is_same_level(e, selector) || (protected && flags & X86_EFLAGS_VM && bytes == 4 && e->context->cpl == 0))
        return EMULATE_UNHANDLED;
    TRY(load_code(e, (uint16_t)selector, target));
    take_flags(e, flags, bytes, bytes > 2 ? X86_EFLAGS_RF : 0);
    return EMULATE_OK;
}
