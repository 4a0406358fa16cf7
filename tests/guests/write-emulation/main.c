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

#define ARITHMETIC_FLAGS 0x8d5UL /* OF, SF, ZF, AF, PF, CF */

/* The same instruction on a table's entry, where it is emulated, and on memory of ours. */
#define SAME_FLAGS(instruction, start, operand)                                                                        \
    do {                                                                                                               \
        uint64_t ours_ = (start), flags_[2];                                                                           \
        mmu_update(entry_machine((pte_t *)e), (start));                                                                \
        for (unsigned i_ = 0; i_ < 2; i_++) {                                                                          \
            uint64_t rcx_ = (uint64_t)(operand), rax_ = 0x80;                                                          \
            __asm__ volatile(instruction "\n\tpushf\n\tpop %0"                                                         \
                             : "=&r"(flags_[i_]), "+c"(rcx_), "+a"(rax_)                                               \
                             : "r"(i_ ? &ours_ : (volatile uint64_t *)e)                                               \
                             : "memory", "cc");                                                                        \
        }                                                                                                              \
        CHECK_IS(flags_[1] & ARITHMETIC_FLAGS, flags_[0] & ARITHMETIC_FLAGS);                                          \
        CHECK_IS(ours_, *e);                                                                                           \
    } while (0)

/* Entries that are not present: any number will do. */
static void flags(volatile pte_t *e)
{
    static const uint8_t numbers[] = {0x00, 0x02, 0x08, 0x10, 0x70, 0x7e, 0x80, 0x88, 0xf0, 0xfe};
    for (unsigned a = 0; a < ARRAY_SIZE(numbers); a++)
        for (unsigned b = 0; b < ARRAY_SIZE(numbers); b++) {
            uint64_t low = numbers[a], high = low << 56;
            SAME_FLAGS("addb %b1, (%3)", low, numbers[b]);
            SAME_FLAGS("subb %b1, (%3)", low, numbers[b]);
            SAME_FLAGS("lock xaddb %b1, (%3)", low, numbers[b]);
            SAME_FLAGS("lock cmpxchgb %b1, (%3)", low, numbers[b] & 0xfe);
            SAME_FLAGS("addq %1, (%3)", high, (uint64_t)numbers[b] << 56);
            SAME_FLAGS("subq %1, (%3)", high, (uint64_t)numbers[b] << 56);
            SAME_FLAGS("subl %k1, (%3)", low << 24, numbers[b] << 24);
            SAME_FLAGS("xorq %1, (%3)", high, (uint64_t)numbers[b] << 56);
        }
}

/* A locked operation may clear what the processor has set: so a kernel finds pages that are not in use. */
static void clear_accessed(volatile pte_t *e)
{
    CHECK_IS(0, mmu_update(entry_machine((pte_t *)e), pte_make(mfn_of(page_a), PTE_RW)));
    CHECK_IS(0, TRY("lock btrq $5, (%1)\n\tmovl $0, %%eax", NO_OUT, "r"(e)));
    CHECK_IS(PTE_D, *e & (PTE_A | PTE_D));
    CHECK_IS(0, TRY("lock andq $~0x40, (%1)\n\tmovl $0, %%eax", NO_OUT, "r"(e)));
    CHECK_IS(0, *e & (PTE_A | PTE_D));
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
    flags(e);
    clear_accessed(e);
    refused(e);
}
