/*
 * Debug registers, single steps, FPU state with CR0.TS, XCR0.
 */
#include "guest.h"

const char test_title[] = "debug registers, FPU, XSAVE";

static unsigned debug_count, nm_count;
static uint64_t debug_rip, dr6;
static uint64_t watched;

static bool debug(struct registers *regs, unsigned vector)
{
    debug_count++;
    debug_rip = regs->rip;
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    regs->rflags |= 0x10000; /* RF: go on past a breakpoint on an instruction */
    regs->rflags &= ~0x100UL;
    return true;
}

static void debug_registers(void)
{
    uint64_t value = 0;
    trap_hooks[TRAP_DB] = debug;
    CHECK_IS(0, HYPERCALL(set_debugreg, 0, &watched));
    CHECK_IS((uint64_t)&watched, HYPERCALL(get_debugreg, 0));
    __asm__ volatile("mov %%dr0, %0" : "=r"(value));
    CHECK_IS((uint64_t)&watched, value);
    CHECK_IS(0, HYPERCALL(set_debugreg, 7, 0xd0002UL | 1)); /* 8 bytes would be 2; here 4 bytes, write */
    *(volatile uint32_t *)&watched = 1;
    CHECK_IS(1, debug_count);
    CHECK_IS(1, dr6 & 15);
    CHECK_IS(0, HYPERCALL(set_debugreg, 6, 0));
    CHECK_IS(0, HYPERCALL(set_debugreg, 7, 0));
    *(volatile uint32_t *)&watched = 2;
    CHECK_IS(1, debug_count);
    CHECK_REFUSED(HYPERCALL(set_debugreg, 0, IN_HYPERVISOR));
    CHECK_REFUSED(HYPERCALL(set_debugreg, 3, NON_CANONICAL));
    CHECK_REFUSED(HYPERCALL(set_debugreg, 8, 0));
    CHECK_REFUSED(HYPERCALL(set_debugreg, 0xffffffff, 0));
    CHECK_IS(-EINVAL, HYPERCALL(set_debugreg, 7, 1UL << 32));
    CHECK_IS(-EINVAL, HYPERCALL(set_debugreg, 6, 1UL << 32));
    CHECK_REFUSED(HYPERCALL(set_debugreg, 7, 0x20001)); /* I/O breakpoint without CR4.DE */
    CHECK_REFUSED(HYPERCALL(get_debugreg, 8));
    CHECK_IS((uint64_t)&watched, HYPERCALL(get_debugreg, 0));
    /* An address like any other, and the number of an error to some. */
    CHECK_IS(0, HYPERCALL(set_debugreg, 0, -85L));
    CHECK_IS(-85, HYPERCALL(get_debugreg, 0));
    CHECK_IS(0, HYPERCALL(set_debugreg, 0, &watched));
    /* A breakpoint on what the hypervisor reads on our behalf, and on a syscall after mov to ss. */
    CHECK_IS(0, HYPERCALL(set_debugreg, 0, &watched));
    CHECK_IS(0, HYPERCALL(set_debugreg, 7, 0xf0001)); /* read or write */
    CHECK_IS(is_privileged() ? 0 : -EPERM, HYPERCALL(console_io, CONSOLEIO_write, 0, &watched));
    struct mmu_update u = {~0UL, 0};
    CHECK_IS(0, HYPERCALL(set_debugreg, 0, &u));
    CHECK_IS(0, HYPERCALL(set_debugreg, 7, 0xf0001));
    debug_count = 0;
    CHECK_REFUSED(HYPERCALL(mmu_update, &u, 1, 0, DOMID_SELF));
    CHECK_IS(0, debug_count); /* the hypervisor's access, and the breakpoint is still there */
    __asm__ volatile("movq $1, %0" : "=m"(u.ptr) : : "memory");
    CHECK_IS(1, debug_count);
    uint64_t selector = FLAT_KERNEL_SS;
    CHECK_IS(0, HYPERCALL(set_debugreg, 0, &selector));
    CHECK_IS(0, HYPERCALL(set_debugreg, 7, 0x70001));
    uint64_t rax = __HYPERVISOR_xen_version;
    __asm__ volatile("mov %1, %%ss\n\tsyscall"
                     : "+a"(rax)
                     : "m"(*(uint16_t *)&selector), "D"(0), "S"(0)
                     : "rcx", "r11", "memory");
    CHECK_IS(4 << 16 | 17, rax);
    CHECK_IS(0, HYPERCALL(set_debugreg, 7, 0));
}

/* General detect is not a guest's to have; what is reserved reads as the processor has it. */
static void debug_control(void)
{
    static const struct {
        uint64_t value;
        bool refused;
        uint64_t reads;
    } cases[] = {{0x2000, true, 0},     {0x2401, true, 0},      {0x402001, true, 0},    {0xffff, true, 0},
                 {0x800, false, 0x400}, {0x1001, false, 0x401}, {0xc001, false, 0x401}, {0x80001, false, 0x80401}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t value = 0;
        long result = HYPERCALL(set_debugreg, 7, cases[i].value);
        CHECK_IS(cases[i].refused ? -EPERM : 0, result);
        CHECK_IS(cases[i].refused ? 0x400 : cases[i].reads, HYPERCALL(get_debugreg, 7));
        CHECK_IS(0, HYPERCALL(set_debugreg, 7, 0));
        CHECK_IS(cases[i].refused ? TRAPPED(TRAP_GP, 0) : 0, TRY("mov %1, %%dr7", NO_OUT, "r"(cases[i].value)));
        CHECK_IS(0, TRY("mov %%dr7, %1", OUT("=r"(value)), "r"(0)));
        CHECK_IS(cases[i].refused ? 0x400 : cases[i].reads, value);
        CHECK_IS(0, TRY("mov %1, %%dr7", NO_OUT, "r"(0UL)));
    }
}

/* The other names of DR6 and DR7, which a kernel gives up with CR4.DE. */
static void debug_aliases(void)
{
    uint64_t cr4, value = 0;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    CHECK_IS(0, HYPERCALL(set_debugreg, 5, 0x80001));
    CHECK_IS(0x80401, HYPERCALL(get_debugreg, 5));
    CHECK_IS(0x80401, HYPERCALL(get_debugreg, 7));
    CHECK_IS(0, TRY("mov %%dr5, %1", OUT("=r"(value)), "r"(0)));
    CHECK_IS(0x80401, value);
    CHECK_IS(0, HYPERCALL(set_debugreg, 7, 0));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 8));
    for (unsigned i = 4; i < 6; i++) {
        CHECK_IS(-19, HYPERCALL(set_debugreg, i, 0));
        CHECK_IS(-19, HYPERCALL(get_debugreg, i));
    }
    CHECK_IS(TRAPPED(TRAP_UD, 0), TRY("mov %%dr4, %1", OUT("=r"(value)), "r"(0)));
    CHECK_IS(TRAPPED(TRAP_UD, 0), TRY("mov %1, %%dr5", NO_OUT, "r"(0x400UL)));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

static void single_step(void)
{
    debug_count = 0;
    __asm__ volatile("pushf\n\torq $0x100, (%%rsp)\n\tpopf\n\tnop\n\tnop" ::: "memory", "cc");
    CHECK_IS(1, debug_count);
    CHECK_IS(0x4000, dr6 & 0x4000);
    /* Stepping into a hypercall stays the guest's affair. */
    debug_count = 0;
    uint64_t rax = __HYPERVISOR_xen_version;
    __asm__ volatile("pushf\n\torq $0x100, (%%rsp)\n\tpopf\n\tsyscall\n\tnop"
                     : "+a"(rax)
                     : "D"(0), "S"(0)
                     : "rcx", "r11", "memory", "cc");
    CHECK_IS(4 << 16 | 17, rax);
    CHECK(debug_count >= 1);
}

static bool no_device(struct registers *regs, unsigned vector)
{
    nm_count++;
    return true;
}

static void fpu(void)
{
    uint64_t out = 0, in = 0x1122334455667788;
    trap_hooks[TRAP_NM] = no_device;
    __asm__ volatile("movq %0, %%xmm3" : : "r"(in));
    HYPERCALL(xen_version, XENVER_version, 0);
    HYPERCALL(sched_op, SCHEDOP_yield, 0);
    __asm__ volatile("movq %%xmm3, %0" : "=r"(out));
    CHECK_IS(in, out);
    CHECK_IS(0, HYPERCALL(fpu_taskswitch, 1));
    out = 0;
    __asm__ volatile("movq %%xmm3, %0" : "=r"(out));
    CHECK_IS(1, nm_count); /* and TS is clear again when the handler runs */
    CHECK_IS(in, out);
    __asm__ volatile("movq %%xmm3, %0" : "=r"(out));
    CHECK_IS(1, nm_count);
    CHECK_IS(0, HYPERCALL(fpu_taskswitch, 1));
    CHECK_IS(0, HYPERCALL(fpu_taskswitch, 0));
    __asm__ volatile("movq %%xmm3, %0" : "=r"(out));
    CHECK_IS(1, nm_count);
}

static uint64_t set_xcr(uint32_t index, uint64_t value)
{
    uint64_t trapped = (uint32_t)value;
    __asm__ volatile("1:\txsetbv\n\txor %%eax, %%eax\n2:\n\t" EXTABLE("1b", "2b")
                     : "+a"(trapped)
                     : "c"(index), "d"(value >> 32));
    return trapped;
}

static void extended_state(void)
{
    uint32_t low, high;
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 1UL << 18));
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    CHECK(low & 1);
    CHECK_IS(0, set_xcr(0, 3));
    CHECK_IS(0, set_xcr(0, 7));
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    CHECK_IS(7, low);
    CHECK_IS(TRAPPED(TRAP_GP, 0), set_xcr(0, 0));
    CHECK_IS(TRAPPED(TRAP_GP, 0), set_xcr(0, 5));
    CHECK_IS(TRAPPED(TRAP_GP, 0), set_xcr(0, 1UL << 63 | 7));
    CHECK_IS(TRAPPED(TRAP_GP, 0), set_xcr(0, 0x1007));
    CHECK_IS(TRAPPED(TRAP_GP, 0), set_xcr(1, 7));
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    CHECK_IS(7, low);
}

void test_main(void)
{
    debug_registers();
    debug_control();
    debug_aliases();
    single_step();
    fpu();
    extended_state();
}
