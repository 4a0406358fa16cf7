/*
 * Instructions of ours that may fault by design, and where to continue when they do.
 */
#include <hv/cpu.h>
#include <hv/traps.h>

struct extable_entry {
    int32_t from, to;
};
extern const struct extable_entry extable_start[], extable_end[];

bool extable_fixup(struct cpu_user_regs *regs)
{
    for (const struct extable_entry *e = extable_start; e < extable_end; e++) {
        if ((uint64_t)&e->from + (int64_t)e->from == regs->rip) {
            regs->rip = (uint64_t)&e->to + (int64_t)e->to;
            return true;
        }
    }
    return false;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    uint32_t low, high;
    bool failed;
    __asm__ volatile("1: rdmsr\n\txorl %k2, %k2\n\tjmp 3f\n2: xorl %%eax, %%eax\n\txorl %%edx, %%edx\n\tmovl $1, "
                     "%k2\n3:\n\t" EXTABLE_ENTRY("1b", "2b")
                     : "=a"(low), "=d"(high), "=&r"(failed)
                     : "c"(msr));
    *value = (uint64_t)high << 32 | low;
    return !failed;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
    bool failed;
    __asm__ volatile("1: wrmsr\n\txorl %k0, %k0\n\tjmp 3f\n2: movl $1, %k0\n3:\n\t" EXTABLE_ENTRY("1b", "2b")
                     : "=&r"(failed)
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
    return !failed;
}
