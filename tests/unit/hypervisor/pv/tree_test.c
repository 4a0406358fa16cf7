/*
 * Trees of page tables, by the calls a guest makes: the real mmuext_op and mmu_update over real types, tables and
 * owners. After each step all counts are made anew from what the tables say, and compared.
 */
#include "../../random.h"
#include "machine.h"
#include <hv/hypercall.h>
#include <hv/page_alloc.h>
#include <hv/pv.h>

/* ---- The calls, entered again as long as they say so ---- */

static unsigned pieces, longest_piece; /* of the last call; the longest in references taken or given back */
static mfn_t leaf;                     /* what most entries name */
static void (*between)(void);          /* another vcpu, or the toolstack, between two pieces */

static long finish(long (*handler)(struct hypercall *), struct hypercall *call)
{
    long result;
    pieces = longest_piece = 0;
    do {
        int64_t before = (int64_t)mfn_to_page(leaf)->references;
        result = handler(call);
        unsigned part = (unsigned)labs((int64_t)mfn_to_page(leaf)->references - before);
        longest_piece = max(longest_piece, part);
        pieces++;
        if (result == -ERESTART && between)
            between();
    } while (result == -ERESTART);
    return result;
}

static long mmuext(unsigned cmd, mfn_t mfn)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};
    struct hypercall call = {.arg = {(uint64_t)&op, 1, 0, DOMID_SELF}};
    return finish(do_mmuext_op, &call);
}

static long update(mfn_t table, unsigned index, pte_t value)
{
    struct mmu_update u = {table << PAGE_SHIFT | index * 8, value};
    struct hypercall call = {.arg = {(uint64_t)&u, 1, 0, DOMID_SELF}};
    return finish(do_mmu_update, &call);
}

/* ---- Counting anew ---- */

static unsigned want_references[FAKE_FRAMES], want_types[FAKE_FRAMES];

static void count_entry(unsigned level, pte_t e)
{
    if (!(e & PTE_PRESENT))
        return;
    want_references[pte_mfn(e)]++;
    want_types[pte_mfn(e)] += level > 1 || (e & PTE_WRITE);
}

static void count_frame(mfn_t mfn)
{
    const struct page *page = mfn_to_page(mfn);
    unsigned level = page_table_level(page);
    want_references[mfn] += !!(page->references & PAGE_ALLOCATED);
    if (page->type & TYPE_PINNED) {
        want_references[mfn]++;
        want_types[mfn]++;
    }
    for (unsigned i = 0; level && i < PTES_PER_TABLE; i++)
        if (!pv_is_hypervisor_slot(level, i))
            count_entry(level, table_at(mfn)[i]);
}

static void count_root(mfn_t root)
{
    if (!root)
        return;
    want_references[root]++;
    want_types[root]++;
}

static void counts_are_right(void)
{
    memset(want_references, 0, sizeof(want_references));
    memset(want_types, 0, sizeof(want_types));
    count_root(guest_vcpu.pv.root_kernel);
    count_root(guest_vcpu.pv.root_user);
    for (mfn_t mfn = 1; mfn < FAKE_FRAMES; mfn++)
        if (mfn_to_page(mfn)->owner == guest.id)
            count_frame(mfn);
    for (mfn_t mfn = 1; mfn < FAKE_FRAMES; mfn++) {
        if (mfn_to_page(mfn)->owner != guest.id)
            continue;
        CHECK((mfn_to_page(mfn)->references & PAGE_REFERENCES_MASK) == want_references[mfn]);
        CHECK(type_count(mfn) == want_types[mfn]);
    }
}

/* ---- A large tree ---- */

#define LEAF_TABLES 100
static mfn_t l1[LEAF_TABLES], l2, l3, l4;

static mfn_t full_table(pte_t entry)
{
    mfn_t mfn = frame_of(&guest);
    for (unsigned i = 0; i < PTES_PER_TABLE; i++)
        table_at(mfn)[i] = entry;
    return mfn;
}

static void make_large_tree(void)
{
    leaf = frame_of(&guest);
    l2 = frame_of(&guest);
    for (unsigned i = 0; i < LEAF_TABLES; i++) {
        l1[i] = full_table(make_pte(leaf, PTE_PRESENT | PTE_GLOBAL));
        table_at(l2)[i] = make_pte(l1[i], PTE_PRESENT | PTE_WRITE);
    }
    l3 = frame_of(&guest);
    table_at(l3)[7] = make_pte(l2, PTE_PRESENT | PTE_WRITE);
    l4 = frame_of(&guest);
    table_at(l4)[0] = make_pte(l3, PTE_PRESENT | PTE_WRITE);
}

/* A piece is well below a million instructions where a reference costs less than a hundred. */
static void every_piece_is_short(void)
{
    CHECK(pieces > LEAF_TABLES * PTES_PER_TABLE / 5000 && longest_piece && longest_piece <= 5000);
}

static void pinned_and_unpinned_in_pieces(void)
{
    CHECK(!mmuext(MMUEXT_PIN_L4_TABLE, l4));
    every_piece_is_short();
    counts_are_right();
    CHECK(table_at(l4)[0] & PTE_USER && table_at(l1[0])[0] & PTE_USER && !(table_at(l1[0])[0] & PTE_GLOBAL));
    CHECK(table_at(l4)[FIRST_HYPERVISOR_SLOT] == 0x1001);
    CHECK(mmuext(MMUEXT_PIN_L4_TABLE, l4) == -EINVAL && mmuext(MMUEXT_PIN_L3_TABLE, l4) == -EINVAL);
    CHECK(!mmuext(MMUEXT_UNPIN_TABLE, l4));
    every_piece_is_short();
    counts_are_right();
    CHECK(!type_count(l4) && !type_count(l1[5]) && mmuext(MMUEXT_UNPIN_TABLE, l4) == -EINVAL);
}

/* The last entry of all is bad: nothing is left of the attempt. */
static void bad_tree_is_given_back(void)
{
    table_at(l1[LEAF_TABLES - 1])[511] = make_pte(frame_of(&other), PTE_PRESENT);
    CHECK(mmuext(MMUEXT_PIN_L4_TABLE, l4) == -EINVAL && longest_piece <= 5000);
    counts_are_right();
    CHECK(!type_count(l4) && !type_count(l1[0]));
    table_at(l1[LEAF_TABLES - 1])[511] = 0;
    table_at(l2)[LEAF_TABLES] = make_pte(frame_of(&other), PTE_PRESENT);
    CHECK(mmuext(MMUEXT_PIN_L2_TABLE, l2) == -EINVAL);
    table_at(l2)[LEAF_TABLES] = make_pte(l1[0], PTE_PRESENT | PTE_PSE);
    CHECK(mmuext(MMUEXT_PIN_L2_TABLE, l2) == -EINVAL);
    table_at(l2)[LEAF_TABLES] = 0;
    counts_are_right();
}

/* What a table refers to may be large too: one entry more, one less. */
static void one_entry_brings_and_takes_a_tree(void)
{
    mfn_t root = frame_of(&guest);
    CHECK(!mmuext(MMUEXT_NEW_BASEPTR, root) && guest_vcpu.pv.root_kernel == root);
    CHECK(!update(root, 3, make_pte(l3, PTE_PRESENT | PTE_WRITE)));
    every_piece_is_short();
    counts_are_right();
    CHECK(update(root, FIRST_HYPERVISOR_SLOT, 0) == -EPERM);
    CHECK(!update(root, 3, 0));
    every_piece_is_short();
    counts_are_right();
    CHECK(!mmuext(MMUEXT_NEW_BASEPTR, l4));
    every_piece_is_short();
    CHECK(!mmuext(MMUEXT_NEW_BASEPTR, root));
    every_piece_is_short();
    counts_are_right();
}

/* ---- In between ---- */

static mfn_t small;

static void another_vcpu_pins(void)
{
    between = NULL;
    CHECK(!mmuext(MMUEXT_PIN_L1_TABLE, small));
    CHECK(!mmuext(MMUEXT_UNPIN_TABLE, small));
}

/* Nobody can write to what is being made, nor use it. */
static void another_vcpu_writes(void)
{
    between = NULL;
    mfn_t table = guest.table_work.path[2].table;
    CHECK(table == l2 && !page_table_level(mfn_to_page(table)));
    CHECK(page_get_with_type(mfn_to_page(table), &guest, TYPE_WRITABLE) == -EINVAL);
    CHECK(page_get_with_type(mfn_to_page(l1[0]), &guest, TYPE_WRITABLE) == -EINVAL);
    CHECK(!update(table, 0, 0)); /* made first, then changed */
    CHECK(!update(table, 0, make_pte(l1[0], PTE_PRESENT | PTE_WRITE)));
}

static void others_act_between_the_pieces(void)
{
    small = frame_of(&guest);
    between = another_vcpu_pins;
    CHECK(!mmuext(MMUEXT_PIN_L4_TABLE, l4) && !between);
    counts_are_right();
    between = another_vcpu_pins;
    CHECK(!mmuext(MMUEXT_UNPIN_TABLE, l4) && !between);
    counts_are_right();
    between = another_vcpu_writes;
    CHECK(!mmuext(MMUEXT_PIN_L4_TABLE, l4) && !between);
    counts_are_right();
    CHECK(!mmuext(MMUEXT_UNPIN_TABLE, l4));
}

/* A call that never asks again leaves nothing that stays. */
static void call_is_forgotten(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = l4};
    struct hypercall call = {.arg = {(uint64_t)&op, 1, 0, DOMID_SELF}};
    CHECK(do_mmuext_op(&call) == -ERESTART);
    CHECK(!mmuext(MMUEXT_PIN_L1_TABLE, small) && !mmuext(MMUEXT_UNPIN_TABLE, small));
    counts_are_right();
    CHECK(!type_count(l4) && !type_count(l1[0]));
}

/* ---- Anything ---- */

static mfn_t some[24];

static pte_t any_entry(void)
{
    static const pte_t flags[] = {0, PTE_PRESENT, PTE_PRESENT | PTE_WRITE, PTE_PRESENT | PTE_WRITE | PTE_USER};
    return make_pte(some[random_below(ARRAY_SIZE(some))], flags[random_below(ARRAY_SIZE(flags))]);
}

static void anything_keeps_the_counts(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(some); i++)
        some[i] = frame_of(&guest);
    for (unsigned n = 0; n < 20000; n++) {
        mfn_t mfn = some[random_below(ARRAY_SIZE(some))];
        switch (random_below(8)) {
        case 0 ... 1:
            mmuext(MMUEXT_PIN_L1_TABLE + random_below(4), mfn);
            break;
        case 2:
            mmuext(MMUEXT_UNPIN_TABLE, mfn);
            break;
        case 3:
            mmuext(random_below(2) ? MMUEXT_NEW_BASEPTR : MMUEXT_NEW_USER_BASEPTR, mfn);
            break;
        default:
            update(mfn, random_below(300), any_entry());
        }
        if (n % 16 == 0)
            counts_are_right();
    }
    counts_are_right();
}

/* ---- The end ---- */

/* With one tree pinned, and another being made. */
static void domain_ends(void)
{
    mfn_t first = l4;
    CHECK(!mmuext(MMUEXT_PIN_L4_TABLE, first));
    make_large_tree();
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = l4};
    struct hypercall call = {.arg = {(uint64_t)&op, 1, 0, DOMID_SELF}};
    CHECK(do_mmuext_op(&call) == -ERESTART && page_table_level(mfn_to_page(first)) == 4);
    pv_set_root(&guest_vcpu, 0);
    pv_set_user_root(&guest_vcpu, 0);
    guest.dying = DOMAIN_DYING;
    uint64_t owned = guest.pages, free_before = free_page_count();
    unsigned calls = 0;
    while (pv_relinquish_memory(&guest) == -ERESTART)
        CHECK(++calls < 100000);
    CHECK(!guest.pages && free_page_count() == free_before + owned && calls > 10);
}

int main(void)
{
    machine_start();
    make_large_tree();
    counts_are_right();
    pinned_and_unpinned_in_pieces();
    bad_tree_is_given_back();
    one_entry_brings_and_takes_a_tree();
    others_act_between_the_pieces();
    call_is_forgotten();
    anything_keeps_the_counts();
    domain_ends();
    return 0;
}
