#include "grant_table_rig.h"
#include <hv/tlb.h>

struct domain *granter, *user, *other;
grant_entry_v1_t *table;
mfn_t frame;
unsigned flushes;

struct mapping mapping[MAX_MAPPINGS];
unsigned mappings;
int map_answer;

bool policy_denies;
struct asked asked;

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

long op(unsigned command, void *argument, unsigned count)
{
    return fake_hypercall(do_grant_table_op, command, (uintptr_t)argument, count, NULL);
}
long op_as(struct domain *d, unsigned command, void *argument, unsigned count)
{
    struct vcpu *before = current;
    long rc;

    fake_run(d->vcpu[0]);
    rc = op(command, argument, count);
    fake_run(before);
    return rc;
}
mfn_t setup_table(struct domain *d, unsigned nr)
{
    xen_pfn_t list[64] = {0};
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = nr};

    set_xen_guest_handle(s.frame_list, list);
    CHECK_EQUAL(0, op_as(d, GNTTABOP_setup_table, &s, 1));
    CHECK_EQUAL(GNTST_okay, s.status);
    return list[nr - 1];
}

void setup(void)
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

void finish(struct domain *d)
{
    d->dying = DOMAIN_DYING;
    while (grant_table_release_mappings(d) == -ERESTART)
        ;
}

void teardown(void)
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

struct gnttab_map_grant_ref map(grant_ref_t ref, uint32_t flags)
{
    static uint64_t next_address = 0x100000;
    struct gnttab_map_grant_ref m = {.host_addr = next_address += 8, .flags = flags, .ref = ref, .dom = granter->id};

    CHECK_EQUAL(0, op(GNTTABOP_map_grant_ref, &m, 1));
    return m;
}
int16_t unmap(uint32_t handle, uint64_t host, uint64_t device)
{
    struct gnttab_unmap_grant_ref u = {.handle = handle, .host_addr = host, .dev_bus_addr = device};

    CHECK_EQUAL(0, op(GNTTABOP_unmap_grant_ref, &u, 1));
    return u.status;
}

int16_t copy(struct gnttab_copy c)
{
    CHECK_EQUAL(0, op(GNTTABOP_copy, &c, 1));
    return c.status;
}

const volatile void *withdrawn_when_read;
unsigned reads_until_then;

void after_read(const volatile void *place)
{
    if (place == withdrawn_when_read && reads_until_then-- == 0)
        *(volatile uint16_t *)place ^= GTF_permit_access;
}
