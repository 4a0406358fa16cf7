/*
 * Constants that assembly and C share. The C side asserts each against the structure it describes (x86/traps.c).
 */
#ifndef HV_ASM_OFFSETS_H
#define HV_ASM_OFFSETS_H

#define STACK_SIZE    0x10000
#define CPU_INFO_SIZE 232

/* struct cpu_user_regs */
#define REGS_r15          0
#define REGS_r14          8
#define REGS_r13          16
#define REGS_r12          24
#define REGS_rbp          32
#define REGS_rbx          40
#define REGS_r11          48
#define REGS_r10          56
#define REGS_r9           64
#define REGS_r8           72
#define REGS_rax          80
#define REGS_rcx          88
#define REGS_rdx          96
#define REGS_rsi          104
#define REGS_rdi          112
#define REGS_error_code   120
#define REGS_entry_vector 124
#define REGS_rip          128
#define REGS_cs           136
#define REGS_rflags       144
#define REGS_rsp          152
#define REGS_ss           160
#define REGS_es           168
#define REGS_SIZE         200

/* struct cpu_info */
#define CPU_INFO_hvm_host 216

/* GDT selectors; the ring-3 ones are fixed by the ABI (arch-x86/xen-x86_64.h). */
#define HYPERVISOR_CS64 0xe008
#define HYPERVISOR_DS   0xe010
#define GUEST_CS32      0xe023
#define GUEST_DS        0xe02b
#define GUEST_CS64      0xe033
#define TSS_SELECTOR    0xe040
#define LDT_SELECTOR    0xe050

/* entry_vector of a register frame that came in through the syscall instruction (no hardware vector). */
#define ENTRY_SYSCALL   0x100
#define ENTRY_SYSCALL32 0x101
#define ENTRY_SYSENTER  0x102

#define HYPERVISOR_IMAGE_VA 0xffff810000000000

/* Where SMAP is, a three-byte no-op listed in .smap_sites becomes 0f 01 and this byte (x86/protection.c). */
#define SMAP_SITE_BYTES 0x0f, 0x1f, 0x00
#define SMAP_CLAC       0xca
#define SMAP_STAC       0xcb

#endif
