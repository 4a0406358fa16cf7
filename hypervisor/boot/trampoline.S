/*
 * From a STARTUP interrupt (real mode, cs = page) to ap_main in long mode.
 * The code runs from a copy at any page below 1 MiB, so it reaches its data relative to cs, then to ebx = page address.
 */
#include <hv/trampoline.h>

#define AT(field) (trampoline_data - trampoline_start + TRAMPOLINE_##field)

#define CR0_PE 0x01
#define CR0_ET 0x10
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080

        .section .rodata, "a", @progbits
        .balign 16
        .globl trampoline_start, trampoline_protected, trampoline_long, trampoline_data, trampoline_end
        .hidden trampoline_start, trampoline_protected, trampoline_long, trampoline_data, trampoline_end

        .code16
trampoline_start:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        /* Too late, or started twice: the data belongs to another processor now. */
        xorl    %eax, %eax
        xchgl   %eax, AT(ticket)
        testl   %eax, %eax
        jz      .Lpark
        xorl    %ebx, %ebx
        movw    %cs, %bx
        shll    $4, %ebx
        lgdtl   AT(gdt_limit)
        movl    $(CR0_PE | CR0_ET), %eax
        movl    %eax, %cr0
        ljmpl   *AT(protected_entry)
.Lpark:
        hlt
        jmp     .Lpark

        .code32
trampoline_protected:
        movl    $TRAMPOLINE_DS, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $CR4_PAE, %eax
        movl    %eax, %cr4
        movl    AT(root)(%ebx), %eax
        movl    %eax, %cr3
        movl    $MSR_EFER, %ecx
        movl    AT(efer)(%ebx), %eax
        xorl    %edx, %edx
        wrmsr
        movl    AT(cr0)(%ebx), %eax
        movl    %eax, %cr0
        ljmpl   *AT(long_entry)(%ebx)

        .code64
trampoline_long:
        movl    %ebx, %ebx
        movq    AT(cpu)(%rbx), %rdi
        movq    AT(stack)(%rbx), %rsp
        movq    AT(entry)(%rbx), %rax
        jmpq    *%rax

        .balign 8
trampoline_data:
        .fill   TRAMPOLINE_SIZE, 1, 0
trampoline_end:

        .text
        .globl  ap_entry
        .hidden ap_entry
ap_entry:
        xorl    %ebp, %ebp
        call    ap_main
        ud2

        .section .note.GNU-stack, "", @progbits
