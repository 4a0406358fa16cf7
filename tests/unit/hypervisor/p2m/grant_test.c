/*
 * Grants of an HVM guest's memory, whose entries name the guest's frames; the real grant table on the real p2m.
 */
#include "../../test_list.h"
#include "fake.h"
#include <hv/hypercall.h>
#include <hv/tlb.h>

/* ---- what the grant table needs beside the p2m ---- */

static uint64_t mapped; /* what pv_grant_map was given last */

int pv_grant_map(uint64_t address, mfn_t mfn, unsigned flags, unsigned cache_flags)
{
    mapped = mfn;
    return GNTST_okay;
}

int pv_grant_unmap(uint64_t address, mfn_t mfn, unsigned flags, uint64_t replacement)
{
    CHECK_EQUAL(mapped, mfn);
    return GNTST_okay;
}

void tlb_flush_all(void)
{
}

struct domain *page_owner(const struct page *page)
{
    return page->owner == guest.id ? &guest : page->owner == control.id ? &control : NULL;
}

void *domain_alloc_xenheap(struct domain *d)
{
    mfn_t mfn = fake_frame_of(d, 0);

    fake_page[mfn].references |= PAGE_XENHEAP;
    fake_page[mfn].type = TYPE_WRITABLE | 1;
    return mfn_to_virt(mfn);
}

void domain_free_xenheap(struct domain *d, void *va)
{
    struct page *page = mfn_to_page(virt_to_mfn(va));

    page->references &= ~PAGE_ALLOCATED;
    page_put_with_type(page);
}

/* ---- what a soft reset needs beside ---- */

static unsigned forgotten, resumed, callbacks;
static int closing, pauses;

int event_channels_close_all(struct domain *d)
{
    CHECK(pauses == 1 && !resumed);
    return closing-- > 0 ? -ERESTART : 0;
}
void domain_watchdogs_kill(struct domain *d)
{
    forgotten++;
}
void vcpu_timers_stop(struct vcpu *v)
{
    forgotten++;
}
void vcpu_reset_info(struct vcpu *v)
{
    forgotten++;
}
void domain_update_wallclock(struct domain *d)
{
    CHECK_EQUAL(0, *(uint8_t *)d->shared_info);
    forgotten++;
}
int hvm_set_callback_via(struct domain *d, uint64_t via)
{
    CHECK_EQUAL(0, via);
    callbacks++;
    return 0;
}
void domain_pause_sync(struct domain *d)
{
    pauses++;
}
void domain_unpause(struct domain *d)
{
    pauses--;
}
void domain_resume(struct domain *d)
{
    CHECK_EQUAL(6, forgotten);
    resumed++;
}

/* ---- */

static long grant_op(uint64_t command, void *argument)
{
    struct hypercall call = {.arg = {command, (unsigned long)argument, 1}};

    return do_grant_table_op(&call);
}

static grant_entry_v1_t *entries(void)
{
    mfn_t mfn;

    CHECK_EQUAL(0, grant_table_get_frame(&guest, 0, false, &mfn));
    return mfn_to_virt(mfn);
}

static void offer(grant_ref_t ref, uint32_t gfn)
{
    entries()[ref] = (grant_entry_v1_t){.flags = GTF_permit_access, .domid = control.id, .frame = gfn};
}

static void start(bool ept)
{
    fake_start(ept, false);
    CHECK_EQUAL(0, grant_table_init(&guest, 4, 4, 1));
    CHECK_EQUAL(0, grant_table_init(&control, 4, 4, 1));
}

static void stop(void)
{
    grant_table_release_frames(&guest);
    grant_table_release_frames(&control);
    grant_table_free(&guest);
    grant_table_free(&control);
    fake_stop();
}

/* Domain-0 maps a page; the guest returns it; it goes when it is unmapped. */
static void test_map(void)
{
    mfn_t ram = fake_ram_at(0x200, 9);
    struct gnttab_map_grant_ref map = {.host_addr = 0x1000, .flags = GNTMAP_host_map, .ref = 9, .dom = guest.id};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = 0x1000};

    offer(9, 0x234);
    CHECK_EQUAL(0, grant_op(GNTTABOP_map_grant_ref, &map));
    CHECK_EQUAL(GNTST_okay, map.status);
    CHECK_EQUAL(ram + 0x34, mapped);
    CHECK_EQUAL(2, fake_references(ram + 0x34));
    CHECK_EQUAL(0, p2m_release(&guest, 0x234, 0));
    CHECK_EQUAL(1, fake_references(ram + 0x34));
    unmap.handle = map.handle;
    CHECK_EQUAL(0, grant_op(GNTTABOP_unmap_grant_ref, &unmap));
    CHECK_EQUAL(GNTST_okay, unmap.status);
    CHECK(fake_page[ram + 0x34].references & PAGE_FREE);
    CHECK_EQUAL(GTF_permit_access, entries()[9].flags);
    CHECK_EQUAL(0, grant_op(GNTTABOP_map_grant_ref, &map));
    CHECK_EQUAL(GNTST_bad_page, map.status); /* a hole by now */
    CHECK_EQUAL(GTF_permit_access, entries()[9].flags);
}

/* A page of ours that the guest shows itself is not its to grant. */
static void test_map_ours(void)
{
    struct gnttab_map_grant_ref map = {.host_addr = 0x1000, .flags = GNTMAP_host_map, .ref = 9, .dom = guest.id};
    struct gnttab_setup_table setup = {.dom = guest.id, .nr_frames = 2};
    struct xen_add_to_physmap add = {.domid = guest.id, .space = XENMAPSPACE_grant_table, .gpfn = 0x700};
    struct request r = {.argument = &add};
    xen_pfn_t list[2] = {0};

    CHECK_EQUAL(0, memory_add_to_physmap(&r));
    offer(9, 0x700);
    CHECK_EQUAL(0, grant_op(GNTTABOP_map_grant_ref, &map));
    CHECK_EQUAL(GNTST_bad_page, map.status);
    set_xen_guest_handle(setup.frame_list, list);
    CHECK_EQUAL(0, grant_op(GNTTABOP_setup_table, &setup));
    CHECK_EQUAL(GNTST_okay, setup.status);
    CHECK_EQUAL(0x700, list[0]);
    CHECK_EQUAL(~0UL, list[1]);
}

static void test_copy(void)
{
    mfn_t ram = fake_ram_at(0x200, 9), source = fake_frame_of(&control, 0);
    struct gnttab_copy copy = {.source = {.domid = DOMID_SELF, .u.gmfn = source, .offset = 16},
                               .dest = {.domid = guest.id, .u.ref = 10, .offset = 32},
                               .len = 5,
                               .flags = GNTCOPY_dest_gref};
    enum p2m_type kind;

    memcpy((char *)mfn_to_virt(source) + 16, "hello", 5);
    offer(10, 0x201);
    CHECK_EQUAL(0, p2m_change_type(&guest, 0x201, P2M_RAM, P2M_RAM_LOG_DIRTY));
    CHECK_EQUAL(0, grant_op(GNTTABOP_copy, &copy));
    CHECK_EQUAL(GNTST_okay, copy.status);
    CHECK(!memcmp((char *)mfn_to_virt(ram + 1) + 32, "hello", 5));
    p2m_lookup(&guest, 0x201, &kind, NULL);
    CHECK_EQUAL(P2M_RAM, kind);
    CHECK_EQUAL(1, fake_references(ram + 1));

    /* The guest itself, from a grant of Domain-0's to its own page; its hypercall argument is where its tables say. */
    fake_be(guest.vcpu[0]);
    memset(mfn_to_virt(ram + 5), 0, PAGE_SIZE);
    copy = (struct gnttab_copy){.source = {.domid = DOMID_SELF, .u.gmfn = 0x201, .offset = 32},
                                .dest = {.domid = DOMID_SELF, .u.gmfn = 0x205, .offset = 0},
                                .len = 5};
    memcpy((char *)mfn_to_virt(ram + 7) + 8, &copy, sizeof(copy));
    CHECK_EQUAL(0, grant_op(GNTTABOP_copy, (void *)0x207008UL));
    CHECK(!memcmp(mfn_to_virt(ram + 5), "hello", 5));
    copy.dest.u.gmfn = 0x999;
    memcpy((char *)mfn_to_virt(ram + 7) + 8, &copy, sizeof(copy));
    CHECK_EQUAL(0, grant_op(GNTTABOP_copy, (void *)0x207008UL));
    memcpy(&copy, (char *)mfn_to_virt(ram + 7) + 8, sizeof(copy));
    CHECK_EQUAL(GNTST_bad_page, copy.status);
    CHECK_EQUAL(-EFAULT, grant_op(GNTTABOP_copy, (void *)0x999008UL));
    fake_be(control.vcpu[0]);
}

/* An HVM guest maps a grant into its own physical memory; the mapping does not outlive the handle. */
static void test_guest_maps(void)
{
    mfn_t theirs = fake_frame_of(&control, 0), ram = fake_ram_at(0x200, 9), table, mfn;
    struct gnttab_map_grant_ref map = {.host_addr = 0x800000, .flags = GNTMAP_host_map, .ref = 8, .dom = control.id};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = 0x800000};
    enum p2m_type kind;
    void *argument = (char *)mfn_to_virt(ram);

    CHECK_EQUAL(0, grant_table_get_frame(&control, 0, false, &table));
    ((grant_entry_v1_t *)mfn_to_virt(table))[8] =
        (grant_entry_v1_t){.flags = GTF_permit_access, .domid = guest.id, .frame = (uint32_t)theirs};
    fake_be(guest.vcpu[0]);
    memcpy(argument, &map, sizeof(map));
    CHECK_EQUAL(0, grant_op(GNTTABOP_map_grant_ref, (void *)0x200000UL));
    memcpy(&map, argument, sizeof(map));
    CHECK_EQUAL(GNTST_okay, map.status);
    mfn = p2m_lookup(&guest, 0x800, &kind, NULL);
    CHECK(mfn == theirs && kind == P2M_GRANT_WRITABLE);
    unmap.handle = map.handle;
    memcpy(argument, &unmap, sizeof(unmap));
    CHECK_EQUAL(0, grant_op(GNTTABOP_unmap_grant_ref, (void *)0x200000UL));
    memcpy(&unmap, argument, sizeof(unmap));
    CHECK_EQUAL(GNTST_okay, unmap.status);
    p2m_lookup(&guest, 0x800, &kind, NULL);
    CHECK_EQUAL(P2M_HOLE, kind);
    CHECK_EQUAL(1, fake_references(theirs));
    fake_be(control.vcpu[0]);
}

static long soft_reset(struct domain *d)
{
    struct request r = {.domain = d};

    return domctl_soft_reset(&r);
}

static void show(unsigned space, gfn_t gfn)
{
    struct xen_add_to_physmap add = {.domid = guest.id, .space = space, .gpfn = gfn};
    struct request r = {.argument = &add};

    CHECK_EQUAL(0, memory_add_to_physmap(&r));
}

static bool is_own_memory(gfn_t gfn)
{
    enum p2m_type kind;

    return p2m_lookup(&guest, gfn, &kind, NULL) != INVALID_MFN && kind == P2M_RAM;
}

/* What the guest had of ours in its memory is memory again; of its grants those stay that somebody uses, and the
 * toolstack's. */
static void test_soft_reset(void)
{
    struct gnttab_map_grant_ref map = {.host_addr = 0x1000, .flags = GNTMAP_host_map, .ref = 9, .dom = guest.id};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = 0x1000};

    fake_ram_at(0x200, 9);
    guest.shared_info = domain_alloc_xenheap(&guest);
    show(XENMAPSPACE_shared_info, 0x210);
    show(XENMAPSPACE_grant_table, 0x211);
    CHECK(!is_own_memory(0x210) && !is_own_memory(0x211));
    offer(GNTTAB_RESERVED_XENSTORE, 0x220);
    offer(9, 0x234);
    offer(10, 0x235);
    CHECK_EQUAL(0, grant_op(GNTTABOP_map_grant_ref, &map));
    guest.vcpu[0]->runstate_guest = guest.vcpu[1]->time_guest = 0x210000;
    guest.vcpu[1]->hvm->upcall_vector = 0x70;
    guest.hvm->param[HVM_PARAM_CALLBACK_IRQ] = 77;
    guest.hvm->param[HVM_PARAM_STORE_PFN] = 0x220;

    forgotten = resumed = callbacks = 0;
    CHECK_EQUAL(-EINVAL, soft_reset(&control));
    CHECK_EQUAL(-EINVAL, soft_reset(&guest)); /* it has not shut down */
    guest.is_shut_down = true;
    fake_be(guest.vcpu[0]);
    CHECK_EQUAL(-EINVAL, soft_reset(&guest));
    fake_be(control.vcpu[0]);
    closing = 1;
    CHECK_EQUAL(-ERESTART, soft_reset(&guest));
    CHECK(!pauses && !resumed && !is_own_memory(0x210));
    CHECK_EQUAL(0, soft_reset(&guest));
    CHECK(!pauses && resumed == 1 && callbacks == 1);

    CHECK(is_own_memory(0x210) && is_own_memory(0x211));
    CHECK_EQUAL(INVALID_MFN, guest.hvm->shared_info_gfn);
    CHECK_EQUAL(GTF_permit_access, entries()[GNTTAB_RESERVED_XENSTORE].flags);
    CHECK_EQUAL(GTF_permit_access, entries()[9].flags & GTF_permit_access);
    CHECK_EQUAL(0, entries()[10].flags);
    CHECK(!guest.vcpu[0]->runstate_guest && !guest.vcpu[1]->time_guest && !guest.vcpu[1]->hvm->upcall_vector);
    CHECK(!guest.hvm->param[HVM_PARAM_CALLBACK_IRQ] && guest.hvm->param[HVM_PARAM_STORE_PFN] == 0x220);

    unmap.handle = map.handle;
    CHECK_EQUAL(0, grant_op(GNTTABOP_unmap_grant_ref, &unmap));
    domain_free_xenheap(&guest, guest.shared_info);
    guest.shared_info = NULL;
}

static void on_both(void (*run)(void))
{
    for (unsigned ept = 0; ept < 2; ept++) {
        fprintf(stderr, "with %s:\n", ept ? "EPT" : "NPT");
        start(ept);
        run();
        stop();
    }
}

int main(void)
{
    static const struct unit_test tests[] = {{"map", test_map},
                                             {"map ours", test_map_ours},
                                             {"copy", test_copy},
                                             {"guest maps", test_guest_maps},
                                             {"soft reset", test_soft_reset}};

    return run_tests(tests, ARRAY_SIZE(tests), on_both);
}
