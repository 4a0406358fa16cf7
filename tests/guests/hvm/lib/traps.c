/* Traps of an HVM test kernel: the tables, recovery, user mode. */
#include "hvm.h"

extern char trap_stubs[];
void traps_init(void);
void trap_handler(struct registers *regs);
void user_enter(struct registers *regs);
void user_leave(void) __attribute__((noreturn));

trap_hook trap_hooks[256];
unsigned trap_counts[256];
struct gate idt[256];
struct table_register idt_register = {sizeof(idt) - 1, (uint64_t)idt};

struct extable_entry {
    uint64_t from, to;
};
extern const struct extable_entry extable_start[], extable_end[];

static struct {
    uint32_t reserved0;
    uint64_t stack[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed)) task;
static uint64_t kernel_stack[1024], user_stack[512];

#define STUB_SIZE  16
#define USER_LEAVE 0x7f /* software interrupt by which user_run's function comes back */

static bool recover(struct registers *regs)
{
    for (const struct extable_entry *e = extable_start; e < extable_end; e++) {
        if (e->from != regs->rip)
            continue;
        regs->rax = TRAPPED(regs->vector, regs->error_code);
        regs->rip = e->to;
        return true;
    }
    return false;
}

void trap_handler(struct registers *regs)
{
    unsigned vector = (unsigned)regs->vector;
    trap_counts[vector]++;
    if (vector == USER_LEAVE)
        user_leave();
    if (trap_hooks[vector] && trap_hooks[vector](regs))
        return;
    if (vector < 32 && recover(regs))
        return;
    error("unexpected trap %u, error %lx, rip %lx, cs %lx, cr2 %lx", vector, regs->error_code, regs->rip, regs->cs,
          READ_REGISTER("cr2"));
}

void traps_init(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t address = (uint64_t)trap_stubs + i * STUB_SIZE;
        bool open = i == TRAP_BP || i == TRAP_OF || i == USER_LEAVE;
        idt[i] = (struct gate){.offset_low = (uint16_t)address,
                               .selector = CODE64,
                               .type = open ? 0xee : 0x8e,
                               .offset_middle = (uint16_t)(address >> 16)};
    }
    __asm__ volatile("lidt %0" : : "m"(idt_register));
    task.stack[0] = (uint64_t)(kernel_stack + 1024);
    task.io_map = sizeof(task);
    uint64_t base = (uint64_t)&task;
    gdt[TASK / 8] = 0x0000890000000000UL | (sizeof(task) - 1) | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    gdt[TASK / 8 + 1] = base >> 32;
    __asm__ volatile("ltr %w0" : : "r"(TASK));
}

static void user_return(void)
{
    __asm__ volatile("int %0" : : "i"(USER_LEAVE));
}

void user_run(void (*function)(uint64_t argument), uint64_t argument)
{
    uint64_t *sp = user_stack + 510;
    *--sp = (uint64_t)user_return;
    struct registers regs = {
        .rdi = argument, .rip = (uint64_t)function, .cs = USER_CODE, .rflags = 2, .rsp = (uint64_t)sp, .ss = USER_DATA};
    user_enter(&regs);
}

void user_run_at(uint64_t rip, uint64_t rsp)
{
    struct registers regs = {.rip = rip, .cs = USER_CODE, .rflags = 0x202, .rsp = rsp, .ss = USER_DATA};
    user_enter(&regs);
}

uint64_t try_read(const volatile void *address)
{
    uint64_t value;
    return TRY("movq (%2), %1", OUT("=&r"(value)), "r"(address));
}

uint64_t try_write(volatile void *address, uint64_t value)
{
    return TRY("movq %2, (%1)", NO_OUT, "r"(address), "r"(value));
}

/* eax has the number of the fault after a fault, the register's low half otherwise. */
uint64_t try_rdmsr(uint32_t msr, uint64_t *value)
{
    uint64_t trapped = 0, low, high;
    __asm__ volatile("1:\trdmsr\n\tmov %%rax, %1\n\txor %%eax, %%eax\n2:\n\t" EXTABLE("1b", "2b")
                     : "+a"(trapped), "=&r"(low), "=d"(high)
                     : "c"(msr));
    if (!trapped && value)
        *value = high << 32 | (uint32_t)low;
    return trapped;
}

uint64_t try_wrmsr(uint32_t msr, uint64_t value)
{
    uint64_t trapped = (uint32_t)value;
    __asm__ volatile("1:\twrmsr\n\txor %%eax, %%eax\n2:\n\t" EXTABLE("1b", "2b")
                     : "+a"(trapped)
                     : "c"(msr), "d"((uint32_t)(value >> 32))
                     : "memory");
    return trapped;
}
