/*
 * Where the hypervisor enters a test kernel: at boot, for traps, for events, for system calls.
 * Source: xen/elfnote.h, xen/arch-x86/xen-x86_64.h (frame layout, struct iret_context).
 */
#include <xen/elfnote.h>

#define HYPERCALL_iret 23

.macro note type:req, data:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4
    .long 2f - 1f
    .long \type
    .asciz "Xen"
1:  \data
2:  .balign 4
    .popsection
.endm

note XEN_ELFNOTE_GUEST_OS, .asciz "Roundhouse test"
note XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
note XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
note XEN_ELFNOTE_LOADER, .asciz "generic"
note XEN_ELFNOTE_PAE_MODE, .asciz "yes"
note XEN_ELFNOTE_VIRT_BASE, .quad VIRT_BASE
note XEN_ELFNOTE_PADDR_OFFSET, .quad 0
note XEN_ELFNOTE_ENTRY, .quad start
note XEN_ELFNOTE_FEATURES, .asciz "!writable_page_tables|pae_pgdir_above_4gb"
note XEN_ELFNOTE_SUPPORTED_FEATURES, .long 0x8801

.section .text.entry, "ax"
.globl start
start:
    cld
    lea boot_stack + 16384(%rip), %rsp
    mov %rsi, %rdi
    xor %ebp, %ebp
    call guest_start
1:  jmp 1b

.macro save_all
    push %rcx
    push %r11
    push %rax
    push %rdi
    push %rsi
    push %rdx
    push %r10
    push %r9
    push %r8
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

/* On entry: rcx, r11, [error code], rip, cs, rflags, rsp, ss. The error code's place is that of iret_context.flags. */
.macro trap_entry vector:req, error=0
    .balign 16
trap_\vector:
    pop %rcx
    pop %r11
    .if !\error
    push $0
    .endif
    save_all
    mov $\vector, %esi
    jmp trap_common
.endm

trap_common:
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $~15, %rsp
    call trap_handler
    mov %rbp, %rdi
    movq $0, 15 * 8(%rdi)
    jmp resume

/* void resume(struct registers *): by iret, with flags as given in error_code. */
.globl resume
resume:
    mov %rdi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r8
    pop %r9
    pop %r10
    pop %rdx
    pop %rsi
    pop %rdi
    mov $HYPERCALL_iret, %eax
    syscall
    ud2

.irp v, 0,1,2,3,4,5,6,7,9,15,16,18,19
trap_entry \v
.endr
.irp v, 8,10,11,12,13,14,17
trap_entry \v, 1
.endr
/* Software interrupts: 0x48 open to user mode, 0x4c to the kernel only. QEMU's error code for a refused `int n` is n * 16 + 2
 * and not n * 8 + 2, so there it comes out as 2 n; both numbers get the same handler. */
trap_entry 0x48
trap_entry 0x4c
.set trap_0x90, trap_0x48
.set trap_0x98, trap_0x4c
/* Not vectors: the callbacks. */
trap_entry 256
trap_entry 257

/* The failsafe callback has ds, es, fs, gs between r11 and rip. */
    .balign 16
trap_258:
    pop %rcx
    pop %r11
    popq failsafe_selectors(%rip)
    popq failsafe_selectors + 8(%rip)
    popq failsafe_selectors + 16(%rip)
    popq failsafe_selectors + 24(%rip)
    push $0
    save_all
    mov $258, %esi
    jmp trap_common

.section .rodata
.globl trap_entries
.balign 8
trap_entries: /* vector, address */
.irp v, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,0x48,0x4c,0x90,0x98,256,257,258
    .quad \v, trap_\v
.endr
    .quad -1, 0

.text
/* bool user_enter(struct registers *): into user mode; returns when user mode ended (user_leave). */
.globl user_enter, user_leave
user_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, user_saved_stack(%rip)
    jmp resume
/* From a trap handler: back to user_enter's caller. */
user_leave:
    mov user_saved_stack(%rip), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* Second vcpu's first instruction. */
.globl vcpu_entry
vcpu_entry:
    cld
    mov %rsp, %rdi
    xor %ebp, %ebp
    call *vcpu_function(%rip)
1:  jmp 1b

.bss
.balign 4096
.globl boot_stack, failsafe_selectors, vcpu_function
boot_stack: .skip 16384
user_saved_stack: .skip 8
failsafe_selectors: .skip 32
vcpu_function: .skip 8
.section .note.GNU-stack, "", @progbits
