/*
 * What every HVM test kernel has beside verdicts (../../lib/check.h): a flat address space, traps with recovery, code
 * in lower processor modes, the local APIC, a second processor, hypercalls.
 *
 * A kernel is entered as a PVH guest is (32-bit, no paging) and test_main() runs in long mode, interrupts off, with the
 * first 4 GiB mapped one to one, writable and open to user mode. Text goes out by port 0xe9.
 */
#ifndef HVM_H
#define HVM_H

#include "../../lib/check.h"
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>

#define PAGE 4096UL

/* ---- Start ---- */
extern struct hvm_start_info *start_info;
/* Whether the machine under the hypervisor is an emulator that lacks something; option "platform". */
bool on_platform(const char *name);
/* Whether the hypervisor is the reference, for what it does wrong; option "hypervisor". */
bool on_reference(void);

/* ---- Segments ---- */
enum {
    CODE64 = 0x08,
    DATA = 0x10,   /* flat */
    CODE32 = 0x18, /* flat */
    CODE16 = 0x20, /* base LOW_BASE, limit 0xffff */
    DATA16 = 0x28, /* the same */
    TASK = 0x30,   /* 16 bytes */
    USER_DATA = 0x43,
    USER_CODE = 0x4b,
    FREE_SELECTOR = 0x50 /* from here on: tests' own, to 0xf8 */
};
extern uint64_t gdt[32];
struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));
extern struct table_register gdt_register, idt_register;

/* ---- Traps and interrupts ---- */
struct registers {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};
/* Handles a trap or interrupt; false: not expected after all. May change the registers to continue with. */
typedef bool (*trap_hook)(struct registers *regs);
extern trap_hook trap_hooks[256];
extern unsigned trap_counts[256]; /* entries of each vector, those with hooks and those recovered from */
#define TRAP_VECTOR(result) ((unsigned)(result) >> 16 & 0xff)
struct gate {
    uint16_t offset_low, selector;
    uint8_t stack, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
extern struct gate idt[256];
/* Runs function(argument) in user mode; it ends by returning. */
void user_run(void (*function)(uint64_t argument), uint64_t argument);
/* Runs what is at rip in user mode; it ends by `int $0x7f`. Interrupts are on. */
void user_run_at(uint64_t rip, uint64_t rsp);

/* ---- Lower modes ----
 * Code in section .low runs in real or 16-bit protected mode, at LOW_BASE, with cs = ds = es = ss over it; its symbols
 * are offsets there. 32-bit code is anywhere in the kernel and runs flat, without paging. Each ends with a near return;
 * eax is the result. The IDT is empty unless the code loads one; interrupts are off. */
#define LOW_BASE    0x8000UL
#define LOW_RESULTS 0xe000 /* offset of words for results */
enum low_mode { PROTECTED_32, PROTECTED_16, REAL };
uint32_t low_run(enum low_mode mode, const char *code);
static inline volatile void *low_address(unsigned offset)
{
    return (volatile void *)(LOW_BASE + offset);
}

/* ---- Registers ---- */
static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "0"(leaf), "2"(subleaf));
}
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}
static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
/* 0, or TRAPPED(). */
uint64_t try_rdmsr(uint32_t msr, uint64_t *value);
uint64_t try_wrmsr(uint32_t msr, uint64_t value);
uint64_t try_read(const volatile void *address);
uint64_t try_write(volatile void *address, uint64_t value);
#define READ_REGISTER(name)                                                                                            \
    ({                                                                                                                 \
        uint64_t value_;                                                                                               \
        __asm__ volatile("mov %%" name ", %0" : "=r"(value_) : : "memory");                                            \
        value_;                                                                                                        \
    })
#define WRITE_REGISTER(name, value) __asm__ volatile("mov %0, %%" name : : "r"((uint64_t)(value)) : "memory")
static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void interrupts_on(void)
{
    __asm__ volatile("sti\n\tnop" ::: "memory");
}
static inline void interrupts_off(void)
{
    __asm__ volatile("cli" ::: "memory");
}

/* ---- Page tables ---- */
#define PTE_P       1UL
#define PTE_W       2UL
#define PTE_U       4UL
#define PTE_A       0x20UL
#define PTE_D       0x40UL
#define PTE_PSE     0x80UL
#define PTE_G       0x100UL
#define PTE_NX      (1UL << 63)
#define PTE_ADDRESS 0x000ffffffffff000UL
extern uint64_t root_table[512];
void *page_alloc(void); /* zeroed, mapped one to one, never freed */
/* The level-1 entry of an address outside the one-to-one mapping; makes the tables on the way. */
uint64_t *entry_of(uint64_t address);
static inline void invlpg(const volatile void *address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}
void memory_set(void *to, int value, size_t n);

/* ---- Local APIC: memory mapped until x2apic_enable() on that processor ---- */
#define APIC_BASE 0xfee00000UL
enum {
    APIC_ID = 0x20,
    APIC_VERSION = 0x30,
    APIC_TPR = 0x80,
    APIC_EOI = 0xb0,
    APIC_LDR = 0xd0,
    APIC_DFR = 0xe0,
    APIC_SPURIOUS = 0xf0,
    APIC_ISR = 0x100,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0
};
enum { MSR_APIC_BASE = 0x1b, MSR_X2APIC = 0x800, MSR_TSC_DEADLINE = 0x6e0, MSR_EFER = 0xc0000080 };
static inline uint32_t apic_read(unsigned reg)
{
    return *(volatile uint32_t *)(APIC_BASE + reg);
}
static inline void apic_write(unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)(APIC_BASE + reg) = value;
}
void apic_enable(void);

/* ---- The second processor ---- */
/* INIT and two start-up messages; it runs function(), then waits for interrupts for ever. */
void second_start(void (*function)(void));
extern volatile unsigned second_ready; /* counts starts */

/* ---- Time ---- */
uint64_t ticks_of(uint64_t microseconds); /* of the TSC */
/* Waits until condition holds, at most the given time; its last value. */
#define WITHIN_MS(ms, condition)                                                                                       \
    ({                                                                                                                 \
        uint64_t end_ = rdtsc() + ticks_of((ms)*1000UL);                                                               \
        bool held_;                                                                                                    \
        while (!(held_ = (condition)) && rdtsc() < end_)                                                               \
            __asm__ volatile("pause" ::: "memory");                                                                    \
        held_;                                                                                                         \
    })

/* ---- Hypercalls ---- */
uint32_t hypervisor_leaf(void); /* first CPUID leaf of the Xen interface */
extern char hypercall_page[4096];
long hypercall(unsigned op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
#define HYPERCALL_(op, a, b, c, d, e, ...)                                                                             \
    hypercall(op, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e))
#define HYPERCALL(op, ...) HYPERCALL_(__HYPERVISOR_##op, __VA_ARGS__, 0, 0, 0, 0, 0)

#endif
