/*
 * Grant tables against the real files: pins, handles, references, copying, versions, limits, hostile arguments.
 * The page table side is a fake that notes which addresses are mapped.
 */
#include "../../random.h"
#include "../../../../hypervisor/abi/grant_table_private.h"
#include "fake/fake.h"
#include <hv/grant_table.h>
#include <hv/tlb.h>

#include <xen/memory.h>

static struct domain *granter, *user, *other;
static grant_entry_v1_t *table; /* the granter's first frame */
static mfn_t frame;             /* of the granter, granted by entry 8 in most tests */
static unsigned flushes;

#define MAX_MAPPINGS 4096
static struct {
    uint64_t address;
    mfn_t mfn;
} mapping[MAX_MAPPINGS];
static unsigned mappings;
static int map_answer;

/* Who was asked about last, while the policy denies. */
static bool policy_denies;
static struct {
    const struct domain *subject, *object;
    enum policy_verb verb;
} asked;

/* What grant tables use of the rest. */
int policy_ask(const struct domain *subject, enum policy_verb verb, const struct domain *object)
{
    if (!policy_denies)
        return 0;
    asked = (__typeof__(asked)){subject, object, verb};
    return -EPERM;
}
int pv_grant_map(uint64_t address, mfn_t mfn, unsigned flags, unsigned cache_flags)
{
    if (map_answer || mappings == MAX_MAPPINGS)
        return map_answer ? map_answer : GNTST_general_error;
    mapping[mappings].address = address;
    mapping[mappings++].mfn = mfn;
    return GNTST_okay;
}
int pv_grant_unmap(uint64_t address, mfn_t mfn, unsigned flags, uint64_t replacement)
{
    for (unsigned i = 0; i < mappings; i++) {
        if (mapping[i].address == address && mapping[i].mfn == mfn) {
            mapping[i] = mapping[--mappings];
            CHECK(fake_references(mfn) > 0); /* the references go after the entry and the flush */
            return GNTST_okay;
        }
    }
    return GNTST_general_error;
}
void tlb_flush_all(void)
{
    flushes++;
    for (mfn_t mfn = 0; mfn < FAKE_FRAMES; mfn++)
        if (fake_page[mfn].references)
            CHECK(fake_page[mfn].references & PAGE_REFERENCES_MASK);
}

static long op(unsigned command, void *argument, unsigned count)
{
    return fake_hypercall(do_grant_table_op, command, (uintptr_t)argument, count, NULL);
}
static long op_as(struct domain *d, unsigned command, void *argument, unsigned count)
{
    struct vcpu *before = current;
    long rc;

    fake_run(d->vcpu[0]);
    rc = op(command, argument, count);
    fake_run(before);
    return rc;
}
static mfn_t setup_table(struct domain *d, unsigned nr)
{
    xen_pfn_t list[64] = {0};
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = nr};

    set_xen_guest_handle(s.frame_list, list);
    CHECK_EQUAL(0, op_as(d, GNTTABOP_setup_table, &s, 1));
    CHECK_EQUAL(GNTST_okay, s.status);
    return list[nr - 1];
}

static void setup(void)
{
    mappings = flushes = map_answer = 0;
    granter = fake_domain(1, 1, false);
    user = fake_domain(0, 1, true);
    other = fake_domain(2, 1, false);
    CHECK_EQUAL(0, grant_table_init(granter, -1, -1, 2));
    CHECK_EQUAL(0, grant_table_init(user, -1, -1, 2));
    CHECK_EQUAL(0, grant_table_init(other, 2, 1, 1));
    fake_run(user->vcpu[0]);
    table = mfn_to_virt(setup_table(granter, 1));
    frame = fake_frame(granter);
    table[8] = (grant_entry_v1_t){.flags = GTF_permit_access, .domid = user->id, .frame = frame};
}

static void finish(struct domain *d)
{
    d->dying = DOMAIN_DYING;
    while (grant_table_release_mappings(d) == -ERESTART)
        ;
}

static void teardown(void)
{
    finish(user);
    finish(other);
    finish(granter);
    CHECK_EQUAL(0, fake_references(frame));
    CHECK_EQUAL(0, fake_type_references(frame));
    grant_table_free(user);
    grant_table_free(other);
    grant_table_free(granter);
    grant_table_free(granter); /* twice is harmless */
    fake_domain_free(user);
    fake_domain_free(other);
    fake_domain_free(granter);
}

static struct gnttab_map_grant_ref map(grant_ref_t ref, uint32_t flags)
{
    static uint64_t next_address = 0x100000;
    struct gnttab_map_grant_ref m = {.host_addr = next_address += 8, .flags = flags, .ref = ref, .dom = granter->id};

    CHECK_EQUAL(0, op(GNTTABOP_map_grant_ref, &m, 1));
    return m;
}
static int16_t unmap(uint32_t handle, uint64_t host, uint64_t device)
{
    struct gnttab_unmap_grant_ref u = {.handle = handle, .host_addr = host, .dev_bus_addr = device};

    CHECK_EQUAL(0, op(GNTTABOP_unmap_grant_ref, &u, 1));
    return u.status;
}

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

static const volatile void *withdrawn_when_read; /* an entry's first word */
static unsigned reads_until_then;

void after_read(const volatile void *place)
{
    if (place == withdrawn_when_read && reads_until_then-- == 0)
        *(volatile uint16_t *)place ^= GTF_permit_access;
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

static int16_t copy(struct gnttab_copy c)
{
    CHECK_EQUAL(0, op(GNTTABOP_copy, &c, 1));
    return c.status;
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
        {"a reserved entry in use", reserved_entry_in_use},
        {"out of handles, and death", out_of_handles},
        {"dead granter", dead_granter},
        {"batches", batches},
        {"copying", copying},
        {"version 2", version_2},
        {"growing and limits", growing_and_limits},
        {"swapping", swapping},
        {"hostile arguments", hostile_arguments},
        {"random operations", random_operations},
    };

    return fake_run_tests(tests, ARRAY_SIZE(tests), setup, teardown);
}
