/*
 * Exceptions. Those of a guest are pv/traps.c's; those of ours are either expected (extable) or stop the machine.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/irq.h>
#include <hv/protection.h>
#include <hv/pv.h>
#include <hv/traps.h>

#define ASSERT_REG(name) _Static_assert(offsetof(struct cpu_user_regs, name) == REGS_##name, "asm_offsets.h")
ASSERT_REG(r15);
ASSERT_REG(rax);
ASSERT_REG(rdi);
ASSERT_REG(error_code);
ASSERT_REG(entry_vector);
ASSERT_REG(rip);
ASSERT_REG(cs);
ASSERT_REG(rflags);
ASSERT_REG(rsp);
ASSERT_REG(ss);
ASSERT_REG(es);
_Static_assert(sizeof(struct cpu_user_regs) == REGS_SIZE, "asm_offsets.h");
_Static_assert(sizeof(struct cpu_info) == CPU_INFO_SIZE, "asm_offsets.h");
_Static_assert(offsetof(struct cpu_info, hvm_host) == CPU_INFO_hvm_host, "asm_offsets.h");

void do_iret_fault(struct cpu_user_regs *regs);

static void nmi(struct cpu_user_regs *regs)
{
    log_warning("NMI on CPU %u at %pS ignored", smp_processor_id(), (void *)regs->rip);
}

static void machine_check(struct cpu_user_regs *regs)
{
    panic_regs(regs, "machine check on CPU %u: the hardware reported an uncorrectable error", smp_processor_id());
}

static const char *const trap_name[32] = {
    "divide error",
    "debug",
    "NMI",
    "breakpoint",
    "overflow",
    "bounds",
    "invalid opcode",
    "device not available",
    "double fault",
    "?",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection",
    "page fault",
    "?",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD error",
    "virtualisation",
    "control protection",
};

/* What the last fault was that a fix-up took care of. Interrupts are off from there to its reader. */
static struct {
    uint16_t vector;
    uint32_t error_code;
} fixed_fault[NR_CPUS];

static bool on_stack_guard(unsigned long address)
{
    unsigned long block = ROUND_DOWN((unsigned long)cpu_info(), STACK_SIZE);
    return address - block < STACK_SIZE && is_stack_guard(address);
}

static void own_trap(struct cpu_user_regs *regs)
{
    unsigned vector = regs->entry_vector;
    if (vector == TRAP_nmi) {
        panic_nmi(regs);
        nmi(regs);
        return;
    }
    if (vector == TRAP_debug) { /* a guest's, on memory that we touch for it: the access goes on after it */
        write_dr6(0xffff0ff0);
        return;
    }
    if (vector != TRAP_double_fault && vector != TRAP_machine_check && extable_fixup(regs)) {
        fixed_fault[smp_processor_id()].vector = (uint16_t)vector;
        fixed_fault[smp_processor_id()].error_code = regs->error_code;
        return;
    }
    if (vector == TRAP_double_fault && on_stack_guard(read_cr2()))
        panic_regs(regs, "stack of CPU %u run over, at %#lx", smp_processor_id(), read_cr2());
    if (vector == TRAP_page_fault)
        panic_regs(regs, "page fault at %#lx (error %x) in the hypervisor", read_cr2(), regs->error_code);
    panic_regs(regs, "%s (error %x) in the hypervisor", trap_name[vector] ? trap_name[vector] : "exception",
               regs->error_code);
}

/* Of a guest, a PV guest always: HVM guests come by VM exits. The hardware's own concern us, whoever ran. After an NMI
 * the way may lead to another guest, by sysret or a VM entry, or to sleep. */
static void trap_from_guest(struct cpu_user_regs *regs)
{
    if (regs->entry_vector == TRAP_nmi) {
        panic_nmi(regs);
        nmi_unblock();
        nmi(regs);
    } else if (regs->entry_vector == TRAP_machine_check) {
        machine_check(regs);
    } else {
        pv_trap(regs);
    }
}

void do_trap(struct cpu_user_regs *regs)
{
    protection_check_closed();
    if (regs->entry_vector >= 32)
        do_irq(regs);
    else if (from_guest(regs))
        trap_from_guest(regs);
    else
        own_trap(regs);
}

/* iretq refused the guest's new cs, ss or rip: the exception is the guest's, raised where it wanted to go. */
void do_iret_fault(struct cpu_user_regs *regs)
{
    unsigned cpu = smp_processor_id();
    unsigned vector = fixed_fault[cpu].vector;
    uint32_t error_code = fixed_fault[cpu].error_code;
    irq_enable();
    pv_inject_trap(regs, vector, error_code);
}
