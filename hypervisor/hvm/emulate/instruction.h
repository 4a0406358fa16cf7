/*
 * Inside the emulator: the parts of an instruction, its operands, and the functions that its files share.
 *
 *   length.c     bytes to struct instruction, by shape tables that know every opcode's length
 *   decode.c     fetches code, finds operands, reads and writes them
 *   arithmetic.c values and flags, no machine state
 *   execute.c    the dispatch tables
 *   data.c, integer.c, bits.c, flow.c, string.c, system.c, vector.c   what the instructions do
 */
#ifndef HV_EMULATE_INSTRUCTION_H
#define HV_EMULATE_INSTRUCTION_H

#include <hv/cpu.h>
#include <hv/emulate.h>

#define MAX_INSTRUCTION_BYTES 15

enum opcode_map { MAP_ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A };

/* The bytes of an instruction while it is taken apart. more() makes further bytes available: false = there are none. */
struct code_cursor {
    uint8_t byte[MAX_INSTRUCTION_BYTES];
    unsigned have, at;
    bool ended; /* more was asked for than there is */
    bool (*more)(struct code_cursor *cursor);
    void *owner;
};

struct instruction {
    uint8_t length;
    uint8_t map; /* enum opcode_map */
    uint8_t opcode;
    uint8_t rex;                          /* 0 = none; bits W 8, R 4, X 2, B 1; VEX fills it too */
    bool lock, operand_prefix;            /* f0, 66 */
    uint8_t repeat;                       /* the last of f2 and f3, 0 = none; VEX.pp fills it too */
    int8_t segment;                       /* enum emulate_segment of an override, -1 = none */
    bool vex, evex, vex_256;              /* of EVEX only the length is known */
    uint8_t vex_register;                 /* vvvv, as a register number */
    uint8_t operand_bytes, address_bytes; /* 2, 4, 8 */
    bool has_modrm;
    uint8_t modrm;
    uint8_t mod, reg, rm; /* reg and rm with their REX bits */
    bool has_sib;
    uint8_t sib;
    int32_t displacement;
    uint64_t immediate;  /* sign-extended; absolute address of moffs; offset of a far pointer */
    uint16_t immediate2; /* nesting level of enter, selector of a far pointer */
};

enum parse_result { PARSE_OK, PARSE_INVALID, PARSE_ENDED };
/* Takes one instruction apart. PARSE_ENDED: bytes ran out, or it would be longer than 15. length.c */
enum parse_result parse_instruction(struct code_cursor *cursor, unsigned code_bytes, struct instruction *out);

#endif
