/*
 * Calls that find no more tables for a guest's physical memory: nobody holds what could not be mapped, and what was
 * mapped of it goes back.
 */
#include "fake.h"
#include <hv/hypercall.h>

static enum p2m_type kind_at(gfn_t gfn)
{
    enum p2m_type kind;

    p2m_lookup(&guest, gfn, &kind, NULL);
    return kind;
}

static void a_page_that_cannot_be_shown_is_not_held(void)
{
    struct xen_add_to_physmap a = {.domid = guest.id, .space = XENMAPSPACE_shared_info, .gpfn = 0x100};
    struct request request = {.argument = &a};
    mfn_t shared = fake_frame_of(&guest, 0);

    guest.shared_info = mfn_to_virt(shared);
    guest.hvm->shared_info_gfn = 7;
    fake_fail_allocation = 1;
    CHECK_EQUAL(-ENOMEM, memory_add_to_physmap(&request));
    CHECK_EQUAL(1, fake_references(shared));
    CHECK_EQUAL(0, fake_type_references(shared));
    CHECK(kind_at(0x100) == P2M_HOLE && guest.hvm->shared_info_gfn == 7);
    CHECK_EQUAL(0, memory_add_to_physmap(&request));
    CHECK_EQUAL(2, fake_references(shared));
}

/* The second page needs two more tables than the first, and the reserve has one left. */
static void half_an_extent_goes_back(void)
{
    xen_pfn_t list[] = {0x3ffff};
    struct xen_memory_reservation r = {.nr_extents = 1, .extent_order = 1, .domid = guest.id};
    struct hypercall call = {.arg = {XENMEM_populate_physmap}};
    struct request request = {.call = &call, .argument = &r};
    unsigned pages = guest.pages;

    set_xen_guest_handle(r.extent_start, list);
    fake_fail_allocation = 6;
    CHECK_EQUAL(0, memory_populate(&request));
    CHECK_EQUAL(0, fake_fail_allocation);
    CHECK(kind_at(0x3ffff) == P2M_HOLE && kind_at(0x40000) == P2M_HOLE);
    CHECK_EQUAL(pages, guest.pages);
    CHECK_EQUAL(1, memory_populate(&request));
    CHECK(kind_at(0x3ffff) == P2M_RAM && kind_at(0x40000) == P2M_RAM);
    CHECK_EQUAL(pages + 2, guest.pages);
}

static long add_to_physmap(unsigned space, uint64_t index, gfn_t gfn)
{
    struct xen_add_to_physmap a = {.domid = guest.id, .space = space, .idx = index, .gpfn = gfn};

    return memory_add_to_physmap(&(struct request){.argument = &a});
}

/* Each takes a table, until the reserve and the pool are empty. */
static void use_up_all_tables(void)
{
    gfn_t gfn = 0x40000;

    while (!p2m_set(&guest, gfn, INVALID_MFN, 0, P2M_MMIO_DM))
        gfn += PTES_PER_TABLE;
    CHECK_EQUAL(-ENOMEM, p2m_set(&guest, gfn, INVALID_MFN, 0, P2M_MMIO_DM));
}

/* Neither the page that was to be put elsewhere, nor what was where it was to be. */
static void a_change_of_place_that_fails_takes_nothing(void)
{
    mfn_t shared = fake_frame_of(&guest, 0), large = fake_ram_at(0x200, 9), small = fake_ram_at(0x100, 0);
    unsigned pages = guest.pages;
    enum p2m_type kind;

    guest.shared_info = mfn_to_virt(shared);
    CHECK_EQUAL(0, add_to_physmap(XENMAPSPACE_shared_info, 0, 0x101));
    use_up_all_tables();
    CHECK_EQUAL(-ENOMEM, add_to_physmap(XENMAPSPACE_shared_info, 0, 0x201));
    CHECK(p2m_lookup(&guest, 0x101, &kind, NULL) == shared && kind == P2M_SHARED);
    CHECK_EQUAL(2, fake_references(shared));
    CHECK_EQUAL(0x101, m2p_get(shared));
    CHECK_EQUAL(-ENOMEM, add_to_physmap(XENMAPSPACE_gmfn, 0x205, 0x100));
    CHECK(p2m_lookup(&guest, 0x100, &kind, NULL) == small && kind == P2M_RAM);
    CHECK(p2m_lookup(&guest, 0x205, &kind, NULL) == large + 5 && kind == P2M_RAM);
    CHECK_EQUAL(pages, guest.pages);
}

int main(void)
{
    static void (*const tests[])(void) = {a_page_that_cannot_be_shown_is_not_held, half_an_extent_goes_back,
                                          a_change_of_place_that_fails_takes_nothing};

    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
        for (unsigned ept = 0; ept < 2; ept++) {
            fake_start(ept, false);
            tests[i]();
            fake_stop();
        }
    return 0;
}
