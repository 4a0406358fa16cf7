/*
 * The real x86/context.c: whose registers, tables and bases are on the processor after each switch, and in what order.
 * Segment registers are this process's own; a selector that faults does so for real, and so does LLDT.
 */
#include "../check.h"
#include <hv/cpu.h>
#include <hv/descriptor_tables.h>
#include <hv/hvm.h>
#include <hv/pv_internal.h>
#include <hv/sched.h>
#include <hv/time.h>
#include <hv/tlb.h>
#include <hv/traps.h>
#include <hv/xstate.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define HOST_CR4                                                                                                       \
    (X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSXSAVE | X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_UMIP | X86_CR4_VMXE)
#define GET_BASE   0x1003 /* ARCH_GET_FS */
#define SET_BASE   0x1002
#define GONE       0xfff3 /* no table of this process's has it */
#define FLAT       0x2b
#define ROOT(name) (0x##name##000UL)

struct cpu cpus[NR_CPUS], *fake_cpu = &cpus[0];
struct vcpu *fake_current[NR_CPUS];
struct cpu_user_regs fake_regs;
struct cpu_features cpu_features;
volatile uint64_t tlbflush_clock;
static struct cpu_info info = {.cpu = &cpus[0]};
static unsigned long real_cr3, real_cr4, writes_of_cr4, dr7, host_fs;
static uint64_t fs_base, gs_base, kernel_gs_base;
static char done[32]; /* a letter for each step, in order */

static void step(char letter)
{
    done[strlen(done)] = letter;
}
void fake_swap_gs(void)
{
}
/* Another processor flushes just then: what we flushed is not newer than the moment before. */
static void fake_write_cr3(unsigned long value)
{
    real_cr3 = value;
    tlbflush_clock += 100;
    step('r');
}
static void fake_write_cr4(unsigned long value)
{
    real_cr4 = value;
    writes_of_cr4++;
}
static uint64_t *msr_of(uint32_t msr)
{
    check(msr == MSR_FS_BASE || msr == MSR_GS_BASE || msr == MSR_KERNEL_GS_BASE);
    return msr == MSR_FS_BASE ? &fs_base : msr == MSR_GS_BASE ? &gs_base : &kernel_gs_base;
}
/* The C library needs the base that a selector's load has taken from it. */
static void fake_wrmsr(uint32_t msr, uint64_t value)
{
    long result = SYS_arch_prctl;
    if (msr == MSR_FS_BASE)
        __asm__ volatile("syscall" : "+a"(result) : "D"(SET_BASE), "S"(host_fs) : "rcx", "r11", "memory");
    *msr_of(msr) = value;
}
void descriptor_tables_load(const struct cpu *cpu)
{
    step('D');
}
void pv_load_descriptors(struct vcpu *v, const struct cpu *cpu)
{
    step('d');
}
void pv_load_debug_registers(const struct vcpu *v)
{
    dr7 = v->pv.dr[7];
}
void xstate_save(struct vcpu *v)
{
    check(info.running != v || v->domain->id);
    step('s');
}
void xstate_restore(struct vcpu *v)
{
    step('x');
}
void hvm_put_away(struct vcpu *v)
{
    step('p');
}
void hvm_install(struct vcpu *v)
{
    step('h');
}
void vcpu_update_time(struct vcpu *v)
{
    check(info.running == v); /* written by the tables that are the vcpu's */
    step('t');
}
void runstate_update_guest(struct vcpu *v)
{
    step('u');
}

#define read_cr4()        (real_cr4)
#define write_cr4(value)  fake_write_cr4(value)
#define write_cr3(value)  fake_write_cr3(value)
#define write_dr7(value)  (dr7 = (value))
#define rdmsr(msr)        (*msr_of(msr))
#define wrmsr(msr, value) fake_wrmsr(msr, value)
#define cpu_info()        (&info)
#undef EXTABLE_ENTRY
#define EXTABLE_ENTRY(from, to) ".pushsection faults, \"a\"\n\t.long " from " - ., " to " - .\n\t.popsection\n\t"
#include "../../../../hypervisor/x86/context.c"

extern const int32_t __start_faults[], __stop_faults[];

/* As the hypervisor's own: an instruction of the table goes on where the table says. LLDT is nobody's but ring 0's. */
static void on_fault(int number, siginfo_t *what, void *context)
{
    greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    for (const int32_t *entry = __start_faults; entry < __stop_faults; entry += 2)
        if ((greg_t)entry + entry[0] == *rip) {
            *rip = (greg_t)(entry + 1) + entry[1];
            return;
        }
    const uint8_t *code = (const uint8_t *)*rip;
    unsigned prefix = (code[0] & 0xf0) == 0x40;
    if (code[prefix] == 0x0f && code[prefix + 1] == 0x00 && (code[prefix + 2] & 0xf8) == 0xd0) {
        step('l');
        *rip += prefix + 3;
        return;
    }
    signal(number, SIG_DFL);
}

static struct hvm_domain hvm_part;
struct domain idle_domain = {.is_idle = true, .id = DOMID_IDLE_};
static struct domain one = {.id = 1}, two = {.id = 2}, hvm = {.id = 3, .hvm = &hvm_part};
static struct vcpu idle = {.domain = &idle_domain}, a, b, of_hvm = {.domain = &hvm};

static void start(void)
{
    memset(&fake_regs, 0xaa, sizeof(fake_regs));
    memset(done, 0, sizeof(done));
    cpu_features.fsgsbase = true;
    real_cr4 = HOST_CR4;
    writes_of_cr4 = 0;
    cpus[0].root_table = ROOT(1);
    a = (struct vcpu){.domain = &one, .pv = {.kernel_mode = true, .root_kernel = 0xa1, .root_user = 0xa2}};
    b = (struct vcpu){.domain = &two, .pv = {.root_kernel = 0xb1, .root_user = 0xb2}};
    b.regs.rip = 0x1234;
    b.pv.fs_base = 11, b.pv.gs_base_kernel = 12, b.pv.gs_base_user = 13;
    fs_base = 1, gs_base = 2, kernel_gs_base = 3;
    one.tsc.emulated = two.tsc.emulated = false;
}

static void switch_to(struct vcpu *from, struct vcpu *to, const char *steps)
{
    memset(done, 0, sizeof(done));
    context_switch(from, to);
    if (strcmp(done, steps))
        fprintf(stderr, "steps: %s, expected: %s\n", done, steps);
    check(!strcmp(done, steps) && info.running == to);
}

static void tables_follow_the_mode(void)
{
    start();
    uint64_t before = tlbflush_clock;
    load_guest_root(&a);
    check(real_cr3 == ROOT(a1) && cpus[0].current_cr3 == ROOT(a1));
    check(cpus[0].tlbflush_time == before + 1); /* not of what others flushed meanwhile */
    a.pv.kernel_mode = false;
    load_guest_root(&a);
    check(real_cr3 == ROOT(a2) && cpus[0].current_cr3 == ROOT(a2));
}

/* Whatever a guest writes into CR4: four bits are its own, the rest is ours and stays. */
static void four_bits_of_cr4(void)
{
    start();
    unsigned long own = X86_CR4_TSD | X86_CR4_DE | X86_CR4_OSXSAVE | X86_CR4_FSGSBASE;
    unsigned long shown = HOST_CR4 & ~(X86_CR4_UMIP | X86_CR4_VMXE | X86_CR4_OSXSAVE);
    check(pv_fix_cr4(0) == shown);
    check(pv_fix_cr4(~0UL) == (shown | own));
    cpu_features.fsgsbase = false;
    check(pv_fix_cr4(~0UL) == (shown | (own & ~X86_CR4_FSGSBASE)));
    real_cr4 &= ~X86_CR4_OSXSAVE;
    check(!(pv_fix_cr4(~0UL) & X86_CR4_OSXSAVE));
    start();
    a.pv.cr4 = ~HOST_CR4;
    set_guest_cr4(&a);
    check(real_cr4 == (HOST_CR4 | X86_CR4_TSD | X86_CR4_DE | X86_CR4_FSGSBASE));
    set_guest_cr4(&a);
    check(writes_of_cr4 == 1);
    a.pv.cr4 = 0;
    set_guest_cr4(&a);
    check(real_cr4 == HOST_CR4);
    one.tsc.emulated = true;
    set_guest_cr4(&a);
    check(real_cr4 == (HOST_CR4 | X86_CR4_TSD));
}

static void from_guest_to_guest(void)
{
    start();
    a.pv.dr[7] = 0x401;
    dr7 = 0x401;
    fake_regs.rip = 0x5678;
    switch_to(&a, &b, "srdxtu");
    check(real_cr3 == ROOT(b2));
    check(a.regs.rip == 0x5678 && fake_regs.rip == 0x1234 && dr7 == 0);
    check(a.pv.fs_base == 1 && a.pv.gs_base_kernel == 2 && a.pv.gs_base_user == 3);
    check(fs_base == 11 && gs_base == 13 && kernel_gs_base == 12); /* b runs its user mode */
    check(a.regs.ds != 0xaaaa && a.regs.fs != 0xaaaa);             /* the processor's, not what entry left there */
    switch_to(&b, &a, "srdxtu");
    check(real_cr3 == ROOT(a1) && b.pv.gs_base_user == 13 && b.pv.gs_base_kernel == 12);
    check(fs_base == 1 && gs_base == 2 && kernel_gs_base == 3 && fake_regs.rip == 0x5678 && dr7 == 0x401);
}

/* While no PV guest runs here, none of its tables may be in use. */
static void from_guest_to_nobody(void)
{
    start();
    switch_to(&a, &idle, "srDl");
    check(real_cr3 == ROOT(1) && cpus[0].current_cr3 == ROOT(1));
    switch_to(&idle, &b, "rdxtu");
    switch_to(&b, &of_hvm, "srDlhtu");
    check(real_cr3 == ROOT(1));
    switch_to(&of_hvm, &idle, "prDl");
    switch_to(&idle, &of_hvm, "rDlhtu");
    switch_to(&of_hvm, &a, "prdxtu");
    check(real_cr3 == ROOT(a1));
}

static void breakpoints_end_with_their_guest(void)
{
    start();
    a.pv.dr[7] = 0x402;
    dr7 = 0x402;
    switch_to(&a, &idle, "srDl");
    check(dr7 == 0x400);
}

/* A selector whose descriptor is gone is null, and the guest is told of all four as it had them; of the first loss. */
static void lost_selectors(void)
{
    uint16_t *const selector[] = {&b.regs.ds, &b.regs.es, &b.regs.fs, &b.regs.gs};
    for (unsigned lost = 0; lost < ARRAY_SIZE(selector); lost++) {
        start();
        b.regs.ds = b.regs.es = FLAT;
        switch_to(&a, &b, "srdxtu");
        check(!b.pv.selectors_lost);
        start();
        b.regs.ds = b.regs.es = FLAT;
        *selector[lost] = GONE;
        switch_to(&a, &b, "srdxtu");
        check(b.pv.selectors_lost && b.pv.lost_selectors[lost] == GONE);
        check(b.pv.lost_selectors[0] == b.regs.ds && b.pv.lost_selectors[2] == b.regs.fs);
        check(fs_base == 11 && gs_base == 13);
        switch_to(&b, &a, "srdxtu");
        check(*selector[lost] == 0);
        *selector[lost] = GONE - 8;
        switch_to(&a, &b, "srdxtu");
        check(b.pv.lost_selectors[lost] == GONE);
    }
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    check(!sigaction(SIGSEGV, &action, NULL));
    syscall(SYS_arch_prctl, GET_BASE, &host_fs);
    tables_follow_the_mode();
    four_bits_of_cr4();
    from_guest_to_guest();
    from_guest_to_nobody();
    breakpoints_end_with_their_guest();
    lost_selectors();
    puts("context: ok");
    return 0;
}
