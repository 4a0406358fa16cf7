/*
 * mmuext_op: pinning tables of every level, changing root tables, flushes; a frame's use can change only when
 * nothing of its former use is left, and then does change.
 */
#include "guest.h"

const char test_title[] = "mmuext_op, pinning, types";

#define USER_VA 0x7000000000UL /* in a root slot of its own */

static char data[4096] __attribute__((aligned(4096)));

struct tree {
    pte_t *l4, *l3, *l2, *l1;
};

/* A second address space: the kernel's half as ours, and one page of `data` at USER_VA. Tables are still
 * writable pages. */
static struct tree make_tree(void)
{
    struct tree t = {page_alloc(), page_alloc(), page_alloc(), page_alloc()};
    pte_t *root = root_table();
    for (unsigned i = 0; i < 512; i++)
        if (i < 256 || i > 271)
            t.l4[i] = root[i];
    t.l4[USER_VA >> 39] = pte_make(mfn_of(t.l3), TABLE_FLAGS);
    t.l3[USER_VA >> 30 & 511] = pte_make(mfn_of(t.l2), TABLE_FLAGS);
    t.l2[USER_VA >> 21 & 511] = pte_make(mfn_of(t.l1), TABLE_FLAGS);
    t.l1[USER_VA >> 12 & 511] = pte_make(mfn_of(data), PTE_RW);
    return t;
}

static void protect(struct tree *t, bool readonly)
{
    pte_t *all[] = {t->l4, t->l3, t->l2, t->l1};
    for (unsigned i = 0; i < 4; i++) {
        long result = readonly ? set_readonly(all[i]) : set_writable(all[i]);
        if (result)
            failure("level %u table cannot be made %s: %ld", 4 - i, readonly ? "read-only" : "writable", result);
    }
}

static void pins(void)
{
    struct tree t = make_tree();
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(t.l4), 0)); /* all mapped writable */
    protect(&t, true);
    CHECK_IS(0, mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(t.l4), 0));
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(t.l4), 0)); /* once is all */
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L3_TABLE, mfn_of(t.l4), 0));
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(t.l1), 0));
    CHECK_REFUSED(set_writable(t.l4));
    CHECK_REFUSED(set_writable(t.l1));
    CHECK_IS(0, mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(t.l1), 0));
    /* In use: the page is seen under both roots. */
    CHECK_IS(0, mmuext(MMUEXT_NEW_BASEPTR, mfn_of(t.l4), 0));
    *(uint64_t *)data = 42;
    CHECK_IS(42, *(uint64_t *)USER_VA);
    CHECK_IS(0, mmuext(MMUEXT_UNPIN_TABLE, mfn_of(t.l4), 0)); /* stays in use as base */
    CHECK_IS(42, *(uint64_t *)USER_VA);
    CHECK_IS(0, mmuext(MMUEXT_NEW_BASEPTR, mfn_of(root_table()), 0));
    CHECK_IS(TRAPPED(TRAP_PF, 0), try_read((void *)USER_VA));
    CHECK_REFUSED(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(t.l4), 0));
    CHECK_REFUSED(set_writable(t.l1)); /* still pinned on its own */
    CHECK_IS(0, mmuext(MMUEXT_UNPIN_TABLE, mfn_of(t.l1), 0));
    protect(&t, false); /* every reference is back */
    *t.l1 = 0;
    CHECK_REFUSED(mmuext(MMUEXT_UNPIN_TABLE, mfn_of(t.l1), 0));
}

/* The same tables round and round: nothing is left over. */
static void cycles(void)
{
    struct tree t = make_tree();
    for (unsigned i = 0; i < 50; i++) {
        protect(&t, true);
        CHECK_IS(0, mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(t.l4), 0));
        CHECK_IS(0, mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(t.l4), 0));
        CHECK_IS(0, mmuext(MMUEXT_UNPIN_TABLE, mfn_of(t.l4), 0));
        CHECK_IS(0, mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0));
        protect(&t, false);
    }
    /* A tree that turns out bad at its end leaves nothing either. */
    for (unsigned i = 0; i < 20; i++) {
        t.l1[511] = pte_make(mfn_of(t.l1), PTE_RW);
        protect(&t, true);
        CHECK_REFUSED(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(t.l4), 0));
        protect(&t, false);
    }
    t.l1[511] = 0;
}

static void mixed_levels(void)
{
    /* One frame as table of two levels; a level-2 entry that names a level-3 table. */
    struct tree t = make_tree();
    t.l3[0] = pte_make(mfn_of(t.l1), TABLE_FLAGS);
    protect(&t, true);
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(t.l4), 0));
    protect(&t, false);
    t.l3[0] = pte_make(mfn_of(t.l4), TABLE_FLAGS);
    protect(&t, true);
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(t.l4), 0));
    protect(&t, false);
    /* Tables named many times. */
    for (unsigned i = 0; i < 512; i++)
        t.l2[i] = pte_make(mfn_of(t.l1), TABLE_FLAGS);
    for (unsigned i = 0; i < 512; i++)
        t.l3[i] = pte_make(mfn_of(t.l2), TABLE_FLAGS);
    protect(&t, true);
    CHECK_IS(0, mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(t.l4), 0));
    CHECK_IS(0, mmu_update(mfn_of(t.l3) * PAGE + 8, 0));
    CHECK_IS(0, mmuext(MMUEXT_UNPIN_TABLE, mfn_of(t.l4), 0));
    protect(&t, false);
}

static void pages(void)
{
    char *a = page_alloc(), *b = page_alloc();
    memory_set(a, 7, 4096);
    CHECK_IS(0, mmuext(MMUEXT_COPY_PAGE, mfn_of(b), mfn_of(a)));
    CHECK_IS(7, b[4095]);
    CHECK_IS(0, mmuext(MMUEXT_CLEAR_PAGE, mfn_of(b), 0));
    CHECK_IS(0, b[4095]);
    CHECK_REFUSED(mmuext(MMUEXT_CLEAR_PAGE, mfn_of(root_table()), 0));
    CHECK_REFUSED(mmuext(MMUEXT_COPY_PAGE, mfn_of(root_table()), mfn_of(a)));
    CHECK_IS(0, mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0));
    CHECK_IS(0, mmuext(MMUEXT_TLB_FLUSH_ALL, 0, 0));
    CHECK_IS(0, mmuext(MMUEXT_INVLPG_ALL, (uint64_t)a, 0));
    CHECK_IS(0, mmuext(MMUEXT_INVLPG_LOCAL, IN_HYPERVISOR, 0));
    CHECK_IS(0, mmuext(MMUEXT_INVLPG_ALL, NON_CANONICAL, 0));
    uint64_t cpus = 1;
    CHECK_IS(0, mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&cpus));
    CHECK_IS(0, mmuext(MMUEXT_INVLPG_MULTI, (uint64_t)a, (uint64_t)&cpus));
    CHECK_REFUSED(mmuext(MMUEXT_TLB_FLUSH_MULTI, 0, UNMAPPED));
    CHECK_IS(is_privileged() ? 0 : -EACCES, mmuext(MMUEXT_FLUSH_CACHE, 0, 0));
    CHECK_REFUSED(mmuext(99, 0, 0));
    CHECK_REFUSED(mmuext(MMUEXT_NEW_BASEPTR, 0, 0));
    CHECK_REFUSED(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(a), 0)); /* writable */
}

static void batches(void)
{
    struct mmuext_op op[3] = {{.cmd = MMUEXT_TLB_FLUSH_LOCAL}, {.cmd = 99}, {.cmd = MMUEXT_TLB_FLUSH_LOCAL}};
    uint32_t done = 9;
    CHECK_REFUSED(HYPERCALL(mmuext_op, op, 3, &done, DOMID_SELF));
    CHECK_IS(1, done);
    CHECK_IS(-EFAULT, HYPERCALL(mmuext_op, UNMAPPED, 1, 0, DOMID_SELF));
    CHECK_IS(-EFAULT, HYPERCALL(mmuext_op, IN_HYPERVISOR, 1, 0, DOMID_SELF));
    CHECK_IS(-ESRCH, HYPERCALL(mmuext_op, op, 1, 0, 77));
    CHECK_IS(0, HYPERCALL(mmuext_op, op, 1, &done, DOMID_SELF));
}

void test_main(void)
{
    pins();
    cycles();
    mixed_levels();
    pages();
    batches();
}
