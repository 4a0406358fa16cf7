/*
 * Where a hypercall stands in the registers of 64-bit code, the same for PV and HVM guests.
 * Source: xen/arch-x86/xen-x86_64.h, "Hypercall interface".
 */
#ifndef HV_HYPERCALL_REGISTERS_H
#define HV_HYPERCALL_REGISTERS_H

#include <hv/hypercall.h>
#include <hv/xen.h>

/* Runs it, with the result in rax. False: not finished, its progress is in the registers, and the same instruction is
 * to be executed again. */
static inline bool hypercall_64(struct cpu_user_regs *regs)
{
    struct hypercall call __uninitialized = {
        .number = (unsigned)regs->rax,
        .arg = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9},
    };
    if (hypercall_dispatch(&call) != HYPERCALL_AGAIN) {
        regs->rax = call.result;
        return true;
    }
    regs->rdi = call.arg[0];
    regs->rsi = call.arg[1];
    regs->rdx = call.arg[2];
    regs->r10 = call.arg[3];
    regs->r8 = call.arg[4];
    regs->r9 = call.arg[5];
    return false;
}

#endif
