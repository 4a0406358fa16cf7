/*
 * Processor registers and instructions: the only place with inline assembly of this kind.
 * Sources: Intel SDM volumes 2 and 4, AMD APM volume 2.
 */
#ifndef HV_CPU_H
#define HV_CPU_H

#include <hv/types.h>

#define X86_EFLAGS_CF   0x00000001UL
#define X86_EFLAGS_TF   0x00000100UL
#define X86_EFLAGS_IF   0x00000200UL
#define X86_EFLAGS_DF   0x00000400UL
#define X86_EFLAGS_IOPL 0x00003000UL
#define X86_EFLAGS_NT   0x00004000UL
#define X86_EFLAGS_RF   0x00010000UL
#define X86_EFLAGS_VM   0x00020000UL
#define X86_EFLAGS_AC   0x00040000UL
#define X86_EFLAGS_VIF  0x00080000UL
#define X86_EFLAGS_VIP  0x00100000UL
#define X86_EFLAGS_ID   0x00200000UL

#define X86_CR0_PE 0x00000001UL
#define X86_CR0_MP 0x00000002UL
#define X86_CR0_EM 0x00000004UL
#define X86_CR0_TS 0x00000008UL
#define X86_CR0_ET 0x00000010UL
#define X86_CR0_NE 0x00000020UL
#define X86_CR0_WP 0x00010000UL
#define X86_CR0_AM 0x00040000UL
#define X86_CR0_PG 0x80000000UL

#define X86_CR4_TSD        0x00000004UL
#define X86_CR4_DE         0x00000008UL
#define X86_CR4_PSE        0x00000010UL
#define X86_CR4_PAE        0x00000020UL
#define X86_CR4_MCE        0x00000040UL
#define X86_CR4_PGE        0x00000080UL
#define X86_CR4_OSFXSR     0x00000200UL
#define X86_CR4_OSXMMEXCPT 0x00000400UL
#define X86_CR4_UMIP       0x00000800UL
#define X86_CR4_LA57       0x00001000UL
#define X86_CR4_VMXE       0x00002000UL
#define X86_CR4_FSGSBASE   0x00010000UL
#define X86_CR4_PCIDE      0x00020000UL
#define X86_CR4_OSXSAVE    0x00040000UL
#define X86_CR4_SMEP       0x00100000UL
#define X86_CR4_SMAP       0x00200000UL

#define MSR_APIC_BASE      0x0000001bU
#define MSR_SYSENTER_CS    0x00000174U
#define MSR_SYSENTER_ESP   0x00000175U
#define MSR_SYSENTER_EIP   0x00000176U
#define MSR_MCG_CAP        0x00000179U
#define MSR_MISC_ENABLE    0x000001a0U
#define MSR_PAT            0x00000277U
#define MSR_TSC_DEADLINE   0x000006e0U
#define MSR_XSS            0x00000da0U
#define MSR_X2APIC_FIRST   0x00000800U
#define MSR_EFER           0xc0000080U
#define MSR_STAR           0xc0000081U
#define MSR_LSTAR          0xc0000082U
#define MSR_CSTAR          0xc0000083U
#define MSR_SYSCALL_MASK   0xc0000084U
#define MSR_FS_BASE        0xc0000100U
#define MSR_GS_BASE        0xc0000101U
#define MSR_KERNEL_GS_BASE 0xc0000102U

/* WB WT UC- UC WC WP UC UC: what the reference has; PV kernels read it and take their cache bits by it. */
#define PAT_OF_ABI 0x0000050100070406UL

#define EFER_SCE 0x0001U
#define EFER_LME 0x0100U
#define EFER_LMA 0x0400U
#define EFER_NXE 0x0800U

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}
static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
/* As above for an MSR that may not exist: false (and *value = 0) if the processor raised #GP. In x86/extable.c. */
bool rdmsr_safe(uint32_t msr, uint64_t *value);
bool wrmsr_safe(uint32_t msr, uint64_t value);

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}
/* Not before earlier loads: for time stamps that are compared between CPUs. */
static inline uint64_t rdtsc_ordered(void)
{
    __asm__ volatile("lfence" ::: "memory");
    return rdtsc();
}

#define DEFINE_CONTROL_REGISTER(name)                                                                                  \
    static inline unsigned long read_##name(void)                                                                      \
    {                                                                                                                  \
        unsigned long value;                                                                                           \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value)::"memory");                                               \
        return value;                                                                                                  \
    }                                                                                                                  \
    static inline void write_##name(unsigned long value)                                                               \
    {                                                                                                                  \
        __asm__ volatile("mov %0, %%" #name ::"r"(value) : "memory");                                                  \
    }
DEFINE_CONTROL_REGISTER(cr0)
DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3)
DEFINE_CONTROL_REGISTER(cr4)
DEFINE_CONTROL_REGISTER(dr0)
DEFINE_CONTROL_REGISTER(dr1)
DEFINE_CONTROL_REGISTER(dr2)
DEFINE_CONTROL_REGISTER(dr3)
DEFINE_CONTROL_REGISTER(dr6)
DEFINE_CONTROL_REGISTER(dr7)

/* DR0 to DR3. */
static inline void write_breakpoints(const uint64_t address[4])
{
    write_dr0(address[0]);
    write_dr1(address[1]);
    write_dr2(address[2]);
    write_dr3(address[3]);
}
static inline void read_breakpoints(uint64_t address[4])
{
    address[0] = read_dr0();
    address[1] = read_dr1();
    address[2] = read_dr2();
    address[3] = read_dr3();
}

#define DEFINE_PORT_IO(suffix, type)                                                                                   \
    static inline type in##suffix(uint16_t port)                                                                       \
    {                                                                                                                  \
        type value;                                                                                                    \
        __asm__ volatile("in" #suffix " %w1, %0" : "=a"(value) : "Nd"(port) : "memory");                               \
        return value;                                                                                                  \
    }                                                                                                                  \
    static inline void out##suffix(type value, uint16_t port)                                                          \
    {                                                                                                                  \
        __asm__ volatile("out" #suffix " %0, %w1" ::"a"(value), "Nd"(port) : "memory");                                \
    }
DEFINE_PORT_IO(b, uint8_t)
DEFINE_PORT_IO(w, uint16_t)
DEFINE_PORT_IO(l, uint32_t)

/* 1, 2 or 4 bytes. */
static inline uint32_t in_port(uint16_t port, unsigned bytes)
{
    return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}
static inline void out_port(uint32_t value, uint16_t port, unsigned bytes)
{
    if (bytes == 1)
        outb((uint8_t)value, port);
    else if (bytes == 2)
        outw((uint16_t)value, port);
    else
        outl(value, port);
}

static inline void irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}
static inline void irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}
static inline bool irqs_enabled(void)
{
    unsigned long flags;
    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    return flags & X86_EFLAGS_IF;
}
/* Enables interrupts and waits for one, with no window between the two. */
static inline void irq_enable_and_halt(void)
{
    __asm__ volatile("sti; hlt" ::: "memory");
}
static inline void cpu_relax(void)
{
    __builtin_ia32_pause();
}
static inline void invlpg(unsigned long va)
{
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}
/* Exchanges GS_BASE and KERNEL_GS_BASE. */
static inline void swap_gs(void)
{
    __asm__ volatile("swapgs" ::: "memory");
}
static inline void wbinvd(void)
{
    __asm__ volatile("wbinvd" ::: "memory");
}

#define VENDOR_UNKNOWN 0
#define VENDOR_INTEL   1
#define VENDOR_AMD     2

/* What the boot CPU has; every other CPU is required to have at least the same. Filled by x86/cpu_features.c. */
struct cpu_features {
    unsigned vendor;
    char brand[49];
    unsigned physical_address_bits;
    bool nx, smep, smap, fsgsbase, pge, pcid, xsave, xsaveopt, page1gb, x2apic, tsc_deadline, invariant_tsc, umip;
    uint64_t xcr0_mask;   /* state components we allow */
    uint32_t xsave_bytes; /* area size for xcr0_mask */
};
extern struct cpu_features cpu_features;

#endif
