/*
 * XENMEM_exchange: all of a chunk or nothing of it.
 */
#include "fake.h"

#define COUNT 64U

static struct domain *guest;
static xen_pfn_t in[COUNT], out[COUNT];

/* A guest at its limit with COUNT single frames, as Linux has when it makes a DMA buffer. */
static struct xen_memory_exchange setup(unsigned in_order, unsigned out_order)
{
    struct xen_memory_exchange x = {
        .in = {.nr_extents = COUNT >> in_order, .extent_order = in_order, .domid = DOMID_SELF},
        .out = {.nr_extents = COUNT >> out_order, .extent_order = out_order, .domid = DOMID_SELF},
    };

    fake_reset();
    guest = fake_domain(3, COUNT);
    fake_be(guest);
    for (unsigned i = 0; i < COUNT >> in_order; i++)
        in[i] = page_to_mfn(domain_alloc_pages(guest, in_order, ANY_ADDRESS));
    for (unsigned i = 0; i < COUNT; i++)
        out[i] = 500 + i;
    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    return x;
}

static long exchange(struct xen_memory_exchange *x)
{
    return run_hypercall(do_memory_op, XENMEM_exchange, (uint64_t)x, 0);
}

/* The guest still has exactly what it had, and may use it. */
static void check_untouched(const struct xen_memory_exchange *x)
{
    CHECK(x->nr_exchanged == 0 && guest->pages == COUNT);
    for (unsigned i = 0; i < x->in.nr_extents; i++)
        CHECK(fake_page[in[i]].references == (PAGE_OF(3) | PAGE_ALLOCATED | 1));
    CHECK(free_page_count() == FAKE_FRAMES - COUNT);
    CHECK_FRAMES();
}

static void many_to_one(void)
{
    struct xen_memory_exchange x = setup(0, 6);

    x.out.mem_flags = XENMEMF_address_bits(20);
    CHECK(exchange(&x) == 0 && x.nr_exchanged == COUNT);
    CHECK(out[0] + COUNT <= 256 && out[0] % COUNT == 0);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK(fake_page[out[0] + i].owner == 3 && m2p_get(out[0] + i) == 500 + i);
        CHECK(fake_page[in[i]].references & PAGE_FREE && m2p_get(in[i]) == M2P_INVALID);
        CHECK(!fake_ram[out[0] + i][i]);
    }
    CHECK(guest->pages == COUNT);
    CHECK_FRAMES();
}

static void one_to_many_in_pieces(void)
{
    struct xen_memory_exchange x = setup(3, 0);

    fake_yield_every(1);
    CHECK(exchange(&x) == 0 && x.nr_exchanged == COUNT / 8 && fake_yields == COUNT / 8 - 1);
    for (unsigned i = 0; i < COUNT; i++)
        CHECK(m2p_get(out[i]) == 500 + i);
    CHECK(guest->pages == COUNT);
    CHECK_FRAMES();
}

static void no_memory_changes_nothing(void)
{
    struct xen_memory_exchange x = setup(0, 6);

    x.out.mem_flags = XENMEMF_address_bits(13);
    CHECK(exchange(&x) == -ENOMEM);
    check_untouched(&x);
}

static void unwritable_list_changes_nothing(void)
{
    struct xen_memory_exchange x = setup(0, 6);

    fake_fault(out, sizeof(out), false);
    CHECK(exchange(&x) == -EFAULT);
    check_untouched(&x);
}

static void mapped_frame_changes_nothing(void)
{
    struct xen_memory_exchange x = setup(0, 6);

    fake_page[in[63]].references++;
    CHECK(exchange(&x) == -EINVAL);
    fake_page[in[63]].references--;
    check_untouched(&x);
}

static void frame_named_twice_changes_nothing(void)
{
    struct xen_memory_exchange x = setup(0, 6);
    xen_pfn_t last = in[63];

    in[63] = in[5];
    CHECK(exchange(&x) == -EINVAL);
    in[63] = last;
    check_untouched(&x);
}

static void foreign_and_absent_frames_are_refused(void)
{
    struct xen_memory_exchange x = setup(0, 6);
    xen_pfn_t first = in[0];

    in[0] = page_to_mfn(domain_alloc_pages(dom0, 0, ANY_ADDRESS));
    CHECK(exchange(&x) == -EINVAL);
    in[0] = ~0UL;
    CHECK(exchange(&x) == -EINVAL);
    in[0] = first;
    CHECK(fake_page[first].references == (PAGE_OF(3) | PAGE_ALLOCATED | 1));
    CHECK_FRAMES();
}

/* The second chunk fails: the first stays done, and the caller can tell. */
static void partial_work_is_told(void)
{
    struct xen_memory_exchange x = setup(0, 5);

    fake_page[in[40]].references++;
    CHECK(exchange(&x) == -EINVAL && x.nr_exchanged == 32);
    fake_page[in[40]].references--;
    CHECK(fake_page[in[0]].references & PAGE_FREE && fake_page[in[32]].owner == 3 && out[1] == 501);
    CHECK_FRAMES();
}

static void arguments_are_checked(void)
{
    struct xen_memory_exchange x = setup(0, 6);

    x.nr_exchanged = 1;
    CHECK(exchange(&x) == -EINVAL);
    x.nr_exchanged = 128;
    CHECK(exchange(&x) == -EINVAL);
    x.nr_exchanged = 0;
    x.out.nr_extents = 2;
    CHECK(exchange(&x) == -EINVAL);
    x.out.nr_extents = 1;
    x.out.extent_order = 10; /* Domain-0 asks: no run may be longer for it either */
    CHECK(exchange(&x) == -EPERM);
    x.out.extent_order = 70;
    CHECK(exchange(&x) == -EPERM);
    x.out.extent_order = 6;
    x.in.nr_extents = ~0UL;
    x.out.nr_extents = ~0UL;
    CHECK(exchange(&x) == -EINVAL);
    x.in.nr_extents = COUNT;
    x.out.nr_extents = 1;
    x.out.domid = 0;
    CHECK(exchange(&x) == -EINVAL);
    x.in.domid = 0;
    CHECK(exchange(&x) == -EPERM);
    x.in.domid = x.out.domid = DOMID_SELF;
    check_untouched(&x);
    CHECK(exchange(&x) == 0);
}

void test_exchange(void)
{
    many_to_one();
    one_to_many_in_pieces();
    no_memory_changes_nothing();
    unwritable_list_changes_nothing();
    mapped_frame_changes_nothing();
    frame_named_twice_changes_nothing();
    foreign_and_absent_frames_are_refused();
    partial_work_is_told();
    arguments_are_checked();
}
