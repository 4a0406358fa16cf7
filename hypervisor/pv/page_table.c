/*
 * Checked page tables: what an entry may say, the references it stands for, and the one function that writes entries.
 *
 * The guest's entries are what the processor walks. We change three things in them: every present entry gets PTE_USER
 * (guest kernel and user both run in ring 3; their separation is by root table), leaf entries lose PTE_GLOBAL (user and
 * kernel root tables differ), and the root's hypervisor slots are ours.
 */
#include <hv/acpi.h>
#include <hv/domain_log.h>
#include <hv/cpu.h>
#include <hv/page_type.h>
#include <hv/pagetable.h>
#include <hv/pv_internal.h>

/* Frames outside RAM: the hardware domain may map what exists and is not kept by us, as the local APIC is. */
static bool io_frame_allowed(const struct domain *d, mfn_t mfn)
{
    return d->all_io && !mfn_is_ram(mfn) && !(mfn >> (cpu_features.physical_address_bits - PAGE_SHIFT)) &&
           mfn != acpi.lapic_address >> PAGE_SHIFT;
}

/* The references a level-1 entry stands for. */
static int get_l1e(struct domain *pt_owner, struct domain *foreign, pte_t *entry)
{
    pte_t e = *entry;
    if (!(e & PTE_PRESENT))
        return 0;
    mfn_t mfn = pte_mfn(e);
    e = (e | PTE_USER) & ~PTE_GLOBAL;
    if (!mfn_is_ram(mfn)) {
        if (!io_frame_allowed(pt_owner, mfn) || (foreign && foreign != &io_domain && foreign != pt_owner))
            return -EINVAL;
        *entry = e;
        return 0;
    }
    if (!pt_owner->all_io)
        e &= ~(PTE_PAT | PTE_UNCACHED); /* without devices there is no reason to leave the cache */
    struct page *page = mfn_to_page(mfn);
    struct domain *owner = foreign ? foreign : pt_owner;
    if (!page_get(page, owner))
        return -EINVAL;
    if (e & PTE_WRITE) {
        int err = owner == &xen_domain ? -EPERM : page_get_type(page, TYPE_WRITABLE);
        if (err) {
            page_put(page);
            return err;
        }
    }
    *entry = e;
    return 0;
}

void pv_put_l1e(struct domain *pt_owner, pte_t entry)
{
    if (!(entry & PTE_PRESENT) || !mfn_is_ram(pte_mfn(entry)))
        return;
    struct page *page = mfn_to_page(pte_mfn(entry));
    if (entry & PTE_WRITE)
        page_put_type(page);
    page_put(page);
}

static int get_entry(struct domain *d, struct domain *foreign, unsigned level, pte_t *entry)
{
    pte_t e = *entry;
    if (level == 1)
        return get_l1e(d, foreign, entry);
    if (!(e & PTE_PRESENT))
        return 0;
    *entry = e | PTE_USER;
    return e & PTE_PSE ? -EINVAL : pv_get_table(d, pte_mfn(e), level - 1);
}

static void put_entry(struct domain *d, unsigned level, pte_t entry)
{
    if (level == 1)
        pv_put_l1e(d, entry);
    else if (entry & PTE_PRESENT)
        pv_put_table(d, pte_mfn(entry));
}

bool pv_is_hypervisor_slot(unsigned level, unsigned index)
{
    return level == 4 && index >= FIRST_HYPERVISOR_SLOT && index <= LAST_HYPERVISOR_SLOT;
}

void pv_fill_hypervisor_slots(pte_t *root)
{
    for (unsigned i = FIRST_HYPERVISOR_SLOT; i <= LAST_HYPERVISOR_SLOT; i++)
        root[i] = idle_root[i];
}

void pv_show_m2p(mfn_t root, bool shown)
{
    unsigned slot = PTE_INDEX(M2P_RO_VA, 4);
    WRITE_ONCE(((pte_t *)mfn_to_virt(root))[slot], shown ? idle_root[slot] : 0);
}

int pv_get_l1_entries(struct domain *d, mfn_t mfn)
{
    pte_t *table = mfn_to_virt(mfn);
    for (unsigned i = 0; i < PTES_PER_TABLE; i++) {
        pte_t e = READ_ONCE(table[i]), fixed = e;
        int err = get_l1e(d, NULL, &fixed);
        if (!err && fixed != e)
            WRITE_ONCE(table[i], fixed);
        if (!err)
            continue;
        domain_log(LOG_DEBUG, d, "level-1 table %lx: entry %u = %lx refused (%d)", mfn, i, e, err);
        while (i-- > 0)
            pv_put_l1e(d, READ_ONCE(table[i]));
        return err;
    }
    return 0;
}

/* The processor may set accessed and dirty bits at any moment, hence the compare-and-exchange. Those of `keep` stay as
 * they are. Returns what was there. */
static pte_t exchange_entry(pte_t *slot, pte_t value, pte_t keep)
{
    pte_t old = READ_ONCE(*slot);
    while (!__atomic_compare_exchange_n(slot, &old, value | (old & keep), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    return old;
}

/* Same frame, same rights: the references the entry stands for do not change. */
static bool same_references(unsigned level, pte_t a, pte_t b)
{
    uint64_t mask = PTE_ADDRESS | PTE_PRESENT | (level == 1 ? PTE_WRITE : PTE_PSE);
    return (a & PTE_PRESENT) && (a & mask) == (b & mask);
}

int pv_write_entry(struct domain *pt_owner, struct domain *foreign, mfn_t table, unsigned index, unsigned level,
                   pte_t value, pte_t keep, pte_t *replaced)
{
    pte_t *slot = (pte_t *)mfn_to_virt(table) + index;
    pte_t old = READ_ONCE(*slot);
    if (pv_is_hypervisor_slot(level, index))
        return -EPERM;
    if (same_references(level, value, old)) {
        value |= PTE_USER;
        if (level == 1)
            value &= ~PTE_GLOBAL;
        if (level == 1 && !pt_owner->all_io)
            value &= ~(PTE_PAT | PTE_UNCACHED);
        old = exchange_entry(slot, value, keep);
        if (replaced)
            *replaced = old;
        return 0;
    }
    int err = get_entry(pt_owner, foreign, level, &value);
    if (err)
        return err;
    old = exchange_entry(slot, value, keep);
    if (replaced)
        *replaced = old;
    put_entry(pt_owner, level, old);
    return 0;
}

static pte_t read_entry(mfn_t table, unsigned index)
{
    return READ_ONCE(((const pte_t *)mfn_to_virt(table))[index]);
}

bool pv_walk(struct vcpu *v, unsigned long va, struct walk *found)
{
    mfn_t mfn = v->pv.kernel_mode || !v->pv.root_user ? v->pv.root_kernel : v->pv.root_user;
    if (!mfn || !is_canonical(va) || !guest_range_ok(va, 1))
        return false;
    for (unsigned level = 4; level > 1; level--) {
        pte_t e = read_entry(mfn, PTE_INDEX(va, level));
        if (!(e & PTE_PRESENT))
            return false;
        mfn = pte_mfn(e);
    }
    unsigned index = PTE_INDEX(va, 1);
    *found = (struct walk){read_entry(mfn, index), mfn, index};
    return true;
}
