/*
 * For the assembler: the general registers of struct cpu_user_regs to the stack and back, and the place of guest_regs.
 * This is on the way of every entry.
 */
#include <hv/asm_offsets.h>

/* From just above rdi, where an exception with its error code leaves rsp. A guest may have set AC, and a copy from or
 * to a guest that is interrupted has: what follows may touch no page of a guest's. */
.macro SAVE_REGS
.Lsmap_site_\@:
        .byte SMAP_SITE_BYTES
        .pushsection .smap_sites, "a"
        .balign 4
        .long .Lsmap_site_\@ - ., SMAP_CLAC
        .popsection
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
.endm

/* rax_slot: what takes the value for rax; another register where rax must stay. */
.macro RESTORE_REGS rax_slot=%rax
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
        pop \rax_slot
        pop %rcx
        pop %rdx
        pop %rsi
        pop %rdi
.endm

/* rsp = guest_regs of this CPU, whatever stack of the block we are on. */
.macro MAIN_STACK
        or $(STACK_SIZE - 1), %rsp
        sub $(CPU_INFO_SIZE - 1), %rsp
.endm
