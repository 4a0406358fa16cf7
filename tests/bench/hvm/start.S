/*
 * Start of the HVM guest that measures, and its interrupt handlers. One image serves as kernel of a PVH guest and, in
 * the place of the firmware, of an HVM guest with a device model: both begin in 32-bit code with flat segments and
 * without paging (docs/misc/pvh in the reference's manual, Intel SDM volume 3, 10.8.5).
 */
#define PHYS32_ENTRY 18
#define CODE64 8
#define MSR_EFER 0xc0000080
#define MSR_X2APIC_EOI 0x80b
#define MSR_X2APIC_ICR 0x830
#define MSR_X2APIC_TIMER_COUNT 0x838

.section .note.Xen, "a", @note
.balign 4
        .long 4, 4, PHYS32_ENTRY
        .asciz "Xen"
        .long start

.text
.code32
.globl start
start:
        cli
        cld
        mov %ebx, start_info            /* of a PVH guest */
        mov $root_table, %eax
        movl $middle_table + 3, (%eax)
        mov $middle_table, %eax
        mov $low_tables + 3, %ecx
        mov $4, %edx
1:      mov %ecx, (%eax)
        add $8, %eax
        add $4096, %ecx
        dec %edx
        jnz 1b
        mov $low_tables, %eax           /* 4 GiB, virtual address = physical address, pages of 2 MiB */
        mov $0x83, %ecx
        mov $2048, %edx
1:      mov %ecx, (%eax)
        add $8, %eax
        add $0x200000, %ecx
        dec %edx
        jnz 1b
        mov %cr4, %eax
        or $0x20, %eax
        mov %eax, %cr4
        mov $root_table, %eax
        mov %eax, %cr3
        mov $MSR_EFER, %ecx
        rdmsr
        or $0x100, %eax
        wrmsr
        mov %cr0, %eax
        or $0x80000001, %eax
        mov %eax, %cr0
        lgdt descriptor_table_pointer
        ljmp $CODE64, $1f
.code64
1:      mov $stack_end, %rsp
        call main
        ud2

.globl second_start
second_start:
        lgdt descriptor_table_pointer
        mov $second_stack_end, %rsp
        push $CODE64                    /* the start state has bases and limits, but no selectors */
        push $1f
        lretq
1:
        call second_main
        ud2

/* Handlers: the shortest that do what their figure needs. */
.macro write_msr number, low
        mov $\number, %ecx
        mov \low, %eax
        wrmsr
.endm

.macro handler name, counter
.globl \name
\name:
        push %rax
        push %rcx
        push %rdx
        xor %edx, %edx
        incq \counter
.endm

.macro handler_end
        write_msr MSR_X2APIC_EOI, $0
        pop %rdx
        pop %rcx
        pop %rax
        iretq
.endm

handler on_ipi, interrupts_taken
handler_end

handler on_timer, interrupts_taken
        write_msr MSR_X2APIC_TIMER_COUNT, timer_count
handler_end

/* On the second processor: answers with an interrupt for the first. */
handler on_request, requests_taken
        write_msr MSR_X2APIC_ICR, answer
handler_end

.globl on_exception
on_exception:
        mov (%rsp), %rdi
        mov 8(%rsp), %rsi
        call exception
        ud2

.data
.balign 8
descriptor_table:
        .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
descriptor_table_pointer:
        .word . - descriptor_table - 1
        .quad descriptor_table

.bss
.balign 4096
.globl root_table
root_table: .skip 4096
middle_table: .skip 4096
low_tables: .skip 4 * 4096
        .skip 16384
stack_end:
        .skip 16384
second_stack_end:
.section .note.GNU-stack, "", @progbits
