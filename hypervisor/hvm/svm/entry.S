/*
 * Into an SVM guest and back. General registers are in guest_regs at the top of the main stack; rax, rip, rsp and
 * rflags travel in the control block. GIF is clear from before the guest's segment state is in the processor until ours
 * is again: TR matters even to an NMI. IF is set meanwhile, because with V_INTR_MASKING it decides whether a physical
 * interrupt ends the guest's run. Source: AMD APM volume 2, 15.5 and 15.17.
 */
#include <hv/entry_macros.h>

        .section .text, "ax"
        .code64

/* rdi = physical address of the control block */
        .global svm_run
svm_run:
        MAIN_STACK
        mov %rdi, %rax
        clgi
        sti
        vmload %rax
        RESTORE_REGS %rcx               /* the control block has rax */
        vmrun %rax
        SAVE_REGS
        vmsave %rax
        mov CPU_INFO_hvm_host(%rsp), %rax
        vmload %rax
        stgi
        cld
        xor %ebp, %ebp
        mov %rsp, %rdi
        call svm_exit
        jmp exit_to_guest

        .section .note.GNU-stack, "", @progbits
