/*
 * How instructions are laid out: which opcodes have a ModRM byte and which immediates follow, in 16-, 32- and 64-bit
 * code. Every opcode of the one-byte, 0F, 0F38 and 0F3A maps, VEX and EVEX forms included.
 * Sources: AMD APM volume 3, chapter 1 and appendix A; Intel SDM volume 2, chapter 2 and appendix A.
 */
#include <hv/instruction.h>
#include <hv/lib.h>

enum shape {
    /* what follows the opcode and its operands */
    IMMEDIATE_8 = 1,
    IMMEDIATE_16,    /* whatever the operand size */
    IMMEDIATE_WORD,  /* operand size, at most 4 */
    IMMEDIATE_FULL,  /* operand size */
    IMMEDIATE_ENTER, /* 2 and 1 */
    IMMEDIATE_FAR,   /* offset and selector */
    IMMEDIATE_MOFFS, /* address size */
    IMMEDIATE_NEAR,  /* branch displacement: always 4 in 64-bit code (as Intel's processors have it) */
    IMMEDIATE_TEST,  /* ModRM.reg 0 and 1 of group 3 only: operand size, at most 4; byte form by opcode bit 0 */
    IMMEDIATE_EXTRQ, /* 0F 78 with 66 or F2: two bytes */
    IMMEDIATE_MASK = 0x0f,
    MODRM = 0x10,
    REGISTERS_ONLY = 0x20, /* ModRM.mod is taken for 3 (mov of control and debug registers) */
    INVALID = 0x40,
    INVALID_64 = 0x80, /* in 64-bit code */
};

#define ALU_ROW(first)                                                                                                 \
    [first... first + 3] = MODRM, [first + 4] = IMMEDIATE_8, [first + 5] = IMMEDIATE_WORD, [first + 6] = INVALID_64,   \
                      [first + 7] = INVALID_64

/* Prefixes and escapes never get here. */
static const uint8_t one_byte_shape[256] = {
    ALU_ROW(0x00),
    ALU_ROW(0x08),
    ALU_ROW(0x10),
    ALU_ROW(0x18),
    ALU_ROW(0x20),
    ALU_ROW(0x28),
    ALU_ROW(0x30),
    ALU_ROW(0x38),
    [0x60 ... 0x61] = INVALID_64,
    [0x62] = MODRM | INVALID_64,
    [0x63] = MODRM,
    [0x68] = IMMEDIATE_WORD,
    [0x69] = MODRM | IMMEDIATE_WORD,
    [0x6a] = IMMEDIATE_8,
    [0x6b] = MODRM | IMMEDIATE_8,
    [0x70 ... 0x7f] = IMMEDIATE_8,
    [0x80] = MODRM | IMMEDIATE_8,
    [0x81] = MODRM | IMMEDIATE_WORD,
    [0x82] = MODRM | IMMEDIATE_8 | INVALID_64,
    [0x83] = MODRM | IMMEDIATE_8,
    [0x84 ... 0x8f] = MODRM,
    [0x9a] = IMMEDIATE_FAR | INVALID_64,
    [0xa0 ... 0xa3] = IMMEDIATE_MOFFS,
    [0xa8] = IMMEDIATE_8,
    [0xa9] = IMMEDIATE_WORD,
    [0xb0 ... 0xb7] = IMMEDIATE_8,
    [0xb8 ... 0xbf] = IMMEDIATE_FULL,
    [0xc0 ... 0xc1] = MODRM | IMMEDIATE_8,
    [0xc2] = IMMEDIATE_16,
    [0xc4 ... 0xc5] = MODRM | INVALID_64,
    [0xc6] = MODRM | IMMEDIATE_8,
    [0xc7] = MODRM | IMMEDIATE_WORD,
    [0xc8] = IMMEDIATE_ENTER,
    [0xca] = IMMEDIATE_16,
    [0xcd] = IMMEDIATE_8,
    [0xce] = INVALID_64,
    [0xd0 ... 0xd3] = MODRM,
    [0xd4 ... 0xd5] = IMMEDIATE_8 | INVALID_64,
    [0xd6] = INVALID_64,
    [0xd8 ... 0xdf] = MODRM,
    [0xe0 ... 0xe7] = IMMEDIATE_8,
    [0xe8 ... 0xe9] = IMMEDIATE_NEAR,
    [0xea] = IMMEDIATE_FAR | INVALID_64,
    [0xeb] = IMMEDIATE_8,
    [0xf6 ... 0xf7] = MODRM | IMMEDIATE_TEST,
    [0xfe ... 0xff] = MODRM,
};

static const uint8_t two_byte_shape[256] = {
    [0x00 ... 0x03] = MODRM,
    [0x04] = INVALID,
    [0x0a] = INVALID,
    [0x0c] = INVALID,
    [0x0d] = MODRM,
    [0x0f] = MODRM | IMMEDIATE_8, /* 3DNow!: the operation comes last */
    [0x10 ... 0x1f] = MODRM,
    [0x20 ... 0x23] = MODRM | REGISTERS_ONLY,
    [0x24 ... 0x27] = INVALID,
    [0x28 ... 0x2f] = MODRM,
    [0x36] = INVALID,
    [0x39] = INVALID,
    [0x3b ... 0x3f] = INVALID,
    [0x40 ... 0x6f] = MODRM,
    [0x70 ... 0x73] = MODRM | IMMEDIATE_8,
    [0x74 ... 0x76] = MODRM,
    [0x78] = MODRM | IMMEDIATE_EXTRQ,
    [0x79] = MODRM,
    [0x7a ... 0x7b] = INVALID,
    [0x7c ... 0x7f] = MODRM,
    [0x80 ... 0x8f] = IMMEDIATE_NEAR,
    [0x90 ... 0x9f] = MODRM,
    [0xa3] = MODRM,
    [0xa4] = MODRM | IMMEDIATE_8,
    [0xa5] = MODRM,
    [0xa6 ... 0xa7] = INVALID,
    [0xab] = MODRM,
    [0xac] = MODRM | IMMEDIATE_8,
    [0xad ... 0xb9] = MODRM,
    [0xba] = MODRM | IMMEDIATE_8,
    [0xbb ... 0xc1] = MODRM,
    [0xc2] = MODRM | IMMEDIATE_8,
    [0xc3] = MODRM,
    [0xc4 ... 0xc6] = MODRM | IMMEDIATE_8,
    [0xc7] = MODRM,
    [0xd0 ... 0xff] = MODRM,
};

static uint8_t next_byte(struct code_cursor *c)
{
    if (c->at == c->have && (c->ended || !c->more || !c->more(c))) {
        c->ended = true;
        return 0;
    }
    return c->byte[c->at++];
}

static uint64_t next_bytes(struct code_cursor *c, unsigned count)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value |= (uint64_t)next_byte(c) << (8 * i);
    return value;
}

static uint64_t next_signed(struct code_cursor *c, unsigned count)
{
    uint64_t value = next_bytes(c, count), sign = 1UL << (8 * count - 1);
    return (value ^ sign) - sign;
}

static uint8_t peek_byte(struct code_cursor *c)
{
    uint8_t byte = next_byte(c);
    if (!c->ended)
        c->at--;
    return byte;
}

enum prefix { NO_PREFIX, OPERAND_SIZE, ADDRESS_SIZE, LOCK_PREFIX, REPEAT, SEGMENT /* + enum emulate_segment */ };

static const uint8_t legacy_prefix[256] = {
    [0x26] = SEGMENT + EMU_ES, [0x2e] = SEGMENT + EMU_CS, [0x36] = SEGMENT + EMU_SS, [0x3e] = SEGMENT + EMU_DS,
    [0x64] = SEGMENT + EMU_FS, [0x65] = SEGMENT + EMU_GS, [0x66] = OPERAND_SIZE,     [0x67] = ADDRESS_SIZE,
    [0xf0] = LOCK_PREFIX,      [0xf2 ... 0xf3] = REPEAT,
};

/* 64-bit code has overrides to FS and GS alone: the others do not even take those back. */
static void note_prefix(struct instruction *i, uint8_t byte, bool *address_prefix)
{
    unsigned prefix = legacy_prefix[byte];
    if (prefix == OPERAND_SIZE)
        i->operand_prefix = true;
    else if (prefix == ADDRESS_SIZE)
        *address_prefix = true;
    else if (prefix == LOCK_PREFIX)
        i->lock = true;
    else if (prefix == REPEAT)
        i->repeat = byte;
    else if (i->code_bytes != 8 || prefix >= SEGMENT + EMU_FS)
        i->segment = (int8_t)(prefix - SEGMENT);
}

/* Prefixes and the sizes they choose. Only a REX that is last counts. Returns the first byte after them. */
static uint8_t take_prefixes(struct code_cursor *c, struct instruction *i)
{
    unsigned code_bytes = i->code_bytes;
    bool address_prefix = false;
    uint8_t byte;
    for (;;) {
        byte = next_byte(c);
        if (c->ended)
            return byte;
        bool is_rex = code_bytes == 8 && (byte & 0xf0) == 0x40;
        if (!is_rex && !legacy_prefix[byte])
            break;
        if (!is_rex)
            note_prefix(i, byte, &address_prefix);
        i->stray_rex |= i->rex != 0;
        i->rex = is_rex ? byte : 0;
    }
    unsigned other = code_bytes == 4 ? 2 : 4;
    i->address_bytes = (uint8_t)(address_prefix ? other : code_bytes);
    if (code_bytes == 8)
        i->operand_bytes = i->rex & 8 ? 8 : i->operand_prefix ? 2 : 4;
    else
        i->operand_bytes = (uint8_t)(i->operand_prefix ? other : code_bytes);
    return byte;
}

/* The compressed prefix: 66, F3 or F2 in two bits. */
static void expand_pp(struct instruction *i, uint8_t bits)
{
    static const uint8_t repeat[4] = {0, 0, 0xf3, 0xf2};
    i->operand_prefix = (bits & 3) == 1;
    i->repeat = repeat[bits & 3];
    i->vex_register = ~bits >> 3 & 15;
}

/* first: C4, C5 or 62, known to be a prefix. Register bits are stored inverted; outside 64-bit code they are ones. */
static bool take_vex(struct code_cursor *c, uint8_t first, struct instruction *i)
{
    if (i->lock || i->repeat || i->operand_prefix || i->rex)
        return false;
    uint8_t byte = next_byte(c), map = MAP_0F;
    i->vex = true;
    i->evex = first == 0x62;
    i->rex = byte & 0x80 ? 0 : 4;
    if (first != 0xc5) {
        map = byte & (i->evex ? 7 : 31);
        i->rex = ~byte >> 5 & 7;
        byte = next_byte(c);
        i->rex |= byte & 0x80 ? 8 : 0;
    }
    expand_pp(i, byte);
    i->vex_256 = byte & 4;
    if (i->evex)
        next_byte(c);
    i->rex |= 0x40;
    if (i->code_bytes != 8)
        i->rex = 0;
    i->opcode = next_byte(c);
    i->map = map;
    /* Maps 5 and 6 (EVEX only) are laid out as 0F38 is. */
    if (i->evex && (map == 5 || map == 6))
        i->map = MAP_0F38;
    bool has_branches = i->map == MAP_0F && (i->opcode & 0xf0) == 0x80;
    return map != 0 && i->map <= MAP_0F3A && !has_branches;
}

/* C4, C5 and 62 are prefixes in 64-bit code, and elsewhere where ModRM would name a register. */
static bool is_vex(struct code_cursor *c, uint8_t byte, unsigned code_bytes)
{
    return (byte == 0xc4 || byte == 0xc5 || byte == 0x62) && (code_bytes == 8 || peek_byte(c) >= 0xc0);
}

static bool take_opcode(struct code_cursor *c, struct instruction *i)
{
    uint8_t byte = take_prefixes(c, i);
    if (c->ended)
        return false;
    if (is_vex(c, byte, i->code_bytes))
        return take_vex(c, byte, i);
    if (byte == 0x0f) {
        i->map = MAP_0F;
        byte = next_byte(c);
        if (byte == 0x38 || byte == 0x3a) {
            i->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
            byte = next_byte(c);
        }
    }
    i->opcode = byte;
    return true;
}

static unsigned displacement_bytes(const struct instruction *i)
{
    unsigned low = i->modrm & 7;
    if (i->mod == 3)
        return 0;
    if (i->mod == 1)
        return 1;
    if (i->address_bytes == 2)
        return i->mod == 2 || low == 6 ? 2 : 0;
    bool no_base = low == 5 || (low == 4 && (i->sib & 7) == 5);
    return i->mod == 2 || no_base ? 4 : 0;
}

static void take_modrm(struct code_cursor *c, struct instruction *i, unsigned shape)
{
    i->has_modrm = true;
    i->modrm = next_byte(c);
    i->mod = shape & REGISTERS_ONLY ? 3 : i->modrm >> 6;
    i->reg = (i->modrm >> 3 & 7) | (i->rex & 4) << 1;
    i->rm = (i->modrm & 7) | (i->rex & 1) << 3;
    i->has_sib = i->mod != 3 && i->address_bytes != 2 && (i->modrm & 7) == 4;
    if (i->has_sib)
        i->sib = next_byte(c);
    unsigned bytes = displacement_bytes(i);
    if (bytes)
        i->displacement = (int32_t)next_signed(c, bytes);
}

static void take_immediate(struct code_cursor *c, struct instruction *i, unsigned kind)
{
    unsigned word = min(i->operand_bytes, (uint8_t)4), bytes = 0;
    static const uint8_t fixed[IMMEDIATE_MASK + 1] = {[IMMEDIATE_8] = 1, [IMMEDIATE_16] = 2, [IMMEDIATE_ENTER] = 2};
    switch (kind) {
    case IMMEDIATE_WORD:
    case IMMEDIATE_FAR:
        bytes = word;
        break;
    case IMMEDIATE_FULL:
        bytes = i->operand_bytes;
        break;
    case IMMEDIATE_MOFFS:
        bytes = i->address_bytes;
        break;
    case IMMEDIATE_NEAR:
        bytes = i->code_bytes == 8 ? 4 : word;
        break;
    case IMMEDIATE_TEST:
        bytes = i->modrm & 0x30 ? 0 : i->opcode & 1 ? word : 1;
        break;
    case IMMEDIATE_EXTRQ:
        bytes = i->operand_prefix || i->repeat == 0xf2 ? 2 : 0;
        break;
    default:
        bytes = fixed[kind];
    }
    if (bytes)
        i->immediate = kind == IMMEDIATE_MOFFS ? next_bytes(c, bytes) : next_signed(c, bytes);
    if (kind == IMMEDIATE_ENTER || kind == IMMEDIATE_FAR)
        i->immediate2 = (uint16_t)next_bytes(c, kind == IMMEDIATE_FAR ? 2 : 1);
}

static unsigned shape_of(const struct instruction *i)
{
    switch (i->map) {
    case MAP_ONE_BYTE:
        return one_byte_shape[i->opcode];
    case MAP_0F:
        return two_byte_shape[i->opcode];
    case MAP_0F38:
        return MODRM;
    default:
        return MODRM | IMMEDIATE_8;
    }
}

enum parse_result parse_instruction(struct code_cursor *cursor, unsigned code_bytes, struct instruction *out)
{
    *out = (struct instruction){.code_bytes = (uint8_t)code_bytes, .segment = -1};
    if (!take_opcode(cursor, out) || cursor->ended)
        return cursor->ended ? PARSE_ENDED : PARSE_INVALID;
    unsigned shape = shape_of(out);
    if (shape & INVALID || (shape & INVALID_64 && code_bytes == 8))
        return PARSE_INVALID;
    if (shape & MODRM)
        take_modrm(cursor, out, shape);
    if (shape & IMMEDIATE_MASK)
        take_immediate(cursor, out, shape & IMMEDIATE_MASK);
    out->length = (uint8_t)cursor->at;
    return cursor->ended ? PARSE_ENDED : PARSE_OK;
}

unsigned instruction_length(const uint8_t *bytes, unsigned count, unsigned code_bytes)
{
    struct code_cursor cursor = {.have = min(count, (unsigned)MAX_INSTRUCTION_BYTES)};
    struct instruction instruction;
    memcpy(cursor.byte, bytes, cursor.have);
    return parse_instruction(&cursor, code_bytes, &instruction) == PARSE_OK ? instruction.length : 0;
}
