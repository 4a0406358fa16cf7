/*
 * Exceptions and system calls of PV guests: most are their kernel's, some we finish ourselves.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/hypercall_registers.h>
#include <hv/pv.h>
#include <hv/pv_internal.h>
#include <hv/traps.h>
#include <hv/xstate.h>

static void inject(struct cpu_user_regs *regs)
{
    pv_inject_trap(regs, regs->entry_vector, regs->error_code);
}

static void debug(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    unsigned long status = read_dr6();
    write_dr6(0xffff0ff0);
    v->pv.dr[6] = status;
    inject(regs);
}

static void no_device(struct cpu_user_regs *regs)
{
    if (xstate_handle_nm(current))
        inject(regs);
}

static void page_fault(struct cpu_user_regs *regs)
{
    unsigned long address = read_cr2();
    irq_enable();
    pv_page_fault(regs, address);
}

static void general_protection(struct cpu_user_regs *regs)
{
    irq_enable();
    pv_general_protection(regs);
}

static void invalid_opcode(struct cpu_user_regs *regs)
{
    irq_enable();
    pv_invalid_opcode(regs);
}

static void (*const handlers[32])(struct cpu_user_regs *regs) = {
    [TRAP_divide_error] = inject,
    [TRAP_debug] = debug,
    [TRAP_int3] = inject,
    [TRAP_overflow] = inject,
    [TRAP_bounds] = inject,
    [TRAP_invalid_op] = invalid_opcode,
    [TRAP_no_device] = no_device,
    [TRAP_invalid_tss] = inject,
    [TRAP_no_segment] = inject,
    [TRAP_stack_error] = inject,
    [TRAP_gp_fault] = general_protection,
    [TRAP_page_fault] = page_fault,
    [TRAP_copro_error] = inject,
    [TRAP_alignment_check] = inject,
    [TRAP_simd_error] = inject,
};

void pv_trap(struct cpu_user_regs *regs)
{
    unsigned vector = regs->entry_vector;
    if (!handlers[vector])
        panic_regs(regs, "exception %u from a guest", vector);
    handlers[vector](regs);
}

void pv_syscall(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    if (regs->entry_vector == ENTRY_SYSCALL && guest_kernel_mode(v)) {
        if (!hypercall_64(regs))
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
