/*
 * The real abi/memory_exchange.c over the real owners and allocator: the frame goes to another domain at the last
 * moment.
 */
static void before_exchange(void);
#define __atomic_compare_exchange_n(...) (before_exchange(), __atomic_compare_exchange_n(__VA_ARGS__))
#include "hypervisor/abi/memory_exchange.c"
#undef __atomic_compare_exchange_n
#include "machine.h"

static mfn_t stolen; /* 0: nothing happens */

static void before_exchange(void)
{
    if (!stolen)
        return;
    domain_remove_page(&guest, mfn_to_page(stolen));
    CHECK(!domain_assign_pages(&other, mfn_to_page(stolen), 0));
    stolen = 0;
}

int domain_get_for_caller(domid_t id, struct domain **out)
{
    *out = &guest;
    domain_hold(&guest);
    return 0;
}

static long exchange(uint64_t *in, uint64_t *out)
{
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};
    struct request r = {.address = (uint64_t)&x, .argument = &x};
    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    return memory_exchange(&r);
}

int main(void)
{
    machine_start();
    uint64_t in[1] = {frame_of(&guest)}, out[1] = {77}, held[1] = {frame_of(&guest)};
    mfn_t mfn = in[0];
    uint32_t pages = guest.pages;
    CHECK(page_get(mfn_to_page(held[0]), &guest) && exchange(held, out) == -EINVAL);
    page_put(mfn_to_page(held[0]));
    stolen = mfn;
    CHECK(exchange(in, out) == -EINVAL && !stolen);
    CHECK(mfn_to_page(mfn)->references == (PAGE_OF(other.id) | PAGE_ALLOCATED | 1));
    CHECK(guest.pages == pages - 1 && other.pages == 1);
    CHECK(!exchange(held, out) && mfn_to_page(out[0])->owner == guest.id && m2p_get(out[0]) == 77);
    CHECK(guest.pages == pages - 1);
    return 0;
}
