/*
 * Grant tables under four threads: two vcpus of each of two guests change their entries, map, unmap, copy, swap, grow
 * and ask at once, drawn from a seed. Afterwards every handle can be released, and no frame is held by anybody.
 *
 * hv-grant-table-fuzz [SEED [CALLS]]; hv-grant-table-threads is the same under the thread sanitizer.
 */
#include "../../random.h"
#include "../fake/several_threads.h"
#include "fake/fake.h"
#include <hv/grant_table.h>
#include <hv/tlb.h>

#include <pthread.h>
#include <xen/memory.h>

/* Frames: those that are granted, and one for each thread that it alone copies to. */
enum { SHARED = 6, ENTRIES = 12, MAPPINGS = 64 };

static struct domain *guests[2];
static mfn_t shared[2][SHARED], own[THREADS];
static unsigned version = 1;
static void *table[2]; /* of each guest, its first frame */
static pthread_mutex_t mapping_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint64_t address;
    mfn_t mfn;
} mapping[MAPPINGS];
static unsigned mappings;

/* What grant tables use of the rest: the page table side notes what is mapped. */
int pv_grant_map(uint64_t address, mfn_t mfn, unsigned flags, unsigned cache_flags)
{
    pthread_mutex_lock(&mapping_lock);
    bool room = mappings < MAPPINGS;
    if (room) {
        mapping[mappings].address = address;
        mapping[mappings++].mfn = mfn;
    }
    pthread_mutex_unlock(&mapping_lock);
    return room ? GNTST_okay : GNTST_general_error;
}
int pv_grant_unmap(uint64_t address, mfn_t mfn, unsigned flags, uint64_t replacement)
{
    int status = GNTST_general_error;
    pthread_mutex_lock(&mapping_lock);
    for (unsigned i = 0; i < mappings && status != GNTST_okay; i++) {
        if (mapping[i].address != address || mapping[i].mfn != mfn)
            continue;
        mapping[i] = mapping[--mappings];
        CHECK(fake_references(mfn) > 0); /* the references go after the entry */
        status = GNTST_okay;
    }
    pthread_mutex_unlock(&mapping_lock);
    return status;
}
void tlb_flush_all(void)
{
}
static long op(unsigned command, void *argument, unsigned count)
{
    return fake_hypercall(do_grant_table_op, command, (uintptr_t)argument, count, NULL);
}

static domid_t any_domain(void)
{
    static const domid_t some[] = {DOMID_SELF, 1, 1, 2, 2, 1, 2, 0, 77, DOMID_IDLE};
    return some[random_below(ARRAY_SIZE(some))];
}

static grant_ref_t any_entry(void)
{
    return (grant_ref_t)(random_below(50) ? random_below(ENTRIES) : random64());
}

static void *first_frame(void)
{
    xen_pfn_t list[1] = {0};
    struct gnttab_setup_table op_setup = {.dom = DOMID_SELF, .nr_frames = 1};
    set_xen_guest_handle(op_setup.frame_list, list);
    CHECK_EQUAL(0, op(GNTTABOP_setup_table, &op_setup, 1));
    CHECK_EQUAL(GNTST_okay, op_setup.status);
    return mfn_to_virt(list[0]);
}

/* As a guest does it: the entry is complete before its flags say so. Both versions begin with flags and domain. */
static void grant_something(unsigned n)
{
    grant_ref_t ref = random_below(ENTRIES);
    mfn_t frame = random_below(8) ? shared[n / 2][random_below(SHARED)] : 1 + random_below(FAKE_FRAMES);
    static const uint16_t usual[] = {GTF_permit_access, GTF_permit_access, GTF_permit_access | GTF_readonly};
    uint16_t flags = random_below(8) ? usual[random_below(ARRAY_SIZE(usual))] : (uint16_t)random64();
    domid_t user = (domid_t)(1 + random_below(2));
    if (version == 1) {
        grant_entry_v1_t *entry = (grant_entry_v1_t *)table[n / 2] + ref;
        __atomic_store_n(&entry->frame, (uint32_t)frame, __ATOMIC_SEQ_CST);
        __atomic_store_n((uint32_t *)entry, flags | (uint32_t)user << 16, __ATOMIC_SEQ_CST);
    } else {
        grant_entry_v2_t *entry = (grant_entry_v2_t *)table[n / 2] + ref;
        __atomic_store_n(&entry->full_page.frame, frame, __ATOMIC_SEQ_CST);
        __atomic_store_n((uint32_t *)entry, flags | (uint32_t)user << 16, __ATOMIC_SEQ_CST);
    }
}

/* Handles are small numbers, so that each thread meets those of its guest's other one; addresses are few. */
static void map_something(void)
{
    struct gnttab_map_grant_ref map[3];
    unsigned count = 1 + random_below(3);
    for (unsigned i = 0; i < count; i++)
        map[i] = (struct gnttab_map_grant_ref){.host_addr = 0x100000 + random_below(8) * 8,
                                               .flags = random_below(8),
                                               .ref = any_entry(),
                                               .dom = any_domain()};
    op(GNTTABOP_map_grant_ref, map, count);
}

static void unmap_something(void)
{
    struct gnttab_unmap_grant_ref unmap[3];
    unsigned count = 1 + random_below(3);
    for (unsigned i = 0; i < count; i++)
        unmap[i] = (struct gnttab_unmap_grant_ref){.host_addr = random_below(4) ? 0x100000 + random_below(8) * 8 : 0,
                                                   .handle = random_below(16)};
    op(GNTTABOP_unmap_grant_ref, unmap, count);
}

static void copy_something(unsigned n)
{
    struct gnttab_copy copy = {.len = (uint16_t)random_below(600), .flags = GNTCOPY_source_gref};
    copy.source.u.ref = any_entry();
    copy.source.domid = any_domain();
    copy.source.offset = (uint16_t)random_below(4096);
    copy.dest.u.gmfn = own[n];
    copy.dest.domid = DOMID_SELF;
    copy.dest.offset = (uint16_t)random_below(4096);
    if (random_below(4) == 0) { /* into a granted frame: held and let go, and nothing written that another reads */
        copy.flags |= GNTCOPY_dest_gref;
        copy.dest.u.ref = any_entry();
        copy.dest.domid = any_domain();
        copy.len = 0;
    }
    op(GNTTABOP_copy, &copy, 1);
}

static void swap_something(void)
{
    struct gnttab_swap_grant_ref swap = {.ref_a = any_entry(), .ref_b = any_entry()};
    op(GNTTABOP_swap_grant_ref, &swap, 1);
}

static void ask_something(unsigned n)
{
    xen_pfn_t list[8];
    struct gnttab_setup_table setup_op = {.dom = any_domain(), .nr_frames = random_below(5)};
    struct gnttab_set_version set = {.version = version};
    struct gnttab_query_size size = {.dom = any_domain()};
    struct gnttab_get_version get = {.dom = any_domain()};
    struct gnttab_get_status_frames status = {.dom = any_domain(), .nr_frames = random_below(4)};
    mfn_t frame;
    uint64_t status_list[4];
    set_xen_guest_handle(setup_op.frame_list, list);
    set_xen_guest_handle(status.frame_list, status_list);
    switch (random_below(6)) {
    case 0:
        op(GNTTABOP_setup_table, &setup_op, 1);
        return;
    case 1: /* as the guest's or its toolstack's address space is changed: the table grows */
        grant_table_get_frame(guests[n / 2], random_below(8), version == 2 && random_below(2), &frame);
        return;
    case 2:
        op(GNTTABOP_set_version, &set, 1);
        return;
    case 3:
        op(GNTTABOP_get_version, &get, 1);
        return;
    case 4:
        op(GNTTABOP_get_status_frames, &status, 1);
        return;
    }
    op(GNTTABOP_query_size, &size, 1);
}

static void one_call(unsigned n)
{
    grant_something(n);
    switch (random_below(8)) {
    case 0 ... 2:
        map_something();
        break;
    case 3 ... 4:
        unmap_something();
        break;
    case 5:
        copy_something(n);
        break;
    case 6:
        swap_something();
        break;
    default:
        ask_something(n);
    }
}

static void all_at_once(unsigned of_version)
{
    struct gnttab_set_version set = {.version = version = of_version};
    for (unsigned i = 0; i < 2; i++) {
        fake_run(guests[i]->vcpu[0]);
        CHECK_EQUAL(0, op(GNTTABOP_set_version, &set, 1));
        table[i] = first_frame();
    }
    threads_run((struct vcpu *[]){guests[0]->vcpu[0], guests[0]->vcpu[1], guests[1]->vcpu[0], guests[1]->vcpu[1]},
                one_call);
    CHECK(mappings > 0);
}

static void version_1(void)
{
    all_at_once(1);
}

static void version_2(void)
{
    all_at_once(2);
}

static void setup(void)
{
    mappings = 0;
    for (unsigned i = 0; i < 2; i++) {
        guests[i] = fake_domain((domid_t)(i + 1), 2, false);
        CHECK_EQUAL(0, grant_table_init(guests[i], -1, -1, 2));
        for (unsigned frame = 0; frame < SHARED; frame++)
            shared[i][frame] = fake_frame(guests[i]);
        own[2 * i] = fake_frame(guests[i]);
        own[2 * i + 1] = fake_frame(guests[i]);
    }
}

static void teardown(void)
{
    fake_run(guests[0]->vcpu[0]);
    for (unsigned i = 0; i < 2; i++) {
        guests[i]->dying = DOMAIN_DYING;
        while (grant_table_release_mappings(guests[i]) == -ERESTART)
            ;
    }
    for (unsigned i = 0; i < 2; i++)
        for (unsigned frame = 0; frame < SHARED; frame++) {
            CHECK_EQUAL(0, fake_references(shared[i][frame]));
            CHECK_EQUAL(0, fake_type_references(shared[i][frame]));
        }
    for (unsigned i = 0; i < 2; i++)
        grant_table_free(guests[i]);
    for (unsigned i = 0; i < 2; i++)
        fake_domain_free(guests[i]);
}

int main(int count, char **arguments)
{
    static const struct unit_test tests[] = {{"version 1 under four threads", version_1},
                                             {"version 2 under four threads", version_2}};
    threads_arguments(count, arguments, 6000);
    return fake_run_tests(tests, ARRAY_SIZE(tests), setup, teardown);
}
