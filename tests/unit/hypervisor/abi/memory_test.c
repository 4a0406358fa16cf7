/*
 * memory_op but for exchange: argument checks, partial results, continuations.
 */
#include "fake.h"
#include <hv/bootinfo.h>
#include <hv/hvm.h>
#include <hv/page_type.h>

static struct xen_memory_reservation reservation(xen_pfn_t *list, uint64_t count, unsigned order, domid_t domain)
{
    struct xen_memory_reservation r = {.nr_extents = count, .extent_order = order, .domid = domain};

    set_xen_guest_handle(r.extent_start, list);
    return r;
}

static long memory_op(unsigned command, const void *argument)
{
    return run_hypercall(do_memory_op, command, (uint64_t)argument, 0);
}

static void populate_names_frames_and_clears_them(void)
{
    xen_pfn_t list[4] = {100, 200, 300, 400};
    struct xen_memory_reservation r = reservation(list, 4, 1, DOMID_SELF);
    struct domain *d;

    fake_reset();
    d = fake_domain(3, 100);
    fake_be(d);
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 4);
    CHECK(d->pages == 8);
    for (unsigned i = 0; i < 4; i++) {
        CHECK(m2p_get(list[i]) == 100 * (i + 1) && m2p_get(list[i] + 1) == 100 * (i + 1) + 1);
        CHECK(fake_page[list[i]].owner == 3 && !fake_ram[list[i] + 1][4095] && !fake_ram[list[i]][0]);
    }
    CHECK_FRAMES();
}

static void populate_stops_at_the_limit(void)
{
    xen_pfn_t list[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct xen_memory_reservation r = reservation(list, 8, 0, 3);
    struct domain *d;

    fake_reset();
    d = fake_domain(3, 5);
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 5);
    CHECK(d->pages == 5 && list[5] == 5);
    CHECK_FRAMES();
}

static void continuation_serves_each_extent_once(void)
{
    xen_pfn_t list[64];
    struct xen_memory_reservation r = reservation(list, 64, 0, DOMID_SELF);
    struct domain *d;

    fake_reset();
    d = fake_domain(3, 64);
    fake_be(d);
    for (unsigned i = 0; i < 64; i++)
        list[i] = 1000 + i;
    fake_yield_every(3);
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 64);
    CHECK(fake_yields > 10 && d->pages == 64);
    for (unsigned i = 0; i < 64; i++)
        CHECK(m2p_get(list[i]) == 1000 + i);
    CHECK(memory_op(XENMEM_decrease_reservation, &r) == 64);
    CHECK(d->pages == 0 && free_page_count() == FAKE_FRAMES);
    CHECK_FRAMES();
}

static void start_extent_is_the_guests_and_checked(void)
{
    xen_pfn_t list[2] = {1, 2};
    struct xen_memory_reservation r = reservation(list, 2, 0, DOMID_SELF);
    uint64_t far = XENMEM_populate_physmap | 1UL << 40;

    fake_reset();
    CHECK(run_hypercall(do_memory_op, far, (uint64_t)&r, 0) == 1L << (40 - MEMOP_COMMAND_BITS));
    CHECK(dom0->pages == 0);
    r.nr_extents = ~0UL;
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 0 && dom0->pages == 0);
    r.nr_extents = 2;
    r.extent_order = 64;
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 0);
    CHECK(memory_op(XENMEM_decrease_reservation, &r) == 0);
    r.extent_order = 10; /* Domain-0 too: an extent is one run */
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 0 && dom0->pages == 0);
    fake_be(fake_domain(3, 4096));
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 0);
    CHECK_FRAMES();
    /* A continuation that cannot be begun: what was done before is the answer, 1 as well. */
    r.domid = 77;
    for (unsigned start = 0; start < 3; start++) {
        CHECK(memory_op(XENMEM_populate_physmap | start << 6, &r) == (long)start);
        CHECK(memory_op(XENMEM_decrease_reservation | start << 6, &r) == (long)start);
    }
}

static void others_need_the_right(void)
{
    xen_pfn_t list[1] = {1};
    struct xen_memory_reservation r = reservation(list, 1, 0, 0);

    fake_reset();
    fake_be(fake_domain(3, 10));
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 0);
    r.domid = 3;
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 1);
    r.domid = 9;
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 0);
    CHECK(memory_op(XENMEM_populate_physmap, NULL) == -EFAULT);
    CHECK(memory_op(63, &r) == -ENOSYS);
    CHECK(memory_op(XENMEM_claim_pages, &r) == -EPERM);
    CHECK_FRAMES();
}

static void faulting_list_loses_no_frame(void)
{
    xen_pfn_t list[4] = {1, 2, 3, 4};
    struct xen_memory_reservation r = reservation(list, 4, 0, DOMID_SELF);

    fake_reset();
    fake_fault(&list[2], sizeof(list[2]), true);
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 2);
    CHECK(dom0->pages == 2);
    CHECK_FRAMES();
}

static void decrease_takes_only_what_is_the_domains(void)
{
    xen_pfn_t list[1];
    struct xen_memory_reservation r = reservation(list, 1, 0, DOMID_SELF);
    struct page *mine, *foreign;
    struct domain *d;

    fake_reset();
    d = fake_domain(3, 10);
    mine = domain_alloc_pages(dom0, 0, ANY_ADDRESS);
    foreign = domain_alloc_pages(d, 0, ANY_ADDRESS);
    list[0] = page_to_mfn(foreign);
    CHECK(memory_op(XENMEM_decrease_reservation, &r) == 0 && d->pages == 1);
    list[0] = FAKE_FRAMES;
    CHECK(memory_op(XENMEM_decrease_reservation, &r) == 0);
    list[0] = page_to_mfn(mine);
    mine->references |= PAGE_XENHEAP;
    CHECK(memory_op(XENMEM_decrease_reservation, &r) == 0);
    CHECK((mine->references & ~PAGE_OF(0xffff)) == (PAGE_XENHEAP | PAGE_ALLOCATED | 1));
    mine->references &= ~PAGE_XENHEAP;
    CHECK(page_get(mine, dom0)); /* mapped somewhere */
    CHECK(memory_op(XENMEM_decrease_reservation, &r) == 1 && dom0->pages == 1);
    CHECK(memory_op(XENMEM_decrease_reservation, &r) == 0);
    page_put(mine);
    CHECK(dom0->pages == 0);
    CHECK_FRAMES();
}

static void claims_keep_memory_for_their_domain(void)
{
    xen_pfn_t list[1] = {0};
    struct xen_memory_reservation claim = {.nr_extents = FAKE_FRAMES - 8, .domid = 3};
    struct xen_memory_reservation r = reservation(list, 1, 4, DOMID_SELF);
    struct domain *d;

    fake_reset();
    d = fake_domain(3, FAKE_FRAMES);
    CHECK(memory_op(XENMEM_claim_pages, &claim) == 0 && memory_claimed_pages() == FAKE_FRAMES - 8);
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 0);
    r.domid = 3;
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 1 && d->outstanding_pages == FAKE_FRAMES - 24);
    claim.nr_extents = FAKE_FRAMES + 1;
    CHECK(memory_op(XENMEM_claim_pages, &claim) == -EINVAL);
    claim.nr_extents = 0;
    fake_denied = d;
    CHECK(memory_op(XENMEM_claim_pages, &claim) == -EPERM && memory_claimed_pages() == FAKE_FRAMES - 24);
    fake_denied = NULL;
    CHECK(memory_op(XENMEM_claim_pages, &claim) == 0 && memory_claimed_pages() == 0 && d->outstanding_pages == 0);
    r.domid = DOMID_SELF;
    CHECK(memory_op(XENMEM_populate_physmap, &r) == 1);
    CHECK_FRAMES();
}

static void memory_maps(void)
{
    struct e820entry in[3] = {{0, 0x1000, 1}, {0x1000, 0x2000, 2}, {0x3000, 0x1000, 1}}, out[4];
    struct xen_foreign_memory_map set = {.domid = 3, .map.nr_entries = 3};
    struct xen_memory_map get = {.nr_entries = 4};
    struct domain *d;

    fake_reset();
    d = fake_domain(3, 10);
    set_xen_guest_handle(set.map.buffer, in);
    set_xen_guest_handle(get.buffer, out);
    CHECK(memory_op(XENMEM_memory_map, &get) == -ENOSYS);
    CHECK(memory_op(XENMEM_set_memory_map, &set) == 0);
    CHECK(memory_op(XENMEM_set_memory_map, &set) == 0); /* replaces */
    set.map.nr_entries = MAX_E820_ENTRIES + 1;
    CHECK(memory_op(XENMEM_set_memory_map, &set) == -EINVAL);
    fake_be(d);
    CHECK(memory_op(XENMEM_memory_map, &get) == 0 && get.nr_entries == 3 && out[2].address == 0x3000);
    get.nr_entries = 2;
    CHECK(memory_op(XENMEM_memory_map, &get) == -ENOBUFS && get.nr_entries == 3);
    set.map.nr_entries = 3;
    CHECK(memory_op(XENMEM_set_memory_map, &set) == -EPERM);
    CHECK_FRAMES();
}

static void machine_map_counts_and_needs_room(void)
{
    struct e820entry out[3];
    struct xen_memory_map get = {.nr_entries = 0};

    fake_reset();
    bootinfo.memory_count = 3;
    bootinfo.memory[0] = (struct memory_range){0, 0x9f000, MEMORY_RAM};
    bootinfo.memory[1] = (struct memory_range){0x100000, 0x40000000, MEMORY_RAM};
    bootinfo.memory[2] = (struct memory_range){0xfec00000, 0xfec01000, MEMORY_RESERVED};
    CHECK(memory_op(XENMEM_machine_memory_map, &get) == 0 && get.nr_entries == 3);
    set_xen_guest_handle(get.buffer, out);
    get.nr_entries = 2;
    CHECK(memory_op(XENMEM_machine_memory_map, &get) == -EINVAL);
    get.nr_entries = 9;
    CHECK(memory_op(XENMEM_machine_memory_map, &get) == 0 && get.nr_entries == 3);
    CHECK(out[1].address == 0x100000 && out[1].size == 0x3ff00000 && out[1].type == 1);
    CHECK(memory_op(XENMEM_maximum_ram_page, NULL) == 0x40000);
}

static void resources(void)
{
    xen_pfn_t frames[40];
    struct xen_mem_acquire_resource r = {.domid = 3, .type = XENMEM_resource_grant_table, .id = 1, .nr_frames = 0};

    fake_reset();
    fake_domain(3, 10);
    CHECK(memory_op(XENMEM_acquire_resource, &r) == 0 && r.nr_frames == 64);
    CHECK(memory_op(XENMEM_acquire_resource, &r) == -EINVAL); /* frames wanted, no list */
    set_xen_guest_handle(r.frame_list, frames);
    r.nr_frames = 40;
    r.frame = 2;
    CHECK(memory_op(XENMEM_acquire_resource, &r) == 0 && frames[0] == 1002 && frames[39] == 1041);
    r.frame = 25;
    CHECK(memory_op(XENMEM_acquire_resource, &r) == -EINVAL);
    r.frame = ~0UL;
    CHECK(memory_op(XENMEM_acquire_resource, &r) == -EINVAL);
    r.type = XENMEM_resource_ioreq_server;
    CHECK(memory_op(XENMEM_acquire_resource, &r) == -EOPNOTSUPP);
    CHECK_FRAMES();
}

static void numbers(void)
{
    struct xen_memory_domain self = {DOMID_SELF};
    struct xen_machphys_mapping mapping;

    fake_reset();
    dom0->shared_info->arch.max_pfn = 77;
    CHECK(memory_op(XENMEM_maximum_gpfn, &self) == 76);
    dom0->shared_info->arch.max_pfn = ~0UL;
    CHECK(memory_op(XENMEM_maximum_gpfn, &self) == 0);
    CHECK(memory_op(XENMEM_maximum_reservation, &self) == FAKE_FRAMES);
    CHECK(memory_op(XENMEM_current_reservation, &self) == 0);
    CHECK(memory_op(XENMEM_machphys_mapping, &mapping) == 0);
    CHECK(mapping.v_start == 0xffff800000000000 && mapping.v_end == 0xffff804000000000);
    CHECK(mapping.max_mfn == FAKE_FRAMES - 1);
}

static void balloon_targets(void)
{
    static struct hvm_domain translated;
    struct xen_pod_target target = {.target_pages = 20, .domid = 3, .pod_entries = 5, .pod_cache_pages = 5};
    struct domain *d;

    fake_reset();
    d = fake_domain(3, 100);
    CHECK(memory_op(XENMEM_set_pod_target, NULL) == -EFAULT);
    CHECK(memory_op(XENMEM_set_pod_target, &target) == -EINVAL); /* a PV guest's numbers are its own */
    d->hvm = &translated;
    d->pages = 30;
    CHECK(memory_op(XENMEM_set_pod_target, &target) == 0);
    CHECK(target.tot_pages == 30 && !target.pod_entries && !target.pod_cache_pages);
    target.target_pages = 40;
    fake_said[0] = 0;
    CHECK(memory_op(XENMEM_set_pod_target, &target) == -EOPNOTSUPP); /* it is being built */
    CHECK(strstr(fake_said, "populate-on-demand"));
    CHECK(memory_op(XENMEM_get_pod_target, &target) == 0);
    d->creation_finished = true;
    CHECK(memory_op(XENMEM_set_pod_target, &target) == 0);
    CHECK(memory_op(XENMEM_get_pod_target, &target) == 0 && target.tot_pages == 30);
    target.domid = 4;
    CHECK(memory_op(XENMEM_set_pod_target, &target) == -ESRCH);
    fake_be(d);
    target.domid = DOMID_SELF;
    CHECK(memory_op(XENMEM_set_pod_target, &target) == -EPERM && memory_op(XENMEM_get_pod_target, &target) == -EPERM);
    d->pages = 0;
    d->hvm = NULL;
}

void test_memory(void)
{
    populate_names_frames_and_clears_them();
    populate_stops_at_the_limit();
    continuation_serves_each_extent_once();
    start_extent_is_the_guests_and_checked();
    others_need_the_right();
    faulting_list_loses_no_frame();
    decrease_takes_only_what_is_the_domains();
    claims_keep_memory_for_their_domain();
    memory_maps();
    machine_map_counts_and_needs_room();
    resources();
    numbers();
    balloon_targets();
}
