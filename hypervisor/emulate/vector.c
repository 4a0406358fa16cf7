/*
 * Moves between SSE or AVX registers and memory: how frame buffers and wide device registers are written. Forms between
 * two registers, and everything that computes, are not known.
 */
#include "instruction.h"

struct vector_form {
    uint8_t map, opcode, prefix; /* prefix: 0, 66, f3, f2 */
    uint8_t bytes;               /* 0: the whole register, 16 or 32 */
    uint8_t flags;
};
enum {
    TO_MEMORY = 1,
    ALIGNED = 2,
    HIGH = 4,    /* bytes 8 to 15 of the register */
    KEEP = 8,    /* loading leaves the rest of the register as it is; otherwise it becomes 0 */
    GENERAL = 16 /* the other operand may be a general register; 8 bytes with REX.W */
};

static const struct vector_form forms[] = {
    {MAP_0F, 0x10, 0x00, 0, 0}, /* movups */
    {MAP_0F, 0x11, 0x00, 0, TO_MEMORY},
    {MAP_0F, 0x10, 0x66, 0, 0}, /* movupd */
    {MAP_0F, 0x11, 0x66, 0, TO_MEMORY},
    {MAP_0F, 0x10, 0xf3, 4, 0}, /* movss */
    {MAP_0F, 0x11, 0xf3, 4, TO_MEMORY},
    {MAP_0F, 0x10, 0xf2, 8, 0}, /* movsd */
    {MAP_0F, 0x11, 0xf2, 8, TO_MEMORY},
    {MAP_0F, 0x12, 0x00, 8, KEEP}, /* movlps */
    {MAP_0F, 0x13, 0x00, 8, TO_MEMORY},
    {MAP_0F, 0x12, 0x66, 8, KEEP}, /* movlpd */
    {MAP_0F, 0x13, 0x66, 8, TO_MEMORY},
    {MAP_0F, 0x16, 0x00, 8, KEEP | HIGH}, /* movhps */
    {MAP_0F, 0x17, 0x00, 8, TO_MEMORY | HIGH},
    {MAP_0F, 0x16, 0x66, 8, KEEP | HIGH}, /* movhpd */
    {MAP_0F, 0x17, 0x66, 8, TO_MEMORY | HIGH},
    {MAP_0F, 0x28, 0x00, 0, ALIGNED}, /* movaps */
    {MAP_0F, 0x29, 0x00, 0, TO_MEMORY | ALIGNED},
    {MAP_0F, 0x28, 0x66, 0, ALIGNED}, /* movapd */
    {MAP_0F, 0x29, 0x66, 0, TO_MEMORY | ALIGNED},
    {MAP_0F, 0x2b, 0x00, 0, TO_MEMORY | ALIGNED}, /* movntps */
    {MAP_0F, 0x2b, 0x66, 0, TO_MEMORY | ALIGNED}, /* movntpd */
    {MAP_0F, 0x6e, 0x66, 4, GENERAL},             /* movd, movq */
    {MAP_0F, 0x7e, 0x66, 4, TO_MEMORY | GENERAL},
    {MAP_0F, 0x7e, 0xf3, 8, 0}, /* movq */
    {MAP_0F, 0xd6, 0x66, 8, TO_MEMORY},
    {MAP_0F, 0x6f, 0x66, 0, ALIGNED}, /* movdqa */
    {MAP_0F, 0x7f, 0x66, 0, TO_MEMORY | ALIGNED},
    {MAP_0F, 0x6f, 0xf3, 0, 0}, /* movdqu */
    {MAP_0F, 0x7f, 0xf3, 0, TO_MEMORY},
    {MAP_0F, 0xe7, 0x66, 0, TO_MEMORY | ALIGNED}, /* movntdq */
    {MAP_0F, 0xf0, 0xf2, 0, 0},                   /* lddqu */
    {MAP_0F38, 0x2a, 0x66, 0, ALIGNED},           /* movntdqa */
};

static const struct vector_form *find_form(const struct instruction *i)
{
    uint8_t prefix = i->repeat ? i->repeat : i->operand_prefix ? 0x66 : 0;
    for (unsigned n = 0; n < ARRAY_SIZE(forms); n++)
        if (forms[n].map == i->map && forms[n].opcode == i->opcode && forms[n].prefix == prefix)
            return &forms[n];
    return NULL;
}

/* Whether the operating system lets these registers be used. XCR0 is looked at by the register operations. */
static enum emulate_outcome check_enabled(struct emulation *e)
{
    uint64_t cr0, cr4, needed = e->i.vex ? X86_CR4_OSXSAVE : X86_CR4_OSFXSR;
    TRY(OPERATION(e, read_cr, 0, &cr0));
    TRY(OPERATION(e, read_cr, 4, &cr4));
    bool no_vex_mode = e->i.vex && (is_real_mode(e) || is_virtual_8086(e));
    if ((cr0 & X86_CR0_EM && !e->i.vex) || !(cr4 & needed) || no_vex_mode)
        return raise_ud(e);
    return cr0 & X86_CR0_TS ? emulate_raise(e->context, TRAP_no_device, 0) : EMULATE_OK;
}

/* Which forms VEX has in the same shape: not those that merge (three operands); 256 bits of whole registers only. */
static bool vex_form_exists(const struct instruction *i, const struct vector_form *form)
{
    return !(form->flags & KEEP) && i->vex_register == 0 && !(i->vex_256 && form->bytes);
}

static enum emulate_outcome move_general(struct emulation *e, const struct vector_form *form, unsigned bytes)
{
    uint64_t value[4] = {0, 0, 0, 0};
    if (!(form->flags & GENERAL))
        return EMULATE_UNHANDLED;
    if (form->flags & TO_MEMORY) {
        TRY(OPERATION(e, read_vector, e->i.reg, value, 16));
        set_register(e, e->i.rm, bytes, value[0]);
        return EMULATE_OK;
    }
    value[0] = get_register(e, e->i.rm, bytes);
    return OPERATION(e, write_vector, e->i.reg, value, e->i.vex ? 32 : 16);
}

static enum emulate_outcome load_vector(struct emulation *e, const struct vector_form *form, unsigned bytes)
{
    uint8_t value[32] = {0};
    uint8_t *at = value + (form->flags & HIGH ? 8 : 0);
    if (form->flags & KEEP)
        TRY(OPERATION(e, read_vector, e->i.reg, value, 16));
    TRY(read_memory(e, e->source.segment, e->source.offset, at, bytes));
    return OPERATION(e, write_vector, e->i.reg, value, e->i.vex ? 32 : 16);
}

static enum emulate_outcome store_vector(struct emulation *e, const struct vector_form *form, unsigned bytes)
{
    uint8_t value[32];
    TRY(OPERATION(e, read_vector, e->i.reg, value, e->i.vex_256 ? 32 : 16));
    return write_memory(e, e->source.segment, e->source.offset, value + (form->flags & HIGH ? 8 : 0), bytes);
}

EXECUTE(vector_move)
{
    const struct vector_form *form = find_form(&e->i);
    if (!form || (e->i.vex && !vex_form_exists(&e->i, form)))
        return EMULATE_UNHANDLED;
    unsigned bytes = form->bytes ? form->bytes : e->i.vex_256 ? 32 : 16;
    if (form->flags & GENERAL && e->i.rex & 8)
        bytes = 8;
    TRY(check_enabled(e));
    if (e->i.mod == 3)
        return move_general(e, form, bytes);
    bool store = form->flags & TO_MEMORY;
    uint64_t linear;
    TRY(find_operand(e, RM, bytes, &e->source));
    TRY(OPERATION(e, linear, e->source.segment, e->source.offset, bytes, store ? EMU_WRITE : EMU_READ, &linear));
    if (form->flags & ALIGNED && linear & (bytes - 1))
        return raise_gp(e);
    return store ? store_vector(e, form, bytes) : load_vector(e, form, bytes);
}
