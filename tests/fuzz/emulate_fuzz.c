/*
 * Fuzz target of the instruction emulator: any bytes as code, in any mode, with any registers. Whatever comes out, no
 * sanitizer complains, registers stay as they were unless the instruction (or whole repetitions of it) was executed,
 * and what was executed has a length.
 *
 * Input: mode, flags, what the machine does, sixteen bytes that choose registers, code.
 */
#include "../unit/hypervisor/emulate/machine.h"
#include <hv/instruction.h>
#include <stdlib.h>
#include <string.h>

#define CODE            0x1000
#define HEAD            20
#define INSTRUCTION_MAX 15

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

static struct machine machine;

/* A register's value from one byte: near memory, small, or at an edge. */
static uint64_t value_of(uint8_t byte)
{
    static const uint64_t values[8] = {0x2000, 0x1d000, 0x1e000, 0x1f000, ~0UL, 0x80000000, 1UL << 63, 0};
    return values[byte >> 5] + (byte & 31) - 8;
}

static void choose_registers(struct cpu_user_regs *regs, const uint8_t *choice)
{
    uint64_t *const reg[16] = {&regs->rax, &regs->rcx, &regs->rdx, &regs->rbx, &regs->rsp, &regs->rbp,
                               &regs->rsi, &regs->rdi, &regs->r8,  &regs->r9,  &regs->r10, &regs->r11,
                               &regs->r12, &regs->r13, &regs->r14, &regs->r15};
    for (unsigned i = 0; i < 16; i++)
        *reg[i] = value_of(choice[i]);
}

static void choose_mode(struct emulate_context *c, const uint8_t *head)
{
    static const uint8_t sizes[4] = {2, 4, 8, 2};
    c->code_bytes = sizes[head[0] & 3];
    c->stack_bytes = c->code_bytes == 8 ? 8 : head[0] & 4 ? 2 : 4;
    c->cpl = head[0] & 8 ? 3 : 0;
    c->protected_mode = c->code_bytes != 2 || head[0] & 16;
    c->operations = head[0] & 32 ? &machine_bulk_operations : &machine_operations;
    c->regs->rflags = 2 | (head[1] & 0xd5) | (head[1] & 2 ? 0x400 : 0) | (head[1] & 8 ? 0x100 : 0) |
                      (head[1] & 32 ? 0x3000 : 0) | (head[0] & 64 ? 0x20000 : 0);
    machine.waits = head[2] & 1;
    machine.loses_exchange = head[2] & 2;
    machine.cr[0] = head[2] & 4 ? 8 : 0;
}

/* Only a string instruction stops with some of its work done. */
static bool repeats(const uint8_t *code, unsigned count)
{
    return memchr(code, 0xf2, count) || memchr(code, 0xf3, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    struct cpu_user_regs regs = {.rip = CODE}, before;
    struct emulate_context c = {.regs = &regs, .owner = &machine};
    if (bytes <= HEAD || bytes > HEAD + 64)
        return 0;
    machine_reset(&machine);
    choose_mode(&c, input);
    choose_registers(&regs, input + 4);
    memcpy(machine.memory + CODE, input + HEAD, bytes - HEAD);
    unsigned length = instruction_length(machine.memory + CODE, INSTRUCTION_MAX, c.code_bytes);
    before = regs;
    enum emulate_outcome outcome = emulate_instruction(&c);
    bool changed = memcmp(&before, &regs, sizeof(regs)) != 0;
    if (outcome > EMULATE_UNHANDLED || length > INSTRUCTION_MAX || (outcome == EMULATE_OK && length == 0))
        abort();
    if (outcome != EMULATE_OK && changed && (regs.rip != CODE || !repeats(input + HEAD, (unsigned)(bytes - HEAD))))
        abort();
    return 0;
}
