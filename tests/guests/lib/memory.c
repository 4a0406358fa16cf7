/* The kernel's memory, its page tables, and the start. */
#include "guest.h"
#include "ring_console.h"

struct start_info *start_info;
extern long hypercall_raw(void);
void guest_start(struct start_info *info);
void traps_init(void);

static uint64_t next_page, end_page, next_spare;

long hypercall(unsigned op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    long result = op;
    __asm__ volatile("syscall"
                     : "+a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r11", "memory");
    return result;
}

void kernel_context(struct vcpu_guest_context *context, const uint64_t *stack_end)
{
    context->flags = VGCF_in_kernel;
    context->user_regs.rip = (uint64_t)vcpu_entry;
    context->user_regs.rsp = (uint64_t)stack_end;
    context->user_regs.cs = FLAT_KERNEL_CS;
    context->user_regs.ss = FLAT_KERNEL_SS;
    context->user_regs.rflags = 0x202;
    context->ctrlreg[3] = mfn_of(root_table()) << 12;
}

bool is_privileged(void)
{
    return start_info->flags & SIF_PRIVILEGED;
}

void console_out(const char *text, size_t length)
{
    if (is_privileged())
        HYPERCALL(console_io, CONSOLEIO_write, length, text);
    else
        ring_console_out(text, length);
}

void console_use_ring(void)
{
}

void power_off(void)
{
    struct sched_shutdown off = {SHUTDOWN_poweroff};
    if (!is_privileged())
        ring_console_drain();
    for (;;)
        HYPERCALL(sched_op, SCHEDOP_shutdown, &off);
}

void memory_set(void *to, int value, size_t n)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
}

void memory_copy(void *to, const void *from, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

int memory_compare(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;
    for (size_t i = 0; i < n; i++)
        if (p[i] != q[i])
            return p[i] - q[i];
    return 0;
}

/* The compiler calls these by name. */
void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n)
{
    memory_set(to, value, n);
    return to;
}
void *memcpy(void *to, const void *from, size_t n)
{
    memory_copy(to, from, n);
    return to;
}

void *page_alloc(void)
{
    if (next_page >= end_page)
        error("the test needs more memory than the boot mapping has");
    void *page = (void *)(VIRT_BASE_ADDRESS + next_page++ * PAGE);
    memory_set(page, 0, PAGE);
    return page;
}

uint64_t pfn_mfn(uint64_t pfn)
{
    return ((const uint64_t *)start_info->mfn_list)[pfn];
}

uint64_t pfn_of(const void *p)
{
    return ((uint64_t)p - VIRT_BASE_ADDRESS) / PAGE;
}

uint64_t mfn_of(const void *p)
{
    return pfn_mfn(pfn_of(p));
}

void *mfn_va(uint64_t mfn)
{
    return (void *)(VIRT_BASE_ADDRESS + M2P[mfn] * PAGE);
}

uint64_t spare_pfn(void)
{
    if (next_spare >= start_info->nr_pages)
        error("no spare frame left");
    return next_spare++;
}

void *root_table(void)
{
    return (void *)start_info->pt_base;
}

pte_t *entry_of(unsigned long va, unsigned level)
{
    pte_t *table = root_table();
    for (unsigned at = 4;; at--) {
        pte_t *entry = table + (va >> (12 + 9 * (at - 1)) & 511);
        if (at == level)
            return entry;
        if (!(*entry & PTE_P))
            return NULL;
        table = mfn_va((*entry & PTE_ADDRESS) >> 12);
    }
}

uint64_t entry_machine(const pte_t *entry)
{
    return mfn_of(entry) * PAGE + ((uint64_t)entry & (PAGE - 1));
}

long mmu_update(uint64_t ptr, uint64_t value)
{
    struct mmu_update u = {ptr, value};
    return HYPERCALL(mmu_update, &u, 1, 0, DOMID_SELF);
}

long update_va(const void *va, uint64_t value)
{
    return HYPERCALL(update_va_mapping, va, value, UVMF_INVLPG | UVMF_LOCAL);
}

long mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = {.cmd = cmd};
    op.arg1.linear_addr = arg1;
    op.arg2.src_mfn = arg2;
    return HYPERCALL(mmuext_op, &op, 1, 0, DOMID_SELF);
}

long set_readonly(void *page)
{
    return update_va(page, pte_make(mfn_of(page), PTE_RO));
}

long set_writable(void *page)
{
    return update_va(page, pte_make(mfn_of(page), PTE_RW));
}

void *table_alloc(void)
{
    void *page = page_alloc();
    if (set_readonly(page))
        error("a page cannot be made read-only");
    return page;
}

uint64_t system_time(void)
{
    const volatile struct vcpu_time_info *t = &vcpu0()->time;
    uint32_t version;
    uint64_t ns;
    do {
        version = t->version;
        __asm__ volatile("" ::: "memory");
        uint64_t delta = rdtsc() - t->tsc_timestamp;
        delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
        ns = t->system_time + (uint64_t)(((unsigned __int128)delta * t->tsc_to_system_mul) >> 32);
        __asm__ volatile("" ::: "memory");
    } while ((version & 1) || version != t->version);
    return ns;
}

/* Free frames of the boot mapping: between the boot stack, which follows the tables, and the
 * mapping's end. */
void guest_start(struct start_info *info)
{
    start_info = info;
    command_line = (const char *)info->cmd_line;
    if (!is_privileged())
        ring_console_start(mfn_va(info->console.domU.mfn), info->console.domU.evtchn);
    next_page = (info->pt_base - VIRT_BASE_ADDRESS) / PAGE + info->nr_pt_frames + 1;
    uint64_t last = next_page;
    pte_t *entry;
    while ((entry = entry_of(VIRT_BASE_ADDRESS + last * PAGE, 1)) && (*entry & PTE_P))
        last++;
    end_page = last;
    next_spare = last;
    if (end_page - next_page < 100)
        error("the boot mapping has only %lu free pages", end_page - next_page);
    shared = page_alloc();
    if (update_va(shared, info->shared_info | PTE_RW))
        error("cannot map the shared info page");
    vcpu0()->evtchn_upcall_mask = 1;
    if (!is_privileged()) /* what its reader says wakes nobody */
        shared->evtchn_mask[info->console.domU.evtchn / 64] |= 1UL << info->console.domU.evtchn % 64;
    traps_init();
    say("Test: %s", test_title);
    test_main();
    finish();
}
