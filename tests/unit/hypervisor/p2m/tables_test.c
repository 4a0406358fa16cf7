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
    CHECK_EQUAL(memory_add_to_physmap(&request), -ENOMEM);
    CHECK_EQUAL(fake_references(shared), 1);
    CHECK_EQUAL(fake_type_references(shared), 0);
    CHECK(kind_at(0x100) == P2M_HOLE && guest.hvm->shared_info_gfn == 7);
    CHECK_EQUAL(memory_add_to_physmap(&request), 0);
    CHECK_EQUAL(fake_references(shared), 2);
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
    CHECK_EQUAL(memory_populate(&request), 0);
    CHECK_EQUAL(fake_fail_allocation, 0);
    CHECK(kind_at(0x3ffff) == P2M_HOLE && kind_at(0x40000) == P2M_HOLE);
    CHECK_EQUAL(guest.pages, pages);
    CHECK_EQUAL(memory_populate(&request), 1);
    CHECK(kind_at(0x3ffff) == P2M_RAM && kind_at(0x40000) == P2M_RAM);
    CHECK_EQUAL(guest.pages, pages + 2);
}

int main(void)
{
    static void (*const tests[])(void) = {a_page_that_cannot_be_shown_is_not_held, half_an_extent_goes_back};

    for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
        for (unsigned ept = 0; ept < 2; ept++) {
            fake_start(ept, false);
            tests[i]();
            fake_stop();
        }
    printf("%u failures\n", fake_failures);
    return fake_failures != 0;
}
