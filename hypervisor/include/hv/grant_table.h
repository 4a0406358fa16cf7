/*
 * Grant tables, version 1 and 2 as far as stock guests use them. abi/grant_table.c
 * Source: xen/grant_table.h. Lock: per domain; two domains: lower domid first.
 */
#ifndef HV_GRANT_TABLE_H
#define HV_GRANT_TABLE_H

#include <hv/domain.h>
#include <xen/grant_table.h>

int grant_table_init(struct domain *d, int max_grant_frames, int max_maptrack_frames, unsigned version);
/* Unmaps what d mapped of others; -ERESTART when there is more. */
int grant_table_release_mappings(struct domain *d);
void grant_table_free(struct domain *d);

/* XENMAPSPACE_grant_table / XENMEM_acquire_resource: frame `index` of the (status) table, growing it when needed. */
int grant_table_get_frame(struct domain *d, unsigned long index, bool status, mfn_t *mfn);
/* acquire_resource: nr frames of the table in d, growing when needed. */
int grant_table_get_frames(struct domain *d, unsigned id, unsigned frame, unsigned nr, uint64_t *mfns);
unsigned grant_table_max_frames(const struct domain *d);

/* Initial entries made by the builder for xenstore and console pages. */
void grant_table_dump(struct domain *d);

/* Provided by pv/grant_map.c. Current vcpu's domain maps or unmaps a foreign frame in its own page tables.
 * flags: GNTMAP_*; address: linear address, or machine address of the entry with GNTMAP_contains_pte. Page references of
 * the frame are the caller's business. GNTST_*. */
int pv_grant_map(uint64_t address, mfn_t mfn, unsigned flags, unsigned cache_flags);
int pv_grant_unmap(uint64_t address, mfn_t mfn, unsigned flags, uint64_t replacement);

#endif
