/*
 * Decoder for the few guest instructions we finish on a PV guest's behalf. Pure: works on bytes and registers.
 * Sources: Intel SDM volume 2, AMD APM volume 3.
 */
#ifndef HV_DECODE_H
#define HV_DECODE_H

#include <hv/types.h>
#include <hv/xen.h>

#define MAX_INSTRUCTION   15
#define REGS_OFFSET(name) offsetof(struct cpu_user_regs, name)

struct instruction {
    uint8_t length;     /* bytes in all */
    uint8_t opcode_map; /* 0: one byte; 1: 0f xx */
    uint8_t opcode;
    uint8_t rex;
    bool lock, rep, repne, operand16, address32;
    uint8_t segment; /* 0 none, 4 fs, 5 gs */
    bool has_modrm;
    uint8_t mod, reg, rm; /* reg and rm with their REX bits */
    uint64_t address;     /* of the memory operand (mod != 3), segment base not added */
    uint8_t immediate_bytes;
    int64_t immediate;
};

/* Decodes one instruction of at most `bytes` bytes in 64-bit mode; false if it is none we know the shape of. Knows the
 * shape of: all one-byte ALU forms, mov, xchg, test, in/out, ins/outs, cli/sti/hlt, and 0f: system, mov cr/dr, bit ops,
 * cmpxchg, xadd, rdmsr/wrmsr, cpuid. */
bool decode_instruction(const uint8_t *code, unsigned bytes, const struct cpu_user_regs *regs, struct instruction *out);

/* Register number 0-15 in instruction encoding. */
uint64_t *decode_register(struct cpu_user_regs *regs, unsigned number);
/* Value / store with x86 rules: 8-bit registers without REX 4-7 are ah ch dh bh, 32-bit stores clear the upper half. */
uint64_t register_read(struct cpu_user_regs *regs, const struct instruction *i, unsigned number, unsigned size);
void register_write(struct cpu_user_regs *regs, const struct instruction *i, unsigned number, unsigned size,
                    uint64_t value);

#endif
