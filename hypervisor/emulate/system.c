/*
 * Ports, flags of the machine, control and debug registers, MSRs, descriptor table registers.
 */
#include "instruction.h"

#define MSR_TIME_STAMP     0x10U
#define MSR_TIME_STAMP_AUX 0xc0000103U

EXECUTE(do_nothing)
{
    return EMULATE_OK;
}

/* ud1, ud2: invalid on purpose. */
EXECUTE(undefined)
{
    return raise_ud(e);
}

/* ---- ports: bit 3 of the opcode chooses dx ---- */

static uint16_t port_number(const struct emulation *e)
{
    return e->i.opcode & 8 ? (uint16_t)e->regs.rdx : (uint8_t)e->i.immediate;
}

static unsigned port_bytes(const struct emulation *e)
{
    return e->i.opcode & 1 ? min(e->i.operand_bytes, (uint8_t)4) : 1;
}

EXECUTE(port_in)
{
    uint32_t value = 0;
    TRY(OPERATION(e, port_in, port_number(e), port_bytes(e), &value));
    set_register(e, 0, port_bytes(e), value);
    return EMULATE_OK;
}

EXECUTE(port_out)
{
    return OPERATION(e, port_out, port_number(e), port_bytes(e), (uint32_t)low_bytes(e->regs.rax, port_bytes(e)));
}

/* ---- flags ---- */

/* f5 cmc, f8 clc, f9 stc, fc cld, fd std */
EXECUTE(change_flag)
{
    uint64_t flag = e->i.opcode >= 0xfc ? X86_EFLAGS_DF : FLAG_CF;
    if (e->i.opcode == 0xf5)
        e->regs.rflags ^= FLAG_CF;
    else
        set_flag(&e->regs.rflags, flag, e->i.opcode & 1);
    return EMULATE_OK;
}

/* fa cli, fb sti. Interrupts stay off for one more instruction after an sti that changes something. */
EXECUTE(change_interrupt_flag)
{
    bool on = e->i.opcode == 0xfb;
    if (e->context->cpl > io_privilege_level(e))
        return raise_gp(e);
    e->context->retired_sti = on && !(e->regs.rflags & X86_EFLAGS_IF);
    set_flag(&e->regs.rflags, X86_EFLAGS_IF, on);
    return EMULATE_OK;
}

EXECUTE(halt)
{
    e->context->retired_hlt = true;
    return EMULATE_OK;
}

/* ---- identification, MSRs, time ---- */

EXECUTE(identify)
{
    uint32_t out[4];
    TRY(OPERATION(e, cpuid, (uint32_t)e->regs.rax, (uint32_t)e->regs.rcx, out));
    e->regs.rax = out[0];
    e->regs.rbx = out[1];
    e->regs.rcx = out[2];
    e->regs.rdx = out[3];
    return EMULATE_OK;
}

static void set_edx_eax(struct emulation *e, uint64_t value)
{
    e->regs.rax = (uint32_t)value;
    e->regs.rdx = value >> 32;
}

EXECUTE(read_model_register)
{
    uint64_t value;
    TRY(OPERATION(e, read_msr, (uint32_t)e->regs.rcx, &value));
    set_edx_eax(e, value);
    return EMULATE_OK;
}

EXECUTE(write_model_register)
{
    uint64_t value = e->regs.rdx << 32 | (uint32_t)e->regs.rax;
    return OPERATION(e, write_msr, (uint32_t)e->regs.rcx, value);
}

/* rdtsc 0f 31, rdtscp 0f 01 f9 */
EXECUTE(read_time_stamp)
{
    uint64_t cr4, value;
    if (e->i.opcode == 0x01 && e->i.rm != 1)
        return EMULATE_UNHANDLED;
    TRY(OPERATION(e, read_cr, 4, &cr4));
    if (cr4 & X86_CR4_TSD && e->context->cpl)
        return raise_gp(e);
    TRY(OPERATION(e, read_msr, MSR_TIME_STAMP, &value));
    set_edx_eax(e, value);
    if (e->i.opcode == 0x01) {
        TRY(OPERATION(e, read_msr, MSR_TIME_STAMP_AUX, &value));
        e->regs.rcx = (uint32_t)value;
    }
    return EMULATE_OK;
}

/* ---- control and debug registers: always of the mode's full width ---- */

static unsigned full_width(const struct emulation *e)
{
    return e->context->code_bytes == 8 ? 8 : 4;
}

static bool control_exists(unsigned number)
{
    return number == 0 || number == 2 || number == 3 || number == 4 || number == 8;
}

EXECUTE(move_from_control)
{
    uint64_t value;
    if (!control_exists(e->i.reg))
        return raise_ud(e);
    TRY(OPERATION(e, read_cr, e->i.reg, &value));
    set_register(e, e->i.rm, full_width(e), value);
    return EMULATE_OK;
}

EXECUTE(move_to_control)
{
    if (!control_exists(e->i.reg))
        return raise_ud(e);
    return OPERATION(e, write_cr, e->i.reg, get_register(e, e->i.rm, full_width(e)));
}

EXECUTE(move_from_debug)
{
    uint64_t value;
    if (e->i.reg > 7)
        return raise_ud(e);
    TRY(OPERATION(e, read_dr, e->i.reg, &value));
    set_register(e, e->i.rm, full_width(e), value);
    return EMULATE_OK;
}

EXECUTE(move_to_debug)
{
    if (e->i.reg > 7)
        return raise_ud(e);
    return OPERATION(e, write_dr, e->i.reg, get_register(e, e->i.rm, full_width(e)));
}

EXECUTE(clear_task_switched)
{
    uint64_t cr0;
    TRY(OPERATION(e, read_cr, 0, &cr0));
    return OPERATION(e, write_cr, 0, cr0 & ~X86_CR0_TS);
}

/* User-mode instruction prevention keeps these from programs. */
static enum emulate_outcome require_no_umip(struct emulation *e)
{
    uint64_t cr4;
    if (e->context->cpl == 0)
        return EMULATE_OK;
    TRY(OPERATION(e, read_cr, 4, &cr4));
    return cr4 & X86_CR4_UMIP ? raise_gp(e) : EMULATE_OK;
}

/* smsw: two bytes to memory. */
EXECUTE(store_machine_status)
{
    uint64_t cr0;
    TRY(require_no_umip(e));
    TRY(OPERATION(e, read_cr, 0, &cr0));
    e->destination.value = cr0;
    if (e->destination.kind == OPERAND_MEMORY)
        e->destination.bytes = 2;
    return EMULATE_OK;
}

/* lmsw can set PE, and never clears it. */
EXECUTE(load_machine_status)
{
    uint64_t cr0, low = X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS;
    TRY(OPERATION(e, read_cr, 0, &cr0));
    return OPERATION(e, write_cr, 0, (cr0 & (~low | X86_CR0_PE)) | (e->source.value & low));
}

/* ---- descriptor tables: 0f 01, ModRM.reg bit 0 chooses the IDT ---- */

EXECUTE(store_table_register)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __packed table = {0, 0};
    uint64_t base;
    uint16_t limit;
    unsigned bytes = e->context->code_bytes == 8 ? 8 : 4;
    TRY(require_no_umip(e));
    OPERATION(e, read_table, e->i.modrm & 8 ? EMU_IDT : EMU_GDT, &base, &limit);
    table.limit = limit;
    table.base = base;
    return write_memory(e, e->source.segment, e->source.offset, &table, 2 + bytes);
}

/* With 16-bit operands the base has 24 bits. */
EXECUTE(load_table_register)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __packed table = {0, 0};
    unsigned bytes = e->context->code_bytes == 8 ? 8 : 4;
    TRY(read_memory(e, e->source.segment, e->source.offset, &table, 2 + bytes));
    if (bytes == 4 && e->i.operand_bytes == 2)
        table.base &= 0xffffff;
    return OPERATION(e, write_table, e->i.modrm & 8 ? EMU_IDT : EMU_GDT, table.base, table.limit);
}

/* An address outside of the segment is no fault here. */
EXECUTE(invalidate_page)
{
    uint64_t linear;
    if (OPERATION(e, linear, e->source.segment, e->source.offset, 1, EMU_READ, &linear) != EMULATE_OK)
        return EMULATE_OK;
    return OPERATION(e, invlpg, linear);
}

/* 0f ae: lfence, mfence, sfence (registers), clwb, clflush, clflushopt (memory). Accesses here are in order anyway. */
EXECUTE(fence_or_flush)
{
    unsigned which = e->i.modrm >> 3 & 7;
    uint64_t linear;
    if (e->i.mod == 3)
        return which >= 5 && !e->i.repeat && !e->i.operand_prefix ? EMULATE_OK : EMULATE_UNHANDLED;
    TRY(find_operand(e, RM, 1, &e->source));
    bool flush = which == 7 || (which == 6 && e->i.operand_prefix);
    if (!flush || e->i.repeat)
        return EMULATE_UNHANDLED;
    return OPERATION(e, linear, e->source.segment, e->source.offset, 1, EMU_READ, &linear);
}
