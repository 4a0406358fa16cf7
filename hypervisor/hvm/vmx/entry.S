/*
 * Into a VT-x guest and back. The processor switches rip, rsp, rflags, segments and control registers; general
 * registers are in guest_regs at the top of the main stack. HOST_RSP points above its rdi, as an exception with an error
 * code would have left the stack. An exit comes with interrupts off. Source: Intel SDM volume 3, 26 and 27.
 */
#include <hv/asm_offsets.h>

        .section .text, "ax"
        .code64

/* rsp = guest_regs of this CPU */
.macro MAIN_STACK
        or $(STACK_SIZE - 1), %rsp
        sub $(CPU_INFO_SIZE - 1), %rsp
.endm

        .global vmx_enter, vmx_exit_point
vmx_enter:
        MAIN_STACK
        and $~15, %rsp
        call vmx_prepare_entry
        MAIN_STACK
        test %al, %al                   /* the flags last until the choice below */
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
        pop %rax
        pop %rcx
        pop %rdx
        pop %rsi
        pop %rdi
        jz 1f
        vmresume
        jmp 2f
1:      vmlaunch
        /* Refused: the general registers in guest_regs are as they were. */
2:      MAIN_STACK
        and $~15, %rsp
        xor %ebp, %ebp
        call vmx_entry_refused
        jmp exit_to_guest

        .balign 16
vmx_exit_point:
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
        and $~15, %rsp
        xor %ebp, %ebp                  /* backtraces end here */
        call vmx_exit
        jmp exit_to_guest

        .section .note.GNU-stack, "", @progbits
