/*
 * Between kernel and user mode, both in ring 3: system calls, software interrupts by DPL, iret to selectors
 * that do not exist, which instructions user mode may not have.
 */
#include "guest.h"

const char test_title[] = "user mode, iret";

static struct registers seen;
static unsigned seen_vector, count;
static bool stop;

static bool note(struct registers *regs, unsigned vector)
{
    seen = *regs;
    seen_vector = vector;
    count++;
    if (stop)
        user_leave();
    return true;
}

static void hook(unsigned vector, bool leave)
{
    trap_hooks[vector] = note;
    count = 0;
    seen_vector = 999;
    stop = leave;
}

static void call_system(uint64_t argument)
{
    uint64_t rax = argument;
    __asm__ volatile("syscall" : "+a"(rax) : "D"(7) : "rcx", "r11", "memory");
}

static void int_user(uint64_t argument)
{
    __asm__ volatile("int $0x48");
}

static void int_kernel(uint64_t argument)
{
    __asm__ volatile("int $0x4c");
}

static void breakpoint(uint64_t argument)
{
    __asm__ volatile("int3");
}

static void int_unknown(uint64_t argument)
{
    __asm__ volatile("int $0x20");
}

static void privileged(uint64_t argument)
{
    __asm__ volatile("cli");
}

static void read_cr3(uint64_t argument)
{
    uint64_t value;
    __asm__ volatile("mov %%cr3, %0" : "=r"(value));
}

static void read_pointer(uint64_t argument)
{
    *(volatile uint64_t *)argument;
}

static void out_port(uint64_t argument)
{
    __asm__ volatile("outb %%al, $0x80" : : "a"(0));
}

static void run(void (*function)(uint64_t), uint64_t argument, unsigned vector, bool leave)
{
    hook(vector, leave);
    user_run(function, argument);
    trap_hooks[vector] = NULL;
}

static void system_calls(void)
{
    run(call_system, 0x1234, ENTRY_SYSCALL, false);
    CHECK_IS(1, count);
    CHECK_IS(0x1234, seen.rax);
    CHECK_IS(7, seen.rdi);
    CHECK_IS(3, seen.cs & 3);
    CHECK_IS(seen.rip, seen.rcx);
    CHECK_IS(1, seen.cs >> 32 & 0xff);
    run(int_user, 0, INT_USER, false);
    CHECK_IS(1, count);
    CHECK_IS(FLAT_USER_CS64, seen.cs & 0xffff);
    CHECK_IS(FLAT_USER_SS64, seen.ss & 0xffff);
    run(breakpoint, 0, TRAP_BP, false);
    CHECK_IS(1, count);
    run(int_kernel, 0, TRAP_GP, true);
    CHECK_IS(1, count);
    CHECK(seen.error_code == (0x4c << 3 | 2) || seen.error_code == (0x4c << 4 | 2));
    run(int_unknown, 0, TRAP_GP, true);
    CHECK(seen.error_code == (0x20 << 3 | 2) || seen.error_code == (0x20 << 4 | 2));
    CHECK_IS((uint64_t)int_unknown, seen.rip);
}

static void forbidden(void)
{
    run(privileged, 0, TRAP_GP, true);
    CHECK_IS(1, count);
    CHECK_IS(0, seen.error_code);
    run(read_cr3, 0, TRAP_GP, true);
    CHECK_IS(1, count);
    run(out_port, 0, TRAP_GP, true);
    CHECK_IS(1, count);
    run(read_pointer, UNMAPPED, TRAP_PF, true);
    CHECK_IS(1, count);
    CHECK_IS(4, seen.error_code);
    run(read_pointer, NON_CANONICAL, TRAP_GP, true);
    CHECK_IS(1, count);
    run(read_pointer, IN_HYPERVISOR, TRAP_PF, true);
    CHECK_IS(1, count);
    CHECK_IS(1, seen.cs >> 32 & 0xff);
}

/* Writes of user mode to a page table are no business of the kernel's. */
static void write_table(uint64_t argument)
{
    *(volatile uint64_t *)argument = 0;
}

static void user_table_write(void)
{
    pte_t *table = entry_of(VIRT_BASE_ADDRESS, 1);
    HYPERCALL(vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
    run(write_table, (uint64_t)(table + 511) | 0, TRAP_PF, true);
    CHECK_IS(1, count);
    CHECK_IS(7, seen.error_code);
    HYPERCALL(vm_assist, VMASST_CMD_disable, VMASST_TYPE_writable_pagetables);
}

/* The table of frame numbers, of the whole machine, is the kernel's, whatever the assist says that is named for it. */
static void frame_numbers(void)
{
    uint64_t *root = page_alloc();
    user_prepare();
    for (unsigned i = 0; i < 512; i++)
        if (i < 256 || i > 271)
            root[i] = ((const uint64_t *)root_table())[i];
    CHECK_IS(0, set_readonly(root));
    for (unsigned command = VMASST_CMD_enable; command <= VMASST_CMD_disable; command++) {
        CHECK_IS(0, HYPERCALL(vm_assist, command, VMASST_TYPE_m2p_strict));
        CHECK_IS(0, mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(root), 0));
        run(read_pointer, (uint64_t)M2P, TRAP_PF, true);
        CHECK_IS(1, count);
        CHECK_IS(pfn_of(root), M2P[mfn_of(root)]);
        CHECK_IS(0, HYPERCALL(vm_assist, VMASST_CMD_disable, VMASST_TYPE_m2p_strict)); /* for one root of both modes */
        CHECK_IS(0, mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(root_table()), 0));
    }
}

static void nothing(uint64_t argument)
{
}

/* iret with what the processor will not load: the exception comes to the kernel, from the frame that was
 * asked for. */
static void bad_frames(void)
{
    static const struct {
        uint64_t cs, ss, rip;
        const char *what;
        unsigned vector, error;
    } cases[] = {
        {0x1003, FLAT_USER_SS64, 0, "cs beyond the GDT", TRAP_GP, 0x1000},
        {0xe00b, FLAT_USER_SS64, 0, "the hypervisor's cs", TRAP_GP, 0xe008},
        {0xe02b, FLAT_USER_SS64, 0, "data as cs", TRAP_GP, 0xe028},
        {0x3, FLAT_USER_SS64, 0, "null cs", TRAP_GP, 0},
        {FLAT_USER_CS64, 0xe013, 0, "the hypervisor's ss", TRAP_GP, 0xe010},
        {FLAT_USER_CS64, 0xe033, 0, "code as ss", TRAP_GP, 0xe030},
        {FLAT_USER_CS64, 0x1003, 0, "ss beyond the GDT", TRAP_GP, 0x1000},
        {0xe043, FLAT_USER_SS64, 0, "the TSS as cs", TRAP_GP, 0xe040},
        {0x7, FLAT_USER_SS64, 0, "cs of an empty LDT", TRAP_GP, 4},
        {FLAT_USER_CS64, FLAT_USER_SS64, IN_HYPERVISOR, "rip in the hypervisor", TRAP_PF, 0x15},
        {FLAT_USER_CS64, FLAT_USER_SS64, NON_CANONICAL, "rip not canonical", TRAP_GP, 0},
    };
    user_prepare();
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        static uint64_t stack[64];
        struct registers regs = {.rip = cases[i].rip ? cases[i].rip : (uint64_t)nothing,
                                 .cs = cases[i].cs,
                                 .ss = cases[i].ss,
                                 .rsp = (uint64_t)(stack + 60),
                                 .rflags = 0x202,
                                 .rbx = 0x1111,
                                 .rcx = 0x2222};
        hook(TRAP_GP, true);
        trap_hooks[TRAP_GP] = trap_hooks[TRAP_PF] = note;
        user_enter(&regs);
        if (count != 1)
            failure("iret with %s: entered %u times, vector %u", cases[i].what, count, seen_vector);
        else if (seen_vector != cases[i].vector || seen.error_code != cases[i].error ||
                 (uint16_t)seen.cs != cases[i].cs || seen.rip != regs.rip)
            failure("iret with %s: vector %u, error %lx, cs %lx, rip %lx", cases[i].what, seen_vector, seen.error_code,
                    seen.cs, seen.rip);
        trap_hooks[TRAP_GP] = trap_hooks[TRAP_PF] = NULL;
    }
}

static void in_syscall(void)
{
    /* VGCF_in_syscall: by sysret, rcx = rip, r11 = rflags. */
    static uint64_t stack[64];
    struct registers regs = {.rip = (uint64_t)int_user,
                             .cs = FLAT_USER_CS64,
                             .ss = FLAT_USER_SS64,
                             .rsp = (uint64_t)(stack + 60),
                             .rflags = 0x202,
                             .rcx = 1,
                             .r11 = 2,
                             .error_code = VGCF_in_syscall};
    user_prepare();
    hook(INT_USER, true);
    user_enter(&regs);
    CHECK_IS(1, count);
    CHECK_IS((uint64_t)int_user, seen.rcx);
    CHECK_IS(FLAT_USER_CS64, seen.cs & 0xffff);
    regs = (struct registers){.rip = NON_CANONICAL,
                              .cs = FLAT_USER_CS64,
                              .ss = FLAT_USER_SS64,
                              .rsp = (uint64_t)(stack + 60),
                              .rflags = 0x202,
                              .error_code = VGCF_in_syscall};
    hook(TRAP_GP, true);
    user_enter(&regs);
    CHECK_IS(1, count);
    CHECK_IS(TRAP_GP, seen_vector);
    trap_hooks[TRAP_GP] = NULL;
}

static bool step_seen(struct registers *regs, unsigned vector)
{
    seen = *regs;
    count++;
    regs->rflags &= ~0x100UL;
    return true;
}

static void flags(void)
{
    /* rflags that are not a guest's to set: IOPL, VM, VIP. TF is. */
    static uint64_t stack[64];
    struct registers regs = {.rip = (uint64_t)int_user,
                             .cs = FLAT_USER_CS64,
                             .ss = FLAT_USER_SS64,
                             .rsp = (uint64_t)(stack + 60),
                             .rflags = 0x202 | 0x3000 | 0x20000 | 0x100000};
    user_prepare();
    hook(INT_USER, true);
    user_enter(&regs);
    CHECK_IS(1, count);
    CHECK_IS(0x202, seen.rflags & 0x123202); /* not RF: a fault leaves it set */
    regs.rflags = 0x302;
    count = 0;
    stop = true;
    trap_hooks[TRAP_DB] = step_seen;
    regs.rip = (uint64_t)int_kernel;
    trap_hooks[TRAP_GP] = note;
    regs.rip = (uint64_t)nothing;
    stack[60] = (uint64_t)int_user;
    user_enter(&regs);
    CHECK_IS(2, count);
    trap_hooks[TRAP_DB] = trap_hooks[TRAP_GP] = trap_hooks[INT_USER] = NULL;
}

/* Every number comes back from an exception in rax as it went in; the instruction behind runs once. */
static uint64_t rax_through_trap(uint64_t rax)
{
    count = 0;
    __asm__ volatile("nop\n\tnop\n\tint3\n\tnop" : "+a"(rax) : : "rcx", "r11", "memory");
    return rax;
}

static uint64_t user_rax;
static void user_rax_through_trap(uint64_t argument)
{
    user_rax = rax_through_trap(argument);
}

static void any_rax(void)
{
    hook(TRAP_BP, false);
    for (long rax = -90; rax < -80; rax++) {
        CHECK_IS(rax, rax_through_trap((uint64_t)rax));
        CHECK_IS(1, count);
        user_run(user_rax_through_trap, (uint64_t)rax);
        CHECK_IS(rax, user_rax);
        CHECK_IS(1, count);
    }
    trap_hooks[TRAP_BP] = NULL;
}

void test_main(void)
{
    system_calls();
    any_rax();
    forbidden();
    user_table_write();
    frame_numbers();
    bad_frames();
    in_syscall();
    flags();
}
