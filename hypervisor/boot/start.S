/*
 * From the boot loader to 64-bit C. Multiboot2 specification 2.0: entered in 32-bit protected mode, paging off,
 * eax = magic, ebx = boot information. The image may have been moved: the 32-bit code finds itself first.
 */
#include <hv/asm_offsets.h>

#define MB2_MAGIC 0xe85250d6
#define MB2_LENGTH (multiboot2_end - multiboot2_header)

        .section .multiboot2, "ax"
        .balign 8
multiboot2_header:
        .long MB2_MAGIC, 0, MB2_LENGTH, -(MB2_MAGIC + MB2_LENGTH)
        /* Information request: command line, loader, modules, memory map, framebuffer, ACPI (old, new). */
        .balign 8
        .short 1, 1             /* optional */
        .long 8 + 4 * 7
        .long 1, 2, 3, 6, 8, 14, 15
        /* Module alignment on pages. */
        .balign 8
        .short 6, 0
        .long 8
        /* Framebuffer: take what there is. */
        .balign 8
        .short 5, 1
        .long 20
        .long 0, 0, 0
        /* Relocatable: 2 MiB aligned, below 2 GiB, lowest preferred. */
        .balign 8
        .short 10, 1
        .long 24
        .long 0x200000, 0x7fffffff, 0x200000, 1
        /* Entry address: the ELF entry is a virtual one; this is where the code is loaded. */
        .balign 8
        .short 3, 0
        .long 12
        .long multiboot2_entry_physical
        .balign 8
        .short 0, 0
        .long 8
multiboot2_end:

        .section .boot.text, "ax"
        .code32
        .global multiboot2_entry, multiboot2_entry_physical
        .set multiboot2_entry_physical, multiboot2_entry - HYPERVISOR_IMAGE_VA
multiboot2_entry:
        cli
        cld
        mov %eax, %esi                  /* magic */
        mov %ebx, %edi                  /* boot information */
        /* No stack yet: borrow the first bytes of the boot information header, which hold only its size. */
        mov (%ebx), %edx
        lea 4(%ebx), %esp
        call 1f
1:      pop %ebp
        mov %edx, (%ebx)
        lea (boot_stack_end - 1b)(%ebp), %esp

        /* The boot CPU must be 64-bit with NX; without it there is no message we can print but a letter on the screen. */
        mov $0x80000001, %eax
        push %ebx
        cpuid
        pop %ebx
        bt $29, %edx
        jnc no_long_mode

        /* Clear bss. */
        push %edi
        lea (bss_start - 1b)(%ebp), %edi
        lea (bss_end - 1b)(%ebp), %ecx
        sub %edi, %ecx
        shr $2, %ecx
        xor %eax, %eax
        rep stosl
        pop %edi

        /* boot_l4[0] -> boot_l3_low -> 4 x boot_l2_low: the first 4 GiB one to one in 2 MiB pages. */
        lea (boot_l4 - 1b)(%ebp), %ecx
        lea (boot_l3_low - 1b)(%ebp), %eax
        lea 3(%eax), %edx
        mov %edx, (%ecx)
        lea (boot_l3_image - 1b)(%ebp), %edx
        or $3, %edx
        mov %edx, (8 * ((HYPERVISOR_IMAGE_VA >> 39) & 511))(%ecx)
        lea (boot_l2_low + 3 - 1b)(%ebp), %edx
        mov %edx, 0(%eax)
        add $0x1000, %edx
        mov %edx, 8(%eax)
        add $0x1000, %edx
        mov %edx, 16(%eax)
        add $0x1000, %edx
        mov %edx, 24(%eax)
        lea (boot_l2_low - 1b)(%ebp), %ecx
        mov $0x83, %eax
2:      mov %eax, (%ecx)
        add $8, %ecx
        add $0x200000, %eax
        jnc 2b

        /* The image: 64 MiB from its load address, 2 MiB pages; virtual offset = link offset (2 MiB). */
        lea (boot_l3_image - 1b)(%ebp), %ecx
        lea (boot_l2_image + 3 - 1b)(%ebp), %eax
        mov %eax, (%ecx)
        lea (image_start - 1b)(%ebp), %eax
        lea (image_physical_base - 1b)(%ebp), %ecx
        mov %eax, (%ecx)
        or $0x83, %eax
        lea (boot_l2_image + 8 - 1b)(%ebp), %ecx
        mov $32, %edx
3:      mov %eax, (%ecx)
        add $8, %ecx
        add $0x200000, %eax
        dec %edx
        jnz 3b

        mov %cr4, %eax
        or $0x20, %eax                  /* PAE */
        mov %eax, %cr4
        lea (boot_l4 - 1b)(%ebp), %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx           /* EFER: LME */
        rdmsr
        or $0x100, %eax
        wrmsr
        mov %cr0, %eax
        or $0x80010001, %eax            /* PG, WP, PE */
        mov %eax, %cr0

        /* A far return into a 64-bit code segment of a small GDT that this code fills in with its own address. */
        lea (boot_gdt - 1b)(%ebp), %eax
        lea (boot_gdt_pointer - 1b)(%ebp), %ecx
        mov %eax, 2(%ecx)
        lgdt (%ecx)
        push $8
        lea (4f - 1b)(%ebp), %eax
        push %eax
        lret

no_long_mode:
        movb $'6', 0xb8000
        movb $'4', 0xb8002
        hlt
        jmp no_long_mode

        .code64
4:      mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        xor %eax, %eax
        mov %eax, %fs
        mov %eax, %gs
        movabs $5f, %rax
        jmp *%rax
5:      lea boot_cpu_stack + STACK_SIZE - CPU_INFO_SIZE(%rip), %rsp
        xor %ebp, %ebp
        mov %edi, %edx
        mov %esi, %edi                  /* magic */
        mov %edx, %esi                  /* boot information, physical */
        push %rbp
        call boot_main
        ud2

        .section .data
        .balign 8
boot_gdt:
        .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
        .short 23
        .long 0
        .balign 8
        .skip 256
boot_stack_end:
        .quad 0

        .section .bss.page_aligned, "aw", @nobits
        .balign 4096
boot_l4:
        .skip 4096
boot_l3_low:
        .skip 4096
boot_l3_image:
        .skip 4096
boot_l2_image:
        .skip 4096
boot_l2_low:
        .skip 4096 * 4

        .section .note.GNU-stack, "", @progbits
