/*
 * Mapping another domain's granted frame into the caller's page tables, and taking it out again.
 * The grant code holds the references of the frame; an entry made here is exempt from the ordinary rules in one way
 * only: its frame belongs to someone else. pv_put_l1e on such an entry (guest overwrote it) gives back what it stands
 * for, so the references are taken here exactly as for any level-1 entry.
 */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/grant_table.h>
#include <hv/guest_copy.h>
#include <hv/page_type.h>
#include <hv/pv_internal.h>
#include <hv/tlb.h>

/* The entry's table and index, from a machine address (contains_pte) or through the caller's tables. */
static bool find_entry(struct vcpu *v, uint64_t address, bool contains_pte, mfn_t *table, unsigned *index)
{
    if (!contains_pte) {
        struct walk at;
        if (!pv_walk(v, address, &at))
            return false;
        *table = at.table;
        *index = at.index;
        return true;
    }
    mfn_t mfn = address >> PAGE_SHIFT;
    if ((address & 7) || !mfn_is_ram(mfn))
        return false;
    struct page *page = mfn_to_page(mfn);
    *table = mfn;
    *index = (address & ~PAGE_MASK) / 8;
    return page->owner == v->domain->id && page_is_table(page) && (page->type & TYPE_MASK) == TYPE_L1;
}

int pv_grant_map(uint64_t address, mfn_t mfn, unsigned flags, unsigned cache_flags)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    pte_t entry = make_pte(mfn, PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_USER | PTE_NX) | cache_flags;
    mfn_t table;
    unsigned index;
    int status = GNTST_general_error;
    if (!(flags & GNTMAP_readonly))
        entry |= PTE_WRITE;
    entry |= (uint64_t)(flags >> _GNTMAP_guest_avail0 & 7) << 9;
    spin_lock(&d->pt_lock);
    if (find_entry(v, address, flags & GNTMAP_contains_pte, &table, &index)) {
        struct domain *owner = mfn_is_ram(mfn) ? page_owner(mfn_to_page(mfn)) : NULL;
        if (owner && !pv_write_entry(d, owner, table, index, 1, entry, false, NULL))
            status = GNTST_okay;
    }
    spin_unlock(&d->pt_lock);
    return status;
}

/* replacement: an entry to put in its place (0: none), as GNTTABOP_unmap_and_replace wants. */
int pv_grant_unmap(uint64_t address, mfn_t mfn, unsigned flags, uint64_t replacement)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    mfn_t table;
    unsigned index;
    int status = GNTST_general_error;
    spin_lock(&d->pt_lock);
    if (find_entry(v, address, flags & GNTMAP_contains_pte, &table, &index)) {
        pte_t old = READ_ONCE(((pte_t *)mfn_to_virt(table))[index]);
        if ((old & PTE_PRESENT) && pte_mfn(old) == mfn &&
            !pv_write_entry(d, NULL, table, index, 1, replacement, false, NULL))
            status = GNTST_okay;
    }
    spin_unlock(&d->pt_lock);
    return status;
}
