/*
 * Where an HVM test kernel is entered (PVH: 32-bit protected mode, no paging, ebx = start info), where its second processor
 * is (real mode, by a start-up message), and its traps.
 * Source: xen/elfnote.h, docs of the PVH boot protocol (xen/arch-x86/hvm/start_info.h).
 */
#include <xen/elfnote.h>

#define LOW_BASE 0x8000
#define CODE64   0x08
#define DATA     0x10
#define CODE32   0x18
#define EFER     0xc0000080
#define EFER_ON  0xd01 /* SCE, LME, NXE; LMA follows */
#define CR4_ON   0x620 /* PAE, OSFXSR, OSXMMEXCPT */
#define CR0_ON   0x80010033 /* PG, WP, NE, ET, MP, PE */

.section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long start

.section .text.entry, "ax"
.code32
.globl start
start:
    cld
    mov $boot_stack + 16384, %esp
    mov %ebx, start_info
    mov $low_load, %esi
    mov $LOW_BASE, %edi
    mov $low_size, %ecx
    rep movsb
    mov $middle_tables, %edi    /* 2 MiB pages: present, writable, user, accessed, dirty, large */
    mov $0xe7, %eax
    mov $2048, %ecx
1:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b
    movl $upper_table + 7, root_table
    movl $middle_tables + 7, upper_table
    movl $middle_tables + 0x1007, upper_table + 8
    movl $middle_tables + 0x2007, upper_table + 16
    movl $middle_tables + 0x3007, upper_table + 24
    mov $hvm_start, %edi
    jmp long_mode

/* To 64-bit code: edi = function, esp = stack. */
long_mode:
    mov $CR4_ON, %eax
    mov %eax, %cr4
    mov $root_table, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    xor %edx, %edx
    mov $EFER_ON, %eax
    wrmsr
    mov $CR0_ON, %eax
    mov %eax, %cr0
    lgdt gdt_register
    ljmp $CODE64, $1f
.code64
1:  mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov %edi, %edi
    call *%rdi
2:  hlt
    jmp 2b

/* The second processor: start-up page LOW_BASE >> 12, so this is the first thing in .low. */
.section .low.start, "ax"
.code16
second_entry:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl second_gdt
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $CODE32, $second_protected
second_gdt:
    .word 255
    .long gdt
.text
.code32
second_protected:
    mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $second_stack + 16384, %esp
    mov $second_main, %edi
    jmp long_mode

.code64
.macro stub vector:req
    .balign 16
    .if \vector > 31
    push $0
    .elseif !(0x60227d00 >> \vector & 1)
    push $0
    .endif
    pushq $\vector
    jmp trap_common
.endm
    .balign 16
.globl trap_stubs, trap_resume
trap_stubs:
.set v, 0
.rept 256
    stub v
    .set v, v + 1
.endr
trap_common:
    .irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    push %\r
    .endr
    cld
    mov %rsp, %rdi
    mov %rsp, %rbx
    and $~15, %rsp
    call trap_handler
    mov %rbx, %rdi
/* void trap_resume(struct registers *) */
trap_resume:
    mov %rdi, %rsp
    .irp r, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
    pop %\r
    .endr
    add $16, %rsp
    iretq

/* void user_enter(struct registers *): returns when user mode ends; then the handler calls user_leave. */
.globl user_enter, user_leave
user_enter:
    .irp r, rbx, rbp, r12, r13, r14, r15
    push %\r
    .endr
    mov %rsp, user_saved_stack
    jmp trap_resume
user_leave:
    mov user_saved_stack, %rsp
    .irp r, r15, r14, r13, r12, rbp, rbx
    pop %\r
    .endr
    ret

.data
.balign 16
.globl gdt, gdt_register
gdt:
    .quad 0
    .quad 0x00af9b000000ffff    /* CODE64 */
    .quad 0x00cf93000000ffff    /* DATA */
    .quad 0x00cf9b000000ffff    /* CODE32 */
    .quad 0x00009b008000ffff    /* CODE16 */
    .quad 0x000093008000ffff    /* DATA16 */
    .quad 0, 0                  /* TASK */
    .quad 0x00cff3000000ffff    /* USER_DATA */
    .quad 0x00affb000000ffff    /* USER_CODE */
    .fill 22, 8, 0
gdt_register:
    .word 255
    .quad gdt

.bss
.balign 4096
.globl root_table, boot_stack, hypercall_page
root_table: .skip 4096
upper_table: .skip 4096
middle_tables: .skip 4 * 4096
hypercall_page: .skip 4096
boot_stack: .skip 16384
second_stack: .skip 16384
user_saved_stack: .skip 8
.section .note.GNU-stack, "", @progbits
