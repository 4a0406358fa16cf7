/* 32-bit code with PAE paging: three levels, no long mode. */
#define CR0_PG_WP 0x80010000
.text
.code32
.globl pae_run
pae_run:
    lidt pae_idt_register
    mov $pae_pointers, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $CR0_PG_WP, %eax
    mov %eax, %cr0
    jmp 1f
1:  mov 0x40000000, %eax
    mov %eax, pae_read
    mov $2f, %esi
    movl $1, 0x40001000
2:  mov $3f, %esi
    jmp *pae_target             /* no-execute */
3:  movl $0x77, 0x40003000
    mov %cr0, %eax
    and $~CR0_PG_WP, %eax
    mov %eax, %cr0
    mov pae_faults, %eax
    ret
.globl pae_fault
pae_fault:
    mov pae_faults, %eax
    pop pae_errors(, %eax, 4)
    incl pae_faults
    mov %esi, (%esp)
    iret
.section .note.GNU-stack, "", @progbits
