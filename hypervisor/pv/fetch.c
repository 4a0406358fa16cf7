/*
 * The instruction at which a PV guest has stopped.
 */
#include <hv/guest_copy.h>
#include <hv/instruction.h>
#include <hv/pv_internal.h>

unsigned pv_fetch(const struct cpu_user_regs *regs, uint8_t bytes[MAX_INSTRUCTION_BYTES])
{
    if (!copy_from_guest_va(bytes, regs->rip, MAX_INSTRUCTION_BYTES))
        return MAX_INSTRUCTION_BYTES;
    unsigned in_page = (unsigned)(PAGE_SIZE - (regs->rip & ~PAGE_MASK));
    return in_page < MAX_INSTRUCTION_BYTES && !copy_from_guest_va(bytes, regs->rip, in_page) ? in_page : 0;
}

/* All that is finished for PV guests has an opcode of one or two bytes: whoever looks at one need not think of others.
 */
bool pv_decode(struct code_cursor *code, struct instruction *i)
{
    return parse_instruction(code, 8, i) == PARSE_OK && i->map <= MAP_0F && !i->vex && !i->stray_rex;
}
