/*
 * Ways in and out. Every entry from a guest leaves its registers in struct cpu_info.guest_regs at the top of the CPU's
 * main stack (TSS.RSP0 points just above their `ss`), and goes back through exit_to_guest. Entries from ourselves nest on
 * the stack they interrupted and return straight.
 */
#include <hv/entry_macros.h>

        .section .entry.text, "ax"
        .code64

/* ---- exceptions and interrupts ---- */
.macro VECTOR n
        .balign 16
entry_\n:
        .if (\n == 8) || (\n >= 10 && \n <= 14) || (\n == 17) || (\n == 21) || (\n == 29) || (\n == 30)
        .else
        push $0
        .endif
        movl $\n, 4(%rsp)
        .if (\n == 1) || (\n == 2) || (\n == 8) || (\n == 18)
        jmp ist_entry
        .else
        jmp common_entry
        .endif
.endm

.altmacro
        .set i, 0
        .rept 256
        VECTOR %i
        .set i, i + 1
        .endr

common_entry:
        SAVE_REGS
        cld
        testb $3, REGS_cs(%rsp)
        jz 1f
        xor %ebp, %ebp                  /* a guest's frame pointer is none of ours: backtraces end here */
1:      mov %rsp, %rdi
        call do_trap
        testb $3, REGS_cs(%rsp)
        jnz exit_to_guest
restore_nested:
        RESTORE_REGS
        add $8, %rsp
        iretq

/* On a stack of its own. From a guest: move the frame to the main stack and go on as usual. */
ist_entry:
        SAVE_REGS
        cld
        testb $3, REGS_cs(%rsp)
        jz 1f
        mov %rsp, %rsi
        MAIN_STACK
        mov %rsp, %rdi
        mov $(REGS_es / 8), %ecx
        rep movsq
        xor %ebp, %ebp
        mov %rsp, %rdi
        call do_trap
        jmp exit_to_guest
1:      mov %rsp, %rdi
        call do_trap
        jmp restore_nested

/* ---- syscall instruction: hypercalls and system calls of guest user mode ---- */
.macro SYSCALL_STUB cpu, vector, cs
        .balign 64
        mov %rsp, syscall_data + 64 * \cpu(%rip)
        mov syscall_data + 64 * \cpu + 8(%rip), %rsp
        push $GUEST_DS
        push syscall_data + 64 * \cpu(%rip)
        push %r11
        push $\cs
        push %rcx
        push $0
        movl $\vector, 4(%rsp)
        jmp syscall_common
.endm

        .balign 64
        .global syscall_stub, syscall32_stub
syscall_stub:
        .set i, 0
        .rept 64
        SYSCALL_STUB %i, ENTRY_SYSCALL, GUEST_CS64
        .set i, i + 1
        .endr
        .balign 64
syscall32_stub:
        .set i, 0
        .rept 64
        SYSCALL_STUB %i, ENTRY_SYSCALL32, GUEST_CS32
        .set i, i + 1
        .endr

syscall_common:
        SAVE_REGS
        cld
        xor %ebp, %ebp
        mov %rsp, %rdi
        sti
        call pv_syscall
        /* fall through */

/* ---- back to the guest ---- */
        .global exit_to_guest
exit_to_guest:
        cli
        MAIN_STACK
        and $~15, %rsp
1:      call exit_work
        test %al, %al
        jnz 1b
        MAIN_STACK
        /* sysret is enough when the frame is still as the syscall instruction would have it: rip and rflags go by rcx
         * and r11, which a hypercall may change. A non-canonical rip would fault in ring 0 on the guest's stack. */
        cmpl $ENTRY_SYSCALL, REGS_entry_vector(%rsp)
        jne by_iret
        cmpw $GUEST_CS64, REGS_cs(%rsp)
        jne by_iret
        cmpw $GUEST_DS, REGS_ss(%rsp)
        jne by_iret
        mov REGS_rip(%rsp), %rcx
        mov %rcx, %rdx
        sar $47, %rdx
        lea 1(%rdx), %rdx
        cmp $1, %rdx
        ja by_iret
        RESTORE_REGS
        mov 8(%rsp), %rcx
        mov 24(%rsp), %r11
        mov 32(%rsp), %rsp
        sysretq

by_iret:
        RESTORE_REGS
        add $8, %rsp
iret_to_guest:
        iretq
        .pushsection .extable, "a"
        .balign 4
        .long iret_to_guest - .
        .long iret_failed - .
        .popsection

/* The guest's frame made iretq fault: its registers are in ours now, its frame still at the top of the main stack. */
iret_failed:
        sub $8, %rsp
        movl $0, REGS_entry_vector - REGS_error_code(%rsp)
        SAVE_REGS
        cld
        xor %ebp, %ebp
        mov %rsp, %rdi
        call do_iret_fault
        jmp exit_to_guest

/* IRET alone lets the next NMI in, and the way back to a guest may be another one. */
        .global nmi_unblock
nmi_unblock:
        mov %rsp, %rcx
        mov %ss, %eax
        push %rax
        push %rcx
        pushfq
        mov %cs, %eax
        push %rax
        lea 1f(%rip), %rax
        push %rax
        iretq
1:      ret

        .global cpu_start_idle
cpu_start_idle:
        jmp exit_to_guest

/* Guest memory copies: rdi = to, rsi = from, rdx = bytes; rax = bytes not copied. A translation that is older than the
 * guest's last change of the entry may fault once; the fault drops it, so the second try, from where the first one
 * stopped, sees the tables as they are. */
        .global copy_guest_bytes, clear_guest_bytes
copy_guest_bytes:
        cmp $4, %rdx                    /* event channels: the argument of the most frequent calls */
        jne 3f
1:      mov (%rsi), %eax
2:      mov %eax, (%rdi)
        xor %eax, %eax
        ret
3:      mov %rdx, %rcx
        shr $3, %rcx
        and $7, %edx
4:      rep movsq
        mov %edx, %ecx
5:      rep movsb
        xor %eax, %eax
        ret
6:      rep movsq                       /* the second try */
        mov %edx, %ecx
7:      rep movsb
        xor %eax, %eax
        ret
8:      lea (%rdx, %rcx, 8), %rax
        ret
9:      mov %rcx, %rax
        ret
        .pushsection .extable, "a"
        .balign 4
        .long 1b - .
        .long 3b - .
        .long 2b - .
        .long 3b - .
        .long 4b - .
        .long 6b - .
        .long 5b - .
        .long 7b - .
        .long 6b - .
        .long 8b - .
        .long 7b - .
        .long 9b - .
        .popsection
clear_guest_bytes:
        xor %eax, %eax
        mov %rsi, %rcx
1:      rep stosb
        mov %rcx, %rax
        ret
2:      mov %rcx, %rax
        ret
        .pushsection .extable, "a"
        .balign 4
        .long 1b - .
        .long 2b - .
        .popsection

        .section .rodata
        .balign 8
        .global vector_entry
.macro ENTRY_ADDRESS n
        .quad entry_\n
.endm
vector_entry:
        .set i, 0
        .rept 256
        ENTRY_ADDRESS %i
        .set i, i + 1
        .endr

        .section .bss
        .balign 64
        .global syscall_data
syscall_data:
        .skip 64 * 64

        .section .note.GNU-stack, "", @progbits
