/*
 * uint32_t low_run(enum low_mode mode, const char *code): from long mode down to a lower mode, and back.
 * The way down: compatibility mode, paging off, EFER.LME off; then 16-bit segments, then CR0.PE off.
 */
#define CODE64    0x08
#define DATA      0x10
#define CODE32    0x18
#define CODE16    0x20
#define DATA16    0x28
#define LOW_BASE  0x8000
#define LOW_STACK 0xdff0
#define EFER      0xc0000080
#define EFER_LME  0x100
#define CR0_PG    0x80000000

.macro segments selector:req
    mov $\selector, %ebx
    mov %ebx, %ds
    mov %ebx, %es
    mov %ebx, %ss
    mov %ebx, %fs
    mov %ebx, %gs
.endm

.text
.code64
.globl low_run
low_run:
    .irp r, rbx, rbp, r12, r13, r14, r15
    push %\r
    .endr
    pushfq
    cli
    mov %rsp, saved_stack
    mov %edi, %edi
    pushq $CODE32
    pushq $1f
    lretq
.code32
1:  segments DATA
    mov $low_stack_top, %esp
    lidt empty_idt
    mov %cr0, %eax
    and $~CR0_PG, %eax
    mov %eax, %cr0
    mov $EFER, %ecx
    rdmsr
    and $~EFER_LME, %eax
    wrmsr
    test %edi, %edi
    jnz 2f
    call *%esi
    jmp back
2:  ljmp $CODE16, $low_entry

back:
    cli
    cld
    segments DATA
    mov %eax, result
    mov $EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov %cr4, %eax
    or $0x20, %eax
    mov %eax, %cr4
    mov $root_table, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    lgdt gdt_register
    ljmp $CODE64, $3f
.code64
3:  xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    lgdt gdt_register
    lidt idt_register
    mov saved_stack, %rsp
    popfq
    .irp r, r15, r14, r13, r12, rbp, rbx
    pop %\r
    .endr
    mov result, %eax
    ret

.section .low, "ax"
.code16
low_entry:
    segments DATA16
    mov $LOW_STACK, %esp
    cmp $1, %di
    jne 1f
    call *%si
    jmp leave
1:  lidtl real_idt
    mov %cr0, %eax
    and $~1, %al
    mov %eax, %cr0
    ljmp $(LOW_BASE>>4), $2f
2:  segments (LOW_BASE>>4)
    call *%si
    cli
    cld
    mov %eax, %edx
    mov $(LOW_BASE>>4), %bx
    mov %bx, %ds
    lgdtl low_gdt
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov %edx, %eax
leave:
    ljmpl $CODE32, $back
real_idt:
    .word 0x3ff
    .long 0
low_gdt:
    .word 255
    .long gdt

.data
empty_idt:
    .word 0
    .quad 0
.bss
.balign 16
    .skip 4096
low_stack_top:
saved_stack: .skip 8
result: .skip 8
.section .note.GNU-stack, "", @progbits
