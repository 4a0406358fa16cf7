/* Hardware task switches of 32-bit code: by jump, by call and iret, by interrupt through a task gate. */
#define TSS_A 0x50
#define TSS_B 0x58
.text
.code32
.globl task_jump, task_call, task_gate, task_b_jump, task_b_call, task_b_gate
task_jump:
    mov $TSS_A, %eax
    ltr %ax
    mov $0x11, %ecx
    mov $0x22, %edi
    mov %esp, %ebx
    ljmp $TSS_B, $0
    sub %esp, %ebx      /* all as it was */
    jnz 1f
    cmp $0x11, %ecx
    jne 1f
    cmp $0x22, %edi
    jne 1f
    str %eax
    ret
1:  xor %eax, %eax
    ret
/* edx, the stack and the flags are as the segment of the task says. */
task_b_jump:
    mov %edx, seen
    mov %esp, seen + 4
    pushf
    pop seen + 8
    str seen + 12
    mov %ds, seen + 16
    mov %cr0, %eax
    mov %eax, seen + 20         /* TS is set */
    ljmp $TSS_A, $0

task_call:
    mov $TSS_A, %eax
    ltr %ax
    lcall $TSS_B, $0
    str %eax
    ret
task_b_call:
    pushf
    pop seen + 8                /* NT is set */
    iret

task_gate:
    mov $TSS_A, %eax
    ltr %ax
    lidt task_idt_register
    int $0x42
    xor %ecx, %ecx
    div %ecx                    /* #DE by a task gate too */
    mov $TSS_A, %eax
    ret
task_b_gate:
    incl seen
    mov task_a + 32, %eax       /* where the other task stands */
    cmpw $0xf1f7, (%eax)        /* at div: on it goes */
    jne 1f
    addl $2, task_a + 32
1:  iret
    jmp task_b_gate
.section .note.GNU-stack, "", @progbits
