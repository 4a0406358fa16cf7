/*
 * The p2m in both formats: mapping, splitting, kinds, references, returning memory, log-dirty, and the end, at which
 * every frame must be free again.
 */
#include "../../test_list.h"
#include "fake.h"
#include <hv/hypercall.h>
#include <pthread.h>

static enum p2m_type kind_at(gfn_t gfn)
{
    enum p2m_type kind;

    p2m_lookup(&guest, gfn, &kind, NULL);
    return kind;
}

static mfn_t frame_at(gfn_t gfn, unsigned *order)
{
    enum p2m_type kind;

    return p2m_lookup(&guest, gfn, &kind, order);
}

/* As the processor walks. */
static uint64_t hardware_entry(gfn_t gfn, uint64_t present)
{
    const uint64_t *table = mfn_to_virt(p2m_root(&guest) >> PAGE_SHIFT);

    for (unsigned level = 4;; level--) {
        uint64_t entry = table[PTE_INDEX(gfn << PAGE_SHIFT, level)];

        if (level == 1 || (entry & PTE_PSE) || !(entry & present))
            return entry;
        table = mfn_to_virt(pte_mfn(entry));
    }
}

static void test_formats(void)
{
    static const struct {
        bool ept;
        enum p2m_type kind;
        uint64_t flags;
    } cases[] = {
        {false, P2M_RAM, PTE_PRESENT | PTE_USER | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY},
        {false, P2M_RAM_READONLY, PTE_PRESENT | PTE_USER | PTE_ACCESSED},
        {false, P2M_RAM_LOG_DIRTY, PTE_PRESENT | PTE_USER | PTE_ACCESSED},
        {false, P2M_IOREQ_SERVER, PTE_PRESENT | PTE_USER | PTE_ACCESSED},
        {false, P2M_SHARED, PTE_PRESENT | PTE_USER | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_NX},
        {true, P2M_RAM, 0x77},
        {true, P2M_RAM_READONLY, 0x75},
        {true, P2M_RAM_LOG_DIRTY, 0x75},
        {true, P2M_SHARED, 0x73},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        fake_start(cases[i].ept, false);
        mfn_t mfn = fake_frame_of(&guest, 0);

        if (cases[i].kind == P2M_SHARED)
            CHECK_EQUAL(0, page_get_with_type(mfn_to_page(mfn), &guest, TYPE_WRITABLE));
        CHECK_EQUAL(0, p2m_set(&guest, 0x12345, mfn, 0, cases[i].kind));
        uint64_t entry = hardware_entry(0x12345, cases[i].ept ? 7 : 1);
        CHECK_EQUAL(mfn, pte_mfn(entry));
        CHECK_EQUAL(cases[i].flags, entry & 0x8000000000000fffUL);
        CHECK_EQUAL(cases[i].kind, kind_at(0x12345));
        fake_stop();
    }
}

static void test_map_and_split(void)
{
    unsigned order;
    mfn_t large = fake_ram_at(0x400, 9);

    CHECK_EQUAL(large + 0xff, frame_at(0x4ff, &order));
    CHECK_EQUAL(9, order);
    CHECK_EQUAL(INVALID_MFN, frame_at(0x3ff, &order));
    CHECK_EQUAL(0x403, m2p_get(large + 3));
    CHECK_EQUAL(0x5ff, p2m_highest(&guest));
    CHECK_EQUAL(0, fake_flushes);

    CHECK_EQUAL(-EAGAIN, p2m_change_type(&guest, 0x403, P2M_RAM_READONLY, P2M_RAM));
    CHECK_EQUAL(0, p2m_change_type(&guest, 0x403, P2M_RAM, P2M_RAM_READONLY));
    CHECK_EQUAL(1, fake_flushes);
    for (gfn_t gfn = 0x400; gfn < 0x600; gfn++) {
        CHECK_EQUAL(large + gfn - 0x400, frame_at(gfn, &order));
        CHECK_EQUAL(0, order);
        CHECK_EQUAL(gfn == 0x403 ? P2M_RAM_READONLY : P2M_RAM, kind_at(gfn));
    }
    CHECK_EQUAL(0, p2m_change_type(&guest, 0x404, P2M_RAM, P2M_MMIO_DM));
    CHECK_EQUAL(INVALID_MFN, frame_at(0x404, NULL));
    CHECK_EQUAL(0, p2m_change_type(&guest, 0x404, P2M_MMIO_DM, P2M_RAM));
    CHECK_EQUAL(large + 4, frame_at(0x404, NULL));
    CHECK_EQUAL(0, p2m_change_type(&guest, 0x8000, P2M_HOLE, P2M_MMIO_DM));
    CHECK_EQUAL(P2M_MMIO_DM, kind_at(0x8000));
    CHECK_EQUAL(-EAGAIN, p2m_change_type(&guest, 0x8000, P2M_MMIO_DM, P2M_RAM));

    unsigned before = fake_used();
    CHECK_EQUAL(0, p2m_clear(&guest, 0x405, 0));
    CHECK_EQUAL(P2M_HOLE, kind_at(0x405));
    CHECK_EQUAL(1, fake_references(large + 5)); /* only forgotten */
    CHECK_EQUAL(M2P_INVALID, m2p_get(large + 5));
    CHECK_EQUAL(before, fake_used());
    CHECK_EQUAL(0, p2m_clear(&guest, 0x405, 0));
}

/* A large entry over a table of small ones takes the table and what is in it away. */
static void test_replace_table(void)
{
    mfn_t theirs = fake_frame_of(&control, 0), large = fake_frame_of(&guest, 9);

    fake_ram_at(0x200, 0);
    CHECK_EQUAL(0, page_get_with_type(mfn_to_page(theirs), &control, TYPE_WRITABLE));
    CHECK_EQUAL(0, p2m_set(&guest, 0x201, theirs, 0, P2M_FOREIGN));
    CHECK_EQUAL(2, fake_references(theirs));
    CHECK_EQUAL(0, p2m_set(&guest, 0x200, large, 9, P2M_RAM));
    CHECK_EQUAL(1, fake_references(theirs));
    CHECK_EQUAL(0, fake_type_references(theirs));
    CHECK_EQUAL(1, fake_flushes);
    CHECK_EQUAL(large + 1, frame_at(0x201, NULL));
}

/* 16 frames at once: a run of entries. */
static void test_runs(void)
{
    mfn_t first = fake_ram_at(0x1230, 4), second = fake_frame_of(&guest, 4);
    unsigned order;

    CHECK_EQUAL(first + 15, frame_at(0x123f, &order));
    CHECK_EQUAL(0, order);
    CHECK_EQUAL(-EINVAL, p2m_set(&guest, 0x1238, second, 4, P2M_RAM));
    CHECK_EQUAL(0, p2m_set(&guest, 0x1230, second, 4, P2M_RAM));
    CHECK_EQUAL(second + 1, frame_at(0x1231, NULL));
    CHECK_EQUAL(-EINVAL, p2m_release(&guest, 0x1220, 5)); /* half of it is a hole */
    CHECK_EQUAL(second + 1, frame_at(0x1231, NULL));
    unsigned pages = guest.pages;
    CHECK_EQUAL(0, p2m_release(&guest, 0x1230, 4));
    CHECK_EQUAL(pages - 16, guest.pages);
    CHECK_EQUAL(INVALID_MFN, frame_at(0x1231, NULL));
    CHECK_EQUAL(-EINVAL, p2m_set(&guest, p2m_limit(&guest), first, 0, P2M_RAM));
    CHECK_EQUAL(-EINVAL, p2m_set(&guest, 0x1230, INVALID_MFN, 4, P2M_RAM));
    CHECK_EQUAL(0, p2m_set(&guest, 0x1230, INVALID_MFN, 4, P2M_MMIO_DM));
    CHECK_EQUAL(P2M_MMIO_DM, kind_at(0x123f));
}

static void test_1g(void)
{
    unsigned order;

    fake_stop();
    fake_start(hvm_vendor->uses_ept, true);
    /* Of 1 GiB only the numbers are looked at: the machine here is smaller. */
    CHECK_EQUAL(0, p2m_set(&guest, 0x40000, INVALID_MFN, 18, P2M_MMIO_DM));
    CHECK_EQUAL(INVALID_MFN, frame_at(0x7ffff, &order));
    CHECK_EQUAL(18, order);
    CHECK_EQUAL(P2M_MMIO_DM, kind_at(0x7ffff));
    fake_ram_at(0x40000, 0);
    CHECK_EQUAL(P2M_RAM, kind_at(0x40000));
    CHECK_EQUAL(P2M_MMIO_DM, kind_at(0x40001));
    frame_at(0x40201, &order);
    CHECK_EQUAL(9, order);
    CHECK_EQUAL(0, p2m_clear(&guest, 0x40000, 18));
    CHECK_EQUAL(P2M_HOLE, kind_at(0x40000));
    CHECK_EQUAL(1, fake_flushes);
}

static void test_release_held(void)
{
    mfn_t mfn = fake_ram_at(7, 0);
    int error = 0;
    struct page *page = p2m_get_page(&guest, 7, true, &error);

    CHECK(page == mfn_to_page(mfn));
    CHECK_EQUAL(2, fake_references(mfn));
    CHECK_EQUAL(1, fake_type_references(mfn));
    CHECK_EQUAL(0, p2m_release(&guest, 7, 0));
    CHECK_EQUAL(1, fake_flushes);
    CHECK_EQUAL(1, fake_references(mfn));
    CHECK(!p2m_get_page(&guest, 7, false, &error));
    CHECK_EQUAL(-EINVAL, error);
    page_put_with_type(page);
    CHECK_EQUAL(0, guest.pages);
    CHECK_EQUAL(-EINVAL, p2m_release(&guest, 7, 0));
}

static void test_get_page_kinds(void)
{
    int error = 0;
    struct page *page;

    fake_ram_at(1, 0);
    CHECK_EQUAL(0, p2m_change_type(&guest, 1, P2M_RAM, P2M_RAM_READONLY));
    CHECK(!p2m_get_page(&guest, 1, true, &error) && error == -EACCES);
    page = p2m_get_page(&guest, 1, false, &error);
    CHECK(page != NULL);
    page_put(page);
    page = p2m_get_page_privileged(&guest, 1, true);
    CHECK(page != NULL);
    page_put(page);
    CHECK_EQUAL(0, p2m_set(&guest, 2, INVALID_MFN, 0, P2M_MMIO_DM));
    CHECK(!p2m_get_page(&guest, 2, true, &error) && error == -EINVAL);
    CHECK(!p2m_get_page(&guest, ~0UL, true, &error) && error == -EINVAL);
    CHECK(!p2m_get_page_privileged(&guest, 2, false));
}

/* What a processor may remember of the map is gone before a change returns: those in the guest have left it, and the
 * others compare the generation before they enter. */
static void test_flushes_of_changes(void)
{
    uint64_t before = guest.hvm->tlb_generation;
    fake_ram_at(1, 0);
    CHECK(guest.hvm->tlb_generation == before && fake_flushes == 0); /* nothing was there to remember */
    CHECK_EQUAL(0, p2m_change_type(&guest, 1, P2M_RAM, P2M_RAM_READONLY));
    CHECK(guest.hvm->tlb_generation == before + 1 && fake_flushes == 1);
    CHECK_EQUAL(0, p2m_change_type(&guest, 1, P2M_RAM_READONLY, P2M_RAM));
    CHECK(!p2m_move(&guest, 1, 2) && guest.hvm->tlb_generation == before + 3 && fake_flushes == 3);
    CHECK(!p2m_release(&guest, 2, 0) && guest.hvm->tlb_generation == before + 4 && fake_flushes == 4);
}

/* What we go on writing to must be the guest's own: what others granted is taken back some day. */
static void test_hold_own_page(void)
{
    mfn_t mfn = fake_ram_at(1, 0), theirs = fake_frame_of(&control, 0);
    struct page *page = p2m_hold_own_page(&guest, 1);
    CHECK(page == mfn_to_page(mfn) && fake_references(mfn) == 2 && fake_type_references(mfn) == 1);
    page_put_with_type(page);
    CHECK_EQUAL(0, p2m_change_type(&guest, 1, P2M_RAM, P2M_RAM_LOG_DIRTY));
    page = p2m_hold_own_page(&guest, 1);
    CHECK(page && kind_at(1) == P2M_RAM);
    page_put_with_type(page);
    CHECK_EQUAL(0, p2m_change_type(&guest, 1, P2M_RAM, P2M_RAM_READONLY));
    CHECK(!p2m_hold_own_page(&guest, 1) && fake_references(mfn) == 1 && !p2m_hold_own_page(&guest, 3));
    for (enum p2m_type kind = P2M_FOREIGN; kind <= P2M_SHARED; kind++) {
        bool writable = kind != P2M_GRANT_READONLY;
        struct page *held = mfn_to_page(theirs);
        CHECK(writable ? !page_get_with_type(held, &control, TYPE_WRITABLE) : page_get(held, &control));
        CHECK_EQUAL(0, p2m_set(&guest, 2, theirs, 0, kind));
        CHECK(!p2m_hold_own_page(&guest, 2) && !p2m_clear(&guest, 2, 0));
        CHECK_EQUAL(1, fake_references(theirs));
    }
}

static void test_no_memory(void)
{
    mfn_t large = fake_ram_at(0x200, 9);
    unsigned used;

    CHECK_EQUAL(0, p2m_set(&guest, 0x5000000, fake_frame_of(&guest, 0), 0, P2M_RAM)); /* drains the reserve */
    used = fake_used();
    fake_fail_allocation = 1;
    CHECK_EQUAL(-EINVAL, p2m_set(&guest, 0x9000000, large, 0, P2M_MMIO_DM));
    CHECK_EQUAL(-ENOMEM, p2m_set(&guest, 0x9000000, INVALID_MFN, 0, P2M_MMIO_DM));
    CHECK_EQUAL(0, fake_fail_allocation);
    CHECK_EQUAL(P2M_HOLE, kind_at(0x9000000));
    CHECK_EQUAL(large + 3, frame_at(0x203, NULL));
    CHECK(fake_used() <= used + 4);
    CHECK_EQUAL(0, p2m_set(&guest, 0x9000000, INVALID_MFN, 0, P2M_MMIO_DM));
}

/* However far apart a guest maps things, its tables end where the pool ends; what it has it can still give back. */
static void test_pool_limit(void)
{
    mfn_t mfn = fake_ram_at(0, 0);
    unsigned made = 0;

    CHECK_EQUAL(-EINVAL, p2m_set_pool_size(&guest, 123));
    CHECK_EQUAL(0, p2m_set_pool_size(&guest, 300 * PAGE_SIZE));
    CHECK_EQUAL(300 * PAGE_SIZE, p2m_get_pool_size(&guest));
    while (made < 1000 && !p2m_set(&guest, (gfn_t)(made + 1) << 18, INVALID_MFN, 0, P2M_MMIO_DM))
        made++;
    CHECK(made > 100 && made < 200);
    CHECK(fake_used() <= 302);
    CHECK_EQUAL(0, p2m_release(&guest, 0, 0));
    CHECK_EQUAL(0, guest.pages);
    (void)mfn;
}

static void test_move(void)
{
    mfn_t a = fake_ram_at(0x10, 0), b = fake_ram_at(0x200, 9);

    CHECK_EQUAL(0, p2m_move(&guest, 0x10, 0x9999));
    CHECK_EQUAL(a, frame_at(0x9999, NULL));
    CHECK_EQUAL(INVALID_MFN, frame_at(0x10, NULL));
    CHECK_EQUAL(0x9999, m2p_get(a));
    CHECK_EQUAL(-EINVAL, p2m_move(&guest, 0x10, 0x11));
    CHECK_EQUAL(0, p2m_move(&guest, 0x207, 0x10));
    CHECK_EQUAL(b + 7, frame_at(0x10, NULL));
    CHECK_EQUAL(-EINVAL, p2m_move(&guest, 0x208, p2m_limit(&guest)));
    CHECK(!p2m_move(&guest, 0x10, 0x9999) && frame_at(0x9999, NULL) == b + 7 && fake_page[a].references & PAGE_FREE);
}

/* ---- log-dirty ---- */

static uint8_t bitmap[0x4000 / 8];

static int shadow_op(uint32_t what, uint64_t pages, struct xen_domctl_shadow_op *op)
{
    int error;

    *op = (struct xen_domctl_shadow_op){.op = what, .pages = pages};
    set_xen_guest_handle(op->dirty_bitmap, pages ? bitmap : NULL);
    memset(bitmap, 0x5a, sizeof(bitmap));
    do
        error = log_dirty_op(&guest, op);
    while (error == -ERESTART);
    return error;
}

static unsigned dirty_bits(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < sizeof(bitmap) * 8; i++)
        count += bitmap[i / 8] >> i % 8 & 1;
    return count;
}

static bool is_dirty(gfn_t gfn)
{
    return bitmap[gfn / 8] >> gfn % 8 & 1;
}

static void test_log_dirty(void)
{
    struct xen_domctl_shadow_op op;

    fake_ram_at(0, 9);
    fake_ram_at(0x3ff0, 4);
    fake_yield_every(3);
    CHECK_EQUAL(-EINVAL, shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN, 0x4000, &op));
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, &op));
    CHECK_EQUAL(-EINVAL, shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, &op));
    CHECK(fake_flushes > 0);
    CHECK_EQUAL(P2M_RAM_LOG_DIRTY, kind_at(3));
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN, 0x4000, &op));
    CHECK_EQUAL(0x4000, op.pages);
    CHECK_EQUAL(0, dirty_bits());
    CHECK(!p2m_fix_write_fault(&guest, 0x2000));
    CHECK(p2m_fix_write_fault(&guest, 3));
    CHECK(p2m_fix_write_fault(&guest, 3)); /* another vcpu, a moment later */
    CHECK(p2m_fix_write_fault(&guest, 0x3fff));
    CHECK_EQUAL(P2M_RAM, kind_at(3));
    CHECK_EQUAL(P2M_RAM_LOG_DIRTY, kind_at(4));
    CHECK_EQUAL(0, hvm_copy_to_physical(&guest, 5 << 12, "x", 2));
    fake_ram_at(0x3000, 0);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQUAL(0, shadow_op(i ? XEN_DOMCTL_SHADOW_OP_CLEAN : XEN_DOMCTL_SHADOW_OP_PEEK, 0x4000, &op));
        CHECK(is_dirty(3) && is_dirty(5) && is_dirty(0x3fff) && is_dirty(0x3000));
        CHECK_EQUAL(4, dirty_bits());
        CHECK_EQUAL(4, op.stats.dirty_count);
    }
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN, 0x3ff9, &op));
    CHECK_EQUAL(0x3ff9, op.pages);
    CHECK_EQUAL(0, bitmap[0x3ff8 / 8]);
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_OFF, 0, &op));
    CHECK_EQUAL(P2M_RAM, kind_at(4));
    CHECK_EQUAL(P2M_RAM, kind_at(0x3ff0));
    op.op = XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION;
    op.mb = 3;
    CHECK_EQUAL(0, log_dirty_op(&guest, &op));
    op.mb = 0;
    op.op = XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION;
    CHECK_EQUAL(0, log_dirty_op(&guest, &op));
    CHECK_EQUAL(3, op.mb);
}

/* However many large pages are written to, what is reported is what was written. */
static void test_log_dirty_splits_all(void)
{
    struct xen_domctl_shadow_op op;

    for (gfn_t gfn = 0; gfn < 0xc00; gfn += 0x200)
        fake_ram_at(gfn, 9);
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, &op));
    for (gfn_t gfn = 7; gfn < 0xc00; gfn += 0x200)
        CHECK(p2m_fix_write_fault(&guest, gfn));
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN, 0x4000, &op));
    CHECK_EQUAL(6, dirty_bits());
    CHECK(is_dirty(7) && is_dirty(0xa07));
}

/* No table to split with, and interrupts off: the whole large page counts as written. */
static void test_log_dirty_without_tables(void)
{
    struct xen_domctl_shadow_op op;

    fake_ram_at(0, 9);
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, &op));
    p2m_set(&guest, 0x5000000, INVALID_MFN, 0, P2M_MMIO_DM);
    fake_fail_allocation = 1;
    p2m_set(&guest, 0x9000000, INVALID_MFN, 0, P2M_MMIO_DM);
    log_dirty_mark(&guest, 9);
    CHECK_EQUAL(P2M_RAM, kind_at(9));
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN, 0x400, &op));
    CHECK(is_dirty(9));
}

static unsigned vram_bits(gfn_t first, uint32_t count)
{
    memset(bitmap, 0, sizeof(bitmap));
    CHECK_EQUAL(0, dirty_vram(&guest, first, count, (unsigned long)bitmap));
    return dirty_bits();
}

static void test_dirty_vram(void)
{
    struct xen_domctl_shadow_op op;

    fake_ram_at(0x400, 9);
    fake_ram_at(0x600, 9);
    CHECK_EQUAL(-EINVAL, dirty_vram(&guest, 0, DIRTY_VRAM_MAX_PAGES + 1, 0));
    CHECK_EQUAL(0x1f3, vram_bits(0x500, 0x1f3));
    CHECK_EQUAL(P2M_RAM, kind_at(0x4ff));
    CHECK_EQUAL(P2M_RAM_LOG_DIRTY, kind_at(0x500));
    CHECK_EQUAL(P2M_RAM_LOG_DIRTY, kind_at(0x6f2));
    CHECK_EQUAL(P2M_RAM, kind_at(0x6f3));
    CHECK_EQUAL(0, vram_bits(0x500, 0x1f3));
    CHECK(p2m_fix_write_fault(&guest, 0x500) && p2m_fix_write_fault(&guest, 0x6f2));
    CHECK_EQUAL(2, vram_bits(0x500, 0x1f3));
    CHECK(is_dirty(0) && is_dirty(0x1f2));
    CHECK_EQUAL(0, vram_bits(0x500, 0x1f3));
    /* A copy of the whole guest begins; neither misses what the other collects. */
    p2m_fix_write_fault(&guest, 0x510);
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0, &op));
    CHECK(vram_bits(0x500, 0x1f3) == 1 && is_dirty(0x10));
    p2m_fix_write_fault(&guest, 0x511);
    CHECK(vram_bits(0x500, 0x1f3) == 1 && is_dirty(0x11));
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_CLEAN, 0x4000, &op));
    CHECK(dirty_bits() == 1 && is_dirty(0x511));
    CHECK(vram_bits(0x500, 0x1f3) == 1 && is_dirty(0x11)); /* once more, to be safe */
    CHECK_EQUAL(0, vram_bits(0x500, 0x1f3));
    CHECK_EQUAL(0, shadow_op(XEN_DOMCTL_SHADOW_OP_OFF, 0, &op));
    CHECK_EQUAL(0x1f3, vram_bits(0x500, 0x1f3));
    CHECK_EQUAL(8, vram_bits(0x600, 8));
    CHECK_EQUAL(P2M_RAM, kind_at(0x500));
    CHECK_EQUAL(P2M_RAM, kind_at(0x608));
    CHECK_EQUAL(0, vram_bits(0x600, 0));
    CHECK_EQUAL(P2M_RAM, kind_at(0x600));
}

/* ---- hypercalls ---- */

static long memory_op(uint64_t command, void *argument)
{
    struct hypercall call = {.number = __HYPERVISOR_memory_op, .arg = {command}};
    struct request r = {.call = &call, .argument = argument};
    operation_handler handler = command == XENMEM_populate_physmap       ? memory_populate
                                : command == XENMEM_decrease_reservation ? memory_decrease
                                : command == XENMEM_add_to_physmap       ? memory_add_to_physmap
                                : command == XENMEM_remove_from_physmap  ? memory_remove_from_physmap
                                                                         : memory_add_to_physmap_batch;
    long result;

    do
        result = handler(&r);
    while (result == -ERESTART);
    return result;
}

static void test_populate(void)
{
    xen_pfn_t list[] = {0x200, 0x600, 0x801};
    struct xen_memory_reservation r = {.nr_extents = 3, .extent_order = 9, .domid = guest.id};
    unsigned order;

    set_xen_guest_handle(r.extent_start, list);
    guest.max_pages = 3 * 512 + 1;
    CHECK_EQUAL(3, memory_op(XENMEM_populate_physmap, &r));
    CHECK_EQUAL(3 * 512, guest.pages);
    CHECK_EQUAL(0x200, list[0]); /* the guest's numbers are what it knows */
    CHECK(frame_at(0x3ff, &order) != INVALID_MFN && order == 9);
    CHECK(frame_at(0xa00, &order) != INVALID_MFN && order == 0); /* unaligned */
    CHECK_EQUAL(0, memory_op(XENMEM_populate_physmap, &r));

    list[0] = 0x205;
    list[1] = 0x206;
    list[2] = 0x206;
    r.extent_order = 0;
    CHECK_EQUAL(2, memory_op(XENMEM_decrease_reservation, &r));
    CHECK_EQUAL(3 * 512 - 2, guest.pages);
    CHECK_EQUAL(INVALID_MFN, frame_at(0x205, NULL));
    list[0] = 0x200;
    list[1] = 0x600;
    r.extent_order = 9;
    CHECK_EQUAL(0, memory_op(XENMEM_decrease_reservation, &r)); /* has holes */
    list[0] = 0x801;
    CHECK_EQUAL(2, memory_op(XENMEM_decrease_reservation, &r));
    CHECK_EQUAL(510, guest.pages);
}

static void test_add_to_physmap(void)
{
    struct xen_add_to_physmap a = {.domid = guest.id, .space = XENMAPSPACE_shared_info, .gpfn = 0x100};
    struct xen_remove_from_physmap r = {.domid = guest.id, .gpfn = 0x100};
    xen_ulong_t index[] = {0, 1, 2};
    xen_pfn_t gfn[] = {0x300, 0x301, 0x302};
    int errors[3];
    struct xen_add_to_physmap_batch b = {.domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 3};
    mfn_t shared = fake_frame_of(&guest, 0), ram = fake_ram_at(0x101, 0);

    guest.shared_info = mfn_to_virt(shared);
    guest.grants = (struct grant_table *)&errors; /* there is one; the fake has its frames */
    CHECK_EQUAL(0, memory_op(XENMEM_add_to_physmap, &a));
    CHECK(frame_at(0x100, NULL) == shared && kind_at(0x100) == P2M_SHARED);
    CHECK_EQUAL(2, fake_references(shared));
    CHECK_EQUAL(0, memory_op(XENMEM_add_to_physmap, &a));
    CHECK_EQUAL(2, fake_references(shared));
    a.gpfn = 0x101; /* where there is RAM, which goes */
    unsigned pages = guest.pages;
    CHECK_EQUAL(0, memory_op(XENMEM_add_to_physmap, &a));
    CHECK_EQUAL(pages - 1, guest.pages);
    CHECK(fake_page[ram].references & PAGE_FREE);
    CHECK(frame_at(0x100, NULL) == INVALID_MFN && frame_at(0x101, NULL) == shared);
    CHECK_EQUAL(2, fake_references(shared));
    CHECK_EQUAL(0x101, guest.hvm->shared_info_gfn);
    CHECK_EQUAL(-ENOENT, memory_op(XENMEM_remove_from_physmap, &r));
    r.gpfn = 0x101;
    CHECK_EQUAL(0, memory_op(XENMEM_remove_from_physmap, &r));
    CHECK_EQUAL(1, fake_references(shared));

    CHECK_EQUAL(-EACCES, memory_op(XENMEM_add_to_physmap_batch, &b)); /* a PV caller, itself */
    b.domid = guest.id;
    set_xen_guest_handle(b.idxs, index);
    set_xen_guest_handle(b.gpfns, gfn);
    set_xen_guest_handle(b.errs, errors);
    fake_yield_every(2);
    CHECK_EQUAL(0, memory_op(XENMEM_add_to_physmap_batch, &b));
    CHECK(errors[0] == 0 && errors[1] == 0 && errors[2] == -EINVAL);
    CHECK(kind_at(0x300) == P2M_SHARED && kind_at(0x301) == P2M_SHARED);

    fake_ram_at(0x1000, 9);
    mfn_t moved = frame_at(0x1002, NULL);
    a = (struct xen_add_to_physmap){
        .domid = guest.id, .space = XENMAPSPACE_gmfn_range, .size = 3, .idx = 0x1001, .gpfn = 0x5001};
    CHECK_EQUAL(0, memory_op(XENMEM_add_to_physmap, &a));
    CHECK(frame_at(0x5002, NULL) == moved && frame_at(0x1002, NULL) == INVALID_MFN);
    a.space = XENMAPSPACE_gmfn_foreign;
    CHECK_EQUAL(-EOPNOTSUPP, memory_op(XENMEM_add_to_physmap, &a));
}

/* A mapping by grant keeps the frame, and goes only where nothing is. */
static void test_grant_map(void)
{
    mfn_t theirs = fake_frame_of(&control, 0);

    fake_be(guest.vcpu[0]);
    fake_ram_at(4, 0);
    CHECK_EQUAL(GNTST_general_error, hvm_grant_map(4 << 12, theirs, GNTMAP_host_map));
    CHECK_EQUAL(GNTST_general_error, hvm_grant_map((5 << 12) + 8, theirs, GNTMAP_host_map));
    CHECK_EQUAL(GNTST_okay, hvm_grant_map(5 << 12, theirs, GNTMAP_host_map));
    CHECK_EQUAL(GNTST_okay, hvm_grant_map(6 << 12, theirs, GNTMAP_host_map | GNTMAP_readonly));
    CHECK_EQUAL(3, fake_references(theirs));
    CHECK_EQUAL(1, fake_type_references(theirs));
    CHECK_EQUAL(0, hvm_copy_to_physical(&guest, 5 << 12, "word", 4));
    CHECK_EQUAL(-EINVAL, hvm_copy_to_physical(&guest, 6 << 12, "x", 1));
    CHECK(!memcmp(mfn_to_virt(theirs), "word", 4));
    CHECK_EQUAL(GNTST_general_error, hvm_grant_unmap(6 << 12, theirs, GNTMAP_host_map));
    CHECK_EQUAL(GNTST_okay, hvm_grant_unmap(6 << 12, theirs, GNTMAP_host_map | GNTMAP_readonly));
    CHECK_EQUAL(2, fake_references(theirs));
    CHECK_EQUAL(P2M_HOLE, kind_at(6));
    fake_be(control.vcpu[0]);
}

static void test_dying(void)
{
    fake_ram_at(4, 0);
    CHECK_EQUAL(0, p2m_relinquish(&guest));
    CHECK_EQUAL(P2M_HOLE, kind_at(4));
    CHECK_EQUAL(-ESRCH, p2m_set(&guest, 5, INVALID_MFN, 0, P2M_MMIO_DM));
    CHECK_EQUAL(-ESRCH, p2m_change_type(&guest, 5, P2M_HOLE, P2M_MMIO_DM));
    CHECK_EQUAL(0, p2m_relinquish(&guest));
}

/* Tables that the guest has left empty, far apart: more entries than are looked at in one go. */
static void test_dying_with_empty_tables(void)
{
    for (gfn_t i = 0; i < 20; i++) {
        fake_ram_at(i << 18, 0);
        if (i != 7)
            CHECK_EQUAL(0, p2m_release(&guest, i << 18, 0));
    }
    CHECK_EQUAL(0, p2m_relinquish(&guest));
    CHECK_EQUAL(P2M_HOLE, kind_at(7UL << 18));
}

/* However the guest has spread its memory, each run of the end frees a few tables and lets others go on. */
static void test_end_in_pieces(void)
{
    unsigned runs = 0;
    int error;
    CHECK_EQUAL(0, p2m_set_pool_size(&guest, 4 * MiB));
    for (gfn_t i = 1; i < 300; i++) {
        fake_ram_at(i << 18, 0);
        CHECK_EQUAL(0, p2m_release(&guest, i << 18, 0));
    }
    fake_yield_every(1);
    do {
        unsigned used = fake_used();
        error = p2m_relinquish(&guest);
        CHECK(used - fake_used() <= 16 * 16);
        runs++;
    } while (error == -ERESTART);
    CHECK(!error && runs > 300 / 16 && !p2m_relinquish(&guest));
}

/* Lookups while tables come, go and are overwritten: an answer is one that was true at some time. */
static volatile bool stop_reading;
static mfn_t race_small, race_large;
static unsigned wrong_answers, lookups;

static void *read_all_the_time(void *nothing)
{
    while (!stop_reading) {
        mfn_t mfn = frame_at(0x203, NULL);

        if (mfn != INVALID_MFN && mfn != race_small && mfn != race_large + 3)
            wrong_answers++;
        lookups++;
    }
    return NULL;
}

static void test_race(void)
{
    pthread_t reader;

    race_small = fake_frame_of(&guest, 0);
    race_large = fake_frame_of(&guest, 9);
    stop_reading = false;
    wrong_answers = lookups = 0;
    CHECK_EQUAL(0, pthread_create(&reader, NULL, read_all_the_time, NULL));
    for (unsigned i = 0; i < 20000 || READ_ONCE(lookups) < 1000; i++) {
        CHECK_EQUAL(0, p2m_set(&guest, 0x203, race_small, 0, P2M_RAM));
        CHECK_EQUAL(0, p2m_set(&guest, 0x200, race_large, 9, P2M_RAM)); /* frees the table */
        CHECK_EQUAL(0, p2m_clear(&guest, 0, 18));
    }
    stop_reading = true;
    pthread_join(reader, NULL);
    CHECK_EQUAL(0, wrong_answers);
}

/* A domain whose creation fails late. */
static void test_destroy_at_once(void)
{
    unsigned used;

    fake_stop();
    used = fake_used();
    CHECK_EQUAL(0, p2m_init(&guest));
    CHECK_EQUAL(0, p2m_set(&guest, 0x12345, INVALID_MFN, 0, P2M_MMIO_DM));
    p2m_destroy(&guest);
    p2m_destroy(&guest);
    CHECK_EQUAL(used, fake_used());
    fake_start(hvm_vendor->uses_ept, false);
}

static void on_both(void (*run)(void))
{
    for (unsigned ept = 0; ept < 2; ept++) {
        fprintf(stderr, "with %s:\n", ept ? "EPT" : "NPT");
        fake_start(ept, false);
        run();
        fake_stop();
    }
}

static const struct unit_test tests[] = {
    {"map_and_split", test_map_and_split},
    {"replace_table", test_replace_table},
    {"runs", test_runs},
    {"1g", test_1g},
    {"release_held", test_release_held},
    {"get_page_kinds", test_get_page_kinds},
    {"flushes_of_changes", test_flushes_of_changes},
    {"hold_own_page", test_hold_own_page},
    {"no_memory", test_no_memory},
    {"pool_limit", test_pool_limit},
    {"move", test_move},
    {"log_dirty", test_log_dirty},
    {"log_dirty_splits_all", test_log_dirty_splits_all},
    {"log_dirty_without_tables", test_log_dirty_without_tables},
    {"dirty_vram", test_dirty_vram},
    {"populate", test_populate},
    {"add_to_physmap", test_add_to_physmap},
    {"grant_map", test_grant_map},
    {"dying", test_dying},
    {"dying_with_empty_tables", test_dying_with_empty_tables},
    {"end_in_pieces", test_end_in_pieces},
    {"race", test_race},
    {"destroy_at_once", test_destroy_at_once},
};

int main(void)
{
    test_formats();
    return run_tests(tests, ARRAY_SIZE(tests), on_both);
}
