/*
 * Decoder for the instructions we finish for PV guests; see hv/decode.h.
 */
#include <hv/decode.h>
#include <hv/lib.h>

struct cursor {
    const uint8_t *code;
    unsigned bytes, at;
    bool overrun;
};

static uint8_t next_byte(struct cursor *c)
{
    if (c->at >= c->bytes) {
        c->overrun = true;
        return 0;
    }
    return c->code[c->at++];
}

static int64_t next_signed(struct cursor *c, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)next_byte(c) << (8 * i);
    unsigned shift = 64 - 8 * size;
    return size ? (int64_t)(value << shift) >> shift : 0;
}

uint64_t *decode_register(struct cpu_user_regs *regs, unsigned number)
{
    static const uint8_t offset[16] = {
        REGS_OFFSET(rax), REGS_OFFSET(rcx), REGS_OFFSET(rdx), REGS_OFFSET(rbx), REGS_OFFSET(rsp), REGS_OFFSET(rbp),
        REGS_OFFSET(rsi), REGS_OFFSET(rdi), REGS_OFFSET(r8),  REGS_OFFSET(r9),  REGS_OFFSET(r10), REGS_OFFSET(r11),
        REGS_OFFSET(r12), REGS_OFFSET(r13), REGS_OFFSET(r14), REGS_OFFSET(r15),
    };
    return (uint64_t *)((char *)regs + offset[number & 15]);
}

static bool is_high_byte(const struct instruction *i, unsigned number, unsigned size)
{
    return size == 1 && !i->rex && number >= 4 && number < 8;
}

uint64_t register_read(struct cpu_user_regs *regs, const struct instruction *i, unsigned number, unsigned size)
{
    if (is_high_byte(i, number, size))
        return *decode_register(regs, number - 4) >> 8 & 0xff;
    uint64_t value = *decode_register(regs, number);
    return size == 8 ? value : value & ((1UL << (8 * size)) - 1);
}

void register_write(struct cpu_user_regs *regs, const struct instruction *i, unsigned number, unsigned size,
                    uint64_t value)
{
    bool high = is_high_byte(i, number, size);
    uint64_t *reg = decode_register(regs, high ? number - 4 : number);
    if (size == 8)
        *reg = value;
    else if (size == 4)
        *reg = (uint32_t)value;
    else if (high)
        *reg = (*reg & ~0xff00UL) | (value & 0xff) << 8;
    else
        *reg = (*reg & ~((1UL << (8 * size)) - 1)) | (value & ((1UL << (8 * size)) - 1));
}

static void take_prefixes(struct cursor *c, struct instruction *i)
{
    for (;;) {
        uint8_t b = c->at < c->bytes ? c->code[c->at] : 0;
        i->lock |= b == 0xf0;
        i->repne |= b == 0xf2;
        i->rep |= b == 0xf3;
        i->operand16 |= b == 0x66;
        i->address32 |= b == 0x67;
        if (b == 0x64 || b == 0x65)
            i->segment = b & 7;
        else if (b != 0xf0 && b != 0xf2 && b != 0xf3 && b != 0x66 && b != 0x67 && b != 0x2e && b != 0x36 && b != 0x3e &&
                 b != 0x26)
            break;
        c->at++;
    }
    if (c->at < c->bytes && (c->code[c->at] & 0xf0) == 0x40)
        i->rex = next_byte(c);
}

/* rip-relative displacements count from the end of the instruction, so the immediate's size must be known. */
static void take_modrm(struct cursor *c, struct instruction *i, struct cpu_user_regs *regs, unsigned immediate)
{
    uint8_t b = next_byte(c);
    i->has_modrm = true;
    i->mod = b >> 6;
    i->reg = (b >> 3 & 7) | (i->rex & 4) << 1;
    i->rm = (b & 7) | (i->rex & 1) << 3;
    if (i->mod == 3)
        return;
    uint64_t address = 0;
    if ((b & 7) == 4) {
        uint8_t sib = next_byte(c);
        unsigned base = (sib & 7) | (i->rex & 1) << 3, index = (sib >> 3 & 7) | (i->rex & 2) << 2;
        if ((sib & 7) == 5 && i->mod == 0)
            address = (uint64_t)next_signed(c, 4);
        else
            address = *decode_register(regs, base);
        if (index != 4)
            address += *decode_register(regs, index) << (sib >> 6);
    } else if ((b & 7) == 5 && i->mod == 0) {
        address = (uint64_t)next_signed(c, 4);
        address += regs->rip + c->at + immediate;
    } else {
        address = *decode_register(regs, i->rm);
    }
    if (i->mod == 1)
        address += (uint64_t)next_signed(c, 1);
    else if (i->mod == 2)
        address += (uint64_t)next_signed(c, 4);
    i->address = i->address32 ? (uint32_t)address : address;
}

enum shape { UNKNOWN, PLAIN, MODRM, IMM8, IMMZ, MODRM_IMM8, MODRM_IMMZ };

static enum shape shape_one_byte(uint8_t op)
{
    if (op < 0x40) /* eight ALU operations, six forms each */
        return (op & 7) < 4 ? MODRM : (op & 7) == 4 ? IMM8 : (op & 7) == 5 ? IMMZ : UNKNOWN;
    switch (op) {
    case 0x80:
    case 0x83:
    case 0xc0:
    case 0xc1:
    case 0xc6:
        return MODRM_IMM8;
    case 0x81:
    case 0xc7:
        return MODRM_IMMZ;
    case 0x84 ... 0x8b:
    case 0xfe:
    case 0xff:
        return MODRM;
    case 0xe4 ... 0xe7:
        return IMM8;
    case 0x6c ... 0x6f:
    case 0xec ... 0xef:
    case 0xaa:
    case 0xab:
    case 0xf4:
    case 0xfa:
    case 0xfb:
        return PLAIN;
    default:
        return UNKNOWN;
    }
}

static enum shape shape_two_byte(uint8_t op)
{
    switch (op) {
    case 0x00:
    case 0x01:
    case 0x20 ... 0x23:
    case 0xa3:
    case 0xab:
    case 0xb0:
    case 0xb1:
    case 0xb3:
    case 0xbb:
    case 0xc0:
    case 0xc1:
        return MODRM;
    case 0xba:
        return MODRM_IMM8;
    case 0x06:
    case 0x08:
    case 0x09:
    case 0x30 ... 0x33:
    case 0xa2:
        return PLAIN;
    default:
        return UNKNOWN;
    }
}

bool decode_instruction(const uint8_t *code, unsigned bytes, const struct cpu_user_regs *regs, struct instruction *out)
{
    struct cursor c = {code, min(bytes, (unsigned)MAX_INSTRUCTION), 0, false};
    *out = (struct instruction){0};
    take_prefixes(&c, out);
    out->opcode = next_byte(&c);
    if (out->opcode == 0x0f) {
        out->opcode_map = 1;
        out->opcode = next_byte(&c);
    }
    enum shape shape = out->opcode_map ? shape_two_byte(out->opcode) : shape_one_byte(out->opcode);
    if (shape == UNKNOWN)
        return false;
    if (shape == IMM8 || shape == MODRM_IMM8)
        out->immediate_bytes = 1;
    else if (shape == IMMZ || shape == MODRM_IMMZ)
        out->immediate_bytes = out->operand16 ? 2 : 4;
    if (shape == MODRM || shape == MODRM_IMM8 || shape == MODRM_IMMZ)
        take_modrm(&c, out, (struct cpu_user_regs *)regs, out->immediate_bytes);
    out->immediate = next_signed(&c, out->immediate_bytes);
    out->length = (uint8_t)c.at;
    return !c.overrun;
}
