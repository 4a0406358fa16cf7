/*
 * What instructions compute: values of 1, 2, 4 or 8 bytes; *flags is rflags, of which the arithmetic flags change.
 * emulate/arithmetic.c
 */
#ifndef HV_ARITHMETIC_H
#define HV_ARITHMETIC_H

#include <hv/types.h>

#define FLAG_CF          0x001UL
#define FLAG_PF          0x004UL
#define FLAG_AF          0x010UL
#define FLAG_ZF          0x040UL
#define FLAG_SF          0x080UL
#define FLAG_OF          0x800UL
#define ARITHMETIC_FLAGS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

enum alu_operation { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
enum shift_operation { SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR, SHIFT_SHL, SHIFT_SHR, SHIFT_SAL, SHIFT_SAR };
uint64_t alu(enum alu_operation operation, unsigned bytes, uint64_t a, uint64_t b, uint64_t *flags);
/* bt 0, bts 1, btr 2, btc 3, as opcodes and ModRM number them: value with its bit changed, which the carry flag had. */
uint64_t change_bit(unsigned operation, uint64_t value, unsigned bit, uint64_t *flags);
uint64_t shift(enum shift_operation operation, unsigned bytes, uint64_t a, unsigned count, uint64_t *flags);
uint64_t shift_double(bool left, unsigned bytes, uint64_t a, uint64_t filler, unsigned count, uint64_t *flags);
void multiply(bool is_signed, unsigned bytes, uint64_t a, uint64_t b, uint64_t *low, uint64_t *high, uint64_t *flags);
/* False: divisor 0, or the quotient does not fit. */
bool divide(bool is_signed, unsigned bytes, uint64_t high, uint64_t low, uint64_t divisor, uint64_t *quotient,
            uint64_t *remainder);
/* Condition code of jcc, setcc, cmovcc: low four bits of the opcode. */
bool condition_holds(unsigned code, uint64_t flags);
void set_flag(uint64_t *flags, uint64_t flag, bool value);

#endif
