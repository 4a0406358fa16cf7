/*
 * mmu_update, update_va_mapping: a guest changes its page tables, or the machine-to-pfn table, entry by entry.
 * Source: xen.h, "HYPERVISOR_mmu_update". The entry is written while its table is known to be one (type reference held
 * by whoever uses it, pt_lock held by us); a frame that is not a table is plain memory and written as such.
 */
#include <hv/cpu.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/p2m.h>
#include <hv/page_type.h>
#include <hv/policy.h>
#include <hv/pv_internal.h>
#include <hv/tlb.h>

#define UPDATE_TYPE_MASK 7UL

/* Whose tables and whose frames an update is about; each with a reference unless it is the caller itself. */
struct update_target {
    struct domain *pt_owner, *foreign;
};

static int target_open(struct update_target *t, uint64_t domains)
{
    struct domain *self = current->domain;
    unsigned pt_id = domains >> 16, fg_id = domains & 0xffff;
    t->pt_owner = self;
    t->foreign = NULL;
    if (pt_id) { /* encoded plus one: another domain's tables */
        t->pt_owner = domain_get((domid_t)(pt_id - 1));
        if (!t->pt_owner)
            return -ESRCH;
        if (allowed_on(self, POLICY_VERB_CONTROL, t->pt_owner)) {
            domain_put(t->pt_owner);
            return -EPERM;
        }
    } else {
        domain_hold(self);
    }
    if (is_hvm(t->pt_owner)) { /* has no tables of ours */
        domain_put(t->pt_owner);
        return -EINVAL;
    }
    if (fg_id == DOMID_SELF || fg_id == self->id)
        return 0;
    if (fg_id == DOMID_IO || fg_id == DOMID_XEN) {
        t->foreign = fg_id == DOMID_IO ? &io_domain : &xen_domain;
        domain_hold(t->foreign);
    } else {
        t->foreign = domain_get((domid_t)fg_id);
    }
    int err = !t->foreign          ? -ESRCH
              : fg_id == DOMID_IO ? 0
                                  : allowed_on(self, POLICY_VERB_MAP_MEMORY, t->foreign);
    if (!err)
        return 0;
    if (t->foreign)
        domain_put(t->foreign);
    domain_put(t->pt_owner);
    return err;
}

static void target_close(struct update_target *t)
{
    if (t->foreign)
        domain_put(t->foreign);
    domain_put(t->pt_owner);
}

static int write_plain(struct page *page, paddr_t pa, uint64_t value)
{
    int err = page_get_type(page, TYPE_WRITABLE);
    if (err)
        return err;
    WRITE_ONCE(*(uint64_t *)paddr_to_virt(pa), value);
    page_put_type(page);
    return 0;
}

/*
 * An entry for memory of an HVM guest names the guest's frame. *held: reference to the frame until the entry has its
 * own; NULL: there was nothing to translate. -EINVAL: the guest has nothing there.
 */
static int translate_entry(struct domain *foreign, uint64_t *value, struct page **held)
{
    *held = NULL;
    if (!is_hvm(foreign) || !(*value & PTE_PRESENT))
        return 0;
    *held = p2m_get_page_privileged(foreign, pte_mfn(*value), *value & PTE_WRITE);
    if (!*held)
        return -EINVAL;
    *value = make_pte(page_to_mfn(*held), *value & ~PTE_ADDRESS);
    return 0;
}

static pte_t kept(unsigned how)
{
    return how == MMU_PT_UPDATE_PRESERVE_AD ? PTE_ACCESSED | PTE_DIRTY : 0;
}

/* pt_lock held; the table's owner must be t's. */
static int write_foreign(const struct update_target *t, mfn_t mfn, unsigned index, unsigned level, uint64_t value,
                         unsigned how)
{
    struct page *held = NULL;
    bool as_it_is = level > 1 || how == MMU_PT_UPDATE_NO_TRANSLATE; /* upper entries name the owner's own tables */
    int err = as_it_is ? 0 : translate_entry(t->foreign, &value, &held);
    if (!err)
        err = pv_write_entry(t->pt_owner, t->foreign, mfn, index, level, value, kept(how), NULL);
    if (held)
        page_put(held);
    return err;
}

static int write_table(const struct update_target *t, mfn_t mfn, unsigned index, unsigned level, uint64_t value,
                       unsigned how)
{
    if (t->foreign)
        return write_foreign(t, mfn, index, level, value, how);
    return pv_write_entry(t->pt_owner, NULL, mfn, index, level, value, kept(how), NULL);
}

static int update_entry(const struct update_target *t, paddr_t pa, uint64_t value, unsigned how)
{
    struct domain *owner = t->pt_owner;
    mfn_t mfn = pa >> PAGE_SHIFT;
    if ((pa & 7) || !mfn_is_ram(mfn))
        return -EINVAL;
    struct page *page = mfn_to_page(mfn);
    if (!page_get(page, owner))
        return -EINVAL;
    spin_lock(&owner->pt_lock);
    unsigned level = page_table_level(page);
    int err = level ? write_table(t, mfn, (pa & ~PAGE_MASK) / 8, level, value, how) : write_plain(page, pa, value);
    spin_unlock(&owner->pt_lock);
    page_put(page);
    return err;
}

static int update_m2p(const struct update_target *t, paddr_t pa, uint64_t pfn)
{
    mfn_t mfn = pa >> PAGE_SHIFT;
    struct domain *d = t->foreign ? t->foreign : t->pt_owner;
    if (is_hvm(d) || !mfn_is_ram(mfn) || !page_get(mfn_to_page(mfn), d))
        return -EINVAL;
    m2p_set(mfn, pfn);
    page_put(mfn_to_page(mfn));
    return 0;
}

static int update_one(const struct update_target *t, const struct mmu_update *u)
{
    unsigned how = u->ptr & UPDATE_TYPE_MASK;
    paddr_t pa = u->ptr & ~UPDATE_TYPE_MASK;
    switch (how) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_PRESERVE_AD:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return update_entry(t, pa, u->val, how);
    case MMU_MACHPHYS_UPDATE:
        return update_m2p(t, pa, u->val);
    default:
        return -ENOSYS;
    }
}

/* The done count at arg[2] accumulates over re-entries; the top bit of arg[1] marks one. */
#define CONTINUED (1U << 31)

long do_mmu_update(struct hypercall *call)
{
    unsigned long at = call->arg[0];
    unsigned count = (unsigned)call->arg[1] & ~CONTINUED;
    unsigned done = 0, already = 0;
    struct update_target t;
    int err = 0;
    if (((unsigned)call->arg[1] & CONTINUED) && call->arg[2] && copy_argument_in(&already, call->arg[2]))
        return -EFAULT;
    err = target_open(&t, call->arg[3]);
    if (err)
        return err;
    for (;; done++) {
        struct mmu_update u __uninitialized;
        err = pv_finish_tables(t.pt_owner);
        if (err || done == count)
            break;
        if (done && hypercall_should_yield()) {
            err = -ERESTART;
            break;
        }
        err = copy_from_guest_va(&u, at + done * sizeof(u), sizeof(u)) ? -EFAULT : update_one(&t, &u);
        if (err)
            break;
    }
    target_close(&t);
    already += done;
    if (call->arg[2] && copy_argument_out(call->arg[2], &already))
        return -EFAULT;
    if (err == -ERESTART) {
        call->arg[0] = at + done * sizeof(struct mmu_update);
        call->arg[1] = (count - done) | CONTINUED;
    }
    return err;
}

/* UVMF_*: what to flush, where; the pointer bits name a vcpu bitmap (UVMF_MULTI) or all CPUs. */
static int flush_after_update(unsigned long va, uint64_t flags)
{
    unsigned long target = flags & ~UVMF_FLUSHTYPE_MASK;
    bool local = target == UVMF_LOCAL, all = target == UVMF_ALL;
    unsigned long which = 0;
    cpumask_t mask;
    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_NONE:
        return 0;
    case UVMF_TLB_FLUSH:
        break;
    case UVMF_INVLPG:
        which = va;
        break;
    default:
        return -EINVAL;
    }
    if (local) {
        if (which)
            tlb_flush_local_va(which);
        else
            tlb_flush_local();
        return 0;
    }
    if (all)
        pv_domain_cpus(current->domain, &mask);
    else if (pv_vcpu_bitmap_cpus(target, &mask))
        return -EFAULT;
    tlb_flush_mask(&mask, which);
    return 0;
}

static long update_va(unsigned long va, uint64_t value, uint64_t flags, struct domain *foreign)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    struct update_target t = {d, foreign};
    struct walk at;
    int err = pv_finish_tables(d);
    if (err)
        return err;
    err = -EINVAL;
    spin_lock(&d->pt_lock);
    if (pv_walk(v, va, &at))
        err = write_table(&t, at.table, at.index, 1, value, MMU_NORMAL_PT_UPDATE);
    spin_unlock(&d->pt_lock);
    return err ? err : flush_after_update(va, flags);
}

long do_update_va_mapping(struct hypercall *call)
{
    return update_va(call->arg[0], call->arg[1], call->arg[2], NULL);
}

long do_update_va_mapping_otherdomain(struct hypercall *call)
{
    struct update_target t;
    long err = target_open(&t, call->arg[3] & 0xffff);
    if (err)
        return err;
    err = update_va(call->arg[0], call->arg[1], call->arg[2], t.foreign);
    target_close(&t);
    return err;
}
