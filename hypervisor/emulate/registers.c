/*
 * What the operands of an instruction name: general registers by number, and where a memory operand is.
 */
#include <hv/instruction.h>

#define REGISTER(name) offsetof(struct cpu_user_regs, name)
uint64_t *general_register(struct cpu_user_regs *regs, unsigned number)
{
    static const uint8_t offset[16] = {
        REGISTER(rax), REGISTER(rcx), REGISTER(rdx), REGISTER(rbx), REGISTER(rsp), REGISTER(rbp),
        REGISTER(rsi), REGISTER(rdi), REGISTER(r8),  REGISTER(r9),  REGISTER(r10), REGISTER(r11),
        REGISTER(r12), REGISTER(r13), REGISTER(r14), REGISTER(r15),
    };
    return (uint64_t *)((char *)regs + offset[number & 15]);
}

static bool is_high_byte(const struct instruction *i, unsigned number, unsigned bytes)
{
    return bytes == 1 && !i->rex && number >= 4 && number < 8;
}

uint64_t register_read(struct cpu_user_regs *regs, const struct instruction *i, unsigned number, unsigned bytes)
{
    if (is_high_byte(i, number, bytes))
        return *general_register(regs, number - 4) >> 8 & 0xff;
    return low_bytes(*general_register(regs, number), bytes);
}

void register_write(struct cpu_user_regs *regs, const struct instruction *i, unsigned number, unsigned bytes,
                    uint64_t value)
{
    if (is_high_byte(i, number, bytes)) {
        uint64_t *reg = general_register(regs, number - 4);
        *reg = (*reg & ~0xff00UL) | (value & 0xff) << 8;
        return;
    }
    uint64_t *reg = general_register(regs, number);
    if (bytes >= 4)
        *reg = low_bytes(value, bytes);
    else
        *reg = (*reg ^ low_bytes(*reg, bytes)) | low_bytes(value, bytes);
}

/* AMD APM volume 3, table A-34. */
static uint64_t address_16(struct cpu_user_regs *regs, const struct instruction *i, bool *stack)
{
    static const struct {
        int8_t base, index;
    } pair[8] = {{3, 6}, {3, 7}, {5, 6}, {5, 7}, {6, -1}, {7, -1}, {5, -1}, {3, -1}};
    unsigned form = i->modrm & 7;
    uint64_t address = (uint64_t)i->displacement;
    if (form == 6 && i->mod == 0)
        return address;
    *stack = pair[form].base == 5;
    address += *general_register(regs, (unsigned)pair[form].base);
    if (pair[form].index >= 0)
        address += *general_register(regs, (unsigned)pair[form].index);
    return address;
}

static uint64_t address_32(struct cpu_user_regs *regs, const struct instruction *i, uint64_t next_rip, bool *stack)
{
    uint64_t address = (uint64_t)i->displacement;
    unsigned base = i->rm;
    if (i->has_sib) {
        unsigned index = (i->sib >> 3 & 7) | (i->rex & 2) << 2;
        base = (i->sib & 7) | (i->rex & 1) << 3;
        if (index != 4)
            address += *general_register(regs, index) << (i->sib >> 6);
    }
    if ((base & 7) == 5 && i->mod == 0) {
        bool relative = !i->has_sib && i->code_bytes == 8;
        return relative ? address + next_rip : address;
    }
    *stack = base == 4 || base == 5;
    return address + *general_register(regs, base);
}

uint64_t memory_operand(struct cpu_user_regs *regs, const struct instruction *i, uint64_t next_rip,
                        enum emulate_segment *segment)
{
    bool stack = false;
    uint64_t address = i->address_bytes == 2 ? address_16(regs, i, &stack) : address_32(regs, i, next_rip, &stack);
    *segment = segment_or(i, stack ? EMU_SS : EMU_DS);
    return low_bytes(address, i->address_bytes);
}
