/*
 * multicall: each entry's result, lists that run into a fault, a multicall within a multicall, a return from an
 * exception as an entry.
 */
#include "guest.h"

const char test_title[] = "multicall";

static struct multicall_entry list[512] __attribute__((aligned(4096)));

static struct multicall_entry entry(unsigned op, uint64_t a, uint64_t b)
{
    return (struct multicall_entry){.op = op, .result = 0x77, .args = {a, b}};
}

static void results(void)
{
    list[0] = entry(__HYPERVISOR_xen_version, XENVER_version, 0);
    list[1] = entry(__HYPERVISOR_xen_version, XENVER_capabilities, UNMAPPED);
    list[2] = entry(999, 0, 0);
    list[3] = entry(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
    list[4] = entry(__HYPERVISOR_multicall, (uint64_t)list, 1);
    list[5] = entry(__HYPERVISOR_xen_version, XENVER_pagesize, 0);
    list[6] = entry(__HYPERVISOR_iret, 0, 0);
    CHECK_IS(0, HYPERCALL(multicall, list, 6));
    CHECK_IS(4 << 16 | 17, list[0].result);
    CHECK_IS(-EFAULT, list[1].result);
    CHECK_IS(-ENOSYS, list[2].result);
    CHECK_IS(0, list[3].result);
    CHECK_REFUSED(list[4].result);
    CHECK_IS(4096, list[5].result);
    CHECK_IS(0x77, list[6].result);
}

static void bad_lists(void)
{
    CHECK_IS(0, HYPERCALL(multicall, list, 0));
    CHECK_IS(-EFAULT, HYPERCALL(multicall, UNMAPPED, 1));
    CHECK_IS(-EFAULT, HYPERCALL(multicall, NON_CANONICAL, 1));
    CHECK_IS(-EFAULT, HYPERCALL(multicall, IN_HYPERVISOR, 1));
    CHECK_REFUSED(HYPERCALL(multicall, IN_HYPERVISOR, 0xffffffff));
    /* A list that cannot be written back, and one whose end is not there. */
    char *pages = page_alloc(), *next = page_alloc();
    CHECK_IS((uint64_t)pages + 4096, (uint64_t)next);
    CHECK_IS(0, update_va(next, 0));
    struct multicall_entry *last = (struct multicall_entry *)next - 1;
    *last = entry(__HYPERVISOR_xen_version, XENVER_version, 0);
    CHECK_IS(-EFAULT, HYPERCALL(multicall, last, 2));
    CHECK_IS(4 << 16 | 17, last->result);
    last->result = 0x77;
    CHECK_IS(0, set_readonly(pages));
    CHECK_IS(-EFAULT, HYPERCALL(multicall, last, 1));
    CHECK_IS(0x77, last->result);
}

/* Many, and page table updates among them. */
static void many(void)
{
    char *pages = page_alloc();
    pte_t *e = entry_of((uint64_t)pages, 1);
    for (unsigned i = 0; i < 512; i++) {
        list[i] =
            entry(__HYPERVISOR_update_va_mapping, (uint64_t)pages, pte_make(mfn_of(pages), i & 1 ? PTE_RW : PTE_RO));
        list[i].args[2] = UVMF_INVLPG | UVMF_LOCAL;
    }
    CHECK_IS(0, HYPERCALL(multicall, list, 512));
    for (unsigned i = 0; i < 512; i++)
        CHECK_IS(0, list[i].result);
    CHECK(*e & PTE_W);
    CHECK_IS(0, try_write(pages, 1));
}

/* Calls that block or change the caller's place of execution are no worse in a list. */
static void odd_entries(void)
{
    list[0] = entry(__HYPERVISOR_memory_op, XENMEM_current_reservation, UNMAPPED);
    list[1] = entry(__HYPERVISOR_set_trap_table, UNMAPPED, 0);
    list[2] = entry(__HYPERVISOR_set_gdt, UNMAPPED, 1);
    list[3] = entry(__HYPERVISOR_xen_version, XENVER_version, 0);
    CHECK_IS(0, HYPERCALL(multicall, list, 4));
    CHECK_REFUSED(list[0].result);
    CHECK_IS(-EFAULT, list[1].result);
    CHECK_IS(-EFAULT, list[2].result);
    CHECK_IS(4 << 16 | 17, list[3].result);
}

/* A list of n calls, one of which is iret with a frame of our own that has this rax; what rax is behind it. */
static uint64_t return_within(unsigned n, uint64_t rax, uint64_t flags)
{
    struct iret_context frame = {.rax = rax, .flags = flags, .cs = FLAT_KERNEL_CS & ~3UL, .ss = FLAT_KERNEL_SS};
    list[0] = entry(__HYPERVISOR_xen_version, XENVER_version, 0);
    list[1] = entry(__HYPERVISOR_iret, 1, 2);
    list[2] = entry(__HYPERVISOR_xen_version, XENVER_version, 0);
    uint64_t got = __HYPERVISOR_multicall;
    __asm__ volatile(
        "mov %%rsp, %c[rsp](%1)\n\tlea 1f(%%rip), %%r12\n\tmov %%r12, %c[rip](%1)\n\tpushf\n\t"
        "pop %c[rflags](%1)\n\tmov %1, %%rsp\n\tsyscall\n\tud2\n1:"
        : "+a"(got)
        : "r"(&frame), "D"(list), "S"((uint64_t)n), [rsp] "i"(offsetof(struct iret_context, rsp)),
          [rip] "i"(offsetof(struct iret_context, rip)), [rflags] "i"(offsetof(struct iret_context, rflags))
        : "rcx", "r11", "r12", "memory");
    return got;
}

static void returns(void)
{
    static const long numbers[] = {0x4321, 0, -1, -85, -14};
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
        for (unsigned n = 2; n <= 3; n++)
            for (unsigned flags = 0; flags <= VGCF_in_syscall; flags += VGCF_in_syscall) {
                CHECK_IS(numbers[i], return_within(n, (uint64_t)numbers[i], flags));
                CHECK_IS(4 << 16 | 17, list[0].result);
                CHECK_IS(numbers[i], list[1].result);
                CHECK_IS(0x77, list[2].result);
            }
}

void test_main(void)
{
    results();
    returns();
    bad_lists();
    many();
    odd_entries();
}
