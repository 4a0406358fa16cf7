/*
 * Grant tables, a domain's own grants to itself: map, unmap, copy; references, handles and addresses that are
 * not good.
 */
#include "guest.h"

const char test_title[] = "grant tables";

static grant_entry_v1_t *table;

static long op(unsigned command, void *argument, unsigned count)
{
    return HYPERCALL(grant_table_op, command, argument, count);
}

static char *page_a, *window;

static void set_up(void)
{
    xen_pfn_t frames[4] = {0};
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    CHECK_IS(0, op(GNTTABOP_query_size, &size, 1));
    CHECK_IS(GNTST_okay, size.status);
    CHECK_IS(64, size.max_nr_frames);
    struct gnttab_set_version version = {.version = 1};
    CHECK_IS(0, op(GNTTABOP_set_version, &version, 1));
    version.version = 3;
    CHECK_IS(-EINVAL, op(GNTTABOP_set_version, &version, 1));
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 4};
    set_xen_guest_handle(setup.frame_list, frames);
    CHECK_IS(0, op(GNTTABOP_setup_table, &setup, 1));
    CHECK_IS(GNTST_okay, setup.status);
    table = page_alloc();
    CHECK_IS(0, update_va(table, pte_make(frames[0], PTE_RW)));
    setup.nr_frames = 65;
    op(GNTTABOP_setup_table, &setup, 1);
    CHECK(setup.status < 0);
    setup = (struct gnttab_setup_table){.dom = NO_DOMAIN, .nr_frames = 1};
    set_xen_guest_handle(setup.frame_list, frames);
    op(GNTTABOP_setup_table, &setup, 1);
    CHECK_IS(GNTST_bad_domain, setup.status);
    struct gnttab_get_version get = {.dom = DOMID_SELF};
    CHECK_IS(0, op(GNTTABOP_get_version, &get, 1));
    CHECK_IS(1, get.version);
}

static void grant(unsigned ref, uint64_t mfn, unsigned flags)
{
    table[ref].domid = own_domain();
    table[ref].frame = (uint32_t)mfn;
    __atomic_store_n(&table[ref].flags, flags, __ATOMIC_SEQ_CST);
}

static struct gnttab_map_grant_ref map(void *at, unsigned ref, unsigned flags)
{
    struct gnttab_map_grant_ref m = {.host_addr = (uint64_t)at, .flags = flags, .ref = ref, .dom = own_domain()};
    CHECK_IS(0, op(GNTTABOP_map_grant_ref, &m, 1));
    return m;
}

static int16_t unmap(void *at, unsigned handle)
{
    struct gnttab_unmap_grant_ref u = {.host_addr = (uint64_t)at, .handle = handle};
    CHECK_IS(0, op(GNTTABOP_unmap_grant_ref, &u, 1));
    return u.status;
}

static void mapping(void)
{
    uint64_t mfn = mfn_of(page_a);
    grant(8, mfn, GTF_permit_access);
    *(uint64_t *)page_a = 0x1122334455667788;
    CHECK_IS(0, update_va(window, 0));
    struct gnttab_map_grant_ref m = map(window, 8, GNTMAP_host_map);
    CHECK_IS(GNTST_okay, m.status);
    CHECK_IS(mfn, m.dev_bus_addr >> 12);
    CHECK_IS(0x1122334455667788, *(uint64_t *)window);
    CHECK_IS(GTF_permit_access | GTF_reading | GTF_writing, table[8].flags);
    CHECK_IS(0, try_write(window, 5));
    CHECK_IS(5, *(uint64_t *)page_a);
    /* The frame is in use by a writable mapping: no table, even when our own mapping is gone. */
    CHECK_IS(0, update_va(page_a, 0));
    CHECK_REFUSED(mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0));
    CHECK_IS(0, update_va(page_a, pte_make(mfn, PTE_RW)));
    CHECK_IS(GNTST_bad_handle, unmap(window, m.handle + 1000));
    CHECK_IS(GNTST_bad_handle, unmap(window, 0xffffffff));
    CHECK_IS(GNTST_okay, unmap(window, m.handle));
    CHECK_IS(GNTST_bad_handle, unmap(window, m.handle));
    CHECK_IS(GTF_permit_access, table[8].flags);
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    CHECK_IS(TRAPPED(TRAP_PF, 0), try_read(window));
    /* Read-only grants. */
    grant(9, mfn, GTF_permit_access | GTF_readonly);
    CHECK(map(window, 9, GNTMAP_host_map).status < 0);
    m = map(window, 9, GNTMAP_host_map | GNTMAP_readonly);
    CHECK_IS(GNTST_okay, m.status);
    CHECK_IS(TRAPPED(TRAP_PF, 3), try_write(window, 5));
    CHECK_IS(GTF_permit_access | GTF_readonly | GTF_reading, table[9].flags);
    CHECK_IS(GNTST_okay, unmap(window, m.handle));
    /* By the entry's address. */
    uint64_t pte = entry_machine(entry_of((uint64_t)window, 1));
    m = map((void *)pte, 8, GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_application_map);
    CHECK_IS(GNTST_okay, m.status);
    CHECK_IS(5, *(uint64_t *)window);
    CHECK_IS(GNTST_okay, unmap((void *)pte, m.handle));
    m = map((void *)(pte + 4), 8, GNTMAP_host_map | GNTMAP_contains_pte);
    CHECK(m.status < 0);
    m = map((void *)(1UL << 50), 8, GNTMAP_host_map | GNTMAP_contains_pte);
    CHECK(m.status < 0);
    m = map((void *)entry_machine(entry_of((uint64_t)window, 2)), 8, GNTMAP_host_map | GNTMAP_contains_pte);
    CHECK(m.status < 0);
}

/* A mapping ends by an entry with its rights: by the other's, what is left could still be written when the granter is
 * told that nobody writes. */
static void two_rights(void)
{
    char *other = page_alloc();
    grant(8, mfn_of(page_a), GTF_permit_access);
    CHECK_IS(0, update_va(window, 0));
    CHECK_IS(0, update_va(other, 0));
    struct gnttab_map_grant_ref reads = map(window, 8, GNTMAP_host_map | GNTMAP_readonly);
    struct gnttab_map_grant_ref writes = map(other, 8, GNTMAP_host_map);
    CHECK_IS(GNTST_okay, reads.status);
    CHECK_IS(GNTST_okay, writes.status);
    CHECK_IS(GNTST_general_error, unmap(window, writes.handle));
    CHECK_IS(GNTST_general_error, unmap(other, reads.handle));
    CHECK_IS(0, try_write(other, 7));
    CHECK_IS(GTF_permit_access | GTF_reading | GTF_writing, table[8].flags);
    CHECK_IS(GNTST_okay, unmap(other, writes.handle));
    CHECK_IS(GTF_permit_access | GTF_reading, table[8].flags);
    CHECK_IS(GNTST_okay, unmap(window, reads.handle));
    CHECK_IS(GTF_permit_access, table[8].flags);
}

static void bad_maps(void)
{
    grant(8, mfn_of(page_a), GTF_permit_access);
    grant(10, 1UL << 31, GTF_permit_access);
    grant(11, mfn_of(page_a), GTF_invalid);
    grant(12, mfn_of(page_a), GTF_accept_transfer);
    grant(13, mfn_of(page_a), GTF_permit_access);
    table[13].domid = (domid_t)(own_domain() + 100);
    grant(14, mfn_of(root_table()), GTF_permit_access);
    grant(15, 0xfee00, GTF_permit_access);
    grant(16, 0xb8, GTF_permit_access);
    CHECK(map(window, 10, GNTMAP_host_map).status < 0);
    CHECK(map(window, 11, GNTMAP_host_map).status < 0);
    CHECK(map(window, 12, GNTMAP_host_map).status < 0);
    CHECK(map(window, 13, GNTMAP_host_map).status < 0);
    CHECK(map(window, 14, GNTMAP_host_map).status < 0);
    CHECK(map(window, 15, GNTMAP_host_map).status < 0);
    CHECK_IS(GTF_permit_access, table[14].flags);
    CHECK_IS(GNTST_bad_gntref, map(window, 100000, GNTMAP_host_map).status);
    CHECK_IS(GNTST_bad_gntref, map(window, 0xffffffff, GNTMAP_host_map).status);
    CHECK(map(window, 8, 0).status < 0);
    CHECK(map((void *)IN_HYPERVISOR, 8, GNTMAP_host_map).status < 0);
    CHECK(map((void *)UNMAPPED, 8, GNTMAP_host_map).status < 0);
    CHECK(map((void *)NON_CANONICAL, 8, GNTMAP_host_map).status < 0);
    CHECK_IS(GTF_permit_access, table[8].flags);
    struct gnttab_map_grant_ref m = {.host_addr = (uint64_t)window, .flags = GNTMAP_host_map,
                                     .ref = 8, .dom = NO_DOMAIN};
    CHECK_IS(0, op(GNTTABOP_map_grant_ref, &m, 1));
    CHECK_IS(GNTST_bad_domain, m.status);
    CHECK_IS(-EFAULT, op(GNTTABOP_map_grant_ref, (void *)UNMAPPED, 1));
    CHECK_IS(-EFAULT, op(GNTTABOP_map_grant_ref, (void *)IN_HYPERVISOR, 1));
    CHECK_IS(-EFAULT, op(GNTTABOP_unmap_grant_ref, (void *)UNMAPPED, 1));
    CHECK_IS(-EFAULT, op(GNTTABOP_copy, (void *)UNMAPPED, 1));
    CHECK_IS(0, op(GNTTABOP_map_grant_ref, (void *)UNMAPPED, 0));
    CHECK_REFUSED(op(GNTTABOP_map_grant_ref, &m, 0x80000000));
    CHECK_REFUSED(op(GNTTABOP_map_grant_ref, &m, 0xffffffff));
    CHECK_IS(-ENOSYS, op(99, &m, 1));
    /* Unmapping something that the caller's tables do not show any more. */
    m = map(window, 8, GNTMAP_host_map);
    CHECK_IS(GNTST_okay, m.status);
    CHECK_IS(0, update_va(window, 0));
    CHECK(unmap(window, m.handle) < 0);
}

static int16_t copy(uint64_t from, uint64_t to, unsigned from_offset, unsigned to_offset, unsigned length,
                    unsigned flags)
{
    struct gnttab_copy c = {.len = (uint16_t)length, .flags = (uint16_t)flags};
    c.source.u.gmfn = from;
    c.dest.u.gmfn = to;
    if (flags & GNTCOPY_source_gref)
        c.source.u.ref = (uint32_t)from;
    if (flags & GNTCOPY_dest_gref)
        c.dest.u.ref = (uint32_t)to;
    c.source.domid = c.dest.domid = DOMID_SELF;
    c.source.offset = (uint16_t)from_offset;
    c.dest.offset = (uint16_t)to_offset;
    CHECK_IS(0, op(GNTTABOP_copy, &c, 1));
    return c.status;
}

static void copies(void)
{
    char *page_b = page_alloc();
    grant(20, mfn_of(page_a), GTF_permit_access);
    grant(21, mfn_of(page_b), GTF_permit_access | GTF_readonly);
    memory_set(page_a, 0x5a, 4096);
    CHECK_IS(GNTST_okay, copy(20, mfn_of(page_b), 0, 100, 1000, GNTCOPY_source_gref));
    CHECK_IS(0x5a, page_b[100]);
    CHECK_IS(0x5a, page_b[1099]);
    CHECK_IS(0, page_b[1100]);
    CHECK_IS(0, page_b[99]);
    CHECK_IS(GTF_permit_access, table[20].flags);
    CHECK(copy(20, 21, 0, 0, 10, GNTCOPY_source_gref | GNTCOPY_dest_gref) < 0);
    CHECK_IS(GNTST_okay, copy(21, 20, 0, 0, 10, GNTCOPY_source_gref | GNTCOPY_dest_gref));
    CHECK_IS(GNTST_bad_copy_arg, copy(20, mfn_of(page_b), 4000, 0, 100, GNTCOPY_source_gref));
    CHECK_IS(GNTST_bad_copy_arg, copy(20, mfn_of(page_b), 0, 4000, 100, GNTCOPY_source_gref));
    CHECK_IS(GNTST_bad_copy_arg, copy(20, mfn_of(page_b), 0xffff, 0, 100, GNTCOPY_source_gref));
    CHECK_IS(GNTST_okay, copy(20, mfn_of(page_b), 0, 0, 0, GNTCOPY_source_gref));
    CHECK(copy(20, 1UL << 40, 0, 0, 10, GNTCOPY_source_gref) < 0);
    CHECK(copy(20, mfn_of(root_table()), 0, 0, 10, GNTCOPY_source_gref) < 0);
    CHECK(copy(500000, mfn_of(page_b), 0, 0, 10, GNTCOPY_source_gref) < 0);
    CHECK_IS(GNTST_okay, copy(mfn_of(page_a), mfn_of(page_b), 0, 0, 4096, 0));
}

void test_main(void)
{
    page_a = page_alloc();
    window = page_alloc();
    set_up();
    mapping();
    two_rights();
    bad_maps();
    copies();
}
