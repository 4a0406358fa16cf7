/*
 * sgdt, sidt, sldt, str and smsw, which a processor with UMIP keeps from what runs in ring 3, as a PV guest's kernel
 * and its programs do. They are answered all the same: sizes and selectors are the processor's own, and places tell
 * nothing. The reference leaves UMIP off.
 */
#include "guest.h"

const char test_title[] = "descriptor table registers";
enum { TASK = 0xe040, GDT_LIMIT = 0xefff, IDT_LIMIT = 0xfff };
#define NOWHERE 0xffff800000000000UL

struct table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static struct {
    struct table gdt, idt, by_gs;
    uint64_t ldt, task, status, short_ldt;
    uint16_t task_word, behind_task, status_word, behind_status;
} seen;

/* No instruction that a program could not execute. */
static void store_all(uint64_t gs)
{
    memory_set(&seen, 0x5a, sizeof(seen));
    __asm__ volatile("sgdt %0" : "=m"(seen.gdt));
    __asm__ volatile("sidt %0" : "=m"(seen.idt));
    __asm__ volatile("sldt %0" : "=r"(seen.ldt));
    __asm__ volatile("str %0" : "=r"(seen.task));
    __asm__ volatile("smsw %0" : "=r"(seen.status));
    seen.short_ldt = ~0UL;
    __asm__ volatile("sldt %w0" : "+r"(seen.short_ldt));
    __asm__ volatile("str %0" : "=m"(seen.task_word));
    __asm__ volatile("smsw %0" : "=m"(seen.status_word));
    __asm__ volatile("sgdt %%gs:(%0)" : : "r"((char *)&seen.by_gs - gs) : "memory");
}

static void check_seen(bool kept)
{
    CHECK_IS(GDT_LIMIT, seen.gdt.limit);
    CHECK_IS(IDT_LIMIT, seen.idt.limit);
    CHECK_IS(0, seen.ldt);
    CHECK_IS(TASK, seen.task);
    CHECK_IS(0x80010001, seen.status & 0x80010001);
    CHECK_IS(0xffffffffffff0000, seen.short_ldt);
    CHECK_IS(TASK, seen.task_word);
    CHECK_IS((uint16_t)seen.status, seen.status_word);
    CHECK_IS(0x5a5a, seen.behind_task);
    CHECK_IS(0x5a5a, seen.behind_status);
    CHECK_IS(seen.gdt.base, seen.by_gs.base);
    CHECK_IS(seen.gdt.limit, seen.by_gs.limit);
    if (kept) {
        CHECK_IS(NOWHERE, seen.gdt.base);
        CHECK_IS(NOWHERE, seen.idt.base);
    }
}

static bool on_the_reference(void)
{
    static char text[64];
    HYPERCALL(xen_version, XENVER_extraversion, text);
    return !same_word("-roundhouse", text);
}

static bool has_umip(void)
{
    uint32_t a = 7, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c >> 2 & 1;
}

void test_main(void)
{
    bool kept = has_umip() && !on_the_reference();
    uint64_t gs = (uint64_t)&seen;
    store_all(0);
    check_seen(kept);
    CHECK_IS(0, HYPERCALL(set_segment_base, SEGBASE_GS_KERNEL, gs));
    store_all(gs);
    check_seen(kept);
    user_run(store_all, 0);
    check_seen(kept);
    CHECK_IS(TRAPPED(TRAP_PF, 2), TRY("sgdt %1", OUT("=m"(*(struct table *)UNMAPPED)), "r"(0)));
    CHECK_IS(TRAPPED(TRAP_PF, 2), TRY("str %1", OUT("=m"(*(uint16_t *)UNMAPPED)), "r"(0)));
    CHECK_IS(TRAPPED(TRAP_PF, 3), TRY("sgdt %1", OUT("=m"(*(struct table *)start_info->pt_base)), "r"(0)));
    CHECK_IS(start_info->pt_base, trapped_address);
    /* Read-only in its second page alone. */
    CHECK_IS(TRAPPED(TRAP_PF, 3), TRY("sidt %1", OUT("=m"(*(struct table *)(start_info->pt_base - 4))), "r"(0)));
    CHECK_IS(start_info->pt_base, trapped_address);
    CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("smsw %1", OUT("=m"(*(uint16_t *)0x800000000000UL)), "r"(0)));
    CHECK_IS(TRAPPED(TRAP_GP, 0), TRY("ltr %w1", NO_OUT, "r"(0)));
}
