/*
 * Grant tables: a domain lets another one map or copy single frames of its own. Versions 1 and 2 of the table.
 * abi/grant_table.c (the table, its versions and frames), abi/grant_map.c (pins, handles, mapping), abi/grant_copy.c
 * Source: xen/grant_table.h.
 *
 * A use of a grant by another domain is a pin: counted in our record of the entry, and shown to the granter by
 * GTF_reading and GTF_writing for as long as there is one. While an entry is pinned we go by our record, not by what
 * the entry says. Each mapping (one handle) holds: a pin, a general reference to the frame and, if it may write, a
 * writable type reference, and a reference to the granting domain, whose number therefore cannot come to mean another
 * one.
 *
 * Locks: struct grant_table.lock (entries and records of the granter), .handle_lock (handles of the mapper). Never
 * both, never those of two domains at a time. Interrupts on.
 */
#ifndef HV_GRANT_TABLE_H
#define HV_GRANT_TABLE_H

#include <hv/domain.h>
#include <xen/grant_table.h>

/* Limits in frames; negative = default (64, 1024). max_version: XEN_DOMCTL_GRANT_version of createdomain, 0 = 2.
 * -EINVAL, -ENOMEM */
int grant_table_init(struct domain *d, int max_grant_frames, int max_maptrack_frames, unsigned max_version);
/* Domain death, no vcpu of d runs again: gives up everything that d has mapped of others. Its page tables are left as
 * they are. -ERESTART when there is more. */
int grant_table_release_mappings(struct domain *d);
/* The frames of a dying domain's own table go back; what others mapped of its grants stays theirs until they unmap. */
void grant_table_release_frames(struct domain *d);
/* Last reference gone. Accepts a domain without a table. */
void grant_table_free(struct domain *d);

/* Frame `index` of the table, or of its status frames (version 2), growing it when needed. -EINVAL beyond the limit or
 * for status frames of a version 1 table, -ENOMEM, -ESRCH when d is dying. For XENMAPSPACE_grant_table. */
int grant_table_get_frame(struct domain *d, unsigned long index, bool status, mfn_t *mfn);
/* XENMEM_acquire_resource: frames [frame, frame + nr) of the table; id: XENMEM_resource_grant_table_id_*. */
int grant_table_get_frames(struct domain *d, unsigned id, unsigned frame, unsigned nr, uint64_t *mfns);
/* Frame `index` of the table or of its status frames, if the table has grown to it. */
bool grant_table_has_frame(struct domain *d, unsigned index, bool status, mfn_t *mfn);
/* Every grant that nobody uses is taken back, but for the reserved ones, which are the toolstack's; version 1 again, if
 * that can be. */
void grant_table_forget(struct domain *d);
unsigned grant_table_max_frames(const struct domain *d);

/* To the log: every entry in use. */
void grant_table_dump(struct domain *d);

/* What a guest means by a frame number: for PV guests the machine frame, for HVM guests what its p2m says, and it must
 * be RAM of d. Takes no reference, so the caller gets one with page_get and so finds out whether it still is d's.
 * -EINVAL */
int domain_gfn_to_mfn(struct domain *d, uint64_t gfn, mfn_t *mfn);

/* Provided by pv/grant_map.c. Current vcpu's domain maps or unmaps a foreign frame in its own page tables.
 * flags: GNTMAP_*; address: linear address, or machine address of the entry with GNTMAP_contains_pte. Page references
 * of the frame are the caller's business. GNTST_*. */
int pv_grant_map(uint64_t address, mfn_t mfn, unsigned flags, unsigned cache_flags);
int pv_grant_unmap(uint64_t address, mfn_t mfn, unsigned flags, uint64_t replacement);

/* The same for an HVM guest: address is where the frame appears in its physical memory; nothing may be there yet. The
 * mapping holds references of its own, given back when it is flushed out. hvm/grant_map.c */
int hvm_grant_map(uint64_t address, mfn_t mfn, unsigned flags);
int hvm_grant_unmap(uint64_t address, mfn_t mfn, unsigned flags);

#endif
