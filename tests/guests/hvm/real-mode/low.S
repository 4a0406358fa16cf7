/* Real mode: interrupts, far transfers, string instructions, ports, addressing. Symbols are offsets in LOW_BASE. */
#define LOW_SEGMENT 0x800
#define RESULTS     0xe000

.section .low, "ax"
.code16
.macro entry name:req
    .globl \name
\name:
.endm

/* Software interrupt through the vector table at 0: the handler sees flags with IF, and clears it itself. */
entry real_int
    xor %ax, %ax
    mov %ax, %es
    movw $int_handler, %es:0x66 * 4
    movw $LOW_SEGMENT, %es:0x66 * 4 + 2
    sti
    mov $0x1234, %cx
    int $0x66
    pushf
    cli
    pop %dx
    and $0x200, %dx
    mov %dx, RESULTS + 4
    movzx %cx, %eax
    ret
int_handler:
    pushf
    pop %bx
    and $0x200, %bx
    mov %bx, RESULTS
    mov %sp, %bp
    mov 4(%bp), %bx
    and $0x200, %bx
    mov %bx, RESULTS + 2
    xor $0x5555, %cx
    iret

/* Exceptions push no error code: divide error, invalid opcode, beyond the segment's limit. */
entry real_exceptions
    xor %ax, %ax
    mov %ax, %es
    movw $fault_0, %es:0
    movw $LOW_SEGMENT, %es:2
    movw $fault_6, %es:6 * 4
    movw $LOW_SEGMENT, %es:6 * 4 + 2
    movw $fault_13, %es:13 * 4
    movw $LOW_SEGMENT, %es:13 * 4 + 2
    xor %edi, %edi
    mov $1f, %si
    xor %cx, %cx
    div %cx
1:  mov $2f, %si
    ud2
2:  mov $3f, %si
    mov $0x20000, %ebx
    mov (%ebx), %ax
3:  mov %edi, %eax
    ret
.irp n, 0, 6, 13
fault_\n:
    or $(1 << \n), %edi
    mov %sp, %bp
    mov %si, (%bp)
    iret
.endr

/* Far call, far jump, far return, to other segments that name the same memory. */
entry real_far
    mov %sp, %bp
    lcall $LOW_SEGMENT - 0x10, $far_target + 0x100
    mov %cs, %bx
    mov %bx, RESULTS + 2
    pushw $LOW_SEGMENT - 0x20
    pushw $1f + 0x200
    lret
1:  mov %cs, %bx
    mov %bx, RESULTS + 4
    ljmp $LOW_SEGMENT, $2f
2:  mov %cs, %bx
    mov %bx, RESULTS + 6
    sub %sp, %bp
    movzx %bp, %eax
    ret
far_target:
    mov %cs, %bx
    mov %bx, RESULTS
    lret

/* String instructions: both directions, with prefixes, and one that wraps at 64 KiB. */
entry real_strings
    cld
    mov $text, %si
    mov $RESULTS, %di
    mov $8, %cx
    rep movsb
    mov $text, %si
    mov $RESULTS, %di
    mov $8, %cx
    repe cmpsb
    mov %cx, %bx
    std
    mov $text + 7, %si
    mov $RESULTS + 15, %di
    mov $4, %cx
    rep movsw
    cld
    mov $'e', %al
    mov $text, %di
    mov $8, %cx
    repne scasb
    shl $8, %cx
    or %cx, %bx
    mov $0xfffc, %di
    mov $0xa5, %al
    mov $8, %cx
    rep stosb
    movzx %di, %eax
    shl $16, %eax
    mov %bx, %ax
    ret
text:
    .ascii "abcdefgh"

/* Ports: nothing answers at 0x8, so ones are read; string output to the console's port. */
entry real_ports
    mov $0xe9, %dx
    mov $line, %si
    mov $line_end - line, %cx
    rep outsb
    mov $0x8fe, %dx
    in %dx, %al
    movzx %al, %ecx
    in %dx, %ax
    shl $8, %ecx
    add %ax, %cx
    in %dx, %eax
    cmp $0xffffffff, %eax
    sete %al
    movzx %al, %eax
    shl $16, %eax
    mov %cx, %ax
    ret
line:
    .ascii "written in real mode\n"
line_end:

/* 32-bit operands and addresses, and other segment registers. */
entry real_wide
    mov $0x12345678, %eax
    mov $RESULTS, %ebx
    mov $2, %ecx
    mov %eax, (%ebx, %ecx, 4)
    lea 0x10(%ebx, %ecx, 8), %eax
    mov $0xf000, %dx
    mov %dx, %gs
    mov $LOW_SEGMENT + RESULTS / 16, %dx
    mov %dx, %fs
    mov %fs:8, %eax
    ret

/* Instructions that leave the guest. */
entry real_exits
    mov $0, %eax
    cpuid
    mov %ebx, RESULTS
    mov %edx, RESULTS + 4
    mov %ecx, RESULTS + 8
    mov $0x1b, %ecx
    rdmsr
    mov %eax, RESULTS + 12
    mov %cr0, %eax
    smsw %bx
    mov %bx, RESULTS + 16
    ret

/* Protected mode and back with a 4 GiB data segment: its limit stays. */
entry real_unreal
    cli
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov $0x10, %bx
    mov %bx, %fs
    and $~1, %al
    mov %eax, %cr0
    xor %bx, %bx
    mov %bx, %fs
    mov $0x400000, %ebx
    mov %fs:(%ebx), %eax
    ret
.section .note.GNU-stack, "", @progbits
