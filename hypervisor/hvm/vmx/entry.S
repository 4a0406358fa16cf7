/*
 * Into a VT-x guest and back. The processor switches rip, rsp, rflags, segments and control registers; general
 * registers are in guest_regs at the top of the main stack. HOST_RSP points above its rdi, as an exception with an error
 * code would have left the stack. An exit comes with interrupts off. Source: Intel SDM volume 3, 26 and 27.
 */
#include <hv/entry_macros.h>

        .section .text, "ax"
        .code64

        .global vmx_enter, vmx_exit_point
vmx_enter:
        MAIN_STACK
        and $~15, %rsp
        call vmx_prepare_entry
        MAIN_STACK
        cmp $1, %eax                    /* enum vmx_entry; the flags last until the choice below */
        ja exit_to_guest
        RESTORE_REGS
        jb 1f
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
        SAVE_REGS
        and $~15, %rsp
        xor %ebp, %ebp                  /* backtraces end here */
        call vmx_exit
        jmp exit_to_guest

        .section .note.GNU-stack, "", @progbits
