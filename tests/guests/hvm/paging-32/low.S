/* 32-bit code with two levels of page tables. */
#define CR0_PG_WP 0x80010000
.text
.code32
.globl paging_run
/* 32-bit paging: page_directory maps 4 MiB pages one to one; 0x40000000 on is a table with one page read-only. */
paging_run:
    lidt paging_idt_register
    movl $0, paging_faults
    mov %cr4, %eax
    and $~0x20, %eax
    or $0x10, %eax
    mov %eax, %cr4
    mov $page_directory, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $CR0_PG_WP, %eax
    mov %eax, %cr0
    jmp 1f
1:  mov 0x40000000, %eax        /* mapped */
    mov %eax, paging_read
    mov $2f, %esi
    movl $1, 0x40001000         /* read-only */
2:  mov %cr2, %eax
    mov %eax, paging_address
    mov $3f, %esi
    mov 0x40002000, %eax        /* absent */
3:  movl $0x77, 0x40003000      /* mapped writable */
    mov %cr0, %eax
    and $~CR0_PG_WP, %eax
    mov %eax, %cr0
    mov %cr4, %eax
    and $~0x10, %eax
    mov %eax, %cr4
    mov paging_faults, %eax
    ret
.globl paging_fault
paging_fault:
    mov paging_faults, %eax
    pop paging_errors(, %eax, 4)
    incl paging_faults
    mov %esi, (%esp)
    iret
.section .note.GNU-stack, "", @progbits
