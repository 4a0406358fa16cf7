/*
 * HYPERVISOR_iret: the guest kernel's return from an exception, event or system call, to its user mode or to itself.
 * Source: arch-x86/xen-x86_64.h, struct iret_context.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/pv_internal.h>

_Static_assert(sizeof(struct iret_context) == 72, "ABI");

enum hypercall_outcome do_iret(struct hypercall *call)
{
    struct vcpu *v = current;
    struct cpu_user_regs *regs = guest_regs();
    struct iret_context frame __uninitialized;
    call->result = 0;
    if (copy_from_guest_va(&frame, regs->rsp, sizeof(frame))) {
        domain_crash(v->domain, "iret: no frame at rsp %#lx", regs->rsp);
        return HYPERCALL_DONE;
    }
    if ((frame.cs & 3) == 3 && !pv_toggle_mode(v)) {
        domain_crash(v->domain, "iret to user mode without a user page table");
        return HYPERCALL_DONE;
    }
    if (pv_assist(v, VMASST_TYPE_architectural_iopl))
        v->pv.iopl = frame.rflags >> 12 & 3;
    regs->rip = frame.rip;
    regs->cs = (uint16_t)(frame.cs | 3);
    regs->ss = (uint16_t)(frame.ss | 3);
    regs->rsp = frame.rsp;
    regs->rflags = pv_sane_rflags(frame.rflags);
    regs->entry_vector = 0;
    if (frame.flags & VGCF_in_syscall) {
        regs->rcx = frame.rip;
        regs->r11 = regs->rflags;
        regs->entry_vector =
            ENTRY_SYSCALL; /* as if the syscall instruction had come just now: sysret may take it back */
    } else {
        regs->rcx = frame.rcx;
        regs->r11 = frame.r11;
    }
    v->info->evtchn_upcall_mask = !(frame.rflags & X86_EFLAGS_IF);
    call->result = frame.rax;
    return HYPERCALL_RETURNED;
}
