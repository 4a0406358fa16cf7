/*
 * Fetching an instruction, finding its operands, and moving values between them and the machine.
 */
#include "instruction.h"

enum emulate_outcome emulate_raise(struct emulate_context *c, uint8_t vector, uint32_t error_code)
{
    c->exception.vector = vector;
    c->exception.has_error_code = trap_has_error_code(vector);
    c->exception.error_code = error_code;
    c->exception.software_bytes = 0;
    return EMULATE_EXCEPTION;
}

/* ---- code ---- */

struct fetch {
    struct emulation *e;
    enum emulate_outcome failure;
};

/* The rest of this page at most: an instruction that ends in it must not fault on the next one. */
static bool fetch_more(struct code_cursor *cursor)
{
    struct fetch *fetch = cursor->owner;
    struct emulation *e = fetch->e;
    uint64_t linear;
    unsigned room = MAX_INSTRUCTION_BYTES - cursor->have;
    if (room == 0) {
        fetch->failure = raise_gp(e);
        return false;
    }
    fetch->failure = OPERATION(e, linear, EMU_CS, e->start + cursor->have, 1, EMU_EXECUTE, &linear);
    if (fetch->failure == EMULATE_OK) {
        unsigned bytes = min(room, (unsigned)(PAGE_SIZE - (linear & ~PAGE_MASK)));
        fetch->failure = OPERATION(e, fetch, linear, cursor->byte + cursor->have, bytes);
        cursor->have += bytes;
    }
    return fetch->failure == EMULATE_OK;
}

enum emulate_outcome fetch_instruction(struct emulation *e)
{
    struct fetch fetch = {e, EMULATE_OK};
    struct code_cursor cursor = {.more = fetch_more, .owner = &fetch};
    uint64_t linear;
    switch (parse_instruction(&cursor, e->context->code_bytes, &e->i)) {
    case PARSE_OK:
        break;
    case PARSE_INVALID:
        return raise_ud(e);
    default:
        return fetch.failure;
    }
    /* The bytes came from one page; the segment may end before them. */
    return OPERATION(e, linear, EMU_CS, e->start + e->i.length - 1, 1, EMU_EXECUTE, &linear);
}

enum emulate_outcome jump_to(struct emulation *e, uint64_t target, unsigned bytes)
{
    uint64_t linear;
    target = low_bytes(target, bytes);
    TRY(OPERATION(e, linear, EMU_CS, target, 1, EMU_EXECUTE, &linear));
    e->regs.rip = target;
    return EMULATE_OK;
}

enum emulate_outcome require_privilege(struct emulation *e)
{
    return e->context->cpl == 0 ? EMULATE_OK : raise_gp(e);
}

/* ---- operands ---- */

static void find_memory(struct emulation *e, struct operand *o)
{
    enum emulate_segment segment;
    o->kind = OPERAND_MEMORY;
    o->offset = memory_operand(&e->regs, &e->i, e->regs.rip, &segment);
    o->segment = (uint8_t)segment;
}

enum emulate_outcome find_operand(struct emulation *e, enum place place, unsigned bytes, struct operand *o)
{
    const struct instruction *i = &e->i;
    o->bytes = (uint8_t)bytes;
    o->kind = OPERAND_REGISTER;
    switch (place) {
    case NOWHERE:
        o->kind = OPERAND_NONE;
        break;
    case RM:
    case ADDRESS:
        if (i->mod != 3)
            find_memory(e, o);
        else if (place == ADDRESS)
            return raise_ud(e);
        o->number = i->rm;
        break;
    case REG:
        o->number = i->reg;
        break;
    case AX:
        o->number = 0;
        break;
    case CL:
        o->number = 1;
        o->bytes = 1;
        break;
    case ONE:
    case IMM:
        o->kind = OPERAND_VALUE;
        o->value = place == ONE ? 1 : low_bytes(i->immediate, bytes);
        break;
    case OPREG:
        o->number = (i->opcode & 7) | (i->rex & 1) << 3;
        break;
    case MOFFS:
        o->kind = OPERAND_MEMORY;
        o->segment = (uint8_t)segment_or(i, EMU_DS);
        o->offset = i->immediate;
        break;
    }
    return EMULATE_OK;
}

/* ---- values ---- */

static enum emulate_outcome read_for(struct emulation *e, unsigned segment, uint64_t offset, void *to, unsigned bytes,
                                     bool will_write)
{
    uint64_t linear;
    TRY(OPERATION(e, linear, segment, offset, bytes, will_write ? EMU_WRITE : EMU_READ, &linear));
    return OPERATION(e, read, linear, to, bytes, will_write);
}

enum emulate_outcome read_memory(struct emulation *e, enum emulate_segment segment, uint64_t offset, void *to,
                                 unsigned bytes)
{
    return read_for(e, segment, offset, to, bytes, false);
}

enum emulate_outcome write_memory(struct emulation *e, enum emulate_segment segment, uint64_t offset, const void *from,
                                  unsigned bytes)
{
    uint64_t linear;
    TRY(OPERATION(e, linear, segment, offset, bytes, EMU_WRITE, &linear));
    return OPERATION(e, write, linear, from, bytes);
}

enum emulate_outcome load_operand(struct emulation *e, struct operand *o, bool will_write)
{
    if (o->kind == OPERAND_REGISTER) {
        o->value = get_register(e, o->number, o->bytes);
    } else if (o->kind == OPERAND_MEMORY) {
        o->value = 0;
        TRY(read_for(e, o->segment, o->offset, &o->value, o->bytes, will_write));
    }
    o->loaded = o->value;
    return EMULATE_OK;
}

enum emulate_outcome store_operand(struct emulation *e, const struct operand *o, bool locked)
{
    if (o->kind == OPERAND_REGISTER)
        set_register(e, o->number, o->bytes, o->value);
    if (o->kind != OPERAND_MEMORY)
        return EMULATE_OK;
    if (!locked)
        return write_memory(e, o->segment, o->offset, &o->value, o->bytes);
    uint64_t linear;
    bool done = false;
    TRY(OPERATION(e, linear, o->segment, o->offset, o->bytes, EMU_WRITE, &linear));
    TRY(OPERATION(e, exchange, linear, &o->loaded, &o->value, o->bytes, &done));
    return done ? EMULATE_OK : EMULATE_RETRY;
}

/* ---- stack ---- */

enum emulate_outcome push(struct emulation *e, uint64_t value, unsigned bytes)
{
    unsigned width = e->context->stack_bytes;
    uint64_t top = low_bytes(e->regs.rsp - bytes, width);
    TRY(write_memory(e, EMU_SS, top, &value, bytes));
    e->regs.rsp = (e->regs.rsp ^ low_bytes(e->regs.rsp, width)) | top;
    return EMULATE_OK;
}

enum emulate_outcome pop(struct emulation *e, uint64_t *value, unsigned bytes)
{
    unsigned width = e->context->stack_bytes;
    *value = 0;
    TRY(read_memory(e, EMU_SS, low_bytes(e->regs.rsp, width), value, bytes));
    e->regs.rsp = (e->regs.rsp ^ low_bytes(e->regs.rsp, width)) | low_bytes(e->regs.rsp + bytes, width);
    return EMULATE_OK;
}
