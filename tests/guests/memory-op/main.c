/*
 * memory_op: giving frames back, getting them again, exchanging them; extents that are not there, too large
 * or too many.
 */
#include "guest.h"

const char test_title[] = "memory_op";

#define MANY 2048
static xen_pfn_t frames[MANY], pfns[MANY];

static long op(unsigned command, void *argument)
{
    return HYPERCALL(memory_op, command, argument);
}

static struct xen_memory_reservation reservation(xen_pfn_t *list, unsigned count, unsigned order)
{
    struct xen_memory_reservation r = {.nr_extents = count, .extent_order = order, .domid = DOMID_SELF};
    set_xen_guest_handle(r.extent_start, list);
    return r;
}

static long pages(void)
{
    domid_t self = DOMID_SELF;
    return op(XENMEM_current_reservation, &self);
}

static void round_trip(void)
{
    long before = pages();
    for (unsigned i = 0; i < MANY; i++) {
        pfns[i] = spare_pfn();
        frames[i] = pfn_mfn(pfns[i]);
    }
    struct xen_memory_reservation r = reservation(frames, MANY, 0);
    CHECK_IS(MANY, op(XENMEM_decrease_reservation, &r));
    CHECK_IS(before - MANY, pages());
    /* Gone: they cannot be mapped, nor given back twice. */
    char *page = page_alloc();
    CHECK_REFUSED(update_va(page, pte_make(pfn_mfn(pfns[0]), PTE_RW)));
    CHECK_IS(0, op(XENMEM_decrease_reservation, &r));
    for (unsigned i = 0; i < MANY; i++)
        frames[i] = pfns[i];
    CHECK_IS(MANY, op(XENMEM_populate_physmap, &r));
    CHECK_IS(before, pages());
    for (unsigned i = 0; i < MANY; i++) {
        if (M2P[frames[i]] != pfns[i])
            failure("frame %lx says pfn %lx, not %lx", frames[i], M2P[frames[i]], pfns[i]);
        ((uint64_t *)start_info->mfn_list)[pfns[i]] = frames[i];
    }
    CHECK_IS(0, update_va(page, pte_make(frames[7], PTE_RW)));
    for (unsigned i = 0; i < 512; i++)
        if (((uint64_t *)page)[i])
            failure("a new frame is not clear");
    CHECK_IS(0, update_va(page, pte_make(mfn_of(page), PTE_RW)));
}

/* No more than the domain may have. The toolstack allows a guest some frames beyond its size. */
static void limit(void)
{
    domid_t self = DOMID_SELF;
    long most = op(XENMEM_maximum_reservation, &self);
    struct xen_memory_reservation r = reservation(pfns, 1, 0);
    for (uint64_t next = start_info->nr_pages + 10; pages() < most; next++) {
        pfns[0] = next;
        if (op(XENMEM_populate_physmap, &r) != 1)
            error("refused at %ld of %ld pages", pages(), most);
    }
    CHECK_IS(0, op(XENMEM_populate_physmap, &r));
    CHECK_IS(most, pages());
}

static void in_use(void)
{
    /* A frame that is mapped, one that is a page table: they do not go to somebody else while we can still
     * see them. */
    char *page = page_alloc();
    uint64_t mfn = mfn_of(page);
    struct xen_memory_reservation r = reservation(frames, 1, 0);
    frames[0] = mfn_of(root_table());
    op(XENMEM_decrease_reservation, &r);
    CHECK_IS(mfn_of(root_table()), entry_machine(root_table()) / PAGE);
    frames[0] = mfn;
    op(XENMEM_decrease_reservation, &r);
    CHECK_IS(0, try_write(page, 1));
    frames[0] = start_info->shared_info >> 12;
    op(XENMEM_decrease_reservation, &r);
    CHECK_IS(0, try_read(shared));
}

static void exchange(void)
{
    static xen_pfn_t in[16], out[16];
    struct xen_memory_exchange x = {.in = reservation(in, 16, 0), .out = reservation(out, 1, 4)};
    long before = pages();
    for (unsigned i = 0; i < 16; i++) {
        pfns[i] = spare_pfn();
        in[i] = pfn_mfn(pfns[i]);
    }
    out[0] = pfns[0];
    x.out.mem_flags = XENMEMF_address_bits(32);
    CHECK_IS(0, op(XENMEM_exchange, &x));
    CHECK_IS(16, x.nr_exchanged);
    CHECK_IS(before, pages());
    CHECK_IS(0, out[0] & 15);
    CHECK(out[0] < 1UL << 20);
    for (unsigned i = 0; i < 16; i++)
        CHECK_IS(pfns[0] + i, M2P[out[0] + i]);
    /* And back. */
    struct xen_memory_exchange y = {.in = reservation(out, 1, 4), .out = reservation(in, 16, 0)};
    for (unsigned i = 0; i < 16; i++)
        in[i] = pfns[i];
    CHECK_IS(0, op(XENMEM_exchange, &y));
    CHECK_IS(1, y.nr_exchanged);
    CHECK_IS(before, pages());
    /* Frames that are not ours or in use; sizes that do not match; too large. */
    x.nr_exchanged = 0;
    x.in = reservation(in, 16, 0);
    x.out = reservation(out, 1, 4);
    in[15] = 1UL << 40;
    out[0] = pfns[0];
    CHECK_REFUSED(op(XENMEM_exchange, &x));
    CHECK_IS(before, pages());
    CHECK_IS(0, x.nr_exchanged);
    in[15] = mfn_of(root_table());
    CHECK_REFUSED(op(XENMEM_exchange, &x));
    CHECK_IS(before, pages());
    in[15] = in[14];
    CHECK_REFUSED(op(XENMEM_exchange, &x));
    CHECK_IS(before, pages());
    x.out.nr_extents = 2;
    CHECK_REFUSED(op(XENMEM_exchange, &x));
    x.out = reservation(out, 1, 40);
    CHECK_REFUSED(op(XENMEM_exchange, &x));
    x.out = reservation(out, 0x80000000, 4);
    x.in = reservation(in, 0, 0);
    CHECK_REFUSED(op(XENMEM_exchange, &x));
    x.in = reservation((xen_pfn_t *)IN_HYPERVISOR, 16, 0);
    x.out = reservation(out, 1, 4);
    CHECK_REFUSED(op(XENMEM_exchange, &x));
    x.in = reservation(in, 16, 0);
    x.out = reservation((xen_pfn_t *)UNMAPPED, 1, 4);
    CHECK_REFUSED(op(XENMEM_exchange, &x));
    x.nr_exchanged = 17;
    x.out = reservation(out, 1, 4);
    CHECK_REFUSED(op(XENMEM_exchange, &x));
    x.nr_exchanged = 0;
    CHECK_IS(-EFAULT, op(XENMEM_exchange, (void *)UNMAPPED));
    CHECK_IS(before, pages());
}

static void hostile(void)
{
    long before = pages();
    static const uint64_t bad[] = {0, ~0UL, 1UL << 40, 0xfee00, 0xb8, (1UL << 52) - 1};
    struct xen_memory_reservation r;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        frames[0] = bad[i];
        r = reservation(frames, 1, 0);
        CHECK_IS(0, op(XENMEM_decrease_reservation, &r));
    }
    r = reservation((xen_pfn_t *)UNMAPPED, 1, 0);
    CHECK_IS(0, op(XENMEM_decrease_reservation, &r));
    CHECK_IS(0, op(XENMEM_populate_physmap, &r));
    r = reservation((xen_pfn_t *)IN_HYPERVISOR, 16, 0);
    CHECK(op(XENMEM_decrease_reservation, &r) <= 0);
    CHECK(op(XENMEM_populate_physmap, &r) <= 0);
    r = reservation(frames, 1, 60);
    CHECK(op(XENMEM_decrease_reservation, &r) <= 0);
    CHECK(op(XENMEM_populate_physmap, &r) <= 0);
    CHECK(op(XENMEM_increase_reservation, &r) <= 0);
    r = reservation(frames, 0xffffffff, 0);
    CHECK(op(XENMEM_populate_physmap, &r) <= 0);
    r = reservation(frames, 0, 0);
    CHECK_IS(0, op(XENMEM_populate_physmap, &r));
    r = reservation(frames, 1, 0);
    r.domid = NO_DOMAIN;
    CHECK(op(XENMEM_populate_physmap, &r) <= 0);
    CHECK(op(XENMEM_decrease_reservation, &r) <= 0);
    CHECK(op(XENMEM_populate_physmap, (void *)UNMAPPED) <= 0);
    CHECK(op(XENMEM_decrease_reservation, (void *)IN_HYPERVISOR) <= 0);
    CHECK_REFUSED(op(XENMEM_memory_map, (void *)UNMAPPED));
    CHECK_IS(-EFAULT, op(XENMEM_machphys_mapping, (void *)UNMAPPED));
    CHECK_IS(-ENOSYS, op(63, &r));
    CHECK_IS(before, pages());
    /* A continuation of something that cannot be begun: as many as were done, and no more. */
    static const unsigned commands[] = {XENMEM_populate_physmap, XENMEM_decrease_reservation,
                                        XENMEM_increase_reservation};
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
        for (unsigned start = 0; start < 3; start++) {
            r = reservation(frames, 4, 0);
            r.domid = NO_DOMAIN;
            CHECK_IS(start, op(commands[i] | start << 6, &r));
        }
    /* A continuation's start beyond the end. */
    r = reservation(frames, 4, 0);
    CHECK(op(XENMEM_decrease_reservation | 1000 << 6, &r) <= 1000);
    CHECK_IS(before, pages());
    domid_t self = DOMID_SELF;
    CHECK(op(XENMEM_maximum_reservation, &self) >= before);
    struct xen_machphys_mapping mapping;
    CHECK_IS(0, op(XENMEM_machphys_mapping, &mapping));
    CHECK_IS(0xffff800000000000UL, mapping.v_start);
    CHECK_IS(0xffff804000000000UL, mapping.v_end);
}

void test_main(void)
{
    round_trip();
    limit();
    exchange();
    hostile();
    in_use();
}
