/* Protected mode without long mode: 32-bit and 16-bit code, their faults and gates. */
#define CODE32    0x18
#define CODE16    0x20
#define DATA      0x10
#define RESULTS   0xe000

/* Handlers note (vector, error code) in fault_log and go on at esi. */
.text
.code32
.macro handler vector:req, error=0
.globl handler_\vector
handler_\vector:
    .if !\error
    push $-1
    .endif
    push $\vector
    jmp noted
.endm
handler 0
handler 3
handler 6
handler 11, 1
handler 13, 1
handler 0x40
noted:
    mov fault_count, %eax
    pop fault_log(, %eax, 8)
    pop fault_log + 4(, %eax, 8)
    incl fault_count
    mov %esi, (%esp)
    iret

.globl protected_faults, protected_strings, protected_stack
protected_faults:
    lidt idt32_register
    mov $1f, %esi
    xor %ecx, %ecx
    div %ecx
1:  mov $2f, %esi
    ud2
2:  mov $3f, %esi
    int $0x40
3:  mov $4f, %esi
    int3
4:  mov $5f, %esi
    mov $0xf0, %eax     /* beyond what is used: a null descriptor */
    mov %eax, %fs
5:  mov $6f, %esi
    mov $0x50, %eax     /* a data segment that is not present */
    mov %eax, %fs
6:  mov $7f, %esi
    mov $0x12345, %ecx  /* no such register */
    rdmsr
7:  xor %eax, %eax
    mov %eax, %fs
    mov fault_count, %eax
    ret

/* A segment with a base, string instructions with overrides. */
protected_strings:
    mov $0x58, %eax
    mov %eax, %fs
    mov $source, %esi
    mov $0x400000, %edi
    mov $16, %ecx
    cld
    rep movsb
    mov %fs:4, %eax     /* base 0x400000 */
    push %eax
    xor %esi, %esi
    mov $0x400100, %edi
    mov $4, %ecx
    rep movsl %fs:(%esi), %es:(%edi)
    pop %eax
    cmp 0x400104, %eax
    je 1f
    xor %eax, %eax
1:  ret
.section .rodata
source: .ascii "0123456789abcdef"
.text

/* pusha, popa, enter, leave, call by memory, stack in 32 bits. */
protected_stack:
    pusha
    mov %esp, %ebx
    mov $1f, %eax
    push %eax
    call *(%esp)
    pop %eax
    cmp %esp, %ebx
    sete %al
    movzx %al, %eax
    mov %eax, 28(%esp)
    popa
    ret
1:  enter $16, $0
    mov %ebp, %ecx
    leave
    ret

.section .low, "ax"
.code16
.globl protected_16
/* 16-bit code: a call to a 32-bit segment and back, and an interrupt through a 16-bit gate. */
protected_16:
    lidtl idt16_register
    mov $0xffff1234, %eax
    push %ax
    mov %sp, %bp
    mov (%bp), %cx
    add $2, %sp
    mov $0x10, %dx
    int $0x41
    lcalll $CODE32, $from_16
    mov $RESULTS, %di
    mov %dx, (%di)
    mov %eax, 4(%di)
    movzx %cx, %eax
    ret
gate_16:
    add $0x100, %dx
    iret
.globl gate_16
idt16_register:
    .word 0x7ff
    .long idt32

.text
.code32
from_16:
    mov %cs, %eax
    shl $16, %eax
    mov %esp, %ebx
    mov 4(%esp), %ax    /* the caller's code segment; ss is the 16-bit one, so esp has its low half only */
    lret
.section .note.GNU-stack, "", @progbits
