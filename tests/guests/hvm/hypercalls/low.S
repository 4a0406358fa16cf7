/* A hypercall from 32-bit code: number in eax, arguments in ebx, ecx, edx, esi, edi. */
#define XENVER_version          0
#define HYPERVISOR_xen_version 17
.text
.code32
.globl compat_version
compat_version:
    push %ebx
    mov $XENVER_version, %ebx
    xor %ecx, %ecx
    mov $hypercall_page + HYPERVISOR_xen_version * 32, %eax
    call *%eax
    pop %ebx
    ret
.section .note.GNU-stack, "", @progbits
