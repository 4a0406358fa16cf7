/*
 * mmu_update and update_va_mapping: which entries a guest may write, and that a page never is a table and writable at once.
 */
#include "guest.h"

const char test_title[] = "mmu_update, update_va_mapping";

/* A hypervisor may keep notes of its own in the ignored bits, and GLOBAL is its affair. */
#define SEEN (~(PTE_G | 0x7ffUL << 52))
/* Addresses that nothing is mapped at: in the level-2 table of the boot mapping. */
#define FREE_VA 0xffffffffa0000000UL

static char page_a[4096] __attribute__((aligned(4096)));

static void mappings(void)
{
    uint64_t mfn = mfn_of(page_a);
    pte_t *e = entry_of((uint64_t)page_a, 1);
    uint64_t ptr = entry_machine(e);
    uint64_t other = pfn_mfn(spare_pfn());
    CHECK_IS(0, mmu_update(ptr, pte_make(mfn, PTE_RO)));
    CHECK_IS(TRAPPED(TRAP_PF, 3), try_write(page_a, 1));
    CHECK_IS((uint64_t)page_a, trapped_address);
    CHECK_IS(0, mmu_update(ptr, 0));
    CHECK_IS(TRAPPED(TRAP_PF, 0), try_read(page_a));
    CHECK_IS(0, mmu_update(ptr, pte_make(other, PTE_RW)));
    CHECK_IS(0, try_write(page_a, 0x1234));
    CHECK_IS(0, mmu_update(ptr, pte_make(mfn, PTE_RW)));
    mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)page_a, 0);
    CHECK_IS(0, *(uint64_t *)page_a);
    /* Not-present entries may say anything. */
    CHECK_IS(0, mmu_update(ptr, 0xdeadbeefdeadbee0UL));
    CHECK_IS(0xdeadbeefdeadbee0UL, *e);
    CHECK_IS(0, update_va(page_a, pte_make(mfn, PTE_RW)));
}

static void flags(void)
{
    uint64_t mfn = mfn_of(page_a);
    pte_t *e = entry_of((uint64_t)page_a, 1);
    uint64_t ptr = entry_machine(e);
    /* The kernel's pages are the user's to the processor; GLOBAL is not a guest's. */
    CHECK_IS(0, mmu_update(ptr, pte_make(mfn, PTE_P | PTE_W | PTE_G)));
    CHECK_IS(pte_make(mfn, PTE_P | PTE_W | PTE_U), *e & SEEN & ~(PTE_A | PTE_D));
    CHECK_IS(0, mmu_update(ptr, pte_make(mfn, PTE_RW | 0xe00)));
    CHECK_IS(pte_make(mfn, PTE_RW | 0xe00), *e & SEEN);
    CHECK_IS(0, mmu_update(ptr, pte_make(mfn, PTE_RW | PTE_NX)));
    CHECK_IS(pte_make(mfn, PTE_RW | PTE_NX), *e & SEEN);
    /* Preserve accessed and dirty: what the processor set stays. */
    CHECK_IS(0, mmu_update(ptr, pte_make(mfn, PTE_RW)));
    CHECK_IS(0, mmu_update(ptr | MMU_PT_UPDATE_PRESERVE_AD, pte_make(mfn, PTE_P | PTE_W | PTE_U)));
    CHECK_IS(pte_make(mfn, PTE_RW), *e & SEEN);
    CHECK_IS(0, mmu_update(ptr, pte_make(mfn, PTE_P | PTE_W | PTE_U)));
    CHECK_IS(pte_make(mfn, PTE_P | PTE_W | PTE_U), *e & SEEN);
    mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)page_a, 0);
    try_read(page_a);
    CHECK_IS(PTE_A, *e & (PTE_A | PTE_D));
    try_write(page_a, 0);
    CHECK_IS(PTE_A | PTE_D, *e & (PTE_A | PTE_D));
    CHECK_IS(0, mmu_update(ptr, pte_make(mfn, PTE_RW)));
}

static void refused(void)
{
    uint64_t mfn = mfn_of(page_a);
    pte_t *e = entry_of((uint64_t)page_a, 1);
    uint64_t ptr = entry_machine(e);
    pte_t before = *e;
    /* Frames that are no frames, a level-1 table written to at a wrong address. */
    CHECK_REFUSED(mmu_update(ptr, pte_make(1UL << 39, PTE_RW)));
    CHECK_REFUSED(mmu_update(ptr, pte_make((1UL << 40) - 1, PTE_RW)));
    CHECK_REFUSED(mmu_update(1UL << 50, pte_make(mfn, PTE_RW)));
    CHECK_REFUSED(mmu_update(~7UL, pte_make(mfn, PTE_RW)));
    CHECK_REFUSED(mmu_update(ptr + 4, pte_make(mfn, PTE_RW)));
    CHECK_IS(before & ~(PTE_A | PTE_D), *e & ~(PTE_A | PTE_D));
    CHECK_IS(-ENOSYS, mmu_update(ptr | 4, pte_make(mfn, PTE_RW)));
    CHECK_IS(0, mmu_update(ptr, pte_make(mfn, PTE_RW)));
}

static void tables(void)
{
    pte_t *e = entry_of((uint64_t)page_a, 1), *up = entry_of((uint64_t)page_a, 2);
    uint64_t l1 = mfn_of(e), ptr = entry_machine(e);
    /* A table in use as such is not mapped writable, by neither call. */
    CHECK_REFUSED(mmu_update(ptr, pte_make(l1, PTE_RW)));
    CHECK_REFUSED(update_va(page_a, pte_make(l1, PTE_RW)));
    CHECK_REFUSED(update_va(page_a, pte_make(mfn_of(up), PTE_RW)));
    CHECK_REFUSED(update_va(page_a, pte_make(mfn_of(root_table()), PTE_RW)));
    CHECK_IS(0, update_va(page_a, pte_make(l1, PTE_RO)));
    CHECK_IS(0, update_va(page_a, pte_make(mfn_of(page_a), PTE_RW)));
    /* A page mapped writable does not become a table; read-only it does. */
    pte_t *table = page_alloc();
    pte_t *free_l2 = entry_of(FREE_VA, 2);
    CHECK(free_l2 && !*free_l2);
    uint64_t at = entry_machine(free_l2);
    table[0] = pte_make(mfn_of(page_a), PTE_RW);
    CHECK_REFUSED(mmu_update(at, pte_make(mfn_of(table), TABLE_FLAGS)));
    CHECK_IS(0, *free_l2);
    CHECK_IS(0, set_readonly(table));
    CHECK_IS(0, mmu_update(at, pte_make(mfn_of(table), TABLE_FLAGS)));
    CHECK_IS(0, try_write((void *)FREE_VA, 77));
    CHECK_IS(77, *(uint64_t *)page_a);
    CHECK_REFUSED(set_writable(table));
    /* The frames a table names are held: they become no tables. */
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page_a), 0));
    CHECK_IS(0, mmu_update(at, 0));
    CHECK_IS(0, set_writable(table));
    CHECK_IS(0, try_write(table, 0));
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    CHECK_IS(TRAPPED(TRAP_PF, 2), try_write((void *)FREE_VA, 77));
}

static void bad_tables(void)
{
    uint64_t at = entry_machine(entry_of(FREE_VA, 2));
    uint64_t mfn = mfn_of(page_a);
    static const uint64_t bad_frames[] = {1UL << 39, (1UL << 40) - 1};
    for (unsigned i = 0; i < ARRAY_SIZE(bad_frames); i++) {
        pte_t *table = page_alloc();
        table[0] = pte_make(mfn, PTE_RW);
        table[511] = pte_make(bad_frames[i], PTE_RW);
        set_readonly(table);
        CHECK_REFUSED(mmu_update(at, pte_make(mfn_of(table), TABLE_FLAGS)));
        CHECK_IS(0, set_writable(table));
    }
    /* A table that maps itself writable; one that maps itself read-only. */
    pte_t *table = table_alloc();
    CHECK_IS(0, set_writable(table));
    table[5] = pte_make(mfn_of(table), PTE_RW);
    CHECK_IS(0, set_readonly(table));
    CHECK_REFUSED(mmu_update(at, pte_make(mfn_of(table), TABLE_FLAGS)));
    CHECK_IS(0, set_writable(table));
    table[5] = pte_make(mfn_of(table), PTE_RO);
    CHECK_IS(0, set_readonly(table));
    CHECK_IS(0, mmu_update(at, pte_make(mfn_of(table), TABLE_FLAGS)));
    CHECK_REFUSED(mmu_update(mfn_of(table) * PAGE + 6 * 8, pte_make(mfn_of(table), PTE_RW)));
    CHECK_IS(0, mmu_update(at, 0));
    CHECK_IS(0, set_writable(table));
    /* Large pages are not a PV guest's. */
    CHECK_REFUSED(mmu_update(at, pte_make(mfn & ~511UL, TABLE_FLAGS | PTE_PSE)));
}

static void hypervisor_slots(void)
{
    pte_t *root = root_table();
    static const unsigned slots[] = {256, 257, 260, 271};
    for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        long result = mmu_update(mfn_of(root) * PAGE + slots[i] * 8, 0);
        if (result >= 0)
            failure("root slot %u can be written: %ld", slots[i], result);
    }
    CHECK_IS(0, mmu_update(mfn_of(root) * PAGE + 272 * 8, 0));
    CHECK_IS(0, mmu_update(mfn_of(root) * PAGE + 255 * 8, 0));
    CHECK_REFUSED(update_va((void *)IN_HYPERVISOR, 0));
    CHECK_REFUSED(update_va((void *)0xffff800000000000UL, pte_make(mfn_of(page_a), PTE_RW)));
    CHECK_REFUSED(update_va((void *)UNMAPPED, pte_make(mfn_of(page_a), PTE_RW)));
    CHECK_REFUSED(update_va((void *)NON_CANONICAL, pte_make(mfn_of(page_a), PTE_RW)));
    CHECK_IS(TRAPPED(TRAP_PF, 3), try_write((void *)0xffff800000000000UL, 1));
    CHECK_IS(0, try_read((void *)0xffff800000000000UL));
}

static void batches(void)
{
    static struct mmu_update u[4];
    pte_t *e = entry_of((uint64_t)page_a, 1);
    uint64_t ptr = entry_machine(e), good = pte_make(mfn_of(page_a), PTE_RW);
    uint32_t done = 99;
    for (unsigned i = 0; i < 4; i++)
        u[i] = (struct mmu_update){ptr, good};
    u[2].val = pte_make(1UL << 39, PTE_RW);
    CHECK_REFUSED(HYPERCALL(mmu_update, u, 4, &done, DOMID_SELF));
    CHECK_IS(2, done);
    CHECK_IS(0, HYPERCALL(mmu_update, u, 2, &done, DOMID_SELF));
    CHECK_IS(2, done);
    CHECK_IS(0, HYPERCALL(mmu_update, u, 0, &done, DOMID_SELF));
    CHECK_IS(-EFAULT, HYPERCALL(mmu_update, UNMAPPED, 1, 0, DOMID_SELF));
    CHECK_IS(-EFAULT, HYPERCALL(mmu_update, IN_HYPERVISOR, 1, 0, DOMID_SELF));
    CHECK_IS(-ESRCH, HYPERCALL(mmu_update, u, 1, 0, 77));
    CHECK_IS(-ESRCH, HYPERCALL(mmu_update, u, 1, 0, 78 << 16 | DOMID_SELF));
}

static void m2p(void)
{
    uint64_t mfn = pfn_mfn(spare_pfn()), pfn = M2P[mfn];
    CHECK_IS(0, mmu_update(mfn * PAGE | MMU_MACHPHYS_UPDATE, 0x123456));
    CHECK_IS(0x123456, M2P[mfn]);
    CHECK_IS(0, mmu_update(mfn * PAGE | MMU_MACHPHYS_UPDATE, pfn));
    CHECK_REFUSED(mmu_update(1UL << 50 | MMU_MACHPHYS_UPDATE, pfn));
}

void test_main(void)
{
    mappings();
    flags();
    refused();
    tables();
    bad_tables();
    hypervisor_slots();
    batches();
    m2p();
}
