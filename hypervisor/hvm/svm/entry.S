/*
 * Into an SVM guest and back. General registers are in guest_regs at the top of the main stack; rax, rip, rsp and
 * rflags travel in the control block. GIF is clear from before the guest's segment state is in the processor until ours
 * is again: TR matters even to an NMI. IF is set meanwhile, because with V_INTR_MASKING it decides whether a physical
 * interrupt ends the guest's run. Source: AMD APM volume 2, 15.5 and 15.17.
 */
#include <hv/asm_offsets.h>

        .section .text, "ax"
        .code64

/* rdi = physical address of the control block */
        .global svm_run
svm_run:
        or $(STACK_SIZE - 1), %rsp
        sub $(CPU_INFO_SIZE - 1), %rsp
        mov %rdi, %rax
        clgi
        sti
        vmload %rax
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rcx                        /* rax, which the control block has */
        pop %rcx
        pop %rdx
        pop %rsi
        pop %rdi
        vmrun %rax
        push %rdi
        push %rsi
        push %rdx
        push %rcx
        push %rax
        push %r8
        push %r9
        push %r10
        push %r11
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
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
