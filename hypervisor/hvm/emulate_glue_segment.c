/*
 * Segments of the emulated instruction: limits and rights of accesses, loading of segment registers, and the right to
 * use ports. Sources: AMD APM volume 2, chapter 4; Intel SDM volume 3, chapters 3, 5 and 20.
 */
#include "emulate_glue.h"

#define SEGMENT_CODE        0x8
#define SEGMENT_CONFORMING  0x4 /* code */
#define SEGMENT_EXPAND_DOWN 0x4 /* data */
#define SEGMENT_READABLE    0x2 /* code */
#define SEGMENT_WRITABLE    0x2 /* data */
#define SEGMENT_ACCESSED    0x1
#define SELECTOR_LDT        0x4
#define SELECTOR_RPL        0x3
#define DPL_OF(a)           ((a) >> 5 & 3)
#define TSS_BITMAP_FIELD    102 /* of a 32- or 64-bit task state segment: where the port bitmap begins */

const struct hvm_segment_register *emulated_segment(struct emulate_context *c, enum hvm_segment which)
{
    struct emulated_vcpu *e = c->owner;
    if (!(e->known_segments >> which & 1)) {
        hvm_vendor->get_segment(e->v, which, &e->segment[which]);
        e->known_segments |= 1U << which;
    }
    return &e->segment[which];
}

uint16_t segment_selector(struct emulate_context *c, enum emulate_segment segment)
{
    return emulated_segment(c, (enum hvm_segment)segment)->selector;
}

_Static_assert((int)EMU_ES == (int)SEG_ES && (int)EMU_CS == (int)SEG_CS && (int)EMU_SS == (int)SEG_SS &&
                   (int)EMU_DS == (int)SEG_DS && (int)EMU_FS == (int)SEG_FS && (int)EMU_GS == (int)SEG_GS,
               "one numbering");

/* Real and virtual-8086 mode: selectors are paragraphs, rights are not looked at. */
static bool has_paragraphs(const struct emulate_context *c)
{
    return !c->protected_mode || c->regs->rflags & X86_EFLAGS_VM;
}

static enum emulate_outcome refuse(struct emulate_context *c, enum emulate_segment segment)
{
    return emulate_raise(c, segment == EMU_SS ? TRAP_stack_error : TRAP_gp_fault, 0);
}

static enum emulate_outcome linear_64(struct emulate_context *c, enum emulate_segment segment, uint64_t offset,
                                      unsigned bytes, uint64_t *linear)
{
    bool based = segment == EMU_FS || segment == EMU_GS;
    *linear = offset + (based ? emulated_segment(c, (enum hvm_segment)segment)->base : 0);
    bool inside = is_canonical(*linear) && is_canonical(*linear + bytes - 1);
    return inside ? EMULATE_OK : refuse(c, segment);
}

static bool may_access(const struct hvm_segment_register *s, enum emulate_access access)
{
    unsigned attributes = s->attributes;
    bool code = attributes & SEGMENT_CODE;
    if (!(attributes & SEG_ATTR_PRESENT) || !(attributes & SEG_ATTR_S))
        return false;
    if (access == EMU_EXECUTE)
        return code;
    if (access == EMU_WRITE)
        return !code && attributes & SEGMENT_WRITABLE;
    return !code || attributes & SEGMENT_READABLE;
}

static bool in_limit(const struct hvm_segment_register *s, uint32_t offset, unsigned bytes)
{
    uint64_t last = (uint64_t)offset + bytes - 1;
    bool down = (s->attributes & (SEGMENT_CODE | SEGMENT_EXPAND_DOWN)) == SEGMENT_EXPAND_DOWN;
    if (down)
        return offset > s->limit && last <= (s->attributes & SEG_ATTR_DB ? 0xffffffffU : 0xffffU);
    return last <= s->limit;
}

enum emulate_outcome segment_linear(struct emulate_context *c, enum emulate_segment segment, uint64_t offset,
                                    unsigned bytes, enum emulate_access access, uint64_t *linear)
{
    *linear = offset;
    if (segment == EMU_LINEAR)
        return EMULATE_OK;
    if (c->code_bytes == 8)
        return linear_64(c, segment, offset, bytes, linear);
    const struct hvm_segment_register *s = emulated_segment(c, (enum hvm_segment)segment);
    if (!in_limit(s, (uint32_t)offset, bytes) || (!has_paragraphs(c) && !may_access(s, access)))
        return refuse(c, segment);
    *linear = (uint32_t)(s->base + offset);
    return EMULATE_OK;
}

/* ---- loading ---- */

static void set_segment(struct emulate_context *c, enum emulate_segment segment, const struct hvm_segment_register *s)
{
    struct emulated_vcpu *e = c->owner;
    e->segment[segment] = *s;
    e->known_segments |= 1U << segment;
    hvm_vendor->set_segment(e->v, (enum hvm_segment)segment, s);
}

static enum emulate_outcome load_paragraph(struct emulate_context *c, enum emulate_segment segment, uint16_t selector)
{
    struct hvm_segment_register s = *emulated_segment(c, (enum hvm_segment)segment);
    s.selector = selector;
    s.base = (uint32_t)selector << 4;
    set_segment(c, segment, &s);
    return EMULATE_OK;
}

/* A null selector: fine for data segments, and for the stack of 64-bit code outside of ring 3. */
static enum emulate_outcome load_null(struct emulate_context *c, enum emulate_segment segment, uint16_t selector)
{
    bool stack_ok = c->code_bytes == 8 && c->cpl < 3 && (selector & SELECTOR_RPL) == c->cpl;
    if (segment == EMU_SS && !stack_ok)
        return emulate_raise(c, TRAP_gp_fault, 0);
    struct hvm_segment_register s = {.selector = selector};
    if (segment == EMU_SS)
        s.attributes = (uint16_t)(c->cpl << 5);
    set_segment(c, segment, &s);
    return EMULATE_OK;
}

static enum emulate_outcome read_descriptor(struct emulate_context *c, uint16_t selector, uint64_t *linear,
                                            uint64_t *descriptor)
{
    const struct hvm_segment_register *table = emulated_segment(c, selector & SELECTOR_LDT ? SEG_LDTR : SEG_GDTR);
    uint32_t fault, offset = selector & ~7U;
    uint64_t gpa;
    bool usable = !(selector & SELECTOR_LDT) || table->attributes & SEG_ATTR_PRESENT;
    if (!usable || offset + 7 > table->limit)
        return emulate_raise(c, TRAP_gp_fault, selector & ~SELECTOR_RPL);
    *linear = table->base + offset;
    int error = hvm_copy_linear(emulated(c), *linear, descriptor, 8, WALK_READ | WALK_SYSTEM, &fault, &gpa);
    if (error == -EFAULT)
        return raise_page_fault(c, *linear, fault);
    return error ? EMULATE_UNHANDLED : EMULATE_OK;
}

/* attributes as in struct hvm_segment_register. */
static bool data_loadable(const struct emulate_context *c, unsigned attributes, unsigned rpl)
{
    if (!(attributes & SEG_ATTR_S) || (attributes & (SEGMENT_CODE | SEGMENT_READABLE)) == SEGMENT_CODE)
        return false;
    bool conforming = (attributes & (SEGMENT_CODE | SEGMENT_CONFORMING)) == (SEGMENT_CODE | SEGMENT_CONFORMING);
    return conforming || DPL_OF(attributes) >= max(rpl, c->cpl);
}

static bool stack_loadable(const struct emulate_context *c, unsigned attributes, unsigned rpl)
{
    bool writable = (attributes & (SEG_ATTR_S | SEGMENT_CODE | SEGMENT_WRITABLE)) == (SEG_ATTR_S | SEGMENT_WRITABLE);
    return writable && rpl == c->cpl && DPL_OF(attributes) == c->cpl;
}

static bool code_loadable(struct emulate_context *c, unsigned attributes, unsigned rpl)
{
    bool long_mode = emulated(c)->hvm->efer & EFER_LMA;
    if (!(attributes & SEGMENT_CODE) || (long_mode && attributes & SEG_ATTR_L && attributes & SEG_ATTR_DB))
        return false;
    if (attributes & SEGMENT_CONFORMING)
        return DPL_OF(attributes) <= c->cpl;
    return rpl <= c->cpl && DPL_OF(attributes) == c->cpl;
}

/* Byte 5 of the descriptor has the type. */
static enum emulate_outcome mark_accessed(struct emulate_context *c, uint64_t linear, unsigned attributes)
{
    uint8_t access = (uint8_t)(attributes | SEGMENT_ACCESSED);
    uint32_t fault;
    uint64_t gpa;
    if (attributes & SEGMENT_ACCESSED)
        return EMULATE_OK;
    int error = hvm_copy_linear(emulated(c), linear + 5, &access, 1, WALK_WRITE | WALK_SYSTEM, &fault, &gpa);
    if (error == -EFAULT)
        return raise_page_fault(c, linear + 5, fault);
    return error ? EMULATE_UNHANDLED : EMULATE_OK;
}

static enum emulate_outcome load_data(struct emulate_context *c, enum emulate_segment segment, uint16_t selector)
{
    struct hvm_segment_register s = {.selector = selector};
    uint64_t linear = 0, descriptor = 0;
    unsigned rpl = selector & SELECTOR_RPL, error_code = selector & ~SELECTOR_RPL;
    enum emulate_outcome outcome = read_descriptor(c, selector, &linear, &descriptor);
    if (outcome != EMULATE_OK)
        return outcome;
    s = hvm_unpack_descriptor(descriptor, s.selector);
    if (!(segment == EMU_SS ? stack_loadable(c, s.attributes, rpl) : data_loadable(c, s.attributes, rpl)))
        return emulate_raise(c, TRAP_gp_fault, error_code);
    if (!(s.attributes & SEG_ATTR_PRESENT))
        return emulate_raise(c, segment == EMU_SS ? TRAP_stack_error : TRAP_no_segment, error_code);
    outcome = mark_accessed(c, linear, s.attributes);
    s.attributes |= SEGMENT_ACCESSED;
    if (outcome == EMULATE_OK)
        set_segment(c, segment, &s);
    return outcome;
}

enum emulate_outcome segment_load(struct emulate_context *c, enum emulate_segment segment, uint16_t selector)
{
    if (has_paragraphs(c))
        return load_paragraph(c, segment, selector);
    if (!(selector & ~SELECTOR_RPL))
        return load_null(c, segment, selector);
    return load_data(c, segment, selector);
}

/* VM entry refuses what the processor itself would never hold in rip; so what a program has us load is looked at here.
 */
static bool holds_target(const struct emulate_context *c, const struct hvm_segment_register *s, uint64_t target)
{
    const struct vcpu *v = emulated(c);
    if (v->hvm->efer & EFER_LMA && s->attributes & SEG_ATTR_L && !has_paragraphs(c))
        return is_canonical(target);
    return target <= s->limit;
}

/* Real and virtual-8086 mode: the segment keeps its limit. */
static enum emulate_outcome load_code_paragraph(struct emulate_context *c, uint16_t selector, uint64_t target)
{
    if (!holds_target(c, emulated_segment(c, SEG_CS), target))
        return emulate_raise(c, TRAP_gp_fault, 0);
    return load_paragraph(c, EMU_CS, selector);
}

enum emulate_outcome segment_load_code(struct emulate_context *c, uint16_t selector, uint64_t target)
{
    struct hvm_segment_register s = {.selector = (uint16_t)((selector & ~SELECTOR_RPL) | c->cpl)};
    uint64_t linear = 0, descriptor = 0;
    if (has_paragraphs(c))
        return load_code_paragraph(c, selector, target);
    if (!(selector & ~SELECTOR_RPL))
        return emulate_raise(c, TRAP_gp_fault, 0);
    enum emulate_outcome outcome = read_descriptor(c, selector, &linear, &descriptor);
    if (outcome != EMULATE_OK)
        return outcome;
    s = hvm_unpack_descriptor(descriptor, s.selector);
    if (!(s.attributes & SEG_ATTR_S))
        return EMULATE_UNHANDLED; /* a gate or a task */
    if (!code_loadable(c, s.attributes, selector & SELECTOR_RPL))
        return emulate_raise(c, TRAP_gp_fault, selector & ~SELECTOR_RPL);
    if (!(s.attributes & SEG_ATTR_PRESENT))
        return emulate_raise(c, TRAP_no_segment, selector & ~SELECTOR_RPL);
    if (!holds_target(c, &s, target))
        return emulate_raise(c, TRAP_gp_fault, 0);
    outcome = mark_accessed(c, linear, s.attributes);
    s.attributes |= SEGMENT_ACCESSED;
    if (outcome == EMULATE_OK)
        set_segment(c, EMU_CS, &s);
    return outcome;
}

/* ---- gates ---- */

bool gate_admits(struct emulate_context *c, uint8_t vector)
{
    const struct hvm_segment_register *table = emulated_segment(c, SEG_IDTR);
    unsigned bytes = emulated(c)->hvm->efer & EFER_LMA ? 16 : 8, at = vector * bytes;
    uint8_t rights; /* byte 5 of a gate */
    uint32_t fault;
    uint64_t gpa;
    if (at + bytes - 1 > table->limit)
        return true;
    if (hvm_copy_linear(emulated(c), table->base + at + 5, &rights, 1, WALK_READ | WALK_SYSTEM, &fault, &gpa))
        return true;
    return DPL_OF(rights) >= c->cpl;
}

/* ---- ports ---- */

/* The bits of these ports in the bitmap of the task; all ones where it has none. */
static enum emulate_outcome read_port_bits(struct emulate_context *c, uint16_t port, uint16_t *bits)
{
    const struct hvm_segment_register *tss = emulated_segment(c, SEG_TR);
    unsigned type = tss->attributes & SEG_ATTR_TYPE;
    uint16_t start;
    uint32_t fault;
    uint64_t gpa, at = tss->base + TSS_BITMAP_FIELD;
    *bits = 0xffff;
    if ((type != 9 && type != 11) || tss->limit < TSS_BITMAP_FIELD + 1)
        return EMULATE_OK;
    int error = hvm_copy_linear(emulated(c), at, &start, 2, WALK_READ | WALK_SYSTEM, &fault, &gpa);
    if (!error && (uint32_t)start + port / 8 + 1 > tss->limit)
        return EMULATE_OK;
    if (!error) {
        at = tss->base + start + port / 8;
        error = hvm_copy_linear(emulated(c), at, bits, 2, WALK_READ | WALK_SYSTEM, &fault, &gpa);
    }
    if (error == -EFAULT)
        return raise_page_fault(c, at, fault);
    return error ? EMULATE_UNHANDLED : EMULATE_OK;
}

enum emulate_outcome check_port(struct emulate_context *c, uint16_t port, unsigned bytes)
{
    bool virtual_8086 = c->protected_mode && c->regs->rflags & X86_EFLAGS_VM;
    uint16_t bits;
    if (!c->protected_mode || (c->cpl <= (c->regs->rflags >> 12 & 3) && !virtual_8086))
        return EMULATE_OK;
    enum emulate_outcome outcome = read_port_bits(c, port, &bits);
    if (outcome != EMULATE_OK)
        return outcome;
    return bits >> (port & 7) & ((1U << bytes) - 1) ? emulate_raise(c, TRAP_gp_fault, 0) : EMULATE_OK;
}
