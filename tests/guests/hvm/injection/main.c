/*
 * Exceptions with and without error code, software interrupts, NMI, the interrupt shadow, and interrupts held back.
 *
 * QEMU 7.2 raises #UD for ICEBP, under any hypervisor.
 */
#include "hvm.h"

const char test_title[] = "injection of events";

#define NOT_PRESENT FREE_SELECTOR       /* a data segment, not present */
#define NO_CODE     (FREE_SELECTOR + 8) /* a code segment, not present */
enum { VECTOR = 0x90, OTHER = 0xb0, SOFTWARE = 0x81 };
#define HLT 0xf4
#define ICR_SELF 0x40000U
#define ICR_NMI  0x4400U /* to an identifier: the shorthand for oneself is for interrupts alone */

static void exceptions(void)
{
    uint64_t none;
    CHECK_IS(TRAPPED(TRAP_DE, 0), TRY("div %%ecx", NO_OUT, "c"(0), "d"(0)));
    CHECK_IS(TRAPPED(TRAP_UD, 0), TRY("ud2", NO_OUT));
    CHECK_IS(TRAPPED(TRAP_GP, FREE_SELECTOR + 0x40), TRY("mov %%ecx, %%es", NO_OUT, "c"(FREE_SELECTOR + 0x40)));
    CHECK_IS(TRAPPED(TRAP_NP, NOT_PRESENT), TRY("mov %%ecx, %%es", NO_OUT, "c"(NOT_PRESENT)));
    CHECK_IS(TRAPPED(TRAP_SS, NOT_PRESENT), TRY("mov %%ecx, %%ss", NO_OUT, "c"(NOT_PRESENT)));
    CHECK_IS(TRAPPED(TRAP_GP, 0), try_read((void *)0x0000900000000000UL));
    /* Raised by the hypervisor. */
    CHECK_IS(TRAPPED(TRAP_GP, 0), try_rdmsr(0x12345, &none));
    CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("mov %1, %%cr4", NO_OUT, "r"(1UL << 40)));
    if (!on_platform("tcg")) { /* QEMU does not check what the guest writes without an exit */
        CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("mov %1, %%cr0", NO_OUT, "r"(READ_REGISTER("cr0") & ~1UL)));
        CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("mov %1, %%cr8", NO_OUT, "r"(0x10UL)));
    }
    CHECK_IS(TRAPPED(TRAP_UD, 0), TRY("vmrun", NO_OUT));
    CHECK_IS(TRAPPED(TRAP_UD, 0), TRY("vmload", NO_OUT));
}

static uint64_t software_rip;
static bool count_software(struct registers *regs)
{
    software_rip = regs->rip;
    return true;
}

/* The address behind the instruction is what they push; none of them masks a pending interrupt. */
static void software(void)
{
    uint64_t after;
    trap_hooks[SOFTWARE] = trap_hooks[TRAP_BP] = trap_hooks[TRAP_DB] = count_software;
    __asm__ volatile("lea 1f(%%rip), %0\n\tint %1\n1:" : "=&r"(after) : "i"(SOFTWARE) : "memory");
    CHECK_IS(after, software_rip);
    __asm__ volatile("lea 1f(%%rip), %0\n\tint3\n1:" : "=&r"(after)::"memory");
    CHECK_IS(after, software_rip);
    if (!on_platform("tcg")) {
        __asm__ volatile("lea 1f(%%rip), %0\n\t.byte 0xf1\n1:" : "=&r"(after)::"memory"); /* icebp */
        CHECK_IS(after, software_rip);
        CHECK_IS(1, trap_counts[TRAP_DB]);
    }
    CHECK_IS(1, trap_counts[SOFTWARE]);
    CHECK_IS(1, trap_counts[TRAP_BP]);
    trap_hooks[TRAP_BP] = trap_hooks[TRAP_DB] = NULL;
}

static uint64_t interrupted_at;
static bool interrupt(struct registers *regs)
{
    interrupted_at = regs->rip;
    if (*(const uint8_t *)regs->rip == HLT)
        regs->rip++; /* it came too early, and nothing else would wake the hlt */
    apic_write(APIC_EOI, 0);
    return true;
}

static void self(uint32_t command)
{
    apic_write(APIC_ICR, ICR_SELF | command);
}

/* Each lets interrupts in behind one instruction in the shadow of sti, and returns the address behind that. */
static uint64_t behind_nop(void)
{
    uint64_t after;
    __asm__ volatile("lea 1f(%%rip), %0\n\tsti\n\tnop\n1:\tnop\n\tcli" : "=&r"(after)::"memory");
    return after;
}

/* The hypervisor serves it. */
static uint64_t behind_cpuid(void)
{
    uint64_t after;
    __asm__ volatile("lea 1f(%%rip), %0\n\txor %%eax, %%eax\n\tsti\n\tcpuid\n1:\tnop\n\tcli"
                     : "=&r"(after)::"rax", "rbx", "rcx", "rdx", "memory");
    return after;
}

/* It wakes at once. */
static uint64_t behind_hlt(void)
{
    uint64_t after;
    __asm__ volatile("lea 1f(%%rip), %0\n\tsti\n\thlt\n1:\tcli" : "=&r"(after)::"memory");
    return after;
}

/* QEMU enters a guest without the shadow that its VMCB holds (docs/testing.md): an interrupt of the machine's own that
 * exits in the shadow ends it there. That is rare, so one of some tries has none. */
static unsigned tries(void)
{
    return on_platform("tcg") ? 4 : 1;
}

static void waits_for(uint64_t (*let_in)(void))
{
    unsigned left = tries();
    uint64_t after;
    do {
        unsigned before = trap_counts[VECTOR];
        self(VECTOR);
        CHECK_IS(before, trap_counts[VECTOR]);
        after = let_in();
        CHECK_IS(before + 1, trap_counts[VECTOR]);
    } while (after != interrupted_at && --left);
    CHECK_IS(after, interrupted_at);
}

static bool sti_cli_opens(void)
{
    unsigned before = trap_counts[VECTOR];
    self(VECTOR);
    __asm__ volatile("sti\n\tcli" ::: "memory");
    return trap_counts[VECTOR] != before;
}

static void shadow(void)
{
    trap_hooks[VECTOR] = trap_hooks[OTHER] = interrupt;
    waits_for(behind_nop);
    waits_for(behind_cpuid);
    waits_for(behind_hlt);
    unsigned left = tries();
    while (sti_cli_opens() && --left)
        ;
    CHECK(left);
    /* The interrupt that waits now is let in by popf. */
    unsigned before = trap_counts[VECTOR];
    __asm__ volatile("pushfq\n\torq $0x200, (%%rsp)\n\tpopfq\n\tnop\n\tcli" ::: "memory", "cc");
    CHECK_IS(before + 1, trap_counts[VECTOR]);
}

/* The task priority holds back what is not above it, and the higher vector comes first. */
static unsigned order[4], ordered;
static bool in_order(struct registers *regs)
{
    order[ordered++ & 3] = (unsigned)regs->vector;
    apic_write(APIC_EOI, 0);
    return true;
}

static void set_priority(unsigned class)
{
    if (on_platform("tcg")) /* QEMU 7.2 ends by an assertion when CR8 lets in what the hypervisor has pending */
        apic_write(APIC_TPR, class << 4);
    else
        WRITE_REGISTER("cr8", class);
}

static void priorities(void)
{
    trap_hooks[VECTOR] = trap_hooks[OTHER] = in_order;
    /* Not 9, the class of VECTOR: QEMU lets a class through that is as high as the priority, and both wait for ever. */
    WRITE_REGISTER("cr8", 5);
    CHECK_IS(0x50, apic_read(APIC_TPR));
    set_priority(10);
    CHECK_IS(10, READ_REGISTER("cr8"));
    self(VECTOR);
    self(OTHER);
    interrupts_on();
    CHECK_IS(1, ordered);
    CHECK_IS(OTHER, order[0]);
    set_priority(0);
    __asm__ volatile("nop");
    CHECK_IS(2, ordered);
    CHECK_IS(VECTOR, order[1]);
    interrupts_off();
    self(VECTOR);
    self(OTHER);
    interrupts_on();
    interrupts_off();
    CHECK_IS(4, ordered);
    CHECK_IS(OTHER, order[2]);
    CHECK_IS(VECTOR, order[3]);
}

static unsigned nmi_depth, nmi_deepest;
static void nmi_to_self(void)
{
    apic_write(APIC_ICR_HIGH, 0);
    apic_write(APIC_ICR, ICR_NMI);
}

static bool nmi(struct registers *regs)
{
    if (++nmi_depth > nmi_deepest)
        nmi_deepest = nmi_depth;
    if (trap_counts[TRAP_NMI] == 1) {
        nmi_to_self();
        uint32_t out[4];
        cpuid(0, 0, out); /* an exit: still blocked after it */
    }
    nmi_depth--;
    return true;
}

/* Comes with IF off; another one waits for the end of the first. */
static void nmis(void)
{
    trap_hooks[TRAP_NMI] = nmi;
    nmi_to_self();
    CHECK(WITHIN_MS(1000, trap_counts[TRAP_NMI] == 2));
    CHECK_IS(1, nmi_deepest);
    interrupts_on();
    nmi_to_self();
    CHECK(WITHIN_MS(1000, trap_counts[TRAP_NMI] == 3));
    interrupts_off();
}

static bool bad_gate_seen;
static bool bad_gate(struct registers *regs)
{
    bad_gate_seen = true;
    idt[VECTOR].selector = CODE64;
    CHECK_IS(NO_CODE, regs->error_code & ~1UL); /* QEMU leaves the bit for external events clear */
    return true;
}

/* The delivery of an interrupt itself faults. */
static void fault_in_delivery(void)
{
    trap_hooks[VECTOR] = interrupt;
    trap_hooks[TRAP_NP] = bad_gate;
    idt[VECTOR].selector = NO_CODE;
    self(VECTOR);
    interrupts_on();
    interrupts_off();
    CHECK(bad_gate_seen);
    apic_write(APIC_EOI, 0); /* the processor had taken it */
    trap_hooks[TRAP_NP] = NULL;
    unsigned before = trap_counts[VECTOR];
    self(VECTOR);
    interrupts_on();
    interrupts_off();
    CHECK_IS(before + 1, trap_counts[VECTOR]);
}

static bool double_fault_seen;
static bool double_fault(struct registers *regs)
{
    double_fault_seen = true;
    CHECK_IS(0, regs->error_code);
    idt[TRAP_NP].selector = CODE64;
    regs->rip = regs->rbx;
    return true;
}

static void double_faults(void)
{
    trap_hooks[TRAP_DF] = double_fault;
    idt[TRAP_NP].selector = NO_CODE;
    __asm__ volatile("lea 1f(%%rip), %%rbx\n\tmov %0, %%es\n1:" : : "r"(NOT_PRESENT) : "rbx", "memory");
    CHECK(double_fault_seen);
}

void test_main(void)
{
    gdt[NOT_PRESENT / 8] = 0x00cf13000000ffff;
    gdt[NO_CODE / 8] = 0x00af1b000000ffff;
    apic_enable();
    say("exceptions");
    exceptions();
    say("software");
    software();
    say("shadow");
    shadow();
    say("priorities");
    priorities();
    say("nmis");
    nmis();
    say("fault in delivery");
    fault_in_delivery();
    say("double faults");
    double_faults();
}
