/*
 * 32-bit hardware task switches, which the hypervisor does itself.
 *
 * A task switch sets CR0.TS (Intel SDM volume 3, 7.3); after the reference's it is clear.
 */
#include "hvm.h"

const char test_title[] = "task switch";
extern const char task_jump[], task_call[], task_gate[], task_b_jump[], task_b_call[], task_b_gate[];

enum { TSS_A = FREE_SELECTOR, TSS_B = FREE_SELECTOR + 8 };
#define RFLAGS_NT 0x4000U
struct task {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi, es, cs,
        ss, ds, fs, gs, ldt, io_map;
};
_Static_assert(sizeof(struct task) == 104 && offsetof(struct task, eip) == 32, "layout of a 32-bit TSS");
struct task task_a, task_b;
volatile uint32_t seen[8];
static uint64_t task_idt[0x80];
struct {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed)) task_idt_register;

static uint64_t descriptor(struct task *task)
{
    uint64_t base = (uint64_t)task;
    return 0x0000890000000000UL | (sizeof(*task) - 1) | (base & 0xffffff) << 16 | (base >> 24) << 56;
}

static bool busy(unsigned selector)
{
    return gdt[selector / 8] >> 41 & 1;
}

static void prepare(const char *code)
{
    memory_set(&task_a, 0, sizeof(task_a));
    memory_set((void *)seen, 0, sizeof(seen));
    task_b = (struct task){.eip = (uint32_t)(uint64_t)code,
                           .eflags = 0x2 | 0x1,
                           .edx = 0xd0d0,
                           .esp = 0x500000,
                           .es = DATA,
                           .cs = CODE32,
                           .ss = DATA,
                           .ds = DATA,
                           .io_map = 104 << 16};
    gdt[TSS_A / 8] = descriptor(&task_a);
    gdt[TSS_B / 8] = descriptor(&task_b);
    task_idt[0x42] = task_idt[0] = (uint64_t)TSS_B << 16 | 0x85UL << 40;
    task_idt_register.limit = sizeof(task_idt) - 1;
    task_idt_register.base = (uint32_t)(uint64_t)task_idt;
}

/* Long mode takes its own TSS again. */
static void reload(void)
{
    gdt[TASK / 8] &= ~(1UL << 41);
    __asm__ volatile("ltr %w0" : : "r"(TASK));
    __asm__ volatile("clts");
}

void test_main(void)
{
    prepare(task_b_jump);
    CHECK_IS(TSS_A, low_run(PROTECTED_32, task_jump) & 0xffff);
    reload();
    CHECK_IS(0xd0d0, seen[0]);
    CHECK_IS(0x500000, seen[1]);
    CHECK_IS(1, seen[2] & (RFLAGS_NT | 1));
    CHECK_IS(TSS_B, seen[3] & 0xffff);
    CHECK_IS(DATA, seen[4] & 0xffff);
    if (!on_reference())
        CHECK_IS(8, seen[5] & 8); /* CR0.TS */
    CHECK(busy(TSS_A));
    CHECK(!busy(TSS_B));
    CHECK_IS(0x11, task_a.ecx);
    CHECK_IS(CODE32, task_a.cs);
    CHECK_IS(0x500000, task_b.esp);

    prepare(task_b_call);
    CHECK_IS(TSS_A, low_run(PROTECTED_32, task_call) & 0xffff);
    reload();
    CHECK_IS(RFLAGS_NT, seen[2] & RFLAGS_NT);
    CHECK_IS(TSS_A, task_b.link & 0xffff);
    CHECK(busy(TSS_A));
    CHECK(!busy(TSS_B));
    CHECK_IS(0, task_b.eflags & RFLAGS_NT);

    prepare(task_b_gate);
    CHECK_IS(TSS_A, low_run(PROTECTED_32, task_gate) & 0xffff);
    reload();
    CHECK_IS(2, seen[0]);
}
