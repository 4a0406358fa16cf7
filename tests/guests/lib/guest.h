/*
 * What every test kernel has: a console, verdicts, hypercalls, traps with recovery, its memory and its page
 * tables.
 *
 * A test is a folder with a main.c that defines test_title and test_main. Each CHECK that does not hold
 * prints a line and makes the verdict FAILURE; the last line on the console is the verdict. The same kernel
 * runs on the reference hypervisor, so an expectation is a statement about the ABI and not about us.
 */
#ifndef GUEST_H
#define GUEST_H

#include "check.h"
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

/* Negative errno values of the ABI. */
enum {
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    ENXIO = 6,
    E2BIG = 7,
    EBADF = 9,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    EXDEV = 18,
    EINVAL = 22,
    ENOSPC = 28,
    EDOM = 33,
    ENOSYS = 38,
    EOVERFLOW = 75,
    EISCONN = 106,
    ENOTCONN = 107,
    EOPNOTSUPP = 95
};

/* ---- Hypercalls ---- */
long hypercall(unsigned op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
#define HYPERCALL_(op, a, b, c, d, e, ...)                                                                             \
    hypercall(op, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e))
#define HYPERCALL(op, ...) HYPERCALL_(__HYPERVISOR_##op, __VA_ARGS__, 0, 0, 0, 0, 0)

/* ---- Traps ---- */
struct registers { /* the end, from rax on, is struct iret_context */
    uint64_t r15, r14, r13, r12, rbp, rbx, r8, r9, r10, rdx, rsi, rdi;
    uint64_t rax, r11, rcx, error_code, rip, cs, rflags, rsp, ss;
};
enum { INT_USER = 0x48, INT_KERNEL = 0x4c, ENTRY_EVENT = 256, ENTRY_SYSCALL = 257, ENTRY_FAILSAFE = 258 };

/* Handles a trap; false: not expected after all. May change the registers to continue with. */
typedef bool (*trap_hook)(struct registers *regs, unsigned vector);
extern trap_hook trap_hooks[259];
extern uint64_t failsafe_selectors[4]; /* ds, es, fs, gs */

extern uint64_t trapped_address; /* CR2 of the last page fault */
uint64_t try_read(const void *address);
uint64_t try_write(void *address, uint64_t value);

/* ---- User mode: same address space, entered by iret with cs of ring 3. ---- */
/* Runs function(argument) in user mode until it comes back by returning, or until `end_user` is called by a
 * hook. */
void user_run(void (*function)(uint64_t argument), uint64_t argument);
void user_leave(void) __attribute__((noreturn));
void user_enter(struct registers *regs);
void resume(struct registers *regs) __attribute__((noreturn));
/* Sets up the user root table and kernel stack; user_run does it too. */
void user_prepare(void);

/* ---- Events ---- */
extern struct shared_info *shared;
extern unsigned upcalls; /* how often the event callback was entered */
/* Lets events in, so that those pending are delivered now; masks again. */
void events_run(void);
static inline struct vcpu_info *vcpu0(void)
{
    return &shared->vcpu_info[0];
}
static inline bool event_pending(unsigned port)
{
    return shared->evtchn_pending[port / 64] >> (port % 64) & 1;
}
/* Clears and returns whether it was pending. */
bool event_take(unsigned port);

/* ---- Memory and page tables ---- */
typedef uint64_t pte_t;
#define PTE_P             1UL
#define PTE_W             2UL
#define PTE_U             4UL
#define PTE_PCD           0x10UL
#define PTE_A             0x20UL
#define PTE_D             0x40UL
#define PTE_PSE           0x80UL
#define PTE_G             0x100UL
#define PTE_NX            (1UL << 63)
#define PTE_ADDRESS       0x000ffffffffff000UL
#define PTE_RW            (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define PTE_RO            (PTE_P | PTE_U | PTE_A | PTE_D)
#define PAGE              4096UL
#define VIRT_BASE_ADDRESS 0xffffffff80000000UL

extern struct start_info *start_info;
/* Whether we are Domain-0, and not a guest that the toolstack has made. */
bool is_privileged(void);
#define M2P ((const uint64_t *)0xffff800000000000UL)
void *page_alloc(void); /* zeroed, mapped writable, never freed */
uint64_t pfn_mfn(uint64_t pfn);
uint64_t mfn_of(const void *p); /* p in the boot mapping */
void *mfn_va(uint64_t mfn);     /* in the boot mapping */
uint64_t pfn_of(const void *p);
uint64_t spare_pfn(void);                          /* a frame of ours that is mapped nowhere; another one each time */
pte_t *entry_of(unsigned long va, unsigned level); /* read-only view; NULL where a table is missing */
uint64_t entry_machine(const pte_t *entry);        /* machine address of the entry: mmu_update's ptr */
void *root_table(void);
/* Where another vcpu begins (entry.S), and its registers there: the kernel, our page tables, interrupts on. */
extern void vcpu_entry(void);
void kernel_context(struct vcpu_guest_context *context, const uint64_t *stack_end);
static inline pte_t pte_make(uint64_t mfn, uint64_t flags)
{
    return mfn << 12 | flags;
}

long mmu_update(uint64_t ptr, uint64_t value);  /* one, DOMID_SELF */
long update_va(const void *va, uint64_t value); /* with INVLPG */
long mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2);
long set_readonly(void *page);
long set_writable(void *page);
#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
/* A page, made read-only, so that it can become a table. */
void *table_alloc(void);

void memory_set(void *to, int value, size_t n);
void memory_copy(void *to, const void *from, size_t n);
int memory_compare(const void *a, const void *b, size_t n);
/* ns of system time, from vcpu 0's time record. */
uint64_t system_time(void);
static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

#endif
