/*
 * Three domains with grant tables on the real files, and what those use of the rest. The page table side is a fake that
 * notes which addresses are mapped. Each test begins with setup() and ends with teardown(), which looks whether every
 * count is back where it was.
 */
#ifndef GRANT_TABLE_RIG_H
#define GRANT_TABLE_RIG_H

#include "../../../../hypervisor/abi/grant_table_private.h"
#include "fake/fake.h"
#include <hv/grant_table.h>
#include <hv/policy.h>

extern struct domain *granter, *user, *other;
extern grant_entry_v1_t *table; /* the granter's first frame */
extern mfn_t frame;             /* of the granter, granted by entry 8 in most tests */
extern unsigned flushes;        /* of all TLBs */

/* What is mapped by grant, and what mapping says. */
#define MAX_MAPPINGS 4096
extern struct mapping {
    uint64_t address;
    mfn_t mfn;
} mapping[MAX_MAPPINGS];
extern unsigned mappings;
extern int map_answer;

/* Who was asked about last, while the policy denies. */
extern bool policy_denies;
extern struct asked {
    const struct domain *subject, *object;
    enum policy_verb verb;
} asked;

/* The granter takes the right of an entry back when its first word has been read so often. */
extern const volatile void *withdrawn_when_read;
extern unsigned reads_until_then;

void setup(void);
void teardown(void);
/* What a dying domain has mapped is given back. */
void finish(struct domain *d);
/* Makes a table of so many frames; the last one. */
mfn_t setup_table(struct domain *d, unsigned nr);

/* An operation of the current vcpu's, or of d's first one. */
long op(unsigned command, void *argument, unsigned count);
long op_as(struct domain *d, unsigned command, void *argument, unsigned count);
struct gnttab_map_grant_ref map(grant_ref_t ref, uint32_t flags);
int16_t unmap(uint32_t handle, uint64_t host, uint64_t device);
int16_t copy(struct gnttab_copy c); /* its status */

#endif
