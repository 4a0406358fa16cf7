/*
 * Inside the emulator: an instruction's operands, and the functions that its files share.
 *
 *   length.c     bytes to struct instruction, by shape tables that know every opcode's length (hv/instruction.h)
 *   registers.c  registers by number, addresses of memory operands (hv/instruction.h)
 *   decode.c     fetches code, finds operands, reads and writes them
 *   arithmetic.c values and flags, no machine state (hv/arithmetic.h)
 *   execute.c    the dispatch tables
 *   data.c, integer.c, bits.c, flow.c, string.c, system.c, vector.c   what the instructions do
 */
#ifndef HV_EMULATE_INSTRUCTION_H
#define HV_EMULATE_INSTRUCTION_H

#include <hv/arithmetic.h>
#include <hv/cpu.h>
#include <hv/emulate.h>
#include <hv/instruction.h>
#include <hv/traps.h>

/* ---- operands ---- */

/* Where an opcode has an operand. */
enum place {
    NOWHERE,
    RM,      /* ModRM.rm: register or memory */
    REG,     /* ModRM.reg */
    AX,      /* accumulator */
    CL,      /* always one byte */
    ONE,     /* the number 1 */
    IMM,     /* immediate, sign-extended */
    OPREG,   /* low three bits of the opcode */
    MOFFS,   /* absolute address after the opcode */
    ADDRESS, /* memory of ModRM.rm, found but not read; its register form is #UD */
};

enum operand_kind { OPERAND_NONE, OPERAND_REGISTER, OPERAND_MEMORY, OPERAND_VALUE };

struct operand {
    uint8_t kind, bytes;
    uint8_t number;  /* of a register */
    uint8_t segment; /* of memory */
    uint64_t offset;
    uint64_t value;
    uint64_t loaded; /* what it held when it was read */
};

enum {
    LOAD = 0x1,      /* the destination is read */
    STORE = 0x2,     /* and written after the function has said EMULATE_OK */
    LOCK = 0x4,      /* may be locked when in memory */
    BYTE = 0x8,      /* operands of one byte; otherwise of operand size */
    SOURCE_8 = 0x10, /* the source has one or two bytes */
    SOURCE_16 = 0x20,
    DEFAULT_64 = 0x40, /* operand size in 64-bit code: 8, or 2 by prefix */
    ALWAYS_64 = 0x80,  /* 8, whatever the prefix */
    NOT_64 = 0x100,    /* #UD in 64-bit code */
    MEMORY = 0x200,    /* the register form is #UD */
    PRIVILEGED = 0x400,
    BIT_STRING = 0x800, /* a bit number in a register moves the memory operand */
    SOURCE_32 = 0x1000, /* four bytes, or operand size if that is less */
    ONLY_64 = 0x2000,   /* another instruction, not known here, outside 64-bit code */
    MODIFY = LOAD | STORE | LOCK,
};

struct emulation;
typedef enum emulate_outcome (*execute_function)(struct emulation *e);

/* One row of the dispatch tables; a group is chosen further by ModRM.reg. */
struct opcode {
    execute_function execute; /* NULL: not known */
    const struct opcode *group;
    uint8_t destination, source; /* enum place */
    uint16_t flags;
};

struct emulation {
    struct emulate_context *context;
    struct cpu_user_regs regs; /* working copy, committed at the end; rip is already after the instruction */
    struct instruction i;
    const struct opcode *opcode;
    struct operand destination, source;
    uint64_t start; /* rip of the instruction */
    bool commit;    /* registers shall be taken over although the outcome is not EMULATE_OK: whole repetitions */
};

/* Runs a step and passes any other outcome than EMULATE_OK on. */
#define TRY(step)                                                                                                      \
    do {                                                                                                               \
        enum emulate_outcome outcome_ = (step);                                                                        \
        if (outcome_ != EMULATE_OK)                                                                                    \
            return outcome_;                                                                                           \
    } while (0)

/* Short for an operation of the context. */
#define OPERATION(e, name, ...) ((e)->context->operations->name((e)->context, ##__VA_ARGS__))

/* ---- decode.c ---- */
enum emulate_outcome fetch_instruction(struct emulation *e);
enum emulate_outcome find_operand(struct emulation *e, enum place place, unsigned bytes, struct operand *o);
enum emulate_outcome load_operand(struct emulation *e, struct operand *o, bool will_write);
/* Writes o->value; locked or not. EMULATE_RETRY when somebody else changed locked memory meanwhile. */
enum emulate_outcome store_operand(struct emulation *e, const struct operand *o, bool locked);
enum emulate_outcome read_memory(struct emulation *e, enum emulate_segment segment, uint64_t offset, void *to,
                                 unsigned bytes);
enum emulate_outcome write_memory(struct emulation *e, enum emulate_segment segment, uint64_t offset, const void *from,
                                  unsigned bytes);
enum emulate_outcome push(struct emulation *e, uint64_t value, unsigned bytes);
enum emulate_outcome pop(struct emulation *e, uint64_t *value, unsigned bytes);
/* The working copy's rip, after the checks of CS. */
enum emulate_outcome jump_to(struct emulation *e, uint64_t target, unsigned bytes);
enum emulate_outcome require_privilege(struct emulation *e);

static inline uint64_t get_register(struct emulation *e, unsigned number, unsigned bytes)
{
    return register_read(&e->regs, &e->i, number, bytes);
}
static inline void set_register(struct emulation *e, unsigned number, unsigned bytes, uint64_t value)
{
    register_write(&e->regs, &e->i, number, bytes, value);
}
static inline enum emulate_outcome raise_ud(struct emulation *e)
{
    return emulate_raise(e->context, TRAP_invalid_op, 0);
}
static inline enum emulate_outcome raise_gp(struct emulation *e)
{
    return emulate_raise(e->context, TRAP_gp_fault, 0);
}
static inline bool is_virtual_8086(const struct emulation *e)
{
    return e->context->protected_mode && e->context->regs->rflags & X86_EFLAGS_VM;
}
static inline bool is_real_mode(const struct emulation *e)
{
    return !e->context->protected_mode;
}

static inline unsigned io_privilege_level(const struct emulation *e)
{
    return e->regs.rflags >> 12 & 3;
}
/* Flags as popf and iret of `bytes` take them from the stack, at this privilege; and those in `more`. stack.c */
void take_flags(struct emulation *e, uint64_t value, unsigned bytes, uint64_t more);

/* ---- execute functions, by file ---- */
#define EXECUTE(name) enum emulate_outcome name(struct emulation *e)
/* data.c */
EXECUTE(move);
EXECUTE(move_sign_extended);
EXECUTE(exchange);
EXECUTE(compare_exchange);
EXECUTE(compare_exchange_wide);
EXECUTE(exchange_add);
EXECUTE(byte_swap);
EXECUTE(move_swapped);
EXECUTE(load_address);
EXECUTE(move_if);
EXECUTE(set_if);
EXECUTE(move_from_segment);
EXECUTE(move_to_segment);
EXECUTE(load_far_pointer);
EXECUTE(translate_byte);
EXECUTE(convert_accumulator);
EXECUTE(extend_accumulator);
EXECUTE(load_ah_flags);
EXECUTE(store_ah_flags);
/* stack.c */
EXECUTE(push_operand);
EXECUTE(pop_register);
EXECUTE(pop_operand);
EXECUTE(push_segment);
EXECUTE(pop_segment);
EXECUTE(push_all);
EXECUTE(pop_all);
EXECUTE(push_flags);
EXECUTE(pop_flags);
EXECUTE(enter_frame);
EXECUTE(leave_frame);
/* integer.c */
EXECUTE(alu_by_opcode);
EXECUTE(alu_by_modrm);
EXECUTE(test_bits);
EXECUTE(increment);
EXECUTE(decrement);
EXECUTE(invert);
EXECUTE(negate);
EXECUTE(shift_by_modrm);
EXECUTE(shift_left_double);
EXECUTE(shift_right_double);
EXECUTE(bit_operation);
EXECUTE(bit_scan);
EXECUTE(count_bits);
EXECUTE(multiply_accumulator);
EXECUTE(multiply_register);
EXECUTE(divide_accumulator);
EXECUTE(decimal_adjust);
EXECUTE(ascii_adjust);
EXECUTE(ascii_multiply);
EXECUTE(ascii_divide);
/* flow.c */
EXECUTE(jump_near);
EXECUTE(jump_if);
EXECUTE(jump_indirect);
EXECUTE(jump_far);
EXECUTE(jump_far_indirect);
EXECUTE(call_near);
EXECUTE(call_indirect);
EXECUTE(call_far);
EXECUTE(call_far_indirect);
EXECUTE(return_near);
EXECUTE(return_far);
EXECUTE(loop_while);
EXECUTE(jump_if_count_zero);
EXECUTE(interrupt);
EXECUTE(return_from_interrupt);
/* string.c */
EXECUTE(string_move);
EXECUTE(string_store);
EXECUTE(string_load);
EXECUTE(string_scan);
EXECUTE(string_compare);
EXECUTE(string_in);
EXECUTE(string_out);
/* system.c */
EXECUTE(do_nothing);
EXECUTE(undefined);
EXECUTE(port_in);
EXECUTE(port_out);
EXECUTE(change_flag);
EXECUTE(change_interrupt_flag);
EXECUTE(halt);
EXECUTE(identify);
EXECUTE(read_model_register);
EXECUTE(write_model_register);
EXECUTE(read_time_stamp);
EXECUTE(move_from_control);
EXECUTE(move_to_control);
EXECUTE(move_from_debug);
EXECUTE(move_to_debug);
EXECUTE(clear_task_switched);
EXECUTE(store_machine_status);
EXECUTE(load_machine_status);
EXECUTE(store_table_register);
EXECUTE(load_table_register);
EXECUTE(invalidate_page);
EXECUTE(fence_or_flush);
/* vector.c */
EXECUTE(vector_move);

#endif
