/*
 * The two versions of grant tables against the real files: what entries of either say, changing from one to the other,
 * growing, limits and swapping of entries.
 */
#include "grant_table_rig.h"

#include <xen/memory.h>

static void version_2(void)
{
    struct gnttab_set_version v = {.version = 2};
    struct gnttab_get_version g = {.dom = granter->id};
    struct gnttab_get_status_frames s = {.nr_frames = 1, .dom = granter->id};
    struct gnttab_map_grant_ref m;
    struct gnttab_copy c = {.source = {.u.ref = 9, .domid = granter->id, .offset = 16},
                            .dest = {.u.gmfn = fake_frame(user), .domid = DOMID_SELF},
                            .len = 16,
                            .flags = GNTCOPY_source_gref};
    uint64_t status_frame = 0;
    grant_entry_v2_t *entry = (grant_entry_v2_t *)table;
    uint16_t *status;

    table[1] = (grant_entry_v1_t){.flags = GTF_permit_access, .domid = user->id, .frame = frame};
    m = map(8, GNTMAP_device_map);
    CHECK_EQUAL(-EBUSY, op_as(granter, GNTTABOP_set_version, &v, 1));
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, 0, m.dev_bus_addr));
    CHECK_EQUAL(0, op_as(granter, GNTTABOP_set_version, &v, 1));
    CHECK_EQUAL(0, op(GNTTABOP_get_version, &g, 1));
    CHECK_EQUAL(2, g.version);
    CHECK_EQUAL(frame, entry[1].full_page.frame); /* reserved entries stay */
    CHECK_EQUAL(0, entry[4].full_page.frame);     /* where entry 8 was */
    set_xen_guest_handle(s.frame_list, &status_frame);
    CHECK_EQUAL(0, op(GNTTABOP_get_status_frames, &s, 1));
    CHECK_EQUAL(GNTST_okay, s.status);
    status = (uint16_t *)mfn_to_virt(status_frame);

    m = map(1, GNTMAP_host_map);
    CHECK_EQUAL(GNTST_okay, m.status);
    CHECK_EQUAL(GTF_reading | GTF_writing, status[1]);
    CHECK_EQUAL(GTF_permit_access, entry[1].hdr.flags);
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, m.host_addr, 0));
    CHECK_EQUAL(0, status[1]);
    CHECK_EQUAL(GNTST_bad_gntref, map(256, GNTMAP_host_map).status); /* only 256 entries a frame now */

    entry[9].sub_page.hdr.domid = user->id;
    entry[9].sub_page.page_off = 16;
    entry[9].sub_page.length = 16;
    entry[9].sub_page.frame = frame;
    entry[9].sub_page.hdr.flags = GTF_permit_access | GTF_sub_page;
    CHECK_EQUAL(GNTST_bad_gntref, map(9, GNTMAP_host_map).status);
    CHECK_EQUAL(GNTST_okay, copy(c));
    c.len = 17;
    CHECK_EQUAL(GNTST_bad_copy_arg, copy(c));
    c.source.offset = 15, c.len = 16;
    CHECK_EQUAL(GNTST_bad_copy_arg, copy(c));
    entry[9].sub_page.frame = 1UL << 40;
    c.source.offset = 16;
    CHECK_EQUAL(GNTST_bad_page, copy(c));
    entry[9].hdr.flags = GTF_transitive;
    CHECK_EQUAL(GNTST_bad_gntref, copy(c));

    v.version = 1;
    CHECK_EQUAL(0, op_as(granter, GNTTABOP_set_version, &v, 1));
    CHECK_EQUAL(frame, table[1].frame);
    v.version = 3;
    CHECK_EQUAL(-EINVAL, op_as(granter, GNTTABOP_set_version, &v, 1));
    v.version = 2;
    CHECK_EQUAL(-ENOSYS, op_as(other, GNTTABOP_set_version, &v, 1)); /* its toolstack allows 1 only */
}

static void set_version(uint32_t version, int result)
{
    struct gnttab_set_version v = {.version = version};

    CHECK_EQUAL(result, op_as(granter, GNTTABOP_set_version, &v, 1));
}

/* A reserved entry stays in use through a change of version, and its marks go where the version has them. */
static void reserved_entry_in_use(void)
{
    struct gnttab_get_status_frames s = {.nr_frames = 1, .dom = granter->id};
    struct gnttab_map_grant_ref m;
    grant_entry_v2_t *entry = (grant_entry_v2_t *)table;
    uint64_t status_frame = 0;
    uint16_t *status;

    table[1] = (grant_entry_v1_t){.flags = GTF_permit_access, .domid = user->id, .frame = frame};
    m = map(1, GNTMAP_host_map);
    set_version(2, 0);
    set_xen_guest_handle(s.frame_list, &status_frame);
    CHECK_EQUAL(0, op(GNTTABOP_get_status_frames, &s, 1));
    status = (uint16_t *)mfn_to_virt(status_frame);
    CHECK_EQUAL(GTF_reading | GTF_writing, status[1]);
    CHECK_EQUAL(GTF_permit_access, entry[1].hdr.flags);
    set_version(1, 0);
    CHECK_EQUAL(GTF_permit_access | GTF_reading | GTF_writing, table[1].flags);
    set_version(2, 0);
    CHECK_EQUAL(GTF_reading | GTF_writing, status[1]);
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, m.host_addr, 0));
    CHECK_EQUAL(0, status[1]);
    set_version(1, 0);
    CHECK_EQUAL(GTF_permit_access, table[1].flags);
}

static void growing_and_limits(void)
{
    struct gnttab_query_size q = {.dom = DOMID_SELF};
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 3};
    uint64_t mfns[4];
    xen_pfn_t list[4];
    mfn_t mfn;

    CHECK_EQUAL(0, op_as(other, GNTTABOP_query_size, &q, 1));
    CHECK_EQUAL(0, q.nr_frames);
    CHECK_EQUAL(2, q.max_nr_frames);
    set_xen_guest_handle(s.frame_list, list);
    CHECK_EQUAL(0, op_as(other, GNTTABOP_setup_table, &s, 1));
    CHECK_EQUAL(GNTST_general_error, s.status);
    s.nr_frames = 2;
    fake_fail_allocation = 4; /* record, frame, record, frame */
    CHECK_EQUAL(0, op_as(other, GNTTABOP_setup_table, &s, 1));
    CHECK_EQUAL(GNTST_general_error, s.status);
    CHECK_EQUAL(0, op_as(other, GNTTABOP_setup_table, &s, 1));
    CHECK_EQUAL(GNTST_okay, s.status);
    CHECK_EQUAL(0, op_as(other, GNTTABOP_query_size, &q, 1));
    CHECK_EQUAL(2, q.nr_frames);
    set_xen_guest_handle(s.frame_list, (xen_pfn_t *)BAD_GUEST_ADDRESS);
    CHECK_EQUAL(0, op_as(other, GNTTABOP_setup_table, &s, 1));
    CHECK_EQUAL(GNTST_bad_virt_addr, s.status);
    s.dom = granter->id; /* not its business */
    CHECK_EQUAL(0, op_as(other, GNTTABOP_setup_table, &s, 1));
    CHECK_EQUAL(GNTST_permission_denied, s.status);
    s.dom = 77;
    CHECK_EQUAL(0, op(GNTTABOP_setup_table, &s, 1));
    CHECK_EQUAL(GNTST_bad_domain, s.status);

    CHECK_EQUAL(2, grant_table_max_frames(other));
    CHECK_EQUAL(0, grant_table_get_frame(other, 1, false, &mfn));
    CHECK_EQUAL(list[1], mfn);
    CHECK_EQUAL(-EINVAL, grant_table_get_frame(other, 2, false, &mfn));
    CHECK_EQUAL(-EINVAL, grant_table_get_frame(other, ~0UL, false, &mfn));
    CHECK_EQUAL(-EINVAL, grant_table_get_frame(other, 0, true, &mfn)); /* version 1 */
    CHECK_EQUAL(0, grant_table_get_frames(other, XENMEM_resource_grant_table_id_shared, 0, 2, mfns));
    CHECK_EQUAL(list[1], mfns[1]);
    CHECK_EQUAL(-EINVAL, grant_table_get_frames(other, XENMEM_resource_grant_table_id_shared, 1, 2, mfns));
    CHECK_EQUAL(-EINVAL, grant_table_get_frames(other, XENMEM_resource_grant_table_id_shared, 2, ~0U, mfns));
    CHECK_EQUAL(-EINVAL, grant_table_get_frames(other, 2, 0, 1, mfns));
    CHECK_EQUAL(0, grant_table_get_frames(user, XENMEM_resource_grant_table_id_shared, 62, 2, mfns)); /* grows */
    for (unsigned n = 1; n <= 5; n++) {
        struct domain *d = fake_domain(9, 1, false);

        fake_fail_allocation = n;
        CHECK_EQUAL(-ENOMEM, grant_table_init(d, -1, -1, 0));
        fake_fail_allocation = 0;
        CHECK_EQUAL(-EINVAL, grant_table_init(d, 0, -1, 0));
        CHECK_EQUAL(-EINVAL, grant_table_init(d, 1 << 30, -1, 0));
        CHECK_EQUAL(-EINVAL, grant_table_init(d, -1, 1 << 30, 0));
        CHECK_EQUAL(-EINVAL, grant_table_init(d, -1, -1, 3));
        CHECK(!d->grants);
        fake_domain_free(d);
    }
}

static void swapping(void)
{
    struct gnttab_swap_grant_ref s = {.ref_a = 8, .ref_b = 9};
    struct gnttab_map_grant_ref m = map(8, GNTMAP_device_map);

    CHECK_EQUAL(0, op_as(granter, GNTTABOP_swap_grant_ref, &s, 1));
    CHECK_EQUAL(GNTST_eagain, s.status);
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, 0, m.dev_bus_addr));
    CHECK_EQUAL(0, op_as(granter, GNTTABOP_swap_grant_ref, &s, 1));
    CHECK_EQUAL(GNTST_okay, s.status);
    CHECK_EQUAL(frame, table[9].frame);
    CHECK_EQUAL(0, table[8].flags);
    s.ref_b = 512;
    CHECK_EQUAL(0, op_as(granter, GNTTABOP_swap_grant_ref, &s, 1));
    CHECK_EQUAL(GNTST_bad_gntref, s.status);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"version 2", version_2},
        {"a reserved entry in use", reserved_entry_in_use},
        {"growing and limits", growing_and_limits},
        {"swapping", swapping},
    };

    return fake_run_tests(tests, ARRAY_SIZE(tests), setup, teardown);
}
