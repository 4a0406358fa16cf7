/*
 * Writable page tables: a kernel's plain stores to its level-1 tables are checked and carried out.
 */
#include "guest.h"

const char test_title[] = "emulated writes to page tables";

static char page_a[4096] __attribute__((aligned(4096)));

#define FAULT TRAPPED(TRAP_PF, 3)

static void plain(volatile pte_t *e)
{
    uint64_t good = pte_make(mfn_of(page_a), PTE_RW), value;
    CHECK_IS(0, TRY("movq %1, (%2)", NO_OUT, "r"(good & ~PTE_W), "r"(e)));
    CHECK_IS(good & ~PTE_W, *e & ~0x7ff0000000000000UL & ~PTE_G);
    CHECK_IS(0, TRY("movq %1, (%2)", NO_OUT, "r"(0UL), "r"(e)));
    CHECK_IS(0, *e);
    CHECK_IS(0, TRY("movl %1, (%2)", NO_OUT, "r"(0x1230), "r"(e)));
    CHECK_IS(0x1230, *e);
    CHECK_IS(0, TRY("movl %1, 4(%2)", NO_OUT, "r"(0x5), "r"(e)));
    CHECK_IS(0x500001230, *e);
    CHECK_IS(0, TRY("movb $0x40, (%1)", NO_OUT, "r"(e)));
    CHECK_IS(0x500001240, *e);
    CHECK_IS(0, TRY("movq $0, (%1)", NO_OUT, "r"(e)));
    value = good;
    CHECK_IS(0, TRY("xchgq %1, (%2)", OUT("+r"(value)), "r"(e)));
    CHECK_IS(0, value);
    CHECK_IS(good, *e & ~0x7ff0000000000000UL & ~PTE_G);
    CHECK_IS(0, TRY("lock andb $0xfd, (%1)", NO_OUT, "r"(e)));
    CHECK_IS(good & ~PTE_W, *e & ~0x7ff0000000000000UL & ~PTE_G);
    CHECK_IS(0, TRY("lock btsq $1, (%1)", NO_OUT, "r"(e)) & ~FAULT);
    CHECK_IS(0, TRY("orb $2, (%1)", NO_OUT, "r"(e)) & ~FAULT);
    pte_t now = *e;
    uint64_t failed = 1;
    CHECK_IS(0, TRY("mov %2, %%rax\n1:\tlock cmpxchgq %3, (%4)\n\tsetnz %b1\n\txor %%eax, %%eax", OUT("=&r"(failed)),
                    "r"(now), "r"(good | 0x200), "r"(e)));
    CHECK_IS(0, failed & 0xff);
    CHECK_IS(good | 0x200, *e & ~0x7ff0000000000000UL & ~PTE_G);
    CHECK_IS(0, TRY("mov %2, %%rax\n1:\tlock cmpxchgq %3, (%4)\n\tsetnz %b1\n\txor %%eax, %%eax", OUT("=&r"(failed)),
                    "r"(0x77UL), "r"(0UL), "r"(e)));
    CHECK_IS(1, failed & 0xff);
    CHECK_IS(good | 0x200, *e & ~0x7ff0000000000000UL & ~PTE_G);
}

static void refused(volatile pte_t *e)
{
    uint64_t good = pte_make(mfn_of(page_a), PTE_RW);
    mmu_update(entry_machine((pte_t *)e), good);
    pte_t before = *e;
    /* Own table writable, frames of others, crossing into the next entry, a level-2 entry. */
    CHECK_IS(FAULT, try_write((void *)e, pte_make(mfn_of((void *)((uint64_t)e & ~4095UL)), PTE_RW)));
    CHECK_IS(FAULT, try_write((void *)e, pte_make(1UL << 39, PTE_RW)));
    CHECK_IS(FAULT, try_write((char *)e + 4, 0));
    CHECK_IS(FAULT, try_write(entry_of((uint64_t)page_a, 2), 0));
    CHECK_IS(before & ~(PTE_A | PTE_D), *e & ~(PTE_A | PTE_D));
    CHECK_IS(FAULT, TRY("movups %%xmm0, (%1)", NO_OUT, "r"(e)));
    CHECK_IS(FAULT, TRY("incq (%1)", NO_OUT, "r"(e)) | FAULT);
    /* Part of an entry whose whole would not pass. */
    uint32_t table_frame = (uint32_t)(pte_make(mfn_of((void *)((uint64_t)e & ~4095UL)), PTE_RW));
    CHECK_IS(FAULT, TRY("movl %1, (%2)", NO_OUT, "r"(table_frame), "r"(e)));
    /* A page that is not a table is just read-only. */
    char *page = page_alloc();
    set_readonly(page);
    CHECK_IS(FAULT, try_write(page, 1));
    set_writable(page);
}

void test_main(void)
{
    CHECK_IS(0, HYPERCALL(vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables));
    pte_t *e = entry_of((uint64_t)page_a, 1);
    plain(e);
    refused(e);
}
