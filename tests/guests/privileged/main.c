/*
 * Instructions that fault in ring 3 and that the hypervisor carries out for a PV kernel: control registers,
 * MSRs, ports, cpuid, xsetbv, invlpg.
 */
#include "guest.h"

const char test_title[] = "privileged instructions";

#define GP TRAPPED(TRAP_GP, 0)

static uint64_t read_msr(uint32_t msr, uint64_t *value)
{
    uint32_t low = 0, high = 0;
    uint64_t trapped = 0;
    __asm__ volatile("1:\trdmsr\n\tmov %%eax, %1\n\txor %%eax, %%eax\n2:\n\t" EXTABLE("1b", "2b")
                     : "+a"(trapped), "=&r"(low), "=d"(high)
                     : "c"(msr));
    *value = (uint64_t)high << 32 | low;
    return trapped;
}

static uint64_t write_msr(uint32_t msr, uint64_t value)
{
    uint64_t trapped = (uint32_t)value;
    __asm__ volatile("1:\twrmsr\n\txor %%eax, %%eax\n2:\n\t" EXTABLE("1b", "2b")
                     : "+a"(trapped)
                     : "c"(msr), "d"(value >> 32));
    return trapped;
}

static void control_registers(void)
{
    uint64_t value = 0;
    CHECK_IS(0, TRY("mov %%cr0, %1", OUT("=r"(value)), "r"(0)));
    CHECK_IS(0x80000001, value & 0x80000001);
    CHECK_IS(0, value & 8);
    CHECK_IS(0, TRY("mov %1, %%cr0", NO_OUT, "r"(value)));
    CHECK_IS(GP, TRY("mov %1, %%cr0", NO_OUT, "r"(value & ~0x80000000UL)));
    CHECK_IS(GP, TRY("mov %1, %%cr0", NO_OUT, "r"(value ^ 0x10000UL)));
    CHECK_IS(0, TRY("mov %1, %%cr0", NO_OUT, "r"(value | 8)));
    CHECK_IS(0, TRY("mov %%cr0, %1", OUT("=r"(value)), "r"(0)));
    CHECK_IS(8, value & 8);
    CHECK_IS(0, TRY("clts", NO_OUT, "r"(0)));
    CHECK_IS(0, TRY("mov %%cr0, %1", OUT("=r"(value)), "r"(0)));
    CHECK_IS(0, value & 8);
    CHECK_IS(0, TRY("mov %%cr3, %1", OUT("=r"(value)), "r"(0)));
    CHECK_IS(mfn_of(root_table()), value >> 12);
    CHECK_IS(0, TRY("mov %1, %%cr3", NO_OUT, "r"(value)));
    CHECK_IS(GP, TRY("mov %1, %%cr3", NO_OUT, "r"(start_info->shared_info)));
    CHECK_IS(GP, TRY("mov %1, %%cr3", NO_OUT, "r"(0UL)));
    CHECK_IS(0, TRY("mov %1, %%cr2", NO_OUT, "r"(0x1234567UL)));
    CHECK_IS(0, TRY("mov %%cr2, %1", OUT("=r"(value)), "r"(0)));
    CHECK_IS(0x1234567, value);
    CHECK_IS(0, TRY("mov %%cr4, %1", OUT("=r"(value)), "r"(0)));
    uint64_t before = value;
    CHECK_IS(0, TRY("mov %1, %%cr4", NO_OUT, "r"(value)));
    /* What is not a guest's to change stays as it is. */
    TRY("mov %1, %%cr4", NO_OUT, "r"(value & ~0x20UL));
    TRY("mov %1, %%cr4", NO_OUT, "r"(value | 0x2000UL));
    TRY("mov %1, %%cr4", NO_OUT, "r"(value | 1UL << 40));
    CHECK_IS(0, TRY("mov %%cr4, %1", OUT("=r"(value)), "r"(0)));
    CHECK_IS(before, value);
    CHECK_IS(GP, TRY("mov %%cr8, %1", OUT("=r"(value)), "r"(0)));
    CHECK_IS(GP, TRY("mov %1, %%cr8", NO_OUT, "r"(0UL)));
}

static uint64_t base_in_user_mode;
static bool base_refused(struct registers *regs, unsigned vector)
{
    base_in_user_mode = TRAPPED(vector, regs->error_code);
    regs->rip += 5; /* rdfsbase %rax */
    return true;
}

static void read_base(uint64_t argument)
{
    uint64_t value;
    __asm__ volatile("rdfsbase %0" : "=a"(value));
}

static uint64_t user_reads_base(void)
{
    base_in_user_mode = 0;
    trap_hooks[TRAP_UD] = base_refused;
    user_run(read_base, 0);
    trap_hooks[TRAP_UD] = NULL;
    return base_in_user_mode;
}

/* A kernel that has not asked for the instructions would not expect its programs to change the segment bases. */
static void segment_bases(void)
{
    const uint64_t fsgsbase = 1UL << 16, refused = TRAPPED(TRAP_UD, 0);
    uint64_t before, value = 0;
    CHECK_IS(0, TRY("mov %%cr4, %1", OUT("=r"(before)), "r"(0)));
    CHECK_IS(0, before & fsgsbase);
    for (unsigned turn = 0; turn < 2; turn++) {
        CHECK_IS(refused, TRY("rdfsbase %1", OUT("=r"(value)), "r"(0)));
        CHECK_IS(refused, user_reads_base());
        CHECK_IS(0, TRY("mov %1, %%cr4", NO_OUT, "r"(before | fsgsbase)));
        CHECK_IS(0, TRY("mov %%cr4, %1", OUT("=r"(value)), "r"(0)));
        CHECK_IS(before | fsgsbase, value);
        CHECK_IS(0, TRY("rdfsbase %1", OUT("=r"(value)), "r"(0)));
        CHECK_IS(0, user_reads_base());
        HYPERCALL(sched_op, SCHEDOP_yield, 0);
        CHECK_IS(0, TRY("rdgsbase %1", OUT("=r"(value)), "r"(0)));
        CHECK_IS(0, TRY("mov %1, %%cr4", NO_OUT, "r"(before)));
    }
}

static void msrs(void)
{
    static const uint32_t readable[] = {
        0x10,       0x1b,       0x8b,       0x179,      0x17a,      0x1a0,      0x1d9,      0x200,      0x277,
        0x2ff,      0x400,      0x48,       0x49,       0xce,       0x10a,      0x140,      0x802,      0x830,
        0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103,
        0xc0010000, 0xc0010007, 0xc0010010, 0xc0010015, 0xc001001a, 0xc001001f, 0xc0010058, 0xc0010114, 0xc0010117,
        0xc0011004, 0xc0011020, 0xc0011029, 0x40000000, 0x40000200, 0x123456,   0xffffffff};
    uint64_t value;
    for (unsigned i = 0; i < ARRAY_SIZE(readable); i++) {
        uint64_t trapped = read_msr(readable[i], &value);
        if (trapped && trapped != GP)
            failure("rdmsr %x: %lx", readable[i], trapped);
    }
    /* Where the hypervisor is entered, and its virtualisation state. */
    static const uint32_t hidden[] = {0x174,      0x175,      0x176,      0xc0000081, 0xc0000082, 0xc0000083,
                                      0xc0000084, 0xc0010114, 0xc0010117, 0x802,      0x830};
    for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++)
        if (read_msr(hidden[i], &value) != GP)
            failure("rdmsr %x is not refused", hidden[i]);
    /* What would take the machine over. */
    static const uint32_t never[] = {0x174,      0x175, 0x176,      0xc0000081, 0xc0000082, 0xc0000083,
                                     0xc0000084, 0x830, 0x80b,      0xc0010117, 0xc0010114, 0x123456,
                                     0x200,      0x2ff, 0xc001001a, 0x1d9,      0x8b + 1};
    for (unsigned i = 0; i < ARRAY_SIZE(never); i++)
        if (write_msr(never[i], 0xffffffff81000000UL) != GP)
            failure("wrmsr %x is not refused", never[i]);
    CHECK_IS(0, write_msr(0xc0000102, 0x123456789));
    CHECK_IS(0, read_msr(0xc0000102, &value));
    CHECK_IS(0x123456789, value);
    CHECK_IS(GP, write_msr(0xc0000102, NON_CANONICAL));
    CHECK_IS(GP, write_msr(0xc0000100, NON_CANONICAL));
    CHECK_IS(GP, write_msr(0xc0000101, NON_CANONICAL));
    if (is_privileged()) {
        CHECK_IS(0, read_msr(0x277, &value)); /* page attributes: WB WT UC- UC WC WP UC UC */
        CHECK_IS(0x050100070406, value);
    }
    CHECK_IS(0, read_msr(0xc0000080, &value));
    CHECK_IS(0xd01, value & 0xd01);
    CHECK_IS(0, write_msr(0xc0000080, value));
    CHECK_IS(GP, write_msr(0xc0000080, value & ~1UL));
    CHECK_IS(GP, write_msr(0xc0000080, value & ~0x100UL));
    CHECK_IS(GP, write_msr(0xc0000080, value ^ 0x1000));
}

static uint64_t in_out(void)
{
    return TRY("inb $0x61, %%al\n2:\n\txor %%eax, %%eax", NO_OUT, "r"(0));
}

/* The level lets a guest use them, but there is nothing behind them: every port reads all ones. */
static void no_ports(void)
{
    static const uint16_t some[] = {0x20, 0x60, 0x64, 0xcf8, 0xcfc, 0x3f8, 0x5658, 0xb2, 0xffff};
    for (unsigned i = 0; i < ARRAY_SIZE(some); i++) {
        uint64_t value = 0;
        __asm__ volatile("outl %%eax, %%dx" : : "a"(0x80000000U), "d"(some[i]));
        __asm__ volatile("inb %%dx, %%al" : "+a"(value) : "d"(some[i]));
        if (value != 0xff)
            failure("port %x reads %lx", some[i], value);
    }
}

static void ports(void)
{
    struct physdev_set_iopl iopl = {.iopl = 0};
    uint64_t value = 0;
    CHECK_IS(0, HYPERCALL(physdev_op, PHYSDEVOP_set_iopl, &iopl));
    CHECK_IS(GP, TRY("inb $0x61, %%al", NO_OUT, "r"(0)));
    CHECK_IS(GP, TRY("outb %%al, $0x80", NO_OUT, "r"(0)));
    CHECK_IS(GP, TRY("cli", NO_OUT, "r"(0)));
    CHECK_IS(GP, TRY("sti", NO_OUT, "r"(0)));
    iopl.iopl = 1;
    CHECK_IS(0, HYPERCALL(physdev_op, PHYSDEVOP_set_iopl, &iopl));
    CHECK_IS(0, in_out());
    CHECK_IS(0, TRY("outb %%al, $0x80", NO_OUT, "r"(0)));
    if (!is_privileged()) {
        no_ports();
        return;
    }
    /* Configuration of PCI devices goes through us, by dword too. */
    __asm__ volatile("outl %%eax, %%dx" : : "a"(0x80000000U), "d"(0xcf8));
    __asm__ volatile("inl %%dx, %%eax" : "=a"(value) : "d"(0xcfc));
    CHECK_IS(0x29c08086, value);
    __asm__ volatile("inw %%dx, %%ax" : "=a"(value) : "d"(0xcfc), "a"(0xabcd0000UL));
    CHECK_IS(0xabcd8086, value);
    __asm__ volatile("inb %%dx, %%al" : "=a"(value) : "d"(0xcfd), "a"(0xabcd1100UL));
    CHECK_IS(0xabcd1180, value);
    uint32_t buffer[2] = {1, 2};
    uint64_t count = 2, to = (uint64_t)buffer;
    __asm__ volatile("rep insl" : "+c"(count), "+D"(to) : "d"(0xcfc) : "memory");
    CHECK_IS(0x29c08086, buffer[1]);
    CHECK_IS(0, count);
    CHECK_IS((uint64_t)(buffer + 2), to);
    CHECK_IS(TRAPPED(TRAP_PF, 2), TRY("insl", NO_OUT, "d"(0xcfc), "D"(UNMAPPED)));
    CHECK_IS(UNMAPPED, trapped_address);
    CHECK_IS(TRAPPED(TRAP_PF, 0), TRY("outsl", NO_OUT, "d"(0x80), "S"(UNMAPPED)));
    CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("insl", NO_OUT, "d"(0xcfc), "D"(IN_HYPERVISOR)));
    CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("outsl", NO_OUT, "d"(0x80), "S"(IN_HYPERVISOR)));
    CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("outsl", NO_OUT, "d"(0x80), "S"(NON_CANONICAL)));
    CHECK(TRY("insl", NO_OUT, "d"(0xcfc), "D"(start_info->pt_base - 2)) != 0);
    CHECK_IS(start_info->pt_base, trapped_address); /* the second page is read-only */
    iopl.iopl = 4;
    CHECK_IS(-EINVAL, HYPERCALL(physdev_op, PHYSDEVOP_set_iopl, &iopl));
    CHECK_IS(-EFAULT, HYPERCALL(physdev_op, PHYSDEVOP_set_iopl, UNMAPPED));
}

static uint64_t flags_of_kernel, flags_of_user;
static bool note_flags(struct registers *regs, unsigned vector)
{
    *((regs->cs & 3) == 3 ? &flags_of_user : &flags_of_kernel) = vector == TRAP_GP ? GP : regs->rflags;
    if ((regs->cs & 3) == 3)
        user_leave();
    return true;
}

static void user_cli(uint64_t argument)
{
    __asm__ volatile("cli\n\tint3");
}

static void user_int3(uint64_t argument)
{
    __asm__ volatile("int3");
}

/* What user mode's flags are behind cli, entered with this level in its frame; GP if it may not. */
static uint64_t user_at_level(void (*function)(uint64_t), unsigned level)
{
    static uint64_t stack[64];
    struct registers regs = {.rip = (uint64_t)function,
                             .cs = FLAT_USER_CS64,
                             .ss = FLAT_USER_SS64,
                             .rsp = (uint64_t)(stack + 60),
                             .rflags = 0x202 | level << 12};
    user_prepare();
    trap_hooks[TRAP_BP] = trap_hooks[TRAP_GP] = note_flags;
    user_enter(&regs);
    trap_hooks[TRAP_GP] = NULL;
    return flags_of_user;
}

static uint64_t kernel_flags(void)
{
    trap_hooks[TRAP_BP] = note_flags;
    __asm__ volatile("int3" ::: "memory");
    return flags_of_kernel;
}

/* The level is set by hypercall, and the flags do not show it; unless the kernel asked for it in the flags. */
static void levels(void)
{
    struct physdev_set_iopl iopl;
    for (iopl.iopl = 0; iopl.iopl < 4; iopl.iopl++) {
        CHECK_IS(0, HYPERCALL(physdev_op, PHYSDEVOP_set_iopl, &iopl));
        CHECK_IS(iopl.iopl ? 0 : GP, TRY("cli", NO_OUT, "r"(0)));
        CHECK_IS(iopl.iopl ? 0 : GP, TRY("sti", NO_OUT, "r"(0)));
        CHECK_IS(0, kernel_flags() & 0x3000);
        if (iopl.iopl < 3)
            CHECK_IS(GP, user_at_level(user_cli, 3));
        else
            CHECK_IS(0, user_at_level(user_cli, 0) & 0x3000);
    }
    CHECK_IS(0, HYPERCALL(vm_assist, VMASST_CMD_enable, VMASST_TYPE_architectural_iopl));
    for (iopl.iopl = 0; iopl.iopl < 4; iopl.iopl++) {
        CHECK_IS(0, HYPERCALL(physdev_op, PHYSDEVOP_set_iopl, &iopl));
        CHECK_IS(0, TRY("cli", NO_OUT, "r"(0)));
        CHECK_IS(iopl.iopl << 12, kernel_flags() & 0x3000);
        CHECK_IS(iopl.iopl << 12, user_at_level(user_int3, iopl.iopl) & 0x3000);
        CHECK_IS(iopl.iopl == 3 ? 0x3000 : GP, user_at_level(user_cli, iopl.iopl) & (0x3000 | GP));
    }
    CHECK_IS(0, HYPERCALL(vm_assist, VMASST_CMD_disable, VMASST_TYPE_architectural_iopl));
    iopl.iopl = 1;
    CHECK_IS(0, HYPERCALL(physdev_op, PHYSDEVOP_set_iopl, &iopl));
    for (uint8_t mask = 0; mask < 2; mask++) {
        vcpu0()->evtchn_upcall_mask = mask;
        __asm__ volatile("cli" ::: "memory");
        CHECK_IS(mask, vcpu0()->evtchn_upcall_mask);
        __asm__ volatile("sti" ::: "memory");
        CHECK_IS(mask, vcpu0()->evtchn_upcall_mask);
    }
}

static void cpuid(uint32_t leaf, uint32_t *r)
{
    __asm__ volatile("ud2a; .ascii \"xen\"; cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "0"(leaf), "2"(0));
}

static void identification(void)
{
    uint32_t r[4];
    cpuid(0x40000000, r);
    CHECK_IS(0x40000005, r[0]);
    CHECK_IS(0x566e6558, r[1]);
    CHECK_IS(0x65584d4d, r[2]);
    CHECK_IS(0x4d4d566e, r[3]);
    cpuid(0x40000001, r);
    CHECK_IS(0x00040011, r[0]);
    /* A PV guest sees a hypervisor, no VMX, SVM or MWAIT, no PSE, PGE, SMEP or SMAP. */
    cpuid(1, r);
    CHECK_IS(1U << 31, r[2] & (1U << 31 | 1U << 5 | 1U << 3));
    CHECK_IS(0, r[3] & (1U << 3 | 1U << 13 | 1U << 17));
    cpuid(7, r);
    CHECK_IS(0, r[1] & (1U << 7 | 1U << 20 | 1U << 10));
    cpuid(0x80000001, r);
    CHECK_IS(0, r[2] & 1U << 2);
    CHECK_IS(1U << 11 | 1U << 20 | 1U << 29, r[3] & (1U << 11 | 1U << 20 | 1U << 29));
}

static void others(void)
{
    static char page[4096];
    /* Carried out or refused: no matter. */
    TRY("invlpg (%1)", NO_OUT, "r"(page));
    TRY("invlpg (%1)", NO_OUT, "r"(IN_HYPERVISOR));
    CHECK_IS(0, TRY("wbinvd", NO_OUT, "r"(0)));
    CHECK_IS(GP, TRY("lgdt (%1)", NO_OUT, "r"(page)));
    CHECK_IS(GP, TRY("lidt (%1)", NO_OUT, "r"(page)));
    CHECK_IS(GP, TRY("lldt %%cx", NO_OUT, "c"(0)));
    CHECK_IS(GP, TRY("ltr %%cx", NO_OUT, "c"(0xe040)));
    CHECK_IS(GP, TRY("swapgs", NO_OUT, "r"(0)));
    CHECK_IS(GP, TRY("lmsw %%cx", NO_OUT, "c"(0)) & ~0UL);
    (void)rdtsc();
}

void test_main(void)
{
    control_registers();
    segment_bases();
    msrs();
    ports();
    levels();
    identification();
    others();
}
