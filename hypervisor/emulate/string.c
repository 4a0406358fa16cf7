/*
 * String instructions. Each repetition is whole: the registers say after it how far the instruction has come, so that
 * a fault, a wait or the end of the budget in a later one loses nothing.
 */
#include "instruction.h"
#include <hv/lib.h>

#define DEFAULT_REPETITIONS 1024

static bool falls(const struct emulation *e)
{
    return e->regs.rflags & X86_EFLAGS_DF;
}

static void advance(struct emulation *e, unsigned number, unsigned bytes, uint64_t count)
{
    uint64_t step = falls(e) ? -(count * bytes) : count * bytes;
    set_register(e, number, e->i.address_bytes, *general_register(&e->regs, number) + step);
}

static uint64_t source_offset(struct emulation *e)
{
    return low_bytes(e->regs.rsi, e->i.address_bytes);
}

static uint64_t destination_offset(struct emulation *e)
{
    return low_bytes(e->regs.rdi, e->i.address_bytes);
}

/*
 * How many of `wanted` elements from this offset on lie in one page and do not wrap around, and the linear address of
 * the first; 0: the bulk operations are of no use here.
 */
static enum emulate_outcome find_run(struct emulation *e, enum emulate_segment segment, uint64_t offset, unsigned bytes,
                                     enum emulate_access access, uint64_t *linear, uint64_t *wanted)
{
    TRY(OPERATION(e, linear, segment, offset, bytes, access, linear));
    uint64_t in_page = *linear & ~PAGE_MASK, last, room;
    if (in_page + bytes > PAGE_SIZE)
        room = 0;
    else if (falls(e))
        room = min(in_page, offset) / bytes + 1;
    else
        room = min(PAGE_SIZE - in_page, low_bytes(~0UL, e->i.address_bytes) - offset) / bytes;
    *wanted = min(*wanted, room);
    if (*wanted < 2) {
        *wanted = 0;
        return EMULATE_OK;
    }
    uint64_t span = (*wanted - 1) * bytes;
    /* A run that leaves the segment is done one by one up to its end. */
    if (OPERATION(e, linear, segment, falls(e) ? offset - span : offset + span, bytes, access, &last) != EMULATE_OK)
        *wanted = 0;
    return EMULATE_OK;
}

/* One repetition, or *count of them (at least one wanted) when they can be had in bulk; *count = how many were done. */
typedef enum emulate_outcome (*repetition)(struct emulation *e, unsigned bytes, uint64_t *count);

static uint64_t budget(const struct emulation *e)
{
    unsigned limit = e->context->repetitions_left;
    return e->context->regs->rflags & X86_EFLAGS_TF ? 1 : limit ? limit : DEFAULT_REPETITIONS;
}

/* scas and cmps end on the first (un)equal pair. */
static bool comparison_ends(const struct emulation *e)
{
    bool equal = e->regs.rflags & FLAG_ZF;
    return equal != (e->i.repeat == 0xf3);
}

static enum emulate_outcome repeat(struct emulation *e, repetition step, unsigned bytes, bool compares)
{
    uint64_t next = e->regs.rip, left = budget(e), done = 1;
    if (!e->i.repeat)
        return step(e, bytes, &done);
    for (uint64_t count; (count = low_bytes(e->regs.rcx, e->i.address_bytes)) != 0;) {
        e->regs.rip = e->start;
        if (left == 0 || (e->commit && e->context->operations->go_on && !OPERATION(e, go_on)))
            return EMULATE_OK;
        done = min(count, left);
        TRY(step(e, bytes, &done));
        set_register(e, 1, e->i.address_bytes, count - done);
        left -= done;
        e->commit = true;
        if (compares && comparison_ends(e))
            break;
    }
    e->regs.rip = next;
    return EMULATE_OK;
}

/* Byte form by opcode bit 0. */
static unsigned element_bytes(const struct emulation *e)
{
    return e->i.opcode & 1 ? e->i.operand_bytes : 1;
}

/* ---- the steps ---- */

static enum emulate_outcome move_run(struct emulation *e, unsigned bytes, uint64_t *count)
{
    uint64_t from, to;
    TRY(find_run(e, segment_or(&e->i, EMU_DS), source_offset(e), bytes, EMU_READ, &from, count));
    TRY(find_run(e, EMU_ES, destination_offset(e), bytes, EMU_WRITE, &to, count));
    return *count ? OPERATION(e, memory_string, to, from, bytes, falls(e), count) : EMULATE_OK;
}

static enum emulate_outcome move_one(struct emulation *e, unsigned bytes, uint64_t *count)
{
    uint64_t value = 0;
    if (*count > 1 && e->context->operations->memory_string)
        TRY(move_run(e, bytes, count));
    else
        *count = 0;
    if (*count == 0) {
        *count = 1;
        TRY(read_memory(e, segment_or(&e->i, EMU_DS), source_offset(e), &value, bytes));
        TRY(write_memory(e, EMU_ES, destination_offset(e), &value, bytes));
    }
    advance(e, 6, bytes, *count);
    advance(e, 7, bytes, *count);
    return EMULATE_OK;
}

static enum emulate_outcome store_one(struct emulation *e, unsigned bytes, uint64_t *count)
{
    *count = 1;
    TRY(write_memory(e, EMU_ES, destination_offset(e), &e->regs.rax, bytes));
    advance(e, 7, bytes, 1);
    return EMULATE_OK;
}

static enum emulate_outcome load_one(struct emulation *e, unsigned bytes, uint64_t *count)
{
    uint64_t value = 0;
    *count = 1;
    TRY(read_memory(e, segment_or(&e->i, EMU_DS), source_offset(e), &value, bytes));
    set_register(e, 0, bytes, value);
    advance(e, 6, bytes, 1);
    return EMULATE_OK;
}

static enum emulate_outcome scan_one(struct emulation *e, unsigned bytes, uint64_t *count)
{
    uint64_t value = 0;
    *count = 1;
    TRY(read_memory(e, EMU_ES, destination_offset(e), &value, bytes));
    alu(ALU_CMP, bytes, e->regs.rax, value, &e->regs.rflags);
    advance(e, 7, bytes, 1);
    return EMULATE_OK;
}

static enum emulate_outcome compare_one(struct emulation *e, unsigned bytes, uint64_t *count)
{
    uint64_t left = 0, right = 0;
    *count = 1;
    TRY(read_memory(e, segment_or(&e->i, EMU_DS), source_offset(e), &left, bytes));
    TRY(read_memory(e, EMU_ES, destination_offset(e), &right, bytes));
    alu(ALU_CMP, bytes, left, right, &e->regs.rflags);
    advance(e, 6, bytes, 1);
    advance(e, 7, bytes, 1);
    return EMULATE_OK;
}

/* Does up to *count elements in bulk between the port and this memory; *count = 0: none. */
static enum emulate_outcome port_run(struct emulation *e, enum emulate_segment segment, uint64_t offset, unsigned bytes,
                                     bool in, uint64_t *count)
{
    uint64_t linear;
    if (*count < 2 || !e->context->operations->port_string) {
        *count = 0;
        return EMULATE_OK;
    }
    TRY(find_run(e, segment, offset, bytes, in ? EMU_WRITE : EMU_READ, &linear, count));
    if (*count == 0)
        return EMULATE_OK;
    return OPERATION(e, port_string, (uint16_t)e->regs.rdx, bytes, in, linear, falls(e), count);
}

/* The destination is found writable before the port is read: what a device has given cannot be put back. */
static enum emulate_outcome in_one(struct emulation *e, unsigned bytes, uint64_t *count)
{
    uint64_t linear, before;
    uint32_t value = 0;
    TRY(port_run(e, EMU_ES, destination_offset(e), bytes, true, count));
    if (*count == 0) {
        *count = 1;
        TRY(OPERATION(e, linear, EMU_ES, destination_offset(e), bytes, EMU_WRITE, &linear));
        TRY(OPERATION(e, read, linear, &before, bytes, true));
        TRY(OPERATION(e, port_in, (uint16_t)e->regs.rdx, bytes, &value));
        TRY(OPERATION(e, write, linear, &value, bytes));
    }
    advance(e, 7, bytes, *count);
    return EMULATE_OK;
}

static enum emulate_outcome out_one(struct emulation *e, unsigned bytes, uint64_t *count)
{
    uint32_t value = 0;
    TRY(port_run(e, segment_or(&e->i, EMU_DS), source_offset(e), bytes, false, count));
    if (*count == 0) {
        *count = 1;
        TRY(read_memory(e, segment_or(&e->i, EMU_DS), source_offset(e), &value, bytes));
        TRY(OPERATION(e, port_out, (uint16_t)e->regs.rdx, bytes, value));
    }
    advance(e, 6, bytes, *count);
    return EMULATE_OK;
}

/* ---- the instructions ---- */

EXECUTE(string_move)
{
    return repeat(e, move_one, element_bytes(e), false);
}

EXECUTE(string_store)
{
    return repeat(e, store_one, element_bytes(e), false);
}

EXECUTE(string_load)
{
    return repeat(e, load_one, element_bytes(e), false);
}

EXECUTE(string_scan)
{
    return repeat(e, scan_one, element_bytes(e), true);
}

EXECUTE(string_compare)
{
    return repeat(e, compare_one, element_bytes(e), true);
}

EXECUTE(string_in)
{
    return repeat(e, in_one, min(element_bytes(e), 4U), false);
}

EXECUTE(string_out)
{
    return repeat(e, out_one, min(element_bytes(e), 4U), false);
}
