/*
 * Mapping another domain's granted frame into the caller's page tables, and taking it out again.
 * The grant code holds the references of the frame; an entry made here is exempt from the ordinary rules in one way
 * only: its frame belongs to someone else. pv_put_l1e on such an entry (guest overwrote it) gives back what it stands
 * for, so the references are taken here exactly as for any level-1 entry.
 */
#include <hv/cpu.h>
#include <hv/grant_table.h>
#include <hv/guest_copy.h>
#include <hv/page_type.h>
#include <hv/pv_internal.h>

/* The entry at a machine address (contains_pte), if that is in a level-1 table of d. The reference keeps the frame d's
 * while its type is looked at; then the table itself keeps it, for it stays one as long as pt_lock is held. */
static bool entry_at(struct domain *d, uint64_t address, struct walk *at)
{
    mfn_t mfn = address >> PAGE_SHIFT;
    unsigned index = (address & ~PAGE_MASK) / 8;
    if ((address & 7) || !mfn_is_ram(mfn) || !page_get(mfn_to_page(mfn), d))
        return false;
    bool is_l1 = page_table_level(mfn_to_page(mfn)) == 1;
    if (is_l1)
        *at = (struct walk){READ_ONCE(((pte_t *)mfn_to_virt(mfn))[index]), mfn, index};
    page_put(mfn_to_page(mfn));
    return is_l1;
}

/* pt_lock held. */
static bool find_entry(struct vcpu *v, uint64_t address, unsigned flags, struct walk *at)
{
    return flags & GNTMAP_contains_pte ? entry_at(v->domain, address, at) : pv_walk(v, address, at);
}

int pv_grant_map(uint64_t address, mfn_t mfn, unsigned flags, unsigned cache_flags)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    pte_t entry = make_pte(mfn, PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_USER | PTE_NX) | cache_flags;
    struct walk at;
    int status = GNTST_general_error;
    if (!(flags & GNTMAP_readonly))
        entry |= PTE_WRITE;
    entry |= (uint64_t)(flags >> _GNTMAP_guest_avail0 & 7) << 9;
    spin_lock(&d->pt_lock);
    if (find_entry(v, address, flags, &at)) {
        struct domain *owner = mfn_is_ram(mfn) ? page_owner(mfn_to_page(mfn)) : NULL;
        if (owner && !pv_write_entry(d, owner, at.table, at.index, 1, entry, 0, NULL))
            status = GNTST_okay;
    }
    spin_unlock(&d->pt_lock);
    return status;
}

/* The entry is one that the mapping may have: the granter takes the end of the last writable mapping for the end of
 * writing, so another's read-only entry will not do for it. */
static bool is_mapping(pte_t entry, mfn_t mfn, unsigned flags)
{
    pte_t rights = PTE_PRESENT | (flags & GNTMAP_readonly ? 0 : PTE_WRITE);
    return (entry & (PTE_PRESENT | PTE_WRITE)) == rights && pte_mfn(entry) == mfn;
}

/* replacement: an entry to put in its place (0: none), as GNTTABOP_unmap_and_replace wants. */
int pv_grant_unmap(uint64_t address, mfn_t mfn, unsigned flags, uint64_t replacement)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    struct walk at;
    int status = GNTST_general_error;
    spin_lock(&d->pt_lock);
    if (find_entry(v, address, flags, &at)) {
        if (is_mapping(at.entry, mfn, flags) &&
            !pv_write_entry(d, NULL, at.table, at.index, 1, replacement, 0, NULL))
            status = GNTST_okay;
    }
    spin_unlock(&d->pt_lock);
    return status;
}
