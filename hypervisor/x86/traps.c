/*
 * Exceptions and the way back to the guest. Those of a guest go to pv/ through one table; those of ours are either
 * expected (extable) or stop the machine.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/exit.h>
#include <hv/hvm.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/lock_check.h>
#include <hv/protection.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/sched.h>
#include <hv/timer.h>
#include <hv/traps.h>
#include <hv/xstate.h>

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

static void inject(struct cpu_user_regs *regs)
{
    pv_inject_trap(regs, regs->entry_vector, regs->error_code);
}

static void guest_debug(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    unsigned long status = read_dr6();
    write_dr6(0xffff0ff0);
    v->pv.dr[6] = status;
    inject(regs);
}

static void guest_no_device(struct cpu_user_regs *regs)
{
    if (xstate_handle_nm(current))
        inject(regs);
}

static void guest_page_fault(struct cpu_user_regs *regs)
{
    unsigned long address = read_cr2();
    irq_enable();
    pv_page_fault(regs, address);
}

static void guest_general_protection(struct cpu_user_regs *regs)
{
    irq_enable();
    pv_general_protection(regs);
}

static void guest_invalid_opcode(struct cpu_user_regs *regs)
{
    irq_enable();
    pv_invalid_opcode(regs);
}

static void nmi(struct cpu_user_regs *regs)
{
    log_warning("NMI on CPU %u at %pS ignored", smp_processor_id(), (void *)regs->rip);
}

/* From here the way may lead to another guest, by sysret or a VM entry, or to sleep. */
static void guest_nmi(struct cpu_user_regs *regs)
{
    nmi_unblock();
    nmi(regs);
}

static void machine_check(struct cpu_user_regs *regs)
{
    panic_regs(regs, "machine check on CPU %u: the hardware reported an uncorrectable error", smp_processor_id());
}

static void (*const guest_trap[32])(struct cpu_user_regs *regs) = {
    [TRAP_divide_error] = inject,
    [TRAP_debug] = guest_debug,
    [TRAP_nmi] = guest_nmi,
    [TRAP_int3] = inject,
    [TRAP_overflow] = inject,
    [TRAP_bounds] = inject,
    [TRAP_invalid_op] = guest_invalid_opcode,
    [TRAP_no_device] = guest_no_device,
    [TRAP_invalid_tss] = inject,
    [TRAP_no_segment] = inject,
    [TRAP_stack_error] = inject,
    [TRAP_gp_fault] = guest_general_protection,
    [TRAP_page_fault] = guest_page_fault,
    [TRAP_copro_error] = inject,
    [TRAP_alignment_check] = inject,
    [TRAP_machine_check] = machine_check,
    [TRAP_simd_error] = inject,
};

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

void do_trap(struct cpu_user_regs *regs)
{
    unsigned vector = regs->entry_vector;
    protection_check_closed();
    if (vector >= 32) {
        do_irq(regs);
        return;
    }
    if (!from_guest(regs)) {
        own_trap(regs);
        return;
    }
    if (vector == TRAP_nmi)
        panic_nmi(regs);
    if (!guest_trap[vector])
        panic_regs(regs, "exception %u from a guest", vector);
    guest_trap[vector](regs);
}

/* The syscall instruction: of the guest's kernel it is a hypercall, of its user mode a system call for that kernel. */
void do_syscall(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    if (regs->entry_vector == ENTRY_SYSCALL && guest_kernel_mode(v)) {
        struct hypercall call = {.number = (unsigned)regs->rax,
                                 .arg = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9}};
        if (hypercall_dispatch(&call) != HYPERCALL_AGAIN) {
            regs->rax = call.result;
            return;
        }
        regs->rdi = call.arg[0];
        regs->rsi = call.arg[1];
        regs->rdx = call.arg[2];
        regs->r10 = call.arg[3];
        regs->r8 = call.arg[4];
        regs->r9 = call.arg[5];
        regs->rip -= 2; /* the syscall instruction again */
        return;
    }
    struct pv_callback *to = regs->entry_vector == ENTRY_SYSCALL ? &v->pv.syscall : &v->pv.syscall32;
    if (!to->address || guest_kernel_mode(v)) {
        regs->rip -= 2;
        pv_inject_trap(regs, TRAP_invalid_op, 0);
        return;
    }
    pv_bounce(regs, to->address, to->mask_events, NO_ERROR_CODE);
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

static void serve_softirqs(struct cpu *cpu)
{
    if (test_and_clear_bit(SOFTIRQ_TIMER, &cpu->softirq_pending)) {
        irq_enable();
        timer_softirq();
        irq_disable();
    }
    if (test_and_clear_bit(SOFTIRQ_SCHEDULE, &cpu->softirq_pending))
        schedule();
}

/* The steps of exit_work; what takes more than a look is not on the way of a hypercall that leaves nothing to do. */
static __noinline bool serve(void)
{
    struct cpu *cpu = this_cpu();
    if (READ_ONCE(cpu->softirq_pending))
        serve_softirqs(cpu);
    else if (console_ring_grew)
        console_notify();
    return true;
}

static __noinline bool enter_hvm(struct vcpu *v)
{
    if (hvm_prepare_entry(v))
        hvm_enter(v);
    return true;
}

static __noinline bool idle(void)
{
    irq_enable_and_halt();
    irq_disable();
    return true;
}

static __noinline bool deliver(void)
{
    irq_enable();
    pv_deliver_pending(guest_regs());
    irq_disable();
    return true;
}

/* A frame changed by other means than the hypercall itself must not go
 * back by sysret; those places set entry_vector. */
bool exit_work(void)
{
    struct vcpu *v = current;
    lock_check_no_lock();
    protection_check_closed();
    if (READ_ONCE(this_cpu()->softirq_pending) || console_ring_grew)
        return serve();
    if (v->hvm)
        return enter_hvm(v);
    if (v->domain->is_idle)
        return idle();
    if (pv_needs_delivery(v))
        return deliver();
    return false;
}
