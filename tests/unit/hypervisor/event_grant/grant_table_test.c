/*
 * Grant tables against the real files: pins, handles, references, copying, hostile arguments.
 */
#include "../../random.h"
#include "grant_table_rig.h"

static void map_and_unmap(void)
{
    struct gnttab_map_grant_ref w = map(8, GNTMAP_host_map), r;

    CHECK_EQUAL(GNTST_okay, w.status);
    CHECK_EQUAL(1, mappings);
    CHECK_EQUAL(frame, mapping[0].mfn);
    CHECK_EQUAL(GTF_permit_access | GTF_reading | GTF_writing, table[8].flags);
    CHECK_EQUAL(1, fake_references(frame));
    CHECK_EQUAL(1, fake_type_references(frame));
    CHECK_EQUAL(1, fake_domain_references(granter));

    r = map(8, GNTMAP_host_map | GNTMAP_readonly);
    CHECK_EQUAL(GNTST_okay, r.status);
    CHECK(r.handle != w.handle);
    CHECK_EQUAL(2, fake_references(frame));
    CHECK_EQUAL(1, fake_type_references(frame));

    flushes = 0;
    CHECK_EQUAL(GNTST_okay, unmap(w.handle, w.host_addr, 0));
    CHECK_EQUAL(1, flushes);
    CHECK_EQUAL(GTF_permit_access | GTF_reading, table[8].flags);
    CHECK_EQUAL(GNTST_bad_handle, unmap(w.handle, w.host_addr, 0));
    CHECK_EQUAL(GNTST_okay, unmap(r.handle, r.host_addr, 0));
    CHECK_EQUAL(GTF_permit_access, table[8].flags);
    CHECK_EQUAL(0, fake_references(frame));
    CHECK_EQUAL(0, fake_domain_references(granter));
}

/* An entry in use serves the one that it was granted to, and what is granted in part is mapped by nobody. */
static void entry_in_use(void)
{
    struct gnttab_map_grant_ref m = map(8, GNTMAP_host_map), n = m;
    struct gnttab_set_version v = {.version = 2};
    struct grant_use use;
    grant_entry_v2_t *entry = (grant_entry_v2_t *)table;

    CHECK_EQUAL(GNTST_okay, m.status);
    CHECK_EQUAL(0, op_as(other, GNTTABOP_map_grant_ref, &n, 1));
    CHECK_EQUAL(GNTST_bad_gntref, n.status);
    CHECK_EQUAL(1, mappings);
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, m.host_addr, 0));

    CHECK_EQUAL(0, op_as(granter, GNTTABOP_set_version, &v, 1));
    entry[9].sub_page.hdr.domid = user->id;
    entry[9].sub_page.length = 16;
    entry[9].sub_page.frame = frame;
    entry[9].sub_page.hdr.flags = GTF_permit_access | GTF_sub_page;
    CHECK_EQUAL(GNTST_okay, grant_pin(granter, 9, user->id, false, false, &use)); /* a copy from it goes on */
    CHECK_EQUAL(GNTST_bad_gntref, map(9, GNTMAP_host_map | GNTMAP_readonly).status);
    grant_unpin(granter, 9, false);
}

/* The granter takes its entry back between the check and the mark: it sees no mark, and nobody has the frame. */
static void withdrawn_meanwhile(void)
{
    struct gnttab_set_version v = {.version = 2};

    withdrawn_when_read = &table[8];
    reads_until_then = 0;
    CHECK_EQUAL(GNTST_bad_gntref, map(8, GNTMAP_host_map).status);
    CHECK_EQUAL(0, table[8].flags);
    withdrawn_when_read = NULL;

    CHECK_EQUAL(0, op_as(granter, GNTTABOP_set_version, &v, 1));
    grant_entry_v2_t *entry = (grant_entry_v2_t *)table;
    entry[9].full_page.frame = frame;
    entry[9].hdr.domid = user->id;
    entry[9].hdr.flags = GTF_permit_access;
    withdrawn_when_read = &entry[9];
    reads_until_then = 0;
    CHECK_EQUAL(GNTST_general_error, map(9, GNTMAP_host_map).status);
    CHECK_EQUAL(0, entry[9].hdr.flags);
    withdrawn_when_read = NULL;
    CHECK_EQUAL(0, fake_references(frame));
    CHECK_EQUAL(0, mappings);
}

static void device_and_host(void)
{
    struct gnttab_map_grant_ref m = map(8, GNTMAP_host_map | GNTMAP_device_map);

    CHECK_EQUAL(GNTST_okay, m.status);
    CHECK_EQUAL(frame << PAGE_SHIFT, m.dev_bus_addr);
    CHECK_EQUAL(GNTST_bad_dev_addr, unmap(m.handle, 0, m.dev_bus_addr + 4096));
    CHECK_EQUAL(GNTST_general_error, unmap(m.handle, m.host_addr + 8, 0));
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, 0, 0)); /* names neither part: nothing */
    CHECK_EQUAL(1, fake_references(frame));
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, m.host_addr, 0));
    CHECK_EQUAL(1, fake_references(frame)); /* the device's part is left */
    CHECK_EQUAL(GTF_permit_access | GTF_reading | GTF_writing, table[8].flags);
    CHECK_EQUAL(GNTST_bad_virt_addr, unmap(m.handle, m.host_addr, 0));
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, 0, m.dev_bus_addr));
    CHECK_EQUAL(0, fake_references(frame));
    CHECK_EQUAL(GNTST_bad_handle, unmap(m.handle, 0, m.dev_bus_addr));
}

static void refusals(void)
{
    mfn_t foreign = fake_frame(other), page_table = fake_frame(granter);
    struct gnttab_map_grant_ref m = {.flags = GNTMAP_host_map, .ref = 8, .dom = 77};

    fake_make_table(page_table);
    CHECK_EQUAL(0, op(GNTTABOP_map_grant_ref, &m, 1));
    CHECK_EQUAL(GNTST_bad_domain, m.status);
    CHECK_EQUAL(GNTST_general_error, map(8, 0).status);
    CHECK_EQUAL(GNTST_bad_gntref, map(9, GNTMAP_host_map).status);   /* invalid entry */
    CHECK_EQUAL(GNTST_bad_gntref, map(512, GNTMAP_host_map).status); /* beyond the table */
    CHECK_EQUAL(GNTST_bad_gntref, map(0xffffffff, GNTMAP_host_map).status);
    table[8].flags |= GTF_readonly;
    CHECK_EQUAL(GNTST_bad_gntref, map(8, GNTMAP_host_map).status);
    CHECK_EQUAL(GTF_permit_access | GTF_readonly, table[8].flags);
    table[8].flags = GTF_permit_access;
    table[8].domid = other->id;
    CHECK_EQUAL(GNTST_bad_gntref, map(8, GNTMAP_host_map).status);
    table[8].domid = user->id;
    table[8].flags = GTF_permit_access | GTF_sub_page;
    CHECK_EQUAL(GNTST_bad_gntref, map(8, GNTMAP_host_map).status);
    table[8].flags = GTF_accept_transfer | GTF_transfer_completed;
    CHECK_EQUAL(GNTST_bad_gntref, map(8, GNTMAP_host_map).status);
    CHECK_EQUAL(GTF_accept_transfer | GTF_transfer_completed, table[8].flags); /* not our flag to clear */
    table[8].flags = GTF_permit_access;
    table[8].frame = foreign; /* not the granter's to give */
    CHECK_EQUAL(GNTST_bad_page, map(8, GNTMAP_host_map).status);
    table[8].frame = 0xffffffff;
    CHECK_EQUAL(GNTST_bad_page, map(8, GNTMAP_host_map).status);
    table[8].frame = virt_to_mfn(table); /* ours, only shown to it */
    CHECK_EQUAL(GNTST_bad_page, map(8, GNTMAP_host_map).status);
    table[8].frame = page_table;
    CHECK_EQUAL(GNTST_bad_page, map(8, GNTMAP_host_map).status);
    m = map(8, GNTMAP_host_map | GNTMAP_readonly); /* reading a page table is harmless */
    CHECK_EQUAL(GNTST_okay, m.status);
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, m.host_addr, 0));
    table[8].frame = frame;
    map_answer = GNTST_bad_virt_addr;
    CHECK_EQUAL(GNTST_bad_virt_addr, map(8, GNTMAP_host_map).status);
    map_answer = 0;
    granter->dying = DOMAIN_DYING;
    CHECK_EQUAL(GNTST_bad_domain, map(8, GNTMAP_host_map).status);
    CHECK_EQUAL(GTF_permit_access, table[8].flags); /* no failure leaves a mark */
    CHECK_EQUAL(0, fake_references(frame));
    CHECK_EQUAL(0, fake_domain_references(granter));
    for (uint32_t handle = 0; handle < 300; handle++)
        CHECK_EQUAL(GNTST_bad_handle, unmap(handle, 0x1000, 0));
    CHECK_EQUAL(GNTST_bad_handle, unmap(0xffffffff, 0x1000, 0));
}

/* While an entry is in use, what the granter writes into it changes nothing. */
static void changing_a_pinned_entry(void)
{
    mfn_t second = fake_frame(granter);
    struct gnttab_map_grant_ref a = map(8, GNTMAP_host_map | GNTMAP_readonly), b, c;

    table[8].frame = second;
    b = map(8, GNTMAP_host_map | GNTMAP_readonly);
    CHECK_EQUAL(GNTST_okay, b.status);
    CHECK_EQUAL(frame, mapping[1].mfn);
    table[8].flags |= GTF_readonly;
    CHECK_EQUAL(GNTST_bad_gntref, map(8, GNTMAP_host_map).status);
    CHECK(table[8].flags & GTF_reading);
    memset(&table[8], 0, sizeof(table[8]));
    c = map(8, GNTMAP_host_map);
    CHECK_EQUAL(GNTST_bad_gntref, c.status);
    CHECK_EQUAL(GNTST_okay, unmap(a.handle, a.host_addr, 0));
    CHECK_EQUAL(GNTST_okay, unmap(b.handle, b.host_addr, 0));
    CHECK_EQUAL(0, fake_references(second));
    CHECK_EQUAL(GNTST_bad_gntref, map(8, GNTMAP_host_map | GNTMAP_readonly).status);
}

static void out_of_handles(void)
{
    unsigned mapped = 0;
    struct gnttab_map_grant_ref m;

    fake_run(other->vcpu[0]); /* one frame of handles */
    table[8].domid = other->id;
    while ((m = map(8, GNTMAP_device_map)).status == GNTST_okay)
        mapped++;
    CHECK_EQUAL(GNTST_no_space, m.status);
    CHECK(mapped >= 100 && mapped < 300);
    CHECK_EQUAL(mapped, fake_references(frame));
    CHECK_EQUAL(GNTST_okay, unmap(5, 0, frame << PAGE_SHIFT));
    m = map(8, GNTMAP_device_map);
    CHECK_EQUAL(GNTST_okay, m.status);
    CHECK_EQUAL(5, m.handle);
    /* Death gives all of it back, in pieces. */
    fake_yield_every(1);
    other->dying = DOMAIN_DYING;
    fake_run(user->vcpu[0]);
    CHECK_EQUAL(-ERESTART, grant_table_release_mappings(other));
    CHECK(fake_references(frame) > 0);
    finish(other);
    CHECK_EQUAL(0, fake_references(frame));
    CHECK_EQUAL(GTF_permit_access, table[8].flags);
}

/* The granter's table goes when it dies; what others have mapped stays theirs until they give it back. */
static void dead_granter(void)
{
    struct gnttab_map_grant_ref m = map(8, GNTMAP_host_map);
    struct gnttab_copy c = {.source = {.u.ref = 8, .domid = granter->id},
                            .dest = {.u.gmfn = fake_frame(user), .domid = DOMID_SELF},
                            .len = 1,
                            .flags = GNTCOPY_source_gref};
    uint64_t mfn;

    finish(granter);
    grant_table_release_frames(granter);
    CHECK_EQUAL(1, fake_domain_references(granter));
    CHECK_EQUAL(1, fake_references(frame));
    CHECK_EQUAL(GNTST_bad_domain, map(8, GNTMAP_host_map).status);
    CHECK_EQUAL(0, op(GNTTABOP_copy, &c, 1));
    CHECK_EQUAL(GNTST_bad_domain, c.status);
    CHECK_EQUAL(-ESRCH, grant_table_get_frames(granter, XENMEM_resource_grant_table_id_shared, 0, 1, &mfn));
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, m.host_addr, 0));
    CHECK_EQUAL(0, fake_domain_references(granter));
    CHECK_EQUAL(0, fake_references(frame));
}

static void batches(void)
{
    static struct gnttab_map_grant_ref m[200];
    static struct gnttab_unmap_grant_ref u[200];
    unsigned restarts;

    for (unsigned i = 0; i < 200; i++)
        m[i] = (struct gnttab_map_grant_ref){
            .host_addr = 0x700000 + i * 8, .flags = GNTMAP_host_map, .ref = i == 77 ? 3 : 8, .dom = granter->id};
    fake_yield_every(10);
    CHECK_EQUAL(0, fake_hypercall(do_grant_table_op, GNTTABOP_map_grant_ref, (uintptr_t)m, 200, &restarts));
    CHECK(restarts >= 18);
    for (unsigned i = 0; i < 200; i++) {
        CHECK_EQUAL(i == 77 ? GNTST_bad_gntref : GNTST_okay, m[i].status);
        u[i] = (struct gnttab_unmap_grant_ref){.host_addr = m[i].host_addr, .handle = i == 77 ? 0xffff : m[i].handle};
    }
    CHECK_EQUAL(199, fake_references(frame));
    fake_yield_every(0);
    flushes = 0;
    CHECK_EQUAL(0, op(GNTTABOP_unmap_grant_ref, u, 200));
    CHECK(flushes >= 1 && flushes <= 8); /* not one for each */
    for (unsigned i = 0; i < 200; i++)
        CHECK_EQUAL(i == 77 ? GNTST_bad_handle : GNTST_okay, u[i].status);
    CHECK_EQUAL(0, fake_references(frame));
    CHECK_EQUAL(0, op(GNTTABOP_unmap_grant_ref, u, 0)); /* stock kernels do this */
    u[0].handle = u[1].handle = map(8, GNTMAP_device_map).handle;
    u[0].host_addr = u[1].host_addr = 0;
    u[0].dev_bus_addr = u[1].dev_bus_addr = frame << PAGE_SHIFT;
    CHECK_EQUAL(0, op(GNTTABOP_unmap_grant_ref, u, 2)); /* twice in one batch */
    CHECK_EQUAL(GNTST_okay, u[0].status);
    CHECK_EQUAL(GNTST_bad_handle, u[1].status);
}

/* Who grants is asked about, and who uses the grant; nothing is left of what was denied. */
static void denied_by_the_policy(void)
{
    struct gnttab_copy c = {.flags = GNTCOPY_source_gref, .len = 8, .source = {.domid = granter->id, .u.ref = 8}};

    policy_denies = true;
    CHECK_EQUAL(GNTST_permission_denied, map(8, GNTMAP_host_map).status);
    CHECK(asked.subject == granter && asked.object == user && asked.verb == POLICY_VERB_SHARE_MEMORY);
    asked.subject = NULL;
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = fake_frame(user);
    CHECK_EQUAL(0, op(GNTTABOP_copy, &c, 1));
    CHECK_EQUAL(GNTST_permission_denied, c.status);
    CHECK(asked.subject == granter && asked.object == user && asked.verb == POLICY_VERB_SHARE_MEMORY);
    CHECK_EQUAL(0, mappings);
    CHECK_EQUAL(GTF_permit_access, table[8].flags);
    CHECK_EQUAL(0, fake_references(frame));
    CHECK_EQUAL(0, fake_domain_references(granter));
    policy_denies = false;
    struct gnttab_map_grant_ref m = map(8, GNTMAP_host_map);
    CHECK_EQUAL(GNTST_okay, m.status);
    CHECK_EQUAL(GNTST_okay, unmap(m.handle, m.host_addr, 0));
}

static void copying(void)
{
    mfn_t own = fake_frame(user), page_table = fake_frame(user);
    struct gnttab_copy in = {.source = {.u.ref = 8, .domid = granter->id, .offset = 100},
                             .dest = {.u.gmfn = own, .domid = DOMID_SELF, .offset = 4000},
                             .len = 96,
                             .flags = GNTCOPY_source_gref};
    struct gnttab_copy out = {.source = in.dest, .dest = in.source, .len = 96, .flags = GNTCOPY_dest_gref}, bad;

    fake_make_table(page_table);
    memset(fake_ram[frame], 'g', PAGE_SIZE);
    CHECK_EQUAL(GNTST_okay, copy(in));
    CHECK_EQUAL(0, fake_ram[own][3999]);
    CHECK_EQUAL('g', fake_ram[own][4000]);
    CHECK_EQUAL('g', fake_ram[own][4095]);
    memset(fake_ram[own], 'u', PAGE_SIZE);
    CHECK_EQUAL(GNTST_okay, copy(out));
    CHECK_EQUAL('g', fake_ram[frame][99]);
    CHECK_EQUAL('u', fake_ram[frame][100]);
    CHECK_EQUAL('u', fake_ram[frame][195]);
    CHECK_EQUAL('g', fake_ram[frame][196]);

    bad = in, bad.len = 97;
    CHECK_EQUAL(GNTST_bad_copy_arg, copy(bad));
    bad = in, bad.source.offset = 0xffff, bad.len = 0xffff;
    CHECK_EQUAL(GNTST_bad_copy_arg, copy(bad));
    bad = in, bad.source.u.ref = 9;
    CHECK_EQUAL(GNTST_bad_gntref, copy(bad));
    bad = in, bad.source.domid = 77;
    CHECK_EQUAL(GNTST_bad_domain, copy(bad));
    bad = in, bad.dest.u.gmfn = frame; /* the granter's, but not by its grant */
    CHECK_EQUAL(GNTST_bad_page, copy(bad));
    bad = in, bad.dest.u.gmfn = page_table;
    CHECK_EQUAL(GNTST_bad_page, copy(bad));
    bad = in, bad.dest.u.gmfn = ~0UL;
    CHECK_EQUAL(GNTST_bad_page, copy(bad));
    bad = in, bad.dest.domid = granter->id;
    CHECK_EQUAL(GNTST_permission_denied, copy(bad));
    table[8].flags |= GTF_readonly;
    CHECK_EQUAL(GNTST_bad_gntref, copy(out));
    CHECK_EQUAL(GNTST_okay, copy(in));
    CHECK_EQUAL(GTF_permit_access | GTF_readonly, table[8].flags);
    CHECK_EQUAL(0, fake_references(frame));
    CHECK_EQUAL(0, fake_references(own));
    CHECK_EQUAL(0, fake_type_references(own));
    CHECK_EQUAL(0, fake_domain_references(granter));
}

static void hostile_arguments(void)
{
    static const bool single[] = {
        [GNTTABOP_setup_table] = true,       [GNTTABOP_query_size] = true,  [GNTTABOP_set_version] = true,
        [GNTTABOP_get_status_frames] = true, [GNTTABOP_get_version] = true, [GNTTABOP_cache_flush] = false};
    uint64_t argument[64] = {0};

    for (unsigned command = 0; command <= GNTTABOP_cache_flush; command++) {
        if (command == GNTTABOP_dump_table)
            continue;
        CHECK_EQUAL(-EFAULT, op(command, BAD_GUEST_ADDRESS, 1));
        CHECK_EQUAL(-EFAULT, op(command, (void *)(1UL << 47), 1));
        if (single[command])
            CHECK_EQUAL(-EINVAL, op(command, argument, 2));
    }
    CHECK_EQUAL(-EFAULT, op(GNTTABOP_map_grant_ref, (void *)((1UL << 47) - 8), 0x7fffffff));
    CHECK_EQUAL(-EINVAL, op(GNTTABOP_map_grant_ref, argument, 0x80000000));
    CHECK_EQUAL(-EINVAL, op(GNTTABOP_map_grant_ref, argument, 0xffffffff));
    CHECK_EQUAL(-ENOSYS, op(GNTTABOP_dump_table, argument, 1));
    CHECK_EQUAL(-ENOSYS, op(13, argument, 1));
    CHECK_EQUAL(-ENOSYS, fake_hypercall(do_grant_table_op, ~0UL, (uintptr_t)argument, 1, NULL));
    CHECK_EQUAL(-EOPNOTSUPP, op(GNTTABOP_transfer, argument, 1));
    CHECK_EQUAL(-EOPNOTSUPP, op(GNTTABOP_cache_flush, argument, 1));
}

/* Random operations by two users; at the end of it every count is back where it was (teardown looks). */
static void random_operations(void)
{
    static struct gnttab_map_grant_ref live[256];
    struct domain *who[2] = {user, other};

    for (unsigned i = 0; i < ARRAY_SIZE(live); i++)
        live[i].status = -1;
    for (unsigned round = 0; round < 50000; round++) {
        unsigned slot = random_below(ARRAY_SIZE(live));
        struct gnttab_map_grant_ref *m = &live[slot];

        fake_run(who[slot % 2]->vcpu[0]);
        if (random_below(4) == 0) {
            grant_entry_v1_t *e = &table[8 + random_below(8)];

            e->frame = random_below(3) ? frame : (mfn_t)random64();
            e->domid = who[random_below(2)]->id;
            e->flags = random_below(3) ? GTF_permit_access : (unsigned)random64();
        } else if (m->status == GNTST_okay) {
            if (unmap(m->handle, m->host_addr, m->dev_bus_addr) == GNTST_okay)
                m->status = -1;
            CHECK_EQUAL(-1, m->status);
        } else {
            *m = map(8 + random_below(8), 1 + random_below(7));
            if (!(m->flags & GNTMAP_host_map))
                m->host_addr = 0;
        }
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"map and unmap", map_and_unmap},
        {"an entry in use", entry_in_use},
        {"an entry withdrawn while it is looked at", withdrawn_meanwhile},
        {"device and host parts", device_and_host},
        {"refusals", refusals},
        {"denied by the policy", denied_by_the_policy},
        {"changing a pinned entry", changing_a_pinned_entry},
        {"out of handles, and death", out_of_handles},
        {"dead granter", dead_granter},
        {"batches", batches},
        {"copying", copying},
        {"hostile arguments", hostile_arguments},
        {"random operations", random_operations},
    };

    return fake_run_tests(tests, ARRAY_SIZE(tests), setup, teardown);
}
