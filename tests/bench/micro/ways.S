/*
 * The shortest ways a kernel can take through an exception, an event and a system call: nothing but what the ABI demands.
 * Source: xen/arch-x86/xen-x86_64.h (frames, struct iret_context).
 */
#define HYPERCALL_iret 23
#define VGCF_in_syscall 0x100
#define EVTCHN_PENDING 2048     /* offset in struct shared_info; asserted in main.c */
#define VCPU_INFO 64            /* size of struct vcpu_info; so too */

.text
/* On entry: rcx, r11, rip, cs, rflags, rsp, ss. */
.globl way_of_syscall
way_of_syscall:
    pop %rcx
    pop %r11
    push $VGCF_in_syscall
    jmp return_by_iret

/* On entry: rcx, r11, error code, rip, ... The instruction that faulted is `movb %al, (%rdi)`, two bytes, and is skipped. */
.globl way_of_page_fault
way_of_page_fault:
    pop %rcx
    pop %r11
    addq $2, 8(%rsp)
    movq $0, (%rsp)
    jmp return_by_iret

/* On entry: rcx, r11, rip, ... */
.globl way_of_trap
way_of_trap:
    pop %rcx
    pop %r11
    push $0
    jmp return_by_iret

.macro WAY_OF_EVENT vcpu
    pop %rcx
    pop %r11
    push $0
    push %rcx
    mov shared(%rip), %rcx
    movb $0, \vcpu * VCPU_INFO(%rcx)
    movq $0, \vcpu * VCPU_INFO + 8(%rcx)
    movq $0, EVTCHN_PENDING(%rcx)
    pop %rcx
    incq events_taken(%rip)
.endm

.globl way_of_event_on_second
way_of_event_on_second:
    WAY_OF_EVENT 1
    jmp return_by_iret

.globl way_of_event
way_of_event:
    WAY_OF_EVENT 0

return_by_iret:
    push %rcx
    push %r11
    push %rax
    mov $HYPERCALL_iret, %eax
    syscall
    ud2

.bss
.balign 8
.globl events_taken
events_taken: .skip 8
.section .note.GNU-stack, "", @progbits
