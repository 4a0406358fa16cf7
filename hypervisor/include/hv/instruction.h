/*
 * Instructions taken apart, and what their operands name: registers, and addresses in memory. For the emulator, and for
 * who finishes single instructions. Pure: it works on bytes and registers. emulate/length.c, emulate/registers.c.
 * Sources: AMD APM volume 3, Intel SDM volume 2.
 */
#ifndef HV_INSTRUCTION_H
#define HV_INSTRUCTION_H

#include <hv/emulate.h>

#define MAX_INSTRUCTION_BYTES 15

enum opcode_map { MAP_ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A };

/* The bytes of an instruction while it is taken apart. more() makes further bytes available: false = there are none. */
struct code_cursor {
    uint8_t byte[MAX_INSTRUCTION_BYTES];
    bool ended; /* more was asked for than there is */
    unsigned have, at;
    bool (*more)(struct code_cursor *cursor);
    void *owner;
};

struct instruction {
    uint8_t length;
    uint8_t map; /* enum opcode_map */
    uint8_t opcode;
    uint8_t code_bytes;                   /* as it was given */
    uint8_t rex;                          /* 0 = none; bits W 8, R 4, X 2, B 1; VEX fills it too */
    bool stray_rex;                       /* there was one before another prefix: it does not count */
    bool lock, operand_prefix;            /* f0, 66 */
    uint8_t repeat;                       /* the last of f2 and f3, 0 = none; VEX.pp fills it too */
    int8_t segment;                       /* enum emulate_segment of an override that counts, -1 = none */
    bool vex, evex, vex_256;              /* of EVEX only the length is known */
    uint8_t vex_register;                 /* vvvv, as a register number */
    uint8_t operand_bytes, address_bytes; /* 2, 4, 8 */
    bool has_modrm;
    uint8_t modrm;
    uint8_t mod, reg, rm; /* reg and rm with their REX bits */
    bool has_sib;
    uint8_t sib;
    int32_t displacement;
    uint16_t immediate2; /* nesting level of enter, selector of a far pointer */
    uint64_t immediate;  /* sign-extended; absolute address of moffs; offset of a far pointer */
};
/* Up to that, the compiler clears them by single stores and not by a loop. */
_Static_assert(sizeof(struct code_cursor) == 40 && sizeof(struct instruction) == 40, "cleared for each instruction");

enum parse_result { PARSE_OK, PARSE_INVALID, PARSE_ENDED };
/* Takes one instruction apart, of any opcode. PARSE_ENDED: bytes ran out, or it would be longer than 15. length.c
 * code_bytes: default address and operand size, 2, 4, 8. */
enum parse_result parse_instruction(struct code_cursor *cursor, unsigned code_bytes, struct instruction *out);
/* Only its length (prefixes, opcode, operands), 0 if it is no whole valid instruction in `count` bytes. */
unsigned instruction_length(const uint8_t *bytes, unsigned count, unsigned code_bytes);

static inline enum emulate_segment segment_or(const struct instruction *i, enum emulate_segment usual)
{
    return i->segment < 0 ? usual : (enum emulate_segment)i->segment;
}

/* Register number 0-15, as instructions count them. registers.c */
uint64_t *general_register(struct cpu_user_regs *regs, unsigned number);
/* With the rules of x86: bytes 4-7 without REX are ah to bh, 32-bit writes clear the upper half. */
uint64_t register_read(struct cpu_user_regs *regs, const struct instruction *i, unsigned number, unsigned bytes);
void register_write(struct cpu_user_regs *regs, const struct instruction *i, unsigned number, unsigned bytes,
                    uint64_t value);
/* The memory operand (mod != 3): its offset in *segment. next_rip: behind the instruction, from where 64-bit code
 * counts. */
uint64_t memory_operand(struct cpu_user_regs *regs, const struct instruction *i, uint64_t next_rip,
                        enum emulate_segment *segment);

static inline uint64_t low_bytes(uint64_t value, unsigned bytes)
{
    return bytes >= 8 ? value : value & ((1UL << (8 * bytes)) - 1);
}

static inline uint64_t sign_extend(uint64_t value, unsigned bytes)
{
    uint64_t sign = 1UL << (8 * bytes - 1);
    return (low_bytes(value, bytes) ^ sign) - sign;
}

#endif
